// The pieces of modules' memory, where their sections begin: see ../pieces.ts, which has the rules.

import {
  AFTER_INIT,
  BUILD_PIECES,
  INITIAL,
  NO_MODULE,
  PAGE,
  PIECE_ANY,
  PIECE_BYTES,
  PIECE_DATA,
  PIECE_END,
  PIECE_FREED,
  PIECE_INITIAL,
  PIECE_KIND,
  PIECE_LEAST,
  PIECE_MOST,
  PIECE_NEXT,
  PIECE_READ_ONLY,
  PIECE_START,
  PIECE_TEXT,
  PIECES_APART,
  PIECES_BYTES_OF,
  PIECES_CLAIM_COUNT,
  PIECES_CLAIM_END,
  PIECES_CLAIM_FIRST,
  PIECES_CLAIM_OWNER,
  PIECES_CLAIM_START,
  PIECES_CORE,
  PIECES_FIRST,
  PIECES_FIRST_PIECE,
  PIECES_LIVE,
  PIECES_LIVE_COUNT,
  PIECES_LOADING,
  PIECES_MODULE_COUNT,
  PIECES_MODULE_OF,
  PIECES_OWNER,
  PIECES_OWNER_COUNT,
  PIECES_REST,
  PIECES_REST_COUNT,
  PIECES_ROWS,
  PIECES_STARTS,
  PIECES_STRANGER_COUNT,
  PIECES_STRANGERS,
  PIECES_STRETCH_COUNT,
  PIECES_STRETCH_END,
  PIECES_STRETCH_OWNER,
  PIECES_STRETCH_START,
} from '../constants'
import { address } from './build'

const NEVER: f64 = Infinity

// Loops one behind the other, because each runs once: where one does so much that V8 compiles it again, by its slow compiler, that is
// for nothing.

/** Finds the pieces. */
export function cutPieces(build: usize, _piece: u32, _thread: u32): void {
  cut(address(build, BUILD_PIECES))
}

/** Finds the modules whose sections their own symbols bear out. */
export function believePieces(build: usize, _piece: u32, _thread: u32): void {
  const all = address(build, BUILD_PIECES)
  believe(all)
  listStrangers(all)
}

/** Takes out those in whose pieces others' symbols are, and lists the live pieces of the rest. */
export function doubtPieces(build: usize, _piece: u32, _thread: u32): void {
  const all = address(build, BUILD_PIECES)
  doubt(all)
  listStrangers(all)
  listLive(all)
}

/** Finds where pieces may end, once live ones are sorted. */
export function boundPieces(build: usize, _piece: u32, _thread: u32): void {
  bound(address(build, BUILD_PIECES))
}

/** Lists the memory of modules, and the claims that lie in none of it. */
export function settlePieces(build: usize, _piece: u32, _thread: u32): void {
  const all = address(build, BUILD_PIECES)
  settleAll(all)
  listRest(all)
}

function rowOf(all: usize, piece: u32): usize {
  return address(all, PIECES_ROWS) + piece * PIECE_BYTES
}

function firstOf(all: usize, module: u32): u32 {
  return load<u32>(address(all, PIECES_FIRST_PIECE) + (module << 2))
}

function moduleOf(all: usize, owner: u32): usize {
  return address(all, PIECES_MODULE_OF) + (owner << 2)
}

function ownerOf(all: usize, module: u32): u32 {
  return <u32>load<u16>(address(all, PIECES_OWNER) + (module << 1))
}

function pageEnd(value: f64): f64 {
  return ceil<f64>(value / <f64>PAGE) * <f64>PAGE
}

function guardOf(all: usize): f64 {
  return load<u32>(all + PIECES_APART) !== 0 ? <f64>PAGE : 0
}

