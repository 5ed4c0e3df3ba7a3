// The loops over kallsyms text and symbols once more, in AssemblyScript: compiled to WebAssembly, which runs at full speed from
// the first line, where JavaScript has to be interpreted, measured and compiled first. Each does exactly what the plain
// function of the same name does (see ../loops.ts); a test holds the two equal. Arguments are byte addresses in the one memory.

const HASH_SEED: u32 = 0x811c9dc5
const PREFIX_STEP: u32 = 0x01000193
const GOLDEN: u32 = 0x9e3779b1

const TAB: u32 = 0x09
const NEWLINE: u32 = 0x0a
const RETURN: u32 = 0x0d
const SPACE: u32 = 0x20
const DOT: u32 = 0x2e
const OPEN: u32 = 0x5b
const CLOSE: u32 = 0x5d
const UNDERSCORE: u32 = 0x5f

// What the caller has put behind `tables`: see writeTables in ../wasm.ts.
const DIGIT: usize = 0
const TYPE_CODE: usize = 256
const LABEL_FIRST: usize = 512
const LABEL_SECOND: usize = 768
const PREFIX_FIRST: usize = 1024
const PREFIX_SECOND: usize = 1280
const SLOTS: usize = 1536
const SLOT_MASK: u32 = 2047
const PREFIX_HASH: usize = 3584
const PREFIX_START: usize = 3840
const PREFIX_LENGTH: usize = 4096
const LONGEST_PREFIX: usize = 4160
const PREFIX_BYTES: usize = 4164

const LABEL: u32 = 0x40
const SPECIAL: u32 = 0x80
const UNSURE: u32 = 0xc0
const LONGEST_NAME: u32 = 65535
const ROOT_BITS: u32 = 26
const LONG_ROOT: u32 = 255

const DONE: u32 = 0
const NEW_OWNER: u32 = 1
const BAD_LINE: u32 = 2
const BLANK: u32 = 0
const BAD_ADDRESS: u32 = 1
const BAD_TYPE: u32 = 2
const BAD_NAME: u32 = 3
const BAD_OWNER: u32 = 4

function prefixAt(tables: usize, start: usize, length: u32, hash: u32): u32 {
  let slot = hash & SLOT_MASK
  let number = <u32>load<u8>(tables + SLOTS + slot)
  for (; number !== 0; number = <u32>load<u8>(tables + SLOTS + slot)) {
    slot = (slot + 1) & SLOT_MASK
    if (load<u32>(tables + PREFIX_HASH + (number << 2)) !== hash) continue
    if (<u32>load<u8>(tables + PREFIX_LENGTH + number) !== length) continue
    const bytes = tables + PREFIX_BYTES + load<u32>(tables + PREFIX_START + (number << 2))
    let same: u32 = 0
    while (same < length && load<u8>(bytes + same) === load<u8>(start + same)) same++
    if (same === length) break
  }
  return number
}

/** The number of the listed prefix with which the name of `length` bytes begins, if something follows it; else 0. */
function prefixOf(tables: usize, name: usize, length: u32): u32 {
  const limit = min(length - 1, load<u32>(tables + LONGEST_PREFIX))
  let hash = HASH_SEED
  for (let i: u32 = 0; i < limit; i++) {
    const byte = <u32>load<u8>(name + i)
    hash = (hash ^ byte) * PREFIX_STEP
    if ((byte !== UNDERSCORE && byte !== DOT) || load<u8>(tables + SLOTS + (hash & SLOT_MASK)) === 0) continue
    const prefix = prefixAt(tables, name, i + 1, hash)
    if (prefix !== 0) return prefix
  }
  return 0
}

function hashBytes(start: usize, length: u32): u32 {
  let hash = HASH_SEED
  let i: u32 = 0
  for (; i + 4 <= length; i += 4) {
    hash = (hash ^ load<u32>(start + i)) * GOLDEN
    hash ^= hash >> 15
  }
  if (i < length) {
    const rest = load<u32>(start + i) & (((<u32>1) << ((length - i) << 3)) - 1)
    hash = (hash ^ rest) * GOLDEN
    hash ^= hash >> 15
  }
  return hash
}

