// Whose memory is where: the regions that bound every answer, found from the symbols themselves, from where modules' sections
// begin, and, where symbols bear them out, from the ranges that /proc/modules gives. No answer ever crosses the end of a
// region. The rules stand in docs/symbols.md; they follow the kernel's own lookup (kernel/kallsyms.c,
// kernel/module/kallsyms.c) and its layout of modules (kernel/module/main.c).

import { type Claim, isBuiltin, mayShare, PAGE, type RegionInput } from './claims.ts'
import { MOST_OFFSET } from './constants.ts'
import { coreMemory } from './core-memory.ts'
import { PIECE } from './kinds.ts'
import {
  layoutOfSections,
  type OwnedRange,
  type SectionCodes,
  type SectionedModule,
  type SectionStarts,
  sectionedMemory,
  startsOf,
} from './pieces.ts'

/** A stretch of memory that is known to be an owner's: [start, end). */
export interface MemoryRange {
  readonly owner: string
  readonly start: bigint
  readonly end: bigint
}

/**
 * A module's memory as the kernel tells it: the range of /proc/modules, which since 6.4 is the address of its text with the size of
 * all its pieces, and where its sections begin.
 */
export interface ModuleMemory extends MemoryRange {
  readonly sections?: SectionStarts | undefined
  /** It is being loaded: its initialisation sections are still memory of its own. */
  readonly loading?: boolean
  /** No symbol of it is known: its range is all that there is, and counts where nothing else is known. */
  readonly bare?: boolean | undefined
}

/** Words of a region as stored: start (high, low), end (high, low; exclusive), owner number. */
export const REGION_WORDS = 5

/** What symbols whose addresses share an upper half tell of memory: all that the regions there depend on. */
interface GroupFacts {
  readonly half: number
  readonly core: OwnedRange | undefined
  /** The core kernel's image without its holes. */
  readonly coreParts: readonly OwnedRange[]
  readonly claims: readonly Claim[]
}

interface Group extends GroupFacts {
  readonly sectioned: readonly SectionedModule[]
}

const CORE = 0
const GROUP_END = 2 ** 32
/** How many addresses there are. */
const ADDRESSES = 1n << 64n

/** Regions that were found, and all that they depend on: where that is the same again they need not be looked for. */
export interface FoundRegions {
  /** As in the table's `regions` section, ascending and without overlap. */
  readonly words: Uint32Array
  readonly owners: readonly string[]
  readonly modules: readonly ModuleMemory[]
  readonly groups: readonly GroupFacts[]
}

/**
 * The regions of a table. `groups` are the pairs of the table's `groups` section, `claimed` has the claims of each. Yields between
 * bounded pieces of work.
 */
export function* regionsOf(
  input: RegionInput,
  groups: Uint32Array,
  claimed: readonly (readonly Claim[])[],
  modules: readonly ModuleMemory[],
  earlier?: FoundRegions,
): Generator<void, FoundRegions, void> {
  const facts: GroupFacts[] = []
  for (let g = 0; g < groups.length; g += 2) {
    const half = groups[g]!
    const first = groups[g + 1]!
    const last = groups[g + 3] ?? input.low.length
    const core = coreMemory({ ...input, half, first, last })
    facts.push({ half, core: core?.image, coreParts: core?.parts ?? [], claims: claimed[g / 2]! })
    yield
  }
  const told = { owners: input.owners, modules, groups: facts }
  if (earlier !== undefined && sameFacts(told, earlier)) return earlier
  return { ...told, words: yield* wordsOf(told) }
}