/** Cuts the memory of each module into pieces, and notes which modules have any that is not freed. */
function cut(all: usize): void {
  const modules = load<u32>(all + PIECES_MODULE_COUNT)
  const starts = address(all, PIECES_STARTS)
  const firsts = address(all, PIECES_FIRST)
  const guard = guardOf(all)
  let count: u32 = 0
  for (let m: u32 = 0; m < modules; m++) {
    store<u32>(address(all, PIECES_FIRST_PIECE) + (m << 2), count)
    const isLoading = load<u8>(address(all, PIECES_LOADING) + m) !== 0
    let row: usize = 0
    let least: f64 = 0
    let isLive = false
    const end = load<u32>(firsts + (m << 2), 4)
    for (let i = load<u32>(firsts + (m << 2)); i < end; i++) {
      const value = load<u64>(starts + ((<usize>i) << 3))
      const low = <u32>(value >> 32)
      let begins = row === 0
      if (!begins && low % PAGE !== 0) {
        least = pageEnd(<f64>low + 1)
        continue
      }
      const code = <u32>value
      const kind = code & ~(<u32>INITIAL)
      const initial: u32 = (code & <u32>INITIAL) === 0 ? 0 : 1
      if (!begins) {
        const ownKind = load<u32>(row + PIECE_KIND)
        const differs = ownKind !== kind || load<u32>(row + PIECE_INITIAL) !== initial
        // Text from a cache has no unmapped page behind it.
        const between: f64 = kind === PIECE_TEXT && ownKind === PIECE_TEXT ? 0 : guard
        begins = differs && <f64>low >= least + between
      }
      if (begins) {
        if (row !== 0) {
          store<f64>(row + PIECE_LEAST, least)
          store<f64>(row + PIECE_NEXT, <f64>low)
        }
        row = rowOf(all, count++)
        store<u32>(row + PIECE_KIND, kind)
        store<u32>(row + PIECE_START, low - (low % PAGE))
        store<u32>(row + PIECE_INITIAL, initial)
        store<u32>(row + PIECE_FREED, initial === 1 && !isLoading ? 1 : 0)
        store<f64>(row + PIECE_NEXT, NEVER)
        store<f64>(row + PIECE_MOST, 0)
        store<f64>(row + PIECE_END, 0)
        if (initial === 0 || isLoading) isLive = true
      }
      least = pageEnd(<f64>low + 1)
    }
    if (row !== 0) store<f64>(row + PIECE_LEAST, least)
    if (isLive) store<u32>(moduleOf(all, ownerOf(all, m)), m)
  }
  store<u32>(address(all, PIECES_FIRST_PIECE) + (modules << 2), count)
}

/** The last piece of a module that starts at or below `value`, plus 1; 0 if there is none. */
function behindPiece(all: usize, m: u32, value: u32): u32 {
  const first = firstOf(all, m)
  let from = first
  let to = firstOf(all, m + 1)
  while (from < to) {
    const middle = (from + to) >> 1
    if (load<u32>(rowOf(all, middle) + PIECE_START) <= value) from = middle + 1
    else to = middle
  }
  return from === first ? 0 : from
}

/** Takes out the modules whose sections their own symbols contradict, and lets symbols reach into the pieces of the others. */
function believe(all: usize): void {
  const claims = load<u32>(all + PIECES_CLAIM_COUNT)
  const starts = address(all, PIECES_CLAIM_START)
  const ends = address(all, PIECES_CLAIM_END)
  const owners = address(all, PIECES_CLAIM_OWNER)
  const kinds = address(all, PIECES_CLAIM_FIRST)
  for (let c: u32 = 0; c < claims; c++) {
    const own = moduleOf(all, <u32>load<u16>(owners + (c << 1)))
    const m = load<u32>(own)
    if (m === NO_MODULE) continue
    const behind = behindPiece(all, m, load<u32>(starts + (c << 2)))
    if (behind === 0) {
      store<u32>(own, NO_MODULE)
      continue
    }
    const row = rowOf(all, behind - 1)
    const kind = <u32>load<u8>(kinds + c)
    const isOther = (kind === PIECE_TEXT) !== (load<u32>(row + PIECE_KIND) === PIECE_TEXT)
    if (kind !== PIECE_ANY && load<u32>(row + PIECE_FREED) === 0 && isOther) {
      store<u32>(own, NO_MODULE)
      continue
    }
    // Adjacent pages of one kind may be in two pieces: text and initialisation text.
    const end = load<f64>(ends + (c << 3))
    const last = rowOf(all, firstOf(all, m + 1))
    for (let at = row; at < last && <f64>load<u32>(at + PIECE_START) < end; at += PIECE_BYTES) {
      store<f64>(at + PIECE_LEAST, max(load<f64>(at + PIECE_LEAST), min(end, load<f64>(at + PIECE_NEXT))))
    }
  }
}

/** Takes out the modules in whose pieces claims start that no piece explains. */
function doubt(all: usize): void {
  const ownerCount = load<u32>(all + PIECES_OWNER_COUNT)
  const strangers = address(all, PIECES_STRANGERS)
  const strangerCount = load<u32>(all + PIECES_STRANGER_COUNT)
  for (let owner: u32 = 0; owner < ownerCount; owner++) {
    const own = moduleOf(all, owner)
    const m = load<u32>(own)
    if (m === NO_MODULE) continue
    const last = rowOf(all, firstOf(all, m + 1))
    for (let row = rowOf(all, firstOf(all, m)); row < last; row += PIECE_BYTES) {
      if (load<u32>(row + PIECE_FREED) !== 0) continue
      const stranger = firstAtOrAbove(strangers, strangerCount, load<u32>(row + PIECE_START))
      const isIn =
        stranger < strangerCount && <f64>load<u32>(strangers + (stranger << 2)) < load<f64>(row + PIECE_LEAST)
      if (isIn) store<u32>(own, NO_MODULE)
    }
  }
}

