// The core kernel's memory: its image, as far as the symbols of the kernel's linker script tell, without the holes in it. The
// rules stand in docs/symbols.md; they follow the kernel's own lookup (is_ksym_addr() and get_symbol_pos() in
// kernel/kallsyms.c) and include/asm-generic/vmlinux.lds.h.

import { type MarkerAddress, pageEnd, pageStart, type RegionInput } from './claims.ts'
import { MOST_OFFSET } from './constants.ts'
import { upperBound } from './search.ts'
import type { OwnedRange } from './stretches.ts'

/** Core symbols with which the kernel's image, and each of its sections, begins or ends. */
export const MARKERS = {
  begin: ['_stext', '_text'],
  end: '_end',
  text: ['_stext', '_etext'],
  initText: ['_sinittext', '_einittext'],
  /** Other sections, from the first to the second of each pair. */
  sections: [
    ['__start_rodata', '__end_rodata'],
    ['_sdata', '_edata'],
    ['__init_begin', '__init_end'],
    ['__bss_start', '__bss_stop'],
  ],
  sectionEnd: ['_etext', '__end_rodata', '_edata', '_einittext', '__init_end', '__bss_stop', '__brk_limit'],
} as const

/** Every pair of markers between which one section lies. */
const SECTIONS = [MARKERS.text, MARKERS.initText, ...MARKERS.sections]

const CORE = 0
const GROUP_END = 2 ** 32

/** Lower halves of addresses, [start, end). */
interface Stretch {
  readonly start: number
  readonly end: number
}

/** Symbols of one group: ids [first, last), which share an upper half. */
interface GroupInput extends RegionInput {
  readonly half: number
  readonly first: number
  readonly last: number
}

/** The core kernel's image within one group, whole and without its holes; undefined where it has no symbol there. */
export function coreMemory(input: GroupInput): { image: OwnedRange; parts: OwnedRange[] } | undefined {
  const runs = coreRuns(input)
  const image = imageOf(input, runs)
  if (image === undefined) return undefined
  const holes = [...holesBehindSections(input, image), ...holesBetween(input, runs)]
  return { image, parts: without(image, holes) }
}

/** The core's runs of ids, cut to the group. */
function coreRuns({ runs, first, last }: GroupInput): { first: number; end: number }[] {
  const found: { first: number; end: number }[] = []
  for (let run = 0; run < runs.start.length; run++) {
    if (runs.owner[run] !== CORE) continue
    const from = Math.max(first, runs.start[run]!)
    const end = Math.min(last, run + 1 < runs.start.length ? runs.start[run + 1]! : last)
    if (from < end) found.push({ first: from, end })
  }
  return found
}

function imageOf(input: GroupInput, runs: readonly { first: number; end: number }[]): OwnedRange | undefined {
  const { low, markers, half, last } = input
  const firstCore = runs[0]?.first
  const lastCore = (runs[runs.length - 1]?.end ?? 0) - 1
  if (firstCore === undefined) return undefined
  const begins = MARKERS.begin.map((name) => markers.get(name)).filter((marker) => marker !== undefined)
  const here = begins.filter(({ high }) => high === half)
  if (begins.length > 0 && here.length === 0) return undefined
  const start = here.length > 0 ? Math.min(...here.map((marker) => marker.low)) : low[firstCore]!
  const end = lowOf(markers.get(MARKERS.end), half)
  if (end !== undefined && end > start) return { start, end, owner: CORE }
  // Without _end nothing says where the image ends: it reaches as far as an offset may, or to the next owner's page.
  const next = lastCore + 1 < last ? pageStart(low[lastCore + 1]!) : GROUP_END
  const lastLow = low[lastCore]!
  return { start, end: Math.max(lastLow + 1, Math.min(lastLow + MOST_OFFSET, next)), owner: CORE }
}

/** Whether a symbol is the core's: at one address there may be others', with names that say nothing of the core's sections. */
function isCore({ runs }: GroupInput, id: number): boolean {
  return runs.owner[upperBound(runs.start, 0, runs.start.length, id) - 1] === CORE
}

