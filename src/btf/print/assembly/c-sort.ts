// The order in which bpftool puts types of a C header: the loops over all types, the only implementation. Addresses are bytes in the
// one memory.

import { ARRAY, ENUM, PRINTS_NOTHING, PROTOTYPE, REFUSED_NAMES, SCALAR } from '../c-constants'
import {
  elementWords,
  endId,
  isComposite,
  isReference,
  nameAt,
  nameOf,
  recordOf,
  refOf,
  refuse,
  roleOf,
  vlenOf,
} from './c-types'

const LAST_RANK: u64 = 10
/** Longest chain of references that is followed. */
const MAX_CHAIN: u32 = 256
/** Bytes of a name that fit a key beside the rank; where the last of them is zero, they are the whole name. */
const HEAD_BYTES: usize = 7

/** Bytes of names that may still be looked at: however many types share a name, each would be printed. */
let left: i64 = 0
/** By id: rank and head of the name to sort by; where that name is; by 2 × id, + 1 where members count: hash, and whether it is known. */
let keys: usize = 0
let sortNames: usize = 0
let hashes: usize = 0
let known: usize = 0

function rank(type: u32): u64 {
  let id = type
  let named = false
  for (let depth: u32 = 0; depth < MAX_CHAIN; depth++) {
    const record = recordOf(id)
    const role = roleOf(record)
    if (load<u32>(record) !== 0) named = true
    if (role === ENUM) return named ? 1 : 0
    if (role === SCALAR) return 2
    if (!named) return LAST_RANK
    if (isComposite(role)) return 3
    if (role === PROTOTYPE) return 4
    if (role === ARRAY) id = load<u32>(record, 12)
    else if (isReference(role)) id = refOf(record)
    else return LAST_RANK
  }
  return LAST_RANK
}

/** Where the name is that a type is sorted by. */
function sortName(type: u32): usize {
  let id = type
  for (let depth: u32 = 0; depth < MAX_CHAIN; depth++) {
    const record = recordOf(id)
    const role = roleOf(record)
    const name = load<u32>(record)
    if (role === ARRAY) id = load<u32>(record, 12)
    else if (isReference(role)) id = refOf(record)
    else if (role === ENUM && id === type && name === 0) {
      // An anonymous enum is known by its first enumerator.
      return nameAt(vlenOf(record) > 0 ? load<u32>(record, 12) : 0)
    } else return nameAt(name)
  }
  return nameAt(0)
}

/** The first bytes of a name as a number that has their order; zeros behind its end. */
function headOf(name: usize): u64 {
  let head: u64 = 0
  let at = name
  for (let i: usize = 0; i < HEAD_BYTES; i++) {
    const byte = load<u8>(at)
    head = (head << 8) | <u64>byte
    if (byte !== 0) at++
  }
  return head
}

function lengthOf(name: usize): i64 {
  let end = name
  while (load<u8>(end) !== 0) end++
  return <i64>(end - name)
}

function compareNames(a: usize, b: usize): i32 {
  if (a === b) return 0
  let i: usize = 0
  while (load<u8>(a + i) === load<u8>(b + i) && load<u8>(a + i) !== 0) i++
  return <i32>load<u8>(a + i) - <i32>load<u8>(b + i)
}

/** hash × 31 + the hash of a name, modulo 2^64. Its bytes are C chars, which are signed. */
function withName(hash: u64, offset: u32): u64 {
  if (offset === 0) return hash
  let own: u64 = 0
  let at = nameAt(offset)
  const start = at
  for (; load<u8>(at) !== 0; at++) own = own * 31 + <u64>(<i64>load<i8>(at))
  left -= <i64>(at - start)
  return hash * 31 + own
}

/** The hash of what a type contains, which is worked out only for types that need telling apart. */
function hashOf(id: u32, withMembers: u32, depth: u32): u64 {
  if (id >= endId) return 0
  const key = <usize>(2 * id + withMembers)
  if (load<u8>(known + key) !== 0) return load<u64>(hashes + (key << 3))
  const hash = depth < MAX_CHAIN && id !== 0 && left >= 0 ? contents(id, withMembers, depth + 1) : 0
  store<u64>(hashes + (key << 3), hash)
  store<u8>(known + key, 1)
  return hash
}