function* wordsOf({ owners, modules, groups }: Omit<FoundRegions, 'words'>): Generator<void, Uint32Array, void> {
  const known = knownModules(modules, owners)
  const codes: SectionCodes = new Map()
  // While the kernel lives in the upper half, what stands in the lowest 4 GiB are per-cpu offsets.
  const upperHalf = groups.some(({ half, core }) => half >= 0x8000_0000 && core !== undefined)
  const upper: Group[] = []
  for (const facts of groups.filter(({ half }) => half !== 0 || !upperHalf)) {
    const { half } = facts
    const sectioned = known.flatMap(({ owner, half: own, start, end, sections, loading }): SectionedModule[] => {
      if (sections === undefined) return []
      const starts = startsOf(sections, half, codes)
      const bytes = own === half && end > start ? end - start : undefined
      return starts.length === 0 ? [] : [{ owner, starts, bytes, loading }]
    })
    upper.push({ ...facts, sectioned })
    yield
  }
  const layout = layoutOf(upper, owners.length)
  const builtin = Uint8Array.from(owners, (owner) => (isBuiltin(owner) ? 1 : 0))
  const regions: { readonly half: number; readonly ranges: readonly OwnedRange[] }[] = []
  for (const group of upper) {
    regions.push({ half: group.half, ranges: regionsOfGroup(builtin, group, known, layout) })
    yield
  }
  const words = new Uint32Array(REGION_WORDS * regions.reduce((sum, { ranges }) => sum + ranges.length, 0))
  let at = 0
  for (const { half, ranges } of regions) {
    for (let i = 0; i < ranges.length; i++, at += REGION_WORDS) {
      const { start, end, owner } = ranges[i]!
      words[at] = half
      words[at + 1] = start
      words[at + 2] = end === GROUP_END ? half + 1 : half
      words[at + 3] = end === GROUP_END ? 0 : end
      words[at + 4] = owner
    }
  }
  return words
}

function sameFacts(a: Omit<FoundRegions, 'words'>, b: FoundRegions): boolean {
  return (
    sameLists(a.owners, b.owners, (x, y) => x === y) &&
    sameLists(a.groups, b.groups, sameGroup) &&
    sameModules(a.modules, b.modules)
  )
}

function sameGroup(a: GroupFacts, b: GroupFacts): boolean {
  return (
    a.half === b.half &&
    a.core?.start === b.core?.start &&
    a.core?.end === b.core?.end &&
    sameLists(a.coreParts, b.coreParts, (x, y) => x.start === y.start && x.end === y.end) &&
    sameLists(a.claims, b.claims, sameClaim)
  )
}

function sameClaim(a: Claim, b: Claim): boolean {
  const sameMemory = a.start === b.start && a.end === b.end && a.owner === b.owner
  return sameMemory && a.symbols === b.symbols && a.first === b.first && a.last === b.last
}

/** Whether the same is known of modules' memory. */
export function sameModules(a: readonly ModuleMemory[], b: readonly ModuleMemory[]): boolean {
  return sameLists(a, b, (x, y) => {
    const sameMemory = x.owner === y.owner && x.start === y.start && x.end === y.end
    return sameMemory && x.loading === y.loading && x.bare === y.bare && sameSections(x.sections, y.sections)
  })
}

function sameSections(a: SectionStarts | undefined, b: SectionStarts | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.low.length === b.low.length &&
    a.low.every((low, i) => low === b.low[i] && a.high[i] === b.high[i] && a.names[a.name[i]!] === b.names[b.name[i]!])
  )
}

function sameLists<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return a.length === b.length && a.every((one, i) => same(one, b[i]!))
}

/** How the kernel lays its modules out. */
interface ModuleLayout {
  /** Each kind of memory of a module is an allocation by itself, as since 6.4. */
  readonly apart: boolean
  /** Whether any module told. */
  readonly known: boolean
}

/** A module's memory, with its owner's number and its range as halves. */
interface KnownModule {
  readonly owner: number
  readonly half: number
  readonly start: number
  readonly end: number
  readonly sections: SectionStarts | undefined
  readonly loading: boolean
  readonly bare: boolean
}

