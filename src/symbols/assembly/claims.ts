// What symbols tell of memory, page by page: see ../claim-pages.ts.

import {
  BUILD_BUILTIN,
  BUILD_CLAIMS,
  BUILD_KIND,
  BUILD_LOW,
  BUILD_RUN_OWNER,
  BUILD_RUN_START,
  BUILD_RUNS,
  BUILD_SAY,
  BUILD_VOTES,
  CLAIM_BYTES,
  CLAIM_END,
  CLAIM_FIRST,
  CLAIM_LAST,
  CLAIM_OWNER,
  CLAIM_START,
  CLAIM_SYMBOLS,
  CLAIMED_BYTES,
  CLAIMED_COUNT,
  CLAIMED_END,
  CLAIMED_FIRST,
  CLAIMED_HEAD,
  CLAIMED_LENT,
  CLAIMED_LENT_COUNT,
  CLAIMED_OUT,
  CLAIMED_OWNER,
  CLAIMED_SHIFT,
  CLAIMED_THERE,
  CLAIMS_HEAD,
  LABEL,
  LENT_BYTES,
  LENT_END,
  LENT_FIRST,
  LENT_KINDS,
  LENT_PAST,
  LENT_START,
  LENT_SYMBOLS,
  PAGE,
  SAY_NOTHING,
  TYPE_MASK,
} from '../constants'
import { address } from './build'
import { lastAtOrBelow } from './flags'

/** What a kind of symbol says of its page: the kind of memory it lies in, 0 for any, SAY_NOTHING if it has no say. */
function said(say: usize, kind: u32): u32 {
  return (kind & LABEL) !== 0 ? <u32>SAY_NOTHING : <u32>load<u8>(say + (kind & TYPE_MASK))
}

/** Lists the claims of all ranges, those of a group one behind the other. There is one piece, because all share the votes. */
export function claimPages(build: usize, _piece: u32, _thread: u32): void {
  const ranges = address(build, BUILD_CLAIMS)
  const count = load<u32>(ranges + CLAIMED_COUNT)
  for (let i: u32 = 0; i < count; i++) {
    const range = ranges + CLAIMED_HEAD + i * CLAIMED_BYTES
    if (load<u32>(range + CLAIMED_LENT) === 0 || !takeLent(build, range)) claimRange(build, range)
  }
}

/** Whether pages from `start` on would be one claim with the last of a group's `count`. */
function joins(build: usize, claim: usize, count: u32, start: u32, owner: u32, first: u32): bool {
  if (
    count === 0 ||
    load<u32>(claim + CLAIM_END) !== start ||
    load<u32>(claim + CLAIM_OWNER) !== owner ||
    load<u8>(address(build, BUILD_BUILTIN) + owner) !== 0
  )
    return false
  const before = load<u32>(claim + CLAIM_LAST)
  return before === first || before === 0 || first === 0
}

/** The first of a lender's rows whose ids begin at or behind one. */
function firstLent(rows: usize, count: u32, id: u32): u32 {
  let from: u32 = 0
  let to = count
  while (from < to) {
    const middle = (from + to) >> 1
    if (load<u32>(rows + middle * LENT_BYTES + LENT_FIRST) < id) from = middle + 1
    else to = middle
  }
  return from
}

/**
 * Takes the claims of symbols over that were moved by whole pages to pages that no other range has. Not so where one has others' ids, too,
 * or would be one with what lies before it, which depends on each of its pages.
 */
function takeLent(build: usize, range: usize): bool {
  const rows = address(range, CLAIMED_LENT)
  const rowCount = load<u32>(range + CLAIMED_LENT_COUNT)
  const there = load<u32>(range + CLAIMED_THERE)
  const endThere = there + load<u32>(range + CLAIMED_END) - load<u32>(range + CLAIMED_FIRST)
  const first = firstLent(rows, rowCount, there)
  const behind = firstLent(rows, rowCount, endThere)
  if (first > 0 && load<u32>(rows + (first - 1) * LENT_BYTES + LENT_END) > there) return false
  if (behind === first) return true
  if (load<u32>(rows + (behind - 1) * LENT_BYTES + LENT_END) > endThere) return false
  const out = address(range, CLAIMED_OUT)
  const count = load<u32>(out)
  const shift = load<u32>(range + CLAIMED_SHIFT)
  const owner = load<u32>(range + CLAIMED_OWNER)
  let from = rows + first * LENT_BYTES
  let claim = out + CLAIMS_HEAD + count * CLAIM_BYTES
  const start = load<u32>(from + LENT_START) + shift
  if (joins(build, claim - CLAIM_BYTES, count, start, owner, load<u32>(from + LENT_KINDS) & 0xff)) return false
  for (let i = first; i < behind; i++) {
    const kinds = load<u32>(from + LENT_KINDS)
    store<u32>(claim + CLAIM_START, load<u32>(from + LENT_START) + shift)
    store<u32>(claim + CLAIM_END, load<u32>(from + LENT_PAST) + shift)
    store<u32>(claim + CLAIM_OWNER, owner)
    store<u32>(claim + CLAIM_SYMBOLS, load<u32>(from + LENT_SYMBOLS))
    store<u32>(claim + CLAIM_FIRST, kinds & 0xff)
    store<u32>(claim + CLAIM_LAST, kinds >> 8)
    from += LENT_BYTES
    claim += CLAIM_BYTES
  }
  store<u32>(out, count + behind - first)
  return true
}