function contents(id: u32, withMembers: u32, depth: u32): u64 {
  const record = recordOf(id)
  const role = roleOf(record)
  let count = vlenOf(record)
  let hash = withName(0, load<u32>(record))
  let at = record + 12
  if (role === ENUM) {
    const step = elementWords(record) << 2
    for (; count > 0; count--, at += step) hash = withName(hash, load<u32>(at))
  } else if (isComposite(role)) {
    if (withMembers === 0) return hash
    for (; count > 0; count--, at += 12) {
      hash = withName(hash, load<u32>(at))
      hash = hash * 31 + hashOf(load<u32>(at, 4), 0, depth)
    }
  } else if (role === ARRAY) {
    hash = hash * 31 + <u64>load<u32>(at, 8)
    hash = hash * 31 + hashOf(load<u32>(at), withMembers, depth)
  } else if (isReference(role)) {
    hash = hash * 31 + hashOf(refOf(record), withMembers, depth)
  }
  return hash
}

/** Whether a type goes behind another one, whose id is smaller or that comes first among equals. */
function isBehind(a: u32, b: u32): bool {
  const headA = load<u64>(keys + ((<usize>a) << 3))
  const headB = load<u64>(keys + ((<usize>b) << 3))
  if (headA !== headB) return headA > headB
  let order: i32 = 0
  if ((headA & 0xff) !== 0) {
    const nameA = <usize>load<u32>(sortNames + ((<usize>a) << 2))
    const nameB = <usize>load<u32>(sortNames + ((<usize>b) << 2))
    if (nameA !== nameB) order = compareNames(nameA + HEAD_BYTES, nameB + HEAD_BYTES)
  }
  if (order === 0) order = compareNames(nameOf(recordOf(a)), nameOf(recordOf(b)))
  if (order !== 0) return order > 0
  const hashA = hashOf(a, 1, 0)
  const hashB = hashOf(b, 1, 0)
  return hashA > hashB
}

/**
 * Sorts ids, from one on, of all types that have a place in the order: how many there are. `ids` and `spare` have a word for each id,
 * `work` 30 bytes.
 */
export function sort(first: u32, budget: f64, ids: usize, spare: usize, work: usize): u32 {
  left = <i64>budget
  keys = work
  hashes = keys + ((<usize>endId) << 3)
  sortNames = hashes + ((<usize>endId) << 4)
  known = sortNames + ((<usize>endId) << 2)
  memory.fill(known, 0, (<usize>endId) << 1)
  let count: u32 = 0
  for (let id = first; id < endId; id++) {
    const record = recordOf(id)
    if (roleOf(record) === PRINTS_NOTHING) continue
    const name = sortName(id)
    left -= lengthOf(name) + lengthOf(nameOf(record))
    if (left < 0) refuse(REFUSED_NAMES, id)
    store<u64>(keys + ((<usize>id) << 3), (rank(id) << 56) | headOf(name))
    store<u32>(sortNames + ((<usize>id) << 2), <u32>name)
    store<u32>(ids + ((<usize>count) << 2), id)
    count++
  }
  let from = ids
  let into = spare
  for (let width: u32 = 1; width < count; width <<= 1) {
    for (let start: u32 = 0; start < count; start += 2 * width) merge(from, into, start, width, count)
    const sorted = into
    into = from
    from = sorted
  }
  if (left < 0) refuse(REFUSED_NAMES, 0)
  if (from !== ids) memory.copy(ids, from, (<usize>count) << 2)
  return count
}

/** Merges two neighbours that are in order; the first of equals stays first. */
function merge(from: usize, into: usize, start: u32, width: u32, count: u32): void {
  const middle = min<u32>(start + width, count)
  const end = min<u32>(middle + width, count)
  let a = start
  let b = middle
  for (let i = start; i < end; i++) {
    const takesSecond =
      a >= middle || (b < end && isBehind(load<u32>(from + ((<usize>a) << 2)), load<u32>(from + ((<usize>b) << 2))))
    const next = takesSecond ? b++ : a++
    store<u32>(into + ((<usize>i) << 2), load<u32>(from + ((<usize>next) << 2)))
  }
}
