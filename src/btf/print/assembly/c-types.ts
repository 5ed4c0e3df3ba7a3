// Types of all sets of a header by id: where the record of each is, what its kind is to C, and where its names are. Ids past the end are
// void, and names past the end are empty.

import { DECL_TAG, ENUM, KIND_ELEMENT, KIND_ROLE, POINTER, STRUCT, UNION } from '../c-constants'

/** Gives the header up because of a type: the caller throws. */
export declare function refuse(reason: u32, id: u32): void

let kinds: usize = 0
let records: usize = 0
let strings: usize = 0
let stringsEnd: u32 = 0
/** One past the last id. */
export let endId: u32 = 0

export function openTypes(kindTable: usize, recordTable: usize, end: u32, names: usize, namesEnd: u32): void {
  kinds = kindTable
  records = recordTable
  endId = end
  strings = names
  stringsEnd = namesEnd
}

/** Notes where records of a set lie. */
export function place(into: usize, offsets: usize, size: u32, words: usize): void {
  for (let i: u32 = 0; i < size; i++) {
    const at = (<usize>i) << 2
    store<u32>(into + at, <u32>words + (load<u32>(offsets + at) << 2))
  }
}

export function recordOf(id: u32): usize {
  return <usize>load<u32>(records + ((id < endId ? <usize>id : 0) << 2))
}

/** Where the row of a record's kind is in the table of kinds. */
export function kindOf(record: usize): usize {
  return kinds + <usize>kindNumberOf(record)
}

export function kindNumberOf(record: usize): u32 {
  return (load<u32>(record, 4) >> 24) & 0x7f
}

export function roleOf(record: usize): u32 {
  return load<u8>(kindOf(record), KIND_ROLE)
}

export function vlenOf(record: usize): u32 {
  return load<u32>(record, 4) & 0xffffff
}

export function flagOf(record: usize): bool {
  return load<u32>(record, 4) >> 31 === 1
}

/** What a type refers to, or its size. */
export function refOf(record: usize): u32 {
  return load<u32>(record, 8)
}

export function isNamed(record: usize): bool {
  return load<u32>(record) !== 0
}

/** Where the name at an offset is. */
export function nameAt(offset: u32): usize {
  return strings + (offset < stringsEnd ? <usize>offset : 0)
}

export function nameOf(record: usize): usize {
  return nameAt(load<u32>(record))
}

export function isComposite(role: u32): bool {
  return role === STRUCT || role === UNION
}

/** Whether the third word of such a record is a type that it stands before: a pointer, a typedef, a qualifier or a tag. */
export function isReference(role: u32): bool {
  return role >= <u32>POINTER && role <= <u32>DECL_TAG
}

/** Words of each element: of an enumerator two where its value has 32 bits, and three where it has 64. */
export function elementWords(record: usize): usize {
  return <usize>load<u8>(kindOf(record), KIND_ELEMENT)
}

/** Whether it is the forward declaration of an enum, which is written as one without enumerators. */
export function isForwardEnum(record: usize): bool {
  return roleOf(record) === ENUM && elementWords(record) === 2 && vlenOf(record) === 0
}

export function sameName(a: usize, b: usize): bool {
  if (a === b) return true
  let i: usize = 0
  while (load<u8>(a + i) === load<u8>(b + i) && load<u8>(a + i) !== 0) i++
  return load<u8>(a + i) === load<u8>(b + i)
}