/** Where a marker stands in a group, if it does. */
function lowOf(marker: MarkerAddress | undefined, half: number): number | undefined {
  return marker?.high === half ? marker.low : undefined
}

/** Names that say of a core symbol that something ends there. */
const ENDS = /(?:^_e|^__stop_|_end$|_end_|_stop$|_limit$|_etext$|_edata$)/

/**
 * Behind the page in which a section ends nothing lives until the next symbol, unless another section begins just where that
 * one ends. (What lies between the text and read-only data the kernel gives to others as free memory.)
 */
function holesBehindSections(input: GroupInput, image: OwnedRange): Stretch[] {
  const { low, markers, nameOf, half, last } = input
  return MARKERS.sectionEnd.flatMap((name) => {
    const end = lowOf(markers.get(name), half)
    if (end === undefined) return []
    let next = firstAtOrAbove(input, end)
    for (; next < last && (low[next] === end || !isCore(input, next)); next++) {
      if (low[next] === end && isCore(input, next) && !ENDS.test(nameOf(next))) return []
    }
    return [{ start: pageEnd(end), end: next < last ? low[next]! : image.end }]
  })
}

/**
 * Between two symbols of the core, nothing from MOST_OFFSET behind the first on, unless the linker script says that one thing
 * lies there: both are in one section, or the first is `__start_X` and the second `__stop_X`.
 */
function holesBetween(input: GroupInput, runs: readonly { first: number; end: number }[]): Stretch[] {
  const { low, markers, half } = input
  const holes: Stretch[] = []
  const sections = SECTIONS.flatMap(([from, to]) => {
    const start = lowOf(markers.get(from), half)
    const end = lowOf(markers.get(to), half)
    return start === undefined || end === undefined ? [] : [{ start, end }]
  })
  const look = (before: number, after: number) => {
    const start = low[before]!
    const end = low[after]!
    if (end - start <= MOST_OFFSET || sections.some((section) => section.start <= start && end <= section.end)) return
    if (!isPair(input, before, after)) holes.push({ start: start + MOST_OFFSET, end })
  }
  // Few symbols are so far apart: those that lie near each other are passed over without a look at each.
  const search = (from: number, to: number) => {
    if (low[to]! - low[from]! <= MOST_OFFSET) return
    const middle = (from + to) >>> 1
    if (middle === from) look(from, to)
    else {
      search(from, middle)
      search(middle, to)
    }
  }
  runs.forEach(({ first, end }, i) => {
    if (i > 0) look(runs[i - 1]!.end - 1, first)
    search(first, end - 1)
  })
  return holes
}

/** Whether what begins at symbol `before` and ends at the next, `after`, is one thing: `__start_X` and `__stop_X`. */
function isPair(input: GroupInput, before: number, after: number): boolean {
  const { low, nameOf, first, last } = input
  const stops = new Set<string>()
  for (let id = after; id < last && low[id] === low[after]; id++) if (isCore(input, id)) stops.add(nameOf(id))
  for (let id = before; id >= first && low[id] === low[before]; id--) {
    if (!isCore(input, id)) continue
    const name = nameOf(id)
    if (name.startsWith('__start_') && stops.has(name.replace('__start_', '__stop_'))) return true
  }
  return false
}

/** A range without the holes in it. */
function without(range: OwnedRange, holes: readonly Stretch[]): OwnedRange[] {
  const parts: OwnedRange[] = []
  let { start } = range
  for (const hole of [...holes].sort((a, b) => a.start - b.start)) {
    if (hole.end <= Math.max(hole.start, start)) continue
    if (hole.start > start) parts.push({ start, end: Math.min(hole.start, range.end), owner: CORE })
    start = Math.max(start, hole.end)
    if (start >= range.end) return parts
  }
  parts.push({ start, end: range.end, owner: CORE })
  return parts
}

/** The first id of the group whose address is at or above `value`. */
function firstAtOrAbove({ low, first, last }: GroupInput, value: number): number {
  return value === 0 ? first : upperBound(low, first, last, value - 1)
}