function knownModules(modules: readonly ModuleMemory[], owners: readonly string[]): KnownModule[] {
  const numbers = new Map(owners.map((name, number) => [name, number]))
  // Halves by way of memory: there are thousands of modules, and each step with bigints makes another one.
  const view = new DataView(new ArrayBuffer(8))
  const known: KnownModule[] = []
  for (const { owner: name, start, end, sections, loading = false, bare = false } of modules) {
    const owner = numbers.get(name)
    if (owner === undefined || owner === CORE) continue
    view.setBigUint64(0, start)
    const half = view.getUint32(0)
    const low = view.getUint32(4)
    view.setBigUint64(0, end)
    const lowEnd = view.getUint32(4) || GROUP_END
    const lastHalf = lowEnd === GROUP_END ? (view.getUint32(0) - 1) >>> 0 : view.getUint32(0)
    const inOneGroup = end > start && end <= ADDRESSES && lastHalf === half
    known.push({ owner, half, start: low, end: inOneGroup ? lowEnd : low, sections, loading, bare })
  }
  return known
}

const READ_ONLY = 1
const DATA = 2

/**
 * Whether pieces of a module are apart. Until 6.3 its read-only data lies below its data in one allocation; since 6.4 data is
 * allocated first. Sections tell it of every module, symbols of those that have both; the majority counts, because an
 * allocation may also fall into a hole below.
 */
function layoutOf(groups: readonly Group[], owners: number): ModuleLayout {
  let { apart, together } = layoutOfSections(groups.flatMap(({ sectioned }) => sectioned))
  if (apart + together === 0) {
    for (const { claims } of groups) {
      // The kinds that were seen of each owner.
      const seen = new Uint8Array(owners)
      for (const { owner, first, last } of claims) {
        for (let side = 0; side < 2; side++) {
          const kind = side === 0 ? first : last
          const sort = kind === PIECE.readOnly ? READ_ONLY : kind === PIECE.data ? DATA : 0
          if (sort === 0 || seen[owner] === (READ_ONLY | DATA)) continue
          seen[owner] = seen[owner]! | sort
          if (seen[owner] !== (READ_ONLY | DATA)) continue
          if (sort === READ_ONLY) apart++
          else together++
        }
      }
    }
  }
  return { apart: apart > together, known: apart + together > 0 }
}

/** The regions of one group, ascending. */
function regionsOfGroup(
  builtin: Uint8Array,
  { half, core, coreParts, claims, sectioned }: Group,
  modules: readonly KnownModule[],
  layout: ModuleLayout,
): readonly OwnedRange[] {
  const pieces = sectionedMemory(sectioned, claims, layout.apart, core?.start)
  const rest = pieces.claims.filter(({ owner }) => !pieces.owners.has(owner))
  const ranges = layout.apart ? [] : believedRanges(modules, half, rest, layout.known, builtin.length)
  const joined = joinClaims(pieces.claims, core, layout.apart, builtin)
  const isOwn = ({ owner }: OwnedRange) => builtin[owner] === 1
  const fixed = overlay(coreParts, overlay(ranges, pieces.stretches))
  const told = overlay(
    overlay(
      joined.filter((stretch) => !isOwn(stretch)),
      fixed,
    ),
    joined.filter(isOwn),
  )
  const bare = modules.filter((module) => module.bare && module.half === half && module.end > module.start)
  return bare.length === 0 ? told : overlay(bareRanges(bare), told)
}

/** The ranges of modules without symbols, none reaching into the next. */
function bareRanges(modules: readonly KnownModule[]): OwnedRange[] {
  const ranges = modules.map(({ start, end, owner }) => ({ start, end, owner })).sort((a, b) => a.start - b.start)
  return ranges.flatMap(({ start, end, owner }, i) => {
    const stop = Math.min(end, ranges[i + 1]?.start ?? end)
    return stop > start ? [{ start, end: stop, owner }] : []
  })
}

/**
 * The claims with what lies between those of one owner that follow each other: nobody else has a symbol there. It is the owner's,
 * too, if both are of one kind; else two pieces of its memory meet, and it is the first's, but for the page that is never
 * mapped where pieces are apart. Data and read-only data of one allocation are joined: the kernel's lookup does not tell them
 * apart.
 */
