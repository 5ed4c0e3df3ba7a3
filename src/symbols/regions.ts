// Whose memory is where: the regions that bound every answer, found from the symbols themselves, from where modules' sections
// begin, and, where symbols bear them out, from the ranges that /proc/modules gives. No answer ever crosses the end of a
// region. The rules stand in docs/symbols.md; they follow the kernel's own lookup (kernel/kallsyms.c,
// kernel/module/kallsyms.c) and its layout of modules (kernel/module/main.c).

import { type Claims, claimsWhere, isBuiltin, mayShare, PAGE, type RegionInput } from './claims.ts'
import { MOST_OFFSET, PIECE_DATA, PIECE_READ_ONLY, PIECE_TEXT } from './constants.ts'
import { coreMemory } from './core-memory.ts'
import type { ModuleMemory } from './memory-range.ts'
import { bareRanges, believedRanges, KnownModules } from './module-ranges.ts'
import { sectionedMemory } from './pieces.ts'
import { layoutOfSections, type SectionCodes, type SectionedModules, type SectionStarts } from './section-starts.ts'
import { type OwnedRange, overlay, Stretches } from './stretches.ts'
import type { Plan, Workspace } from './workspace.ts'

/** Words of a region as stored: start (high, low), end (high, low; exclusive), owner number. */
export const REGION_WORDS = 5

/** What symbols whose addresses share an upper half tell of memory: all that the regions there depend on. */
interface GroupFacts {
  readonly half: number
  readonly core: OwnedRange | undefined
  /** The core kernel's image without its holes. */
  readonly coreParts: readonly OwnedRange[]
  readonly claims: Claims
}

interface Group extends GroupFacts {
  readonly sectioned: SectionedModules
}

const GROUP_END = 2 ** 32

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
  workspace: Workspace,
  input: RegionInput,
  groups: Uint32Array,
  claimed: readonly Claims[],
  modules: readonly ModuleMemory[],
  earlier?: FoundRegions,
): Plan<FoundRegions> {
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
  return { ...told, words: yield* wordsOf(workspace, told, input.ownerNumbers) }
}

function* wordsOf(
  workspace: Workspace,
  { owners, modules, groups }: Omit<FoundRegions, 'words'>,
  ownerNumbers: ReadonlyMap<string, number>,
): Plan<Uint32Array> {
  const known = new KnownModules(modules, ownerNumbers)
  const codes: SectionCodes = new Map()
  // While the kernel lives in the upper half, what stands in the lowest 4 GiB are per-cpu offsets.
  const upperHalf = groups.some(({ half, core }) => half >= 0x8000_0000 && core !== undefined)
  const upper: Group[] = []
  for (const facts of groups) {
    if (facts.half === 0 && upperHalf) continue
    upper.push({ ...facts, sectioned: known.sectionsAt(facts.half, codes) })
    yield
  }
  const layout = layoutOf(upper, owners.length)
  const builtin = Uint8Array.from(owners, (owner) => (isBuiltin(owner) ? 1 : 0))
  const regions: { readonly half: number; readonly stretches: Stretches }[] = []
  for (const group of upper) {
    regions.push({ half: group.half, stretches: yield* regionsOfGroup(workspace, builtin, group, known, layout) })
    yield
  }
  const words = new Uint32Array(REGION_WORDS * regions.reduce((sum, { stretches }) => sum + stretches.count, 0))
  let at = 0
  for (const { half, stretches } of regions) {
    for (let i = 0; i < stretches.count; i++, at += REGION_WORDS) {
      const end = stretches.end[i]!
      words[at] = half
      words[at + 1] = stretches.start[i]!
      words[at + 2] = end === GROUP_END ? half + 1 : half
      words[at + 3] = end === GROUP_END ? 0 : end
      words[at + 4] = stretches.owner[i]!
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
    sameClaims(a.claims, b.claims)
  )
}

function sameClaims(a: Claims, b: Claims): boolean {
  if (a === b) return true
  return (
    sameNumbers(a.start, b.start) &&
    sameNumbers(a.end, b.end) &&
    sameNumbers(a.owner, b.owner) &&
    sameNumbers(a.symbols, b.symbols) &&
    sameNumbers(a.first, b.first) &&
    sameNumbers(a.last, b.last)
  )
}

type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array

function sameNumbers(a: Numbers, b: Numbers): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
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
  return a === b || (a.length === b.length && a.every((one, i) => same(one, b[i]!)))
}

