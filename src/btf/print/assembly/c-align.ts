// Sizes and alignments of types, by the rules libbpf uses (btf__resolve_size, btf__align_of). ../../read/sizes.ts answers the same for
// single types.

import {
  KIND_SIZE,
  SIZE_NONE,
  SIZE_OF_ELEMENTS,
  SIZE_OF_POINTER,
  SIZE_OF_TYPE,
  SIZE_OWN,
  STATE_ALIGNS,
  STATE_POINTER_BYTES,
} from '../c-constants'
import { endId, flagOf, isComposite, kindOf, recordOf, refOf, roleOf, vlenOf } from './c-types'

/** Longest chain of references that a size is looked for behind. */
const MAX_DEPTH: u32 = 32
/** Deepest nesting of structs and modifiers whose alignment is worked out. */
const MAX_NESTING: u32 = 256
const MAX_U32: u64 = 0xffffffff
/** Noted of a type without alignment; 0 is one that is not known yet. */
const NO_ALIGN: u8 = 255

let aligns: usize = 0
let pointer: u32 = 0

export function openAligns(state: usize): void {
  aligns = <usize>load<u32>(state, STATE_ALIGNS)
  pointer = load<u32>(state, STATE_POINTER_BYTES)
}

export function longBits(): u32 {
  return pointer << 3
}

/** Bytes of an object; 0 for what has no size. */
export function sizeOf(type: u32): u64 {
  let elements: u64 = 1
  let id = type
  for (let depth: u32 = 0; depth < MAX_DEPTH && id !== 0; depth++) {
    const record = recordOf(id)
    const known = load<u8>(kindOf(record), KIND_SIZE)
    if (known === SIZE_OF_TYPE) id = refOf(record)
    else if (known === SIZE_OF_ELEMENTS) {
      elements *= <u64>load<u32>(record, 20)
      if (elements > MAX_U32) return 0
      id = load<u32>(record, 12)
    } else {
      if (known === SIZE_NONE) return 0
      const bytes = elements * <u64>(known === SIZE_OWN ? refOf(record) : pointer)
      return bytes > MAX_U32 ? 0 : bytes
    }
  }
  return 0
}

/** The alignment in bytes; 0 for what has none. */
function alignOf(id: u32, depth: u32): u32 {
  if (id === 0 || id >= endId || depth > MAX_NESTING) return 0
  const known = load<u8>(aligns + id)
  if (known !== 0) return known === NO_ALIGN ? 0 : <u32>known
  const found = workedOut(recordOf(id), depth)
  store<u8>(aligns + id, found > 0 ? <u8>found : NO_ALIGN)
  return found
}

function workedOut(record: usize, depth: u32): u32 {
  if (isComposite(roleOf(record))) return alignOfStruct(record, depth)
  const known = load<u8>(kindOf(record), KIND_SIZE)
  if (known === SIZE_OWN) return min(pointer, refOf(record))
  if (known === SIZE_OF_POINTER) return pointer
  if (known === SIZE_OF_TYPE) return alignOf(refOf(record), depth + 1)
  return known === SIZE_OF_ELEMENTS ? alignOf(load<u32>(record, 12), depth + 1) : 0
}

function alignOfStruct(record: usize, depth: u32): u32 {
  let most: u32 = 1
  const end = record + 12 + <usize>vlenOf(record) * 12
  for (let member = record + 12; member < end; member += 12) {
    const align = alignOf(load<u32>(member, 4), depth + 1)
    if (align === 0) return 0
    if (align > most) most = align
    if (isMisplaced(record, member, align)) return 1
  }
  return refOf(record) % most === 0 ? most : 1
}

/** Whether a member is where only a packed struct has it. */
function isMisplaced(record: usize, member: usize, align: u32): bool {
  const offset = load<u32>(member, 8)
  const isBitfield = flagOf(record) && offset >> 24 !== 0
  return !isBitfield && offset % (align << 3) !== 0
}

/** The alignment that a type has where it is a member. */
export function memberAlign(id: u32): u32 {
  return max<u32>(alignOf(id, 0), 1)
}

/** Whether a struct's layout is one that C gives only to packed structs. */
export function isPacked(record: usize): bool {
  let most: u32 = 1
  const end = record + 12 + <usize>vlenOf(record) * 12
  for (let member = record + 12; member < end; member += 12) {
    const align = alignOf(load<u32>(member, 4), 0)
    if (align > 0 && isMisplaced(record, member, align)) return true
    if (align > most) most = align
  }
  return refOf(record) % most !== 0
}