function firstAtOrAbove(list: usize, count: u32, value: u32): u32 {
  let from: u32 = 0
  let to = count
  while (from < to) {
    const middle = (from + to) >> 1
    if (load<u32>(list + (middle << 2)) < value) from = middle + 1
    else to = middle
  }
  return from
}

/** Lists where the claims of owners start that have no module. */
function listStrangers(all: usize): void {
  const claims = load<u32>(all + PIECES_CLAIM_COUNT)
  const strangers = address(all, PIECES_STRANGERS)
  let count: u32 = 0
  for (let c: u32 = 0; c < claims; c++) {
    const owner = <u32>load<u16>(address(all, PIECES_CLAIM_OWNER) + (c << 1))
    if (load<u32>(moduleOf(all, owner)) !== NO_MODULE) continue
    store<u32>(strangers + (count << 2), load<u32>(address(all, PIECES_CLAIM_START) + (c << 2)))
    count++
  }
  store<u32>(all + PIECES_STRANGER_COUNT, count)
}

/** Lists the pieces that are memory of modules that are believed: start and number, as one number to sort by. */
function listLive(all: usize): void {
  const modules = load<u32>(all + PIECES_MODULE_COUNT)
  let count: u32 = 0
  for (let m: u32 = 0; m < modules; m++) {
    if (load<u32>(moduleOf(all, ownerOf(all, m))) !== m) continue
    for (let i = firstOf(all, m); i < firstOf(all, m + 1); i++) {
      const row = rowOf(all, i)
      if (load<u32>(row + PIECE_FREED) !== 0) continue
      store<u64>(address(all, PIECES_LIVE) + (count << 3), ((<u64>load<u32>(row + PIECE_START)) << 32) | <u64>i)
      count++
    }
  }
  store<u32>(all + PIECES_LIVE_COUNT, count)
}

/**
 * Where live pieces, which come ascending, end at the most: up to what begins next, if that is the module's own, because the kernel
 * allocates its pieces one after the other; else behind what is known of the piece.
 */
function bound(all: usize): void {
  const live = address(all, PIECES_LIVE)
  const count = load<u32>(all + PIECES_LIVE_COUNT)
  const strangers = address(all, PIECES_STRANGERS)
  const strangerCount = load<u32>(all + PIECES_STRANGER_COUNT)
  const core = load<f64>(all + PIECES_CORE)
  const guard = guardOf(all)
  // Behind a page that is never mapped nothing begins at once. Text that comes from a cache has none.
  let textIsPacked = false
  let stranger: u32 = 0
  for (let k: u32 = 0; k < count; k++) {
    const row = rowOf(all, load<u32>(live + (k << 3)))
    const start = load<u32>(row + PIECE_START)
    while (stranger < strangerCount && load<u32>(strangers + (stranger << 2)) < start) stranger++
    // The next memory that is not the module's own.
    let other: f64 = core >= <f64>start ? core : NEVER
    if (k + 1 < count) other = min(other, <f64>load<u32>(live + ((k + 1) << 3), 4))
    if (stranger < strangerCount) other = min(other, <f64>load<u32>(strangers + (stranger << 2)))
    store<f64>(row + PIECE_MOST, other)
    const isText = load<u32>(row + PIECE_KIND) === PIECE_TEXT
    if (isText && load<f64>(row + PIECE_LEAST) === min(load<f64>(row + PIECE_NEXT), other)) textIsPacked = true
  }
  for (let k: u32 = 0; k < count; k++) {
    const row = rowOf(all, load<u32>(live + (k << 3)))
    const isText = load<u32>(row + PIECE_KIND) === PIECE_TEXT
    const next = load<f64>(row + PIECE_NEXT)
    const least = load<f64>(row + PIECE_LEAST)
    const border = min(next, load<f64>(row + PIECE_MOST))
    const unmapped: f64 = isText && textIsPacked ? 0 : guard
    store<f64>(row + PIECE_END, border === next && border !== NEVER ? max(least, border - unmapped) : least)
    store<f64>(row + PIECE_MOST, max(least, isText ? border : border - guard))
  }
}

function addStretch(all: usize, start: f64, end: f64, owner: u32): void {
  const count = load<u32>(all + PIECES_STRETCH_COUNT)
  store<u32>(address(all, PIECES_STRETCH_START) + (count << 2), <u32>(<u64>start))
  store<f64>(address(all, PIECES_STRETCH_END) + (count << 3), end)
  store<u16>(address(all, PIECES_STRETCH_OWNER) + (count << 1), owner)
  store<u32>(all + PIECES_STRETCH_COUNT, count + 1)
}

