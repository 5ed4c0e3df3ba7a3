// The ranges of modules that /proc/modules gives, and which of them count: those that symbols bear out, and those of modules of which
// nothing else is known.

import { type Claims, mayShare } from './claims.ts'
import { PIECE_TEXT } from './constants.ts'
import type { ModuleMemory } from './memory-range.ts'
import { type SectionCodes, SectionedModules } from './section-starts.ts'
import { orderOf, Stretches } from './stretches.ts'

const CORE = 0
const GROUP_END = 2 ** 32
/** How many addresses there are. */
const ADDRESSES = 1n << 64n

/** The modules among the owners, with their ranges as halves: columns. */
export class KnownModules {
  count = 0
  readonly owner: Uint16Array
  readonly half: Uint32Array
  readonly start: Uint32Array
  /** Where the range ends; where it begins if it is none, or not all at addresses of one upper half. */
  readonly end: Float64Array
  readonly #told: ModuleMemory[] = []
  #anySections = false
  #anyBare = false

  constructor(modules: readonly ModuleMemory[], ownerNumbers: ReadonlyMap<string, number>) {
    this.owner = new Uint16Array(modules.length)
    this.half = new Uint32Array(modules.length)
    this.start = new Uint32Array(modules.length)
    this.end = new Float64Array(modules.length)
    // Halves by way of memory: there are thousands of modules, and each step with bigints makes another one.
    const view = new DataView(new ArrayBuffer(8))
    for (const module of modules) {
      const owner = ownerNumbers.get(module.owner)
      if (owner === undefined || owner === CORE) continue
      const { start, end } = module
      const i = this.count++
      this.#told.push(module)
      this.#anySections ||= module.sections !== undefined
      this.#anyBare ||= module.bare === true
      this.owner[i] = owner
      view.setBigUint64(0, start)
      this.half[i] = view.getUint32(0)
      this.start[i] = view.getUint32(4)
      view.setBigUint64(0, end)
      const lowEnd = view.getUint32(4) || GROUP_END
      const lastHalf = lowEnd === GROUP_END ? (view.getUint32(0) - 1) >>> 0 : view.getUint32(0)
      const inOneGroup = end > start && end <= ADDRESSES && lastHalf === this.half[i]
      this.end[i] = inOneGroup ? lowEnd : this.start[i]!
    }
  }

  /** Whether there is any of which no symbol is known. */
  get anyBare(): boolean {
    return this.#anyBare
  }

  /** Whether no symbol of a module is known. */
  isBare(i: number): boolean {
    return this.#told[i]!.bare === true
  }

  /** The modules whose ranges lie at addresses of an upper half, ascending; `isAsked` chooses among them. */
  rangesAt(half: number, isAsked: (i: number) => boolean = () => true): Uint32Array {
    const places = new Uint32Array(this.count)
    const starts = new Uint32Array(this.count)
    let found = 0
    for (let i = 0; i < this.count; i++) {
      if (!isAsked(i) || this.half[i] !== half || this.end[i]! <= this.start[i]!) continue
      places[found] = i
      starts[found++] = this.start[i]!
    }
    return orderOf(starts.subarray(0, found)).map((place) => places[place]!)
  }