/** How many bytes above a blank stand from `start` on. There is a newline somewhere. */
function nameLength(start: usize): u32 {
  let at = start
  let ends: i32
  do {
    ends = i8x16.bitmask(i8x16.le_u(v128.load(at), i8x16.splat(0x20)))
    at += 16
  } while (ends === 0)
  return <u32>(at - start) - 16 + ctz(ends)
}

function lineAfter(text: usize, p: u32): u32 {
  while (load<u8>(text + p) !== NEWLINE) p++
  return p + 1
}

/**
 * Reads lines of text [position, end), whose last byte is a newline, into columns. `state` holds: position, count, lines,
 * status, reason or the new owner's first byte, the new owner's end, and the owner of the line before (first byte, length,
 * number). Stops at `maxLines`, at `capacity` symbols, behind a bad line, and before a line with another owner.
 */
export function scan(
  tables: usize,
  text: usize,
  end: u32,
  maxLines: u32,
  columns: usize,
  capacity: u32,
  state: usize,
): void {
  const highs = columns
  const lows = columns + (capacity << 2)
  const rootStarts = columns + (capacity << 3)
  const rootHashes = columns + capacity * 12
  const rootLengths = columns + (capacity << 4)
  const owners = columns + capacity * 18
  const prefixes = columns + capacity * 20
  const kinds = columns + capacity * 21
  let p = load<u32>(state, 0)
  let count = load<u32>(state, 4)
  let lines = load<u32>(state, 8)
  const ownerStart = load<u32>(state, 24)
  const ownerLength = load<u32>(state, 28)
  const ownerNumber = load<u32>(state, 32)
  const lastLine = lines + maxLines
  let status: u32 = DONE
  let reason: u32 = 0
  while (p < end && lines < lastLine && count < capacity) {
    const first = p
    let high: u32 = 0
    let low: u32 = 0
    if (p + 16 < end) {
      const bytes = v128.load(text + p)
      const digits = i8x16.sub(bytes, i8x16.splat(0x30))
      const letters = i8x16.sub(v128.or(bytes, i8x16.splat(0x20)), i8x16.splat(0x61))
      const isDigit = i8x16.lt_u(digits, i8x16.splat(10))
      const isLetter = i8x16.lt_u(letters, i8x16.splat(6))
      if (i8x16.all_true(v128.or(isDigit, isLetter))) {
        const values = v128.bitselect(digits, i8x16.add(letters, i8x16.splat(10)), isDigit)
        const pairs = v128.and(v128.or(i16x8.shl(values, 4), i16x8.shr_u(values, 8)), i16x8.splat(0xff))
        const address = bswap<u64>(<u64>i64x2.extract_lane(i8x16.narrow_i16x8_u(pairs, pairs), 0))
        high = <u32>(address >> 32)
        low = <u32>address
        p += 16
      }
    }
    for (;;) {
      const digit = <i32>load<i8>(tables + DIGIT + load<u8>(text + p))
      if (digit < 0) break
      high = (high << 4) | (low >> 28)
      low = (low << 4) | <u32>digit
      p++
    }
    const digits = p - first
    lines++
    let c = <u32>load<u8>(text + p)
    if (digits === 0 || digits > 16 || (c !== SPACE && c !== TAB)) {
      const over = c === NEWLINE || c === RETURN
      const blank = digits === 0 && (over || c === SPACE || c === TAB)
      reason = blank ? BLANK : over && digits <= 16 ? BAD_TYPE : BAD_ADDRESS
      status = BAD_LINE
      p = lineAfter(text, p)
      break
    }
    do c = <u32>load<u8>(text + ++p)
    while (c === SPACE || c === TAB)

    const kind = <i32>load<i8>(tables + TYPE_CODE + c)
    if (kind < 0) {
      reason = BAD_TYPE
      status = BAD_LINE
      p = lineAfter(text, p)
      break
    }
    c = <u32>load<u8>(text + ++p)
    if (c !== SPACE && c !== TAB) {
      reason = c === NEWLINE || c === RETURN ? BAD_NAME : BAD_TYPE
      status = BAD_LINE
      p = lineAfter(text, p)
      break
    }
    do c = <u32>load<u8>(text + ++p)
    while (c === SPACE || c === TAB)

    const name = p
    const length = nameLength(text + p)
    p += length
    let prefix: u32 = 0
    const first2 = load<u8>(tables + PREFIX_FIRST + c) & load<u8>(tables + PREFIX_SECOND + load<u8>(text + name + 1))
    if (first2 !== 0 && length > 2) prefix = prefixOf(tables, text + name, length)
    const root = name + load<u8>(tables + PREFIX_LENGTH + prefix)
    const hash = hashBytes(text + root, p - root)
    c = <u32>load<u8>(text + p)
    const nameEnd = p
    if (nameEnd === name || nameEnd - name > LONGEST_NAME) {
      reason = BAD_NAME
      status = BAD_LINE
      p = lineAfter(text, p)
      break
    }
    let belongs: u32 = 0
    if (c !== NEWLINE) {
      while (c === SPACE || c === TAB) c = <u32>load<u8>(text + ++p)
      if (c === OPEN) {
        const from = p + 1
        while (c !== CLOSE && c > SPACE) c = <u32>load<u8>(text + ++p)
        const length = p - from
        if (c !== CLOSE || length === 0 || length > LONGEST_NAME) {
          reason = BAD_OWNER
          status = BAD_LINE
          p = lineAfter(text, p)
          break
        }
        let same: u32 = 0
        if (length === ownerLength) {
          while (same < length && load<u8>(text + from + same) === load<u8>(text + ownerStart + same)) same++
        }
        if (same !== length) {
          // The caller numbers the owner, and the line is read again.
          store<u32>(state, from, 16)
          store<u32>(state, p, 20)
          status = NEW_OWNER
          p = first
          lines--
          break
        }
        belongs = ownerNumber
        c = <u32>load<u8>(text + ++p)
        while (c === SPACE || c === TAB) c = <u32>load<u8>(text + ++p)
      }
      if (c === RETURN) c = <u32>load<u8>(text + ++p)
      if (c !== NEWLINE) {
        reason = BAD_OWNER
        status = BAD_LINE
        p = lineAfter(text, p)
        break
      }
    }
    p++
    const label =
      (load<u8>(tables + LABEL_FIRST + load<u8>(text + name)) &
        load<u8>(tables + LABEL_SECOND + load<u8>(text + name + 1))) !==
      0
    store<u32>(highs + (count << 2), high)
    store<u32>(lows + (count << 2), low)
    store<u32>(rootStarts + (count << 2), root)
    store<u32>(rootHashes + (count << 2), hash)
    store<u16>(rootLengths + (count << 1), nameEnd - root)
    store<u16>(owners + (count << 1), belongs)
    store<u8>(prefixes + count, prefix)
    store<u8>(kinds + count, label ? <u32>kind | LABEL : <u32>kind)
    count++
  }
  store<u32>(state, p, 0)
  store<u32>(state, count, 4)
  store<u32>(state, lines, 8)
  store<u32>(state, status, 12)
  if (status === BAD_LINE) store<u32>(state, reason, 16)
}