function joinClaims(
  claims: readonly Claim[],
  core: OwnedRange | undefined,
  apart: boolean,
  builtin: Uint8Array,
): OwnedRange[] {
  const joined: OwnedRange[] = []
  claims.forEach(({ start, end, owner, first }, i) => {
    const before = claims[i - 1]
    const stretch = joined[joined.length - 1]
    const isNear = before?.owner === owner && start - before.end < MOST_OFFSET && builtin[owner] === 0
    if (isNear && stretch !== undefined && !(core !== undefined && core.start < start && core.end > before.end)) {
      const isOne = mayShare(before.last, first)
      if (isOne || (!apart && before.last !== PIECE.text && first !== PIECE.text)) {
        stretch.end = end
        return
      }
      stretch.end = apart ? Math.max(stretch.end, start - PAGE) : start
    }
    joined.push({ start, end, owner })
  })
  return joined
}

/**
 * The ranges of /proc/modules that the symbols bear out, cut where text and data meet. None does where a module has no data
 * symbols, because nothing tells then where its text ends.
 */
function believedRanges(
  modules: readonly KnownModule[],
  half: number,
  claims: readonly Claim[],
  layoutKnown: boolean,
  owners: number,
): OwnedRange[] {
  const ranges = modules
    .filter((module) => module.half === half && module.end > module.start)
    .sort((a, b) => a.start - b.start)
  // By owner: there are thousands.
  const ofOwner: (KnownModule | undefined)[] = new Array(owners)
  for (const range of ranges) ofOwner[range.owner] = range
  const doubted = new Uint8Array(owners)
  ranges.forEach((range, i) => {
    const next = ranges[i + 1]
    if (next === undefined || next.start >= range.end) return
    doubted[range.owner] = 1
    doubted[next.owner] = 1
  })
  const inside: (Claim[] | undefined)[] = new Array(owners)
  const outside = new Float64Array(owners)
  let r = 0
  for (const claim of claims) {
    while (r < ranges.length && ranges[r]!.end <= claim.start) r++
    const range = ofOwner[claim.owner]
    const isInside = range !== undefined && claim.start >= range.start && claim.start < range.end
    if (isInside) {
      const own = inside[claim.owner]
      if (own === undefined) inside[claim.owner] = [claim]
      else own.push(claim)
    } else outside[claim.owner] = outside[claim.owner]! + claim.symbols
    // What a module left elsewhere, as freed initialisation code is listed, says nothing against another's range.
    const isLeft = range !== undefined && !isInside
    for (let at = r; at < ranges.length && ranges[at]!.start < claim.end; at++) {
      if (ranges[at]!.owner !== claim.owner && !isLeft) doubted[ranges[at]!.owner] = 1
    }
  }
  const stretches: OwnedRange[] = []
  for (const { owner, start, end } of ranges) {
    const own = inside[owner] ?? []
    const symbols = own.reduce((sum, claim) => sum + claim.symbols, 0)
    const hasData = own.some(({ first, last }) => (first | last) > PIECE.text)
    const strayed = outside[owner]! * (layoutKnown ? 4 : symbols + 1)
    if (doubted[owner] === 1 || !hasData || strayed > symbols) continue
    let from = start
    own.forEach((claim, i) => {
      const next = own[i + 1]
      if (next === undefined || mayShare(claim.last, next.first)) return
      if (claim.last !== PIECE.text && next.first !== PIECE.text) return
      stretches.push({ start: from, end: next.start, owner })
      from = next.start
    })
    stretches.push({ start: from, end, owner })
  }
  return stretches
}

/** The first with the others laid over them, ascending. */
function overlay(fixed: readonly OwnedRange[], claimed: readonly OwnedRange[]): readonly OwnedRange[] {
  if (fixed.length === 0) return claimed
  if (claimed.length === 0) return fixed
  const result: OwnedRange[] = []
  let c = 0
  let start = 0
  for (const region of fixed) {
    while (c < claimed.length && claimed[c]!.end <= region.start) result.push(claimed[c++]!)
    start = Math.max(start, region.start)
    while (c < claimed.length && claimed[c]!.start < region.end) {
      const claim = claimed[c++]!
      if (claim.start > start) result.push({ start, end: claim.start, owner: region.owner })
      result.push(claim)
      start = claim.end
    }
    if (start < region.end) result.push({ start, end: region.end, owner: region.owner })
  }
  while (c < claimed.length) result.push(claimed[c++]!)
  return result
}