/** How the kernel lays its modules out. */
interface ModuleLayout {
  /** Each kind of memory of a module is an allocation by itself, as since 6.4. */
  readonly apart: boolean
  /** Whether any module told. */
  readonly known: boolean
}

const READ_ONLY = 1
const DATA = 2

/**
 * Whether pieces of a module are apart. Until 6.3 its read-only data lies below its data in one allocation; since 6.4 data is
 * allocated first. Sections tell it of every module, symbols of those that have both; the majority counts, because an
 * allocation may also fall into a hole below.
 */
function layoutOf(groups: readonly Group[], owners: number): ModuleLayout {
  const votes = { apart: 0, together: 0 }
  for (const { sectioned } of groups) {
    const { apart, together } = layoutOfSections(sectioned)
    votes.apart += apart
    votes.together += together
  }
  if (votes.apart + votes.together === 0) {
    for (const { claims } of groups) {
      // The kinds that were seen of each owner.
      const seen = new Uint8Array(owners)
      for (let c = 0; c < claims.count; c++) {
        const owner = claims.owner[c]!
        for (let side = 0; side < 2; side++) {
          const kind = side === 0 ? claims.first[c] : claims.last[c]
          const sort = kind === PIECE_READ_ONLY ? READ_ONLY : kind === PIECE_DATA ? DATA : 0
          if (sort === 0 || seen[owner] === (READ_ONLY | DATA)) continue
          seen[owner]! |= sort
          if (seen[owner] !== (READ_ONLY | DATA)) continue
          votes[sort === READ_ONLY ? 'apart' : 'together']++
        }
      }
    }
  }
  const { apart, together } = votes
  return { apart: apart > together, known: apart + together > 0 }
}

/** The regions of one group, ascending. */
function* regionsOfGroup(
  workspace: Workspace,
  builtin: Uint8Array,
  { half, core, coreParts, claims, sectioned }: Group,
  modules: KnownModules,
  layout: ModuleLayout,
): Plan<Stretches> {
  // Of such groups there may be tens of thousands.
  if (claims.count === 0 && sectioned.count === 0) return overlay(bareRanges(modules, half), Stretches.of(coreParts))
  const pieces = yield* sectionedMemory(workspace, sectioned, claims, layout.apart, core?.start, builtin.length)
  const rest = claimsWhere(claims, (c) => !pieces.isBelieved(claims.owner[c]!))
  const ranges = layout.apart
    ? new Stretches(0)
    : believedRanges(modules, half, claims, rest, layout.known, builtin.length)
  const joined = joinClaims(claims, pieces.claims, core, layout.apart, builtin)
  const fixed = overlay(Stretches.of(coreParts), overlay(ranges, pieces.stretches))
  const told = overlay(overlay(joined.others, fixed), joined.builtin)
  return overlay(bareRanges(modules, half), told)
}

/**
 * The claims at these places with what lies between those of one owner that follow each other: nobody else has a symbol there. It is
 * the owner's, too, if both are of one kind; else two pieces of its memory meet, and it is the first's, but for the page that is never
 * mapped where pieces are apart. Data and read-only data of one allocation are joined: the kernel's lookup does not tell them
 * apart. The kernel's own pages come by themselves.
 */
function joinClaims(
  { start, end, owner, first, last }: Claims,
  places: Uint32Array,
  core: OwnedRange | undefined,
  apart: boolean,
  builtin: Uint8Array,
): { readonly others: Stretches; readonly builtin: Stretches } {
  const others = new Stretches(places.length)
  const own = new Stretches(0)
  let before = -1
  let behind = 0
  for (let i = 0; i < places.length; i++) {
    const c = places[i]!
    const from = start[c]!
    const to = end[c]!
    const isNear = before >= 0 && owner[before] === owner[c] && from - behind < MOST_OFFSET && builtin[owner[c]!] === 0
    if (isNear && !(core !== undefined && core.start < from && core.end > behind)) {
      const stretch = others.count - 1
      const isOne =
        mayShare(last[before]!, first[c]!) || (!apart && last[before] !== PIECE_TEXT && first[c] !== PIECE_TEXT)
      others.end[stretch] = isOne ? to : apart ? Math.max(others.end[stretch]!, from - PAGE) : from
      if (!isOne) others.add(from, to, owner[c]!)
    } else (builtin[owner[c]!] === 1 ? own : others).add(from, to, owner[c]!)
    before = c
    behind = to
  }
  return { others, builtin: own }
}