function rootBytes(heap: usize, offset: u32): usize {
  return heap + offset + (load<u8>(heap + offset) === LONG_ROOT ? 3 : 1)
}

function rootLength(heap: usize, offset: u32): u32 {
  const length = <u32>load<u8>(heap + offset)
  return length === LONG_ROOT ? <u32>load<u16>(heap + offset + 1) : length
}

function sameBytes(a: usize, b: usize, length: u32): bool {
  let i: u32 = 0
  for (; i + 8 <= length; i += 8) if (load<u64>(a + i) !== load<u64>(b + i)) return false
  for (; i < length; i++) if (load<u8>(a + i) !== load<u8>(b + i)) return false
  return true
}

/**
 * The offset of a root in the heap, in which it is entered if it is not there yet; there has to be room. `roots` holds: heap,
 * slots, mask, bytes in the heap, roots in it, the root found last.
 */
function addRoot(roots: usize, bytes: usize, size: u32, hash: u32): u32 {
  const heap = <usize>load<u32>(roots, 0)
  const slots = <usize>load<u32>(roots, 4)
  const mask = load<u32>(roots, 8)
  // `foo` and `__pfx_foo` stand next to each other.
  const last = load<u32>(roots, 20)
  if (last < load<u32>(roots, 12) && rootLength(heap, last) === size && sameBytes(rootBytes(heap, last), bytes, size)) {
    return last
  }
  let slot = slots + ((hash & mask) << 3)
  for (;;) {
    const known = load<u32>(slot)
    if (known === 0) break
    if (
      load<u32>(slot, 4) === hash &&
      rootLength(heap, known - 1) === size &&
      sameBytes(rootBytes(heap, known - 1), bytes, size)
    ) {
      store<u32>(roots, known - 1, 20)
      return known - 1
    }
    slot = slots + ((<u32>(slot - slots) + 8) & ((mask << 3) | 7))
  }
  const offset = load<u32>(roots, 12)
  store<u32>(roots, offset, 20)
  let at = heap + offset
  if (size < LONG_ROOT) {
    store<u8>(at++, size)
  } else {
    store<u8>(at, LONG_ROOT)
    store<u16>(at + 1, size)
    at += 3
  }
  // Whole words: what is written too much lies behind the heap's end, where there is room.
  for (let i: u32 = 0; i < size; i += 8) store<u64>(at + i, load<u64>(bytes + i))
  store<u32>(roots, <u32>(at - heap) + size, 12)
  store<u32>(roots, load<u32>(roots, 16) + 1, 16)
  store<u32>(slot, offset + 1)
  store<u32>(slot, hash, 4)
  return offset
}

