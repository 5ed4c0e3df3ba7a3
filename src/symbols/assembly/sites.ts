// Where the sections of modules are on a host: what a book tells of a module's build, and what a layout tells of that host, section by
// section. See ../../catalog/sites.ts.

import {
  BUILD_PLACED,
  KIND_BASE,
  NO_GROUP,
  PAGE,
  ROW_BYTES,
  ROW_FROM,
  ROW_GROUP,
  ROW_HIGH,
  ROW_LOW,
  ROW_NAME,
  ROW_TO,
  SITE_ANY,
  SITE_BASE_GROUP,
  SITE_BASE_HIGH,
  SITE_BASE_LOW,
  SITE_BYTES,
  SITE_CONTRADICTED,
  SITE_GIVEN,
  SITE_HIGHS,
  SITE_KINDS,
  SITE_KNOWN_BYTES,
  SITE_LACKING,
  SITE_LACKING_COUNT,
  SITE_LOWS,
  SITE_NAMES,
  SITE_NUMBER_COUNT,
  SITE_NUMBERS,
  SITE_PIECE_COUNT,
  SITE_PIECES,
  SITE_ROW_COUNT,
  SITE_ROWS,
  SITE_STATE,
  SITE_TOLD,
  SITE_TOLD_COUNT,
  SITES_COUNT,
  SITES_GROUPS,
  SITES_HEAD,
  SITES_LACKING,
  SITES_NAMES,
  SITES_PIECES,
  SITES_TOLD_HIGHS,
  SITES_TOLD_LOWS,
  SITES_TOLD_NAMES,
} from '../constants'
import { address } from './build'

/** Where the section of a row is, or by how much its group is moved: known if this module told it. */
function known(list: usize, number: u32): usize {
  return list + number * SITE_KNOWN_BYTES
}

function tell(list: usize, number: u32, turn: u32, value: u64): void {
  const at = known(list, number)
  store<u32>(at, turn)
  store<u32>(at, <u32>value, 4)
  store<u32>(at, <u32>(value >> 32), 8)
}

function isKnown(list: usize, number: u32, turn: u32): bool {
  return load<u32>(known(list, number)) === turn
}

function toldOf(list: usize, number: u32): u64 {
  const at = known(list, number)
  return ((<u64>load<u32>(at, 8)) << 32) | <u64>load<u32>(at, 4)
}

function placeOf(row: usize): u64 {
  return ((<u64>load<u32>(row + ROW_HIGH)) << 32) | <u64>load<u32>(row + ROW_LOW)
}

/** Places all modules. There is one piece. */
export function placeModules(build: usize, _piece: u32, _thread: u32): void {
  const sites = address(build, BUILD_PLACED)
  const count = load<u32>(sites + SITES_COUNT)
  let pieces: u32 = 0
  let lacking: u32 = 0
  let told: u32 = 0
  for (let i: u32 = 0; i < count; i++) {
    const site = sites + SITES_HEAD + i * SITE_BYTES
    learn(sites, site, i + 1)
    store<u32>(site + SITE_PIECES, pieces)
    store<u32>(site + SITE_LACKING, lacking)
    pieces = place(sites, site, i + 1, pieces, lacking)
    lacking += load<u32>(site + SITE_LACKING_COUNT)
    store<u32>(site + SITE_PIECE_COUNT, pieces - load<u32>(site + SITE_PIECES))
    store<u32>(site + SITE_TOLD, told)
    told = tellSections(sites, site, i + 1, told)
    store<u32>(site + SITE_TOLD_COUNT, told - load<u32>(site + SITE_TOLD))
  }
}

/** Takes a module's sections, and of its entry what they tell of groups. */
function learn(sites: usize, site: usize, turn: u32): void {
  const names = address(sites, SITES_NAMES)
  const groups = address(sites, SITES_GROUPS)
  const given = load<u32>(site + SITE_GIVEN)
  const numbers = address(site, SITE_NUMBERS)
  const numberCount = load<u32>(site + SITE_NUMBER_COUNT)
  for (let i: u32 = 0; i < given; i++) {
    const name = <u32>load<u16>(address(site, SITE_NAMES) + (i << 1))
    if (name >= numberCount) continue
    const number = load<i32>(numbers + (name << 2))
    if (number < 0) continue
    const high = load<u32>(address(site, SITE_HIGHS) + (i << 2))
    tell(names, number, turn, ((<u64>high) << 32) | <u64>load<u32>(address(site, SITE_LOWS) + (i << 2)))
  }
  let state: u32 = 0
  const rows = address(site, SITE_ROWS)
  const behind = rows + load<u32>(site + SITE_ROW_COUNT) * ROW_BYTES
  for (let row = rows; row < behind; row += ROW_BYTES) {
    const number = load<u32>(row + ROW_NAME)
    if (!isKnown(names, number, turn)) continue
    const distance = toldOf(names, number) - placeOf(row)
    const group = load<u32>(row + ROW_GROUP)
    if (!isKnown(groups, group, turn)) tell(groups, group, turn, distance)
    else if (toldOf(groups, group) !== distance) state = SITE_CONTRADICTED
  }
  // The base is the last that is asked: since 6.4 it tells where the text is, and nothing of the others.
  const group = load<u32>(site + SITE_BASE_GROUP)
  if (group !== NO_GROUP && !isKnown(groups, group, turn)) {
    const low = <u64>load<u32>(site + SITE_BASE_LOW)
    tell(groups, group, turn, ((<u64>load<u32>(site + SITE_BASE_HIGH)) << 32) | low)
  }
  store<u32>(site + SITE_STATE, state)
}