  /** The modules with sections at addresses of an upper half. */
  sectionsAt(half: number, codes: SectionCodes): SectionedModules {
    if (!this.#anySections) return NO_SECTIONS
    const sectioned = new SectionedModules(this.count, codes)
    for (let i = 0; i < this.count; i++) {
      const { sections, loading = false } = this.#told[i]!
      if (sections === undefined) continue
      const isHere = this.half[i] === half && this.end[i]! > this.start[i]!
      sectioned.add(half, sections, this.owner[i]!, isHere ? this.end[i]! - this.start[i]! : Number.NaN, loading)
    }
    return sectioned
  }
}

/** There may be tens of thousands of groups without any. */
const NO_SECTIONS = new SectionedModules(0)
const NO_RANGES = new Stretches(0)

/** The ranges of modules without symbols, none reaching into the next. */
export function bareRanges(modules: KnownModules, half: number): Stretches {
  if (!modules.anyBare) return NO_RANGES
  const order = modules.rangesAt(half, (i) => modules.isBare(i))
  const ranges = new Stretches(order.length)
  for (let k = 0; k < order.length; k++) {
    const i = order[k]!
    const start = modules.start[i]!
    const next = k + 1 < order.length ? modules.start[order[k + 1]!]! : GROUP_END
    const end = Math.min(modules.end[i]!, next)
    if (end > start) ranges.add(start, end, modules.owner[i]!)
  }
  return ranges
}

/**
 * The ranges of /proc/modules that the symbols, whose claims are at these places, bear out, cut where text and data meet. None does
 * where a module has no data symbols, because nothing tells then where its text ends.
 */
export function believedRanges(
  modules: KnownModules,
  half: number,
  claims: Claims,
  places: Uint32Array,
  layoutKnown: boolean,
  owners: number,
): Stretches {
  // Without a symbol no range is borne out.
  if (places.length === 0) return NO_RANGES
  const ranges = modules.rangesAt(half)
  const rangeOf = new Int32Array(owners).fill(-1)
  const doubted = new Uint8Array(owners)
  for (let r = 0; r < ranges.length; r++) {
    const i = ranges[r]!
    rangeOf[modules.owner[i]!] = i
    const next = ranges[r + 1]
    if (next === undefined || modules.start[next]! >= modules.end[i]!) continue
    doubted[modules.owner[i]!] = 1
    doubted[modules.owner[next]!] = 1
  }
  // By owner: how many symbols lie in its range and outside of it, whether one in it is data, and the claims in it, each with the next.
  const inside = new Float64Array(owners)
  const outside = new Float64Array(owners)
  const hasData = new Uint8Array(owners)
  const firstOf = new Int32Array(owners).fill(-1)
  const lastOf = new Int32Array(owners).fill(-1)
  const nextOf = new Int32Array(claims.count).fill(-1)
  let r = 0
  for (let p = 0; p < places.length; p++) {
    const c = places[p]!
    const start = claims.start[c]!
    const end = claims.end[c]!
    while (r < ranges.length && modules.end[ranges[r]!]! <= start) r++
    const owner = claims.owner[c]!
    const range = rangeOf[owner]!
    const isInside = range >= 0 && start >= modules.start[range]! && start < modules.end[range]!
    if (isInside) {
      inside[owner]! += claims.symbols[c]!
      if ((claims.first[c]! | claims.last[c]!) > PIECE_TEXT) hasData[owner] = 1
      if (firstOf[owner] === -1) firstOf[owner] = c
      else nextOf[lastOf[owner]!] = c
      lastOf[owner] = c
    } else outside[owner]! += claims.symbols[c]!
    // What a module left elsewhere, as freed initialisation code is listed, says nothing against another's range.
    const isLeft = range >= 0 && !isInside
    for (let at = r; at < ranges.length && modules.start[ranges[at]!]! < end; at++) {
      const other = modules.owner[ranges[at]!]!
      if (other !== owner && !isLeft) doubted[other] = 1
    }
  }
  const stretches = new Stretches(ranges.length)
  for (let k = 0; k < ranges.length; k++) {
    const i = ranges[k]!
    const owner = modules.owner[i]!
    const strayed = outside[owner]! * (layoutKnown ? 4 : inside[owner]! + 1)
    if (doubted[owner] === 1 || hasData[owner] === 0 || strayed > inside[owner]!) continue
    let from = modules.start[i]!
    for (let c = firstOf[owner]!, next = nextOf[c]!; next !== -1; c = next, next = nextOf[c]!) {
      if (mayShare(claims.last[c]!, claims.first[next]!)) continue
      if (claims.last[c] !== PIECE_TEXT && claims.first[next] !== PIECE_TEXT) continue
      stretches.add(from, claims.start[next]!, owner)
      from = claims.start[next]!
    }
    stretches.add(from, modules.end[i]!, owner)
  }
  return stretches
}