/** Enters the roots of old slots into more of them, which are empty. */
export function rehash(old: usize, count: u32, slots: usize, mask: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const offset = load<u32>(old + (i << 3))
    if (offset === 0) continue
    const hash = load<u32>(old + (i << 3), 4)
    let slot = hash & mask
    while (load<u32>(slots + (slot << 3)) !== 0) slot = (slot + 1) & mask
    store<u32>(slots + (slot << 3), offset)
    store<u32>(slots + (slot << 3), hash, 4)
  }
}

/** Symbols whose slots are fetched together, before any of them is looked at: the waits for memory overlap. */
const FETCHED: u32 = 32

/**
 * Takes parsed symbols [from, to) over as symbols [count, …) of the table's columns, whose addresses are in `table`: high, low,
 * name, rootHash, owner, kind. Core symbols whose root hashes like a section marker's are listed in `found`; returns how
 * many those are. `seen` gets the OR of all addresses.
 */
export function gather(
  columns: usize,
  capacity: u32,
  from: u32,
  to: u32,
  text: usize,
  numbers: usize,
  table: usize,
  count: u32,
  roots: usize,
  markers: usize,
  found: usize,
  seen: usize,
): u32 {
  const highs = <usize>load<u32>(table, 0)
  const lows = <usize>load<u32>(table, 4)
  const names = <usize>load<u32>(table, 8)
  const hashes = <usize>load<u32>(table, 12)
  const owners = <usize>load<u32>(table, 16)
  const kinds = <usize>load<u32>(table, 20)
  const slots = <usize>load<u32>(roots, 4)
  const mask = load<u32>(roots, 8)
  let all: u32 = 0
  let marked: u32 = 0
  let fetched = from
  let touched: u32 = 0
  for (let i = from; i < to; i++, count++) {
    if (i === fetched) {
      fetched = min(to, fetched + FETCHED)
      for (let k = i; k < fetched; k++) {
        touched |= load<u32>(slots + ((load<u32>(columns + ((3 * capacity + k) << 2)) & mask) << 3))
      }
    }
    const high = load<u32>(columns + (i << 2))
    const low = load<u32>(columns + ((capacity + i) << 2))
    const start = load<u32>(columns + ((2 * capacity + i) << 2))
    const hash = load<u32>(columns + ((3 * capacity + i) << 2))
    const length = <u32>load<u16>(columns + capacity * 16 + (i << 1))
    const owner = <u32>load<u16>(numbers + ((<u32>load<u16>(columns + capacity * 18 + (i << 1))) << 1))
    const prefix = <u32>load<u8>(columns + capacity * 20 + i)
    all |= high | low
    if (owner === 0 && prefix === 0 && load<u32>(markers + ((hash & 0xff) << 2)) === hash) {
      store<u32>(found + (marked++ << 2), i)
    }
    store<u32>(highs + (count << 2), high)
    store<u32>(lows + (count << 2), low)
    store<u8>(kinds + count, load<u8>(columns + capacity * 21 + i))
    store<u32>(names + (count << 2), (prefix << ROOT_BITS) | addRoot(roots, text + start, length, hash))
    store<u32>(hashes + (count << 2), hash)
    store<u16>(owners + (count << 1), owner)
  }
  // The condition never holds; without it the fetches would be optimised away.
  store<u32>(seen, load<u32>(seen) | (touched === 0xffffffff ? 1 : all))
  return marked
}