function settleAll(all: usize): void {
  const modules = load<u32>(all + PIECES_MODULE_COUNT)
  const isApart = load<u32>(all + PIECES_APART) !== 0
  for (let m: u32 = 0; m < modules; m++) {
    const owner = ownerOf(all, m)
    if (load<u32>(moduleOf(all, owner)) !== m) continue
    const bytes = load<f64>(address(all, PIECES_BYTES_OF) + (m << 3))
    if (isApart) {
      settle(all, m, bytes, owner)
      continue
    }
    // Initialisation memory is an allocation by itself, which the sum counts while there is one.
    const isLoading = load<u8>(address(all, PIECES_LOADING) + m) !== 0
    addJoined(all, m, 0, isLoading ? NaN : bytes, owner)
    if (isLoading) addJoined(all, m, 1, NaN, owner)
  }
}

/** The kinds of pieces that grow first. Data comes first: the module's table of symbols lies behind its last section. */
function growing(turn: u32): u32 {
  return turn === 0 ? PIECE_DATA : turn === 1 ? PIECE_READ_ONLY : turn === 2 ? AFTER_INIT : PIECE_TEXT
}

/**
 * Adds a module's pieces where each is an allocation: they end as their places tell, corrected by the `bytes` that all of them have
 * in sum.
 */
function settle(all: usize, m: u32, bytes: f64, owner: u32): void {
  const from = rowOf(all, firstOf(all, m))
  const to = rowOf(all, firstOf(all, m + 1))
  let left = bytes
  for (let row = from; row < to; row += PIECE_BYTES) {
    if (load<u32>(row + PIECE_FREED) === 0) left -= load<f64>(row + PIECE_END) - <f64>load<u32>(row + PIECE_START)
  }
  for (let turn: u32 = 0; left > 0 && turn < 4; turn++) {
    for (let row = from; row < to; row += PIECE_BYTES) {
      if (load<u32>(row + PIECE_FREED) !== 0 || load<u32>(row + PIECE_KIND) !== growing(turn)) continue
      const end = load<f64>(row + PIECE_END)
      const more = min(left, load<f64>(row + PIECE_MOST) - end)
      store<f64>(row + PIECE_END, end + more)
      left -= more
    }
  }
  for (let row = from; row < to; row += PIECE_BYTES) {
    if (load<u32>(row + PIECE_FREED) !== 0) continue
    let end = load<f64>(row + PIECE_END)
    if (left < 0) {
      // Too much: something that is gone by now lay between two of the pieces.
      const less = min(-left, end - load<f64>(row + PIECE_LEAST))
      end -= less
      left += less
    }
    addStretch(all, <f64>load<u32>(row + PIECE_START), end, owner)
  }
}

/**
 * The same where all pieces, or all of initialisation memory, are one allocation: its text, and the rest, in which the kernel tells no
 * pieces apart.
 */
function addJoined(all: usize, m: u32, initial: u32, bytes: f64, owner: u32): void {
  const to = rowOf(all, firstOf(all, m + 1))
  let begin: f64 = -1
  let last: usize = 0
  let rest = NEVER
  for (let row = rowOf(all, firstOf(all, m)); row < to; row += PIECE_BYTES) {
    if (load<u32>(row + PIECE_FREED) !== 0 || load<u32>(row + PIECE_INITIAL) !== initial) continue
    const start = <f64>load<u32>(row + PIECE_START)
    if (begin < 0) begin = start
    last = row
    if (rest === NEVER && load<u32>(row + PIECE_KIND) !== PIECE_TEXT) rest = start
  }
  if (last === 0) return
  const least = load<f64>(last + PIECE_LEAST)
  const end = !(bytes >= 0) ? least : min(max(least, begin + bytes), load<f64>(last + PIECE_MOST))
  if (rest > begin && rest < end) {
    addStretch(all, begin, rest, owner)
    addStretch(all, rest, end, owner)
  } else addStretch(all, begin, end, owner)
}

/** Lists the claims that lie in no piece. */
function listRest(all: usize): void {
  const claims = load<u32>(all + PIECES_CLAIM_COUNT)
  let count: u32 = 0
  for (let c: u32 = 0; c < claims; c++) {
    const m = load<u32>(moduleOf(all, <u32>load<u16>(address(all, PIECES_CLAIM_OWNER) + (c << 1))))
    if (m !== NO_MODULE) {
      // What is left of initialisation lies outside of its owner's pieces.
      const behind = behindPiece(all, m, load<u32>(address(all, PIECES_CLAIM_START) + (c << 2)))
      if (behind === 0 || load<u32>(rowOf(all, behind - 1) + PIECE_FREED) === 0) continue
    }
    store<u32>(address(all, PIECES_REST) + (count << 2), c)
    count++
  }
  store<u32>(all + PIECES_REST_COUNT, count)
}
