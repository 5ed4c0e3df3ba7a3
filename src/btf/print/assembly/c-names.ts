// Names that do not clash within one header, as libbpf makes them: a later type of the same name space and name gets a number
// (`name___2` for the second). Struct, union and enum tags are one name space, typedefs and enumerators the other.

import {
  FORWARD,
  NAME_BYTES,
  NAME_IDENTIFIERS,
  NAME_TAGS,
  STATE_NAMES,
  STATE_NAMES_MASK,
  STATE_NUMBERS,
  STATE_SEED,
  STATE_SEED_2,
  TEXT_NUMBERED,
} from '../c-constants'
import { putName, putNumber, putText } from './c-text'
import { endId, isForwardEnum, nameOf, recordOf, roleOf, sameName } from './c-types'

let slots: usize = 0
let mask: u32 = 0
let numbers: usize = 0
let step: u64 = 0

export function openNames(state: usize): void {
  slots = <usize>load<u32>(state, STATE_NAMES)
  mask = load<u32>(state, STATE_NAMES_MASK)
  numbers = <usize>load<u32>(state, STATE_NUMBERS)
  step = ((<u64>load<u32>(state, STATE_SEED)) << 32) | <u64>load<u32>(state, STATE_SEED_2)
}

/** The slot of a name, or the free one where it belongs. The hash is one that nobody can foresee: names may be made up to collide. */
function slotOf(name: usize): usize {
  let hash = step
  for (let at = name; load<u8>(at) !== 0; at++) {
    hash = (hash ^ <u64>load<u8>(at)) * step
    hash ^= hash >> 29
  }
  let slot = <u32>(hash >> 32) & mask
  let at = slots + <usize>slot * NAME_BYTES
  while (load<u32>(at) !== 0 && !sameName(<usize>load<u32>(at), name)) {
    slot = (slot + 1) & mask
    at = slots + <usize>slot * NAME_BYTES
  }
  return at
}

/** Takes over the names of a base's header, of so many slots. */
export function inherit(from: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const known = from + <usize>i * NAME_BYTES
    if (load<u32>(known) === 0) continue
    const slot = slotOf(<usize>load<u32>(known))
    for (let byte: usize = 0; byte < <usize>NAME_BYTES; byte += 4) store<u32>(slot + byte, load<u32>(known + byte))
  }
}

/** How often a name has been given in a name space, this time included. */
function count(name: usize, space: usize): u32 {
  const slot = slotOf(name)
  store<u32>(slot, <u32>name)
  const next = load<u32>(slot + space) + 1
  store<u32>(slot + space, next)
  return next
}

/** The number of a type's name, which is given once. */
function numberOf(id: u32, space: usize): u32 {
  if (id >= endId) return 1
  const at = numbers + ((<usize>id) << 2)
  const given = load<u32>(at)
  if (given !== 0) return given
  const record = recordOf(id)
  const name = nameOf(record)
  // A forward declaration, of an enum too, is meant to have the name of its definition.
  const isForward = roleOf(record) === FORWARD || isForwardEnum(record)
  const number = load<u8>(name) === 0 || isForward ? 1 : count(name, space)
  store<u32>(at, number)
  return number
}

/** The number of the name of a struct, union or enum. */
export function tagNumber(id: u32): u32 {
  return numberOf(id, NAME_TAGS)
}

export function typedefNumber(id: u32): u32 {
  return numberOf(id, NAME_IDENTIFIERS)
}

export function putNumbered(name: usize, number: u32): void {
  putName(name)
  if (number < 2) return
  putText(TEXT_NUMBERED)
  putNumber(number)
}

export function putTag(id: u32): void {
  putNumbered(nameOf(recordOf(id)), tagNumber(id))
}

export function putEnumerator(name: usize): void {
  putNumbered(name, count(name, NAME_IDENTIFIERS))
}