/** Takes names [from, to), whose roots are in another heap, over as those from `target` on. */
export function adopt(
  heap: usize,
  names: usize,
  from: u32,
  to: u32,
  target: u32,
  toNames: usize,
  toHashes: usize,
  roots: usize,
): void {
  for (let i = from; i < to; i++, target++) {
    const reference = load<u32>(names + (i << 2))
    const place = reference & ((1 << ROOT_BITS) - 1)
    const root = addRoot(roots, rootBytes(heap, place), rootLength(heap, place), load<u32>(toHashes + (target << 2)))
    store<u32>(toNames + (target << 2), ((reference >> ROOT_BITS) << ROOT_BITS) | root)
  }
}

export function ascendingUntil(high: usize, low: usize, from: u32, to: u32): u32 {
  let lastHigh: u32 = from === 0 ? 0 : load<u32>(high + ((from - 1) << 2))
  let lastLow: u32 = from === 0 ? 0 : load<u32>(low + ((from - 1) << 2))
  for (let i = from; i < to; i++) {
    const h = load<u32>(high + (i << 2))
    const l = load<u32>(low + (i << 2))
    if (h < lastHigh || (h === lastHigh && l < lastLow)) return i
    lastHigh = h
    lastLow = l
  }
  return to
}

/** Fills `source` with the positions from `from` on; `varying` gets the bits in which the halves differ: low, high. */
export function listPositions(high: usize, low: usize, from: u32, to: u32, source: usize, varying: usize): void {
  let varyingHigh: u32 = 0
  let varyingLow: u32 = 0
  const firstHigh = load<u32>(high + (from << 2))
  const firstLow = load<u32>(low + (from << 2))
  for (let i = from; i < to; i++) {
    varyingHigh |= load<u32>(high + (i << 2)) ^ firstHigh
    varyingLow |= load<u32>(low + (i << 2)) ^ firstLow
    store<u32>(source + ((i - from) << 2), i)
  }
  store<u32>(varying, varyingLow)
  store<u32>(varying, varyingHigh, 4)
}

const DIGIT_MASK: u32 = 2047