function claimRange(build: usize, range: usize): void {
  const lows = address(build, BUILD_LOW)
  const kinds = address(build, BUILD_KIND)
  const runStart = address(build, BUILD_RUN_START)
  const runOwner = address(build, BUILD_RUN_OWNER)
  const runs = load<u32>(build + BUILD_RUNS)
  const say = address(build, BUILD_SAY)
  const builtin = address(build, BUILD_BUILTIN)
  // For each owner the id of the page that it voted on last, from 1 on, and its votes.
  const votes = address(build, BUILD_VOTES)
  const out = address(range, CLAIMED_OUT)
  const last = load<u32>(range + CLAIMED_END)
  let id = load<u32>(range + CLAIMED_FIRST)
  let run = lastAtOrBelow(runStart, runs, 2, id)
  let count = load<u32>(out)
  let claim = out + CLAIMS_HEAD + count * CLAIM_BYTES - CLAIM_BYTES
  while (id < last) {
    while (run + 1 < runs && load<u32>(runStart + ((run + 1) << 2)) <= id) run++
    if (load<u16>(runOwner + (run << 1)) === 0) {
      id = run + 1 < runs ? load<u32>(runStart + ((run + 1) << 2)) : last
      continue
    }
    const low = load<u32>(lows + (id << 2))
    const start = low - (low % PAGE)
    const from = id
    // Nearly every page is one run's: nobody has to vote.
    const sole = <u32>load<u16>(runOwner + (run << 1))
    const runEnd = run + 1 < runs ? min(load<u32>(runStart + ((run + 1) << 2)), last) : last
    let winner: i32 = -1
    while (id < runEnd && load<u32>(lows + (id << 2)) - start < <u32>PAGE) {
      if (said(say, <u32>load<u8>(kinds + id)) !== SAY_NOTHING) winner = <i32>sole
      id++
    }
    if (id < last && load<u32>(lows + (id << 2)) - start < <u32>PAGE) {
      id = from
      winner = -1
      const ballot = id + 1
      let most: u32 = 0
      for (let at = run; id < last; id++) {
        if (load<u32>(lows + (id << 2)) - start >= <u32>PAGE) break
        while (at + 1 < runs && load<u32>(runStart + ((at + 1) << 2)) <= id) at++
        const owner = <u32>load<u16>(runOwner + (at << 1))
        if (owner === 0 || said(say, <u32>load<u8>(kinds + id)) === SAY_NOTHING) continue
        const vote = votes + (owner << 3)
        let own: u32 = load<u32>(vote) === ballot ? load<u32>(vote, 4) + 1 : 1
        // A page that the kernel made for itself is its own, whatever else is listed there.
        if (load<u8>(builtin + owner) !== 0) own = 0x80000000
        store<u32>(vote, ballot)
        store<u32>(vote, own, 4)
        if (winner < 0 || own > most || <i32>owner === winner) {
          winner = <i32>owner
          most = own
        }
      }
    }
    if (winner < 0) continue
    let first: u32 = 0
    let final: u32 = 0
    let symbols: u32 = 0
    for (let i = from, at = run; i < id; i++) {
      while (at + 1 < runs && load<u32>(runStart + ((at + 1) << 2)) <= i) at++
      if (<i32>load<u16>(runOwner + (at << 1)) !== winner) continue
      const kind = said(say, <u32>load<u8>(kinds + i))
      if (kind === SAY_NOTHING) continue
      symbols++
      if (kind === 0) continue
      if (first === 0) first = kind
      final = kind
    }
    if (joins(build, claim, count, start, <u32>winner, first)) {
      store<u32>(claim + CLAIM_END, start + PAGE)
      store<u32>(claim + CLAIM_SYMBOLS, load<u32>(claim + CLAIM_SYMBOLS) + symbols)
      if (final !== 0) store<u32>(claim + CLAIM_LAST, final)
      continue
    }
    claim += CLAIM_BYTES
    count++
    store<u32>(claim + CLAIM_START, start)
    store<u32>(claim + CLAIM_END, start + PAGE)
    store<u32>(claim + CLAIM_OWNER, winner)
    store<u32>(claim + CLAIM_SYMBOLS, symbols)
    store<u32>(claim + CLAIM_FIRST, first)
    store<u32>(claim + CLAIM_LAST, final)
  }
  store<u32>(out, count)
}
