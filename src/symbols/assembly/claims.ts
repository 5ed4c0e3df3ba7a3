// What symbols tell of memory, page by page: see ../claim-pages.ts.

import {
  BUILD_BUILTIN,
  BUILD_CLAIMS,
  BUILD_COUNT,
  BUILD_GROUP_COUNT,
  BUILD_GROUPS,
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
  CLAIMS_HEAD,
  LABEL,
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

/** Lists the claims of all groups. There is one piece, because all share the votes. */
export function claimPages(build: usize, _piece: u32, _thread: u32): void {
  for (let group: u32 = 0; group < load<u32>(build + BUILD_GROUP_COUNT); group++) claimGroup(build, group)
}

function claimGroup(build: usize, group: u32): void {
  const lows = address(build, BUILD_LOW)
  const kinds = address(build, BUILD_KIND)
  const runStart = address(build, BUILD_RUN_START)
  const runOwner = address(build, BUILD_RUN_OWNER)
  const runs = load<u32>(build + BUILD_RUNS)
  const groups = address(build, BUILD_GROUPS)
  const say = address(build, BUILD_SAY)
  const builtin = address(build, BUILD_BUILTIN)
  // For each owner the id of the page that it voted on last, from 1 on, and its votes.
  const votes = address(build, BUILD_VOTES)
  const out = address(address(build, BUILD_CLAIMS), (<usize>group) << 2)
  const isLast = group + 1 >= load<u32>(build + BUILD_GROUP_COUNT)
  const last = isLast ? load<u32>(build + BUILD_COUNT) : load<u32>(groups + ((group + 1) << 3), 4)
  let id = load<u32>(groups + (group << 3), 4)
  let run = lastAtOrBelow(runStart, runs, 2, id)
  let claim = out + CLAIMS_HEAD - CLAIM_BYTES
  let count: u32 = 0
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
    const isAdjacent =
      count > 0 &&
      load<u32>(claim + CLAIM_END) === start &&
      load<u32>(claim + CLAIM_OWNER) === <u32>winner &&
      load<u8>(builtin + <u32>winner) === 0
    const before = count > 0 ? load<u32>(claim + CLAIM_LAST) : 0
    if (isAdjacent && (before === first || before === 0 || first === 0)) {
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