/** Lists a module's pieces behind those of the modules before it, and what cannot be placed. Returns how many pieces there are then. */
function place(sites: usize, site: usize, turn: u32, count: u32, lackingFrom: u32): u32 {
  const names = address(sites, SITES_NAMES)
  const groups = address(sites, SITES_GROUPS)
  const pieces = address(sites, SITES_PIECES)
  const state = load<u32>(site + SITE_STATE)
  const rows = address(site, SITE_ROWS)
  const behind = rows + load<u32>(site + SITE_ROW_COUNT) * ROW_BYTES
  let any = rows === behind
  let lacking = lackingFrom
  const first = count
  for (let row = rows, next = row; row < behind; row = next) {
    next = row + ROW_BYTES
    const group = load<u32>(row + ROW_GROUP)
    const isMoved = isKnown(groups, group, turn)
    // Symbols that keep their distances are one piece.
    const isOne = state !== SITE_CONTRADICTED && isMoved
    while (isOne && next < behind && load<u32>(next + ROW_GROUP) === group) next += ROW_BYTES
    const from = load<u32>(row + ROW_FROM)
    const to = load<u32>(next - ROW_BYTES + ROW_TO)
    const number = load<u32>(row + ROW_NAME)
    const isGiven = isKnown(names, number, turn)
    if (!isMoved && !isGiven) {
      const out = address(sites, SITES_LACKING) + (lacking << 3)
      store<u32>(out, from)
      store<u32>(out, to, 4)
      lacking++
      continue
    }
    any = true
    if (from >= to) continue
    const distance = !isOne && isGiven ? toldOf(names, number) - placeOf(row) : toldOf(groups, group)
    const last = pieces + ((count - 1) << 4)
    // Symbols that lie side by side in the book, and are moved alike, are one piece.
    if (
      count > first &&
      load<u32>(last, 4) === from &&
      load<u32>(last, 8) === <u32>(distance >> 32) &&
      load<u32>(last, 12) === <u32>distance
    ) {
      store<u32>(last, to, 4)
      continue
    }
    const piece = pieces + (count << 4)
    store<u32>(piece, from)
    store<u32>(piece, to, 4)
    store<u32>(piece, <u32>(distance >> 32), 8)
    store<u32>(piece, <u32>distance, 12)
    count++
  }
  store<u32>(site + SITE_LACKING_COUNT, lacking - lackingFrom)
  if (any) store<u32>(site + SITE_STATE, state | SITE_ANY)
  return count
}

/** Lists those of a module's sections that tell where its memory begins and ends: each that begins some, and the one before it. */
function tellSections(sites: usize, site: usize, turn: u32, count: u32): u32 {
  const names = address(sites, SITES_NAMES)
  const groups = address(sites, SITES_GROUPS)
  const kinds = address(site, SITE_KINDS)
  const rows = address(site, SITE_ROWS)
  const behind = rows + load<u32>(site + SITE_ROW_COUNT) * ROW_BYTES
  let begins = true
  for (let row = rows; row < behind; row += ROW_BYTES) {
    const next = row + ROW_BYTES
    const isFirst = begins
    begins = next >= behind || beginsMemory(kinds, next)
    if (!isFirst && !begins) continue
    const number = load<u32>(row + ROW_NAME)
    // The base of a module is no section.
    if (load<u8>(kinds + number) === KIND_BASE) continue
    let place: u64 = 0
    if (isKnown(names, number, turn)) place = toldOf(names, number)
    else {
      const group = load<u32>(row + ROW_GROUP)
      if (!isKnown(groups, group, turn)) continue
      place = placeOf(row) + toldOf(groups, group)
    }
    store<u16>(address(sites, SITES_TOLD_NAMES) + (count << 1), number)
    store<u32>(address(sites, SITES_TOLD_HIGHS) + (count << 2), <u32>(place >> 32))
    store<u32>(address(sites, SITES_TOLD_LOWS) + (count << 2), <u32>place)
    count++
  }
  return count
}

/** Whether a row begins a page, or memory of another kind or group than the row before it. */
function beginsMemory(kinds: usize, row: usize): bool {
  const before = row - ROW_BYTES
  return (
    load<u32>(row + ROW_LOW) % PAGE === 0 ||
    load<u32>(row + ROW_GROUP) !== load<u32>(before + ROW_GROUP) ||
    load<u8>(kinds + load<u32>(row + ROW_NAME)) !== load<u8>(kinds + load<u32>(before + ROW_NAME))
  )
}