export function countDigits(column: usize, shift: u32, source: usize, starts: usize, from: u32, to: u32): void {
  for (let i = from; i < to; i++) {
    const digit = (load<u32>(column + (load<u32>(source + (i << 2)) << 2)) >> shift) & DIGIT_MASK
    const at = starts + ((digit + 1) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
}

export function scatter(
  column: usize,
  shift: u32,
  source: usize,
  target: usize,
  starts: usize,
  from: u32,
  to: u32,
): void {
  for (let i = from; i < to; i++) {
    const position = load<u32>(source + (i << 2))
    const at = starts + (((load<u32>(column + (position << 2)) >> shift) & DIGIT_MASK) << 2)
    const place = load<u32>(at)
    store<u32>(at, place + 1)
    store<u32>(target + (place << 2), position)
  }
}

export function mergeInto(
  order: usize,
  from: u32,
  to: u32,
  high: usize,
  low: usize,
  sorted: u32,
  rest: usize,
  restLength: u32,
  places: usize,
): void {
  let a = load<u32>(places, 0)
  let b = load<u32>(places, 4)
  for (let out = from; out < to; out++) {
    let restFirst = false
    let position: u32 = 0
    if (b < restLength) {
      position = load<u32>(rest + (b << 2))
      if (a >= sorted) restFirst = true
      else {
        const h = load<u32>(high + (position << 2))
        const ha = load<u32>(high + (a << 2))
        restFirst = h < ha || (h === ha && load<u32>(low + (position << 2)) < load<u32>(low + (a << 2)))
      }
    }
    if (restFirst) {
      store<u32>(order + (out << 2), position)
      b++
    } else store<u32>(order + (out << 2), a++)
  }
  store<u32>(places, a, 0)
  store<u32>(places, b, 4)
}

/**
 * Looks at ids [from, to) in table order. `state` holds the high, low, owner and chunk of the id before (high and owner as
 * i64, -1 before the first), and how many distinct addresses, groups, chunks and runs there are; see Survey.
 */
export function placeIds(
  high: usize,
  low: usize,
  owner: usize,
  kind: usize,
  name: usize,
  order: usize,
  from: u32,
  to: u32,
  toLow: usize,
  toKind: usize,
  toName: usize,
  ids: usize,
  groups: usize,
  chunks: usize,
  runStart: usize,
  runOwner: usize,
  state: usize,
): void {
  let lastHigh = load<u32>(state, 0)
  let lastLow = load<u32>(state, 4)
  let lastOwner = load<u32>(state, 8)
  let chunk = load<u32>(state, 12)
  let distinct = load<u32>(state, 16)
  let groupCount = load<u32>(state, 20)
  let chunkCount = load<u32>(state, 24)
  let runCount = load<u32>(state, 28)
  for (let id = from; id < to; id++) {
    const position = load<u32>(order + (id << 2))
    const h = load<u32>(high + (position << 2))
    const l = load<u32>(low + (position << 2))
    const o = <u32>load<u16>(owner + (position << 1))
    store<u32>(toLow + (id << 2), l)
    store<u8>(toKind + id, load<u8>(kind + position))
    store<u32>(toName + (id << 2), load<u32>(name + (position << 2)))
    store<u32>(ids + (position << 2), id)
    if (l !== lastLow || h !== lastHigh || id === 0) {
      distinct++
      if (h !== lastHigh || id === 0) {
        const group = groups + groupCount * 12
        store<u32>(group, h)
        store<u32>(group, id, 4)
        store<u32>(group, chunkCount, 8)
        groupCount++
        chunk = 0xffffffff
      }
      if (l >> 16 !== chunk) {
        chunk = l >> 16
        store<u32>(chunks + (chunkCount << 3), chunk)
        store<u32>(chunks + (chunkCount << 3), id, 4)
        chunkCount++
      }
      lastHigh = h
      lastLow = l
    }
    if (o !== lastOwner || id === 0) {
      store<u32>(runStart + (runCount << 2), id)
      store<u16>(runOwner + (runCount << 1), o)
      runCount++
      lastOwner = o
    }
  }
  store<u32>(state, lastHigh, 0)
  store<u32>(state, lastLow, 4)
  store<u32>(state, lastOwner, 8)
  store<u32>(state, chunk, 12)
  store<u32>(state, distinct, 16)
  store<u32>(state, groupCount, 20)
  store<u32>(state, chunkCount, 24)
  store<u32>(state, runCount, 28)
}

const CELL_BITS: u32 = 9
const CELL_STRIDE: u32 = 129
const CELL_UNSURE: u32 = 0x8000
const CELL_COUNT: u32 = 0x7fff

/** Counts the cells of chunks [from, to) of the page index; an end mark has none. */
export function countCells(low: usize, chunks: usize, from: u32, to: u32, cells: usize): void {
  for (let chunk = from; chunk < to; chunk++) {
    if (load<u32>(chunks + (chunk << 3)) > 0xffff) continue
    const first = load<u32>(chunks + (chunk << 3), 4)
    const end = load<u32>(chunks + (chunk << 3), 12)
    const at = cells + chunk * CELL_STRIDE * 2
    let id = first
    for (let cell: u32 = 0; cell < CELL_STRIDE; cell++) {
      while (id < end && (load<u32>(low + (id << 2)) & 0xffff) >> CELL_BITS < cell) id++
      store<u16>(at + (cell << 1), id - first)
    }
  }
}

/** Marks the cells of chunks [from, to), all of one group, in which an answer needs a second look. */
export function markCells(chunks: usize, cells: usize, kind: usize, from: u32, to: u32, firstId: u32): void {
  for (let chunk = from; chunk < to; chunk++) {
    const first = load<u32>(chunks + (chunk << 3), 4)
    const at = cells + chunk * CELL_STRIDE * 2
    for (let cell: u32 = 0; cell + 1 < CELL_STRIDE; cell++) {
      const entry = <u32>load<u16>(at + (cell << 1))
      const end = first + (<u32>load<u16>(at + (cell << 1), 2) & CELL_COUNT)
      let unsure = first + entry === firstId
      for (let id = first + entry - (unsure ? 0 : 1); id < end && !unsure; id++)
        unsure = (load<u8>(kind + id) & UNSURE) !== 0
      if (unsure) store<u16>(at + (cell << 1), entry | CELL_UNSURE)
    }
  }
}

const MOST_OFFSET: u32 = 0x100000
const REGION_BYTES: u32 = 20

/**
 * Marks ids from `id` on, of one group that ends at `end` and whose upper half is `half`, until `until` or a little beyond;
 * returns where it stopped. `state`: region (in words), run, region of the last name (-1: none); see flagSpecial.
 */
export function flagIds(
  low: usize,
  kind: usize,
  regions: usize,
  regionWords: u32,
  runStart: usize,
  runOwner: usize,
  runs: u32,
  half: u32,
  from: u32,
  until: u32,
  end: u32,
  state: usize,
): u32 {
  let region = load<u32>(state, 0)
  let run = load<u32>(state, 4)
  let namedIn = load<u32>(state, 8)
  let id = from
  while (id < until) {
    const at = load<u32>(low + (id << 2))
    let next = id + 1
    while (next < end && load<u32>(low + (next << 2)) === at) next++
    for (; region < regionWords; region += REGION_BYTES / 4) {
      const row = regions + (region << 2)
      const endHigh = load<u32>(row, 8)
      if (!(endHigh < half || (endHigh === half && load<u32>(row, 12) <= at))) break
    }
    while (run + 1 < runs && load<u32>(runStart + ((run + 1) << 2)) <= id) run++
    const owner = <u32>load<u16>(runOwner + (run << 1))
    let regionEnd: i64 = -1
    if (region < regionWords) {
      const row = regions + (region << 2)
      if (load<u32>(row) === half && load<u32>(row, 4) <= at && load<u32>(row, 16) === owner) {
        regionEnd = load<u32>(row, 8) === half ? <i64>load<u32>(row, 12) : 0x100000000
      }
    }
    const plain =
      next < end &&
      (run + 1 >= runs || load<u32>(runStart + ((run + 1) << 2)) >= next) &&
      <i64>load<u32>(low + (next << 2)) <= regionEnd &&
      load<u32>(low + (next << 2)) - at <= MOST_OFFSET
    let named = false
    for (let i = id; i < next; i++) {
      const value = <u32>load<u8>(kind + i)
      const label = (value & LABEL) !== 0
      if (!plain || (named && !label)) store<u8>(kind + i, value | SPECIAL)
      if (!label) named = true
    }
    if (named) namedIn = region
    else if (namedIn !== region) {
      for (let i = id; i < next; i++) store<u8>(kind + i, <u32>load<u8>(kind + i) | SPECIAL)
    }
    id = next
  }
  store<u32>(state, region, 0)
  store<u32>(state, run, 4)
  store<u32>(state, namedIn, 8)
  return id
}

function nameHash(rootHash: u32, prefix: u32): u32 {
  let hash = (rootHash ^ (rootHash >> 15) ^ (prefix * GOLDEN)) * 0x85ebca6b
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35
  return hash ^ (hash >> 16)
}

export function countNames(
  name: usize,
  rootHash: usize,
  hashes: usize,
  buckets: usize,
  shift: u32,
  from: u32,
  to: u32,
): void {
  for (let i = from; i < to; i++) {
    const hash = nameHash(load<u32>(rootHash + (i << 2)), load<u32>(name + (i << 2)) >> ROOT_BITS)
    store<u32>(hashes + (i << 2), hash)
    const at = buckets + (((hash >> shift) + 1) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
}

/** Turns the counts in words [0, words) into running sums, and copies the starts of the rows to `next`. */
export function sumCounts(buckets: usize, words: u32, next: usize): void {
  let sum: u32 = 0
  for (let i: u32 = 0; i < words; i++) {
    sum += load<u32>(buckets + (i << 2))
    store<u32>(buckets + (i << 2), sum)
    store<u32>(next + (i << 2), sum)
  }
}

export function enterNames(
  entries: usize,
  next: usize,
  hashes: usize,
  ids: usize,
  shift: u32,
  fingerprintMask: u32,
  from: u32,
  to: u32,
): void {
  for (let i = from; i < to; i++) {
    const hash = load<u32>(hashes + (i << 2))
    const at = next + ((hash >> shift) << 2)
    const place = load<u32>(at)
    store<u32>(at, place + 1)
    store<u32>(entries + (place << 2), ((hash * GOLDEN) & fingerprintMask) | load<u32>(ids + (i << 2)))
  }
}

function wide(high: u32, low: u32): u64 {
  return ((<u64>high) << 32) | <u64>low
}

/**
 * A digest of `length` bytes in four words of 64 bits at `out`. It tells texts apart that nobody has made to look alike: four
 * streams of multiplications, in which a change of any byte changes its stream.
 */
export function digest(text: usize, length: u32, out: usize): void {
  const step = wide(0x9fb21c65, 0x1e98df25)
  let a = wide(0x9e3779b9, 0x7f4a7c15) ^ <u64>length
  let b = wide(0xc2b2ae3d, 0x27d4eb4f)
  let c = wide(0x165667b1, 0x9e3779f9)
  let d = wide(0x27d4eb2f, 0x165667c5)
  const whole = length & ~31
  for (let i: u32 = 0; i < whole; i += 32) {
    a = rotl<u64>((a ^ load<u64>(text + i)) * step, 29)
    b = rotl<u64>((b ^ load<u64>(text + i, 8)) * step, 29)
    c = rotl<u64>((c ^ load<u64>(text + i, 16)) * step, 29)
    d = rotl<u64>((d ^ load<u64>(text + i, 24)) * step, 29)
  }
  for (let i = whole; i < length; i++) a = rotl<u64>((a ^ <u64>load<u8>(text + i)) * step, 29)
  store<u64>(out, a)
  store<u64>(out, b, 8)
  store<u64>(out, c, 16)
  store<u64>(out, d, 24)
}
