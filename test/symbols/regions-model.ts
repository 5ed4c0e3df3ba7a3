// The rules of docs/symbols.md, "Whose memory an address is in", written once more: a rule at a time over plain lists and
// whole addresses, without a thought for speed. Any faster code has to find the same regions.
import type { PlainRegion } from './model.ts'
import type { PlainSymbol } from './plain-table.ts'

export interface PlainModule {
  readonly owner: string
  readonly start: bigint
  readonly end: bigint
  readonly sections?: readonly { readonly name: string; readonly address: bigint }[] | undefined
  readonly loading?: boolean
}

const PAGE = 4096n
const MIB = 1n << 20n
const HALF = 1n << 32n
const CORE = 'vmlinux'
const down = (address: bigint) => address - (address % PAGE)
const up = (address: bigint) => down(address + PAGE - 1n)
const max = (...list: bigint[]) => list.sort((a, b) => Number(b - a))[0]!
const min = (...list: bigint[]) => list.sort((a, b) => Number(a - b))[0]!
const byStart = (a: { readonly start: bigint }, b: { readonly start: bigint }) => Number(a.start - b.start)
const isBuiltin = (owner: string) => owner.startsWith('__builtin__')

type Kind = 'text' | 'data' | 'read-only' | 'after init' | undefined

/** A stretch of pages that symbols give to an owner. */
interface Stretch {
  start: bigint
  end: bigint
  readonly owner: string
  symbols: number
  readonly first: Kind
  last: Kind
}

const kindOfType = (type: string): Kind =>
  /[tT]/.test(type) ? 'text' : /[bBdDgGsS]/.test(type) ? 'data' : /[rR]/.test(type) ? 'read-only' : undefined
const agree = (a: Kind, b: Kind) => a === b || a === undefined || b === undefined
const isLabel = (name: string) => /^(?:\$|\.L|L0)/.test(name)

/** The regions of a table of symbols (in table order), ascending. */
export function regionsByTheBook(symbols: readonly PlainSymbol[], modules: readonly PlainModule[]): PlainRegion[] {
  const halves = [...new Set(symbols.map(({ address }) => address / HALF))].sort((a, b) => Number(a - b))
  const groups = halves.map((half) => {
    const own = symbols.filter(({ address }) => address / HALF === half)
    const core = coreRegion(symbols, own, half)
    return { half, core, own, stretches: stretchesOf(own) }
  })
  const isUpper = groups.some(({ half, core }) => half >= 0x8000_0000n && core !== undefined)
  const counted = groups.filter(({ half }) => half !== 0n || !isUpper)
  const known = modules.filter(({ owner }) => owner !== CORE && symbols.some((symbol) => symbol.owner === owner))
  const votes = layoutVotes(
    known,
    counted.flatMap(({ stretches }) => stretches),
  )
  const apart = votes.apart > votes.together
  return counted.flatMap(({ half, core, own, stretches }) => {
    const inHalf = (address: bigint) => address / HALF === half
    const sectioned = known.flatMap((module) => {
      const sections = (module.sections ?? []).filter(({ address }) => inHalf(address))
      return sections.length === 0 ? [] : [{ ...module, sections }]
    })
    const pieces = piecesOf(sectioned, stretches, apart, core?.start)
    const left = stretches.filter((stretch) => pieces.isElsewhere(stretch))
    const ranges = apart
      ? []
      : believedRanges(
          known.filter(({ start, end }) => inHalf(start) && end > start && inHalf(end - 1n)),
          left.filter(({ owner }) => !pieces.owners.has(owner)),
          votes.apart + votes.together > 0,
        )
    const bordered = withBorders(left, core, apart)
    const plain = bordered.filter(({ owner }) => !isBuiltin(owner))
    const fixed = over(core === undefined ? [] : withoutHoles(core, own), over(ranges, pieces.regions))
    return over(
      over(plain, fixed),
      bordered.filter(({ owner }) => isBuiltin(owner)),
    )
  })
}

/** Regions with others laid over them. */
function over(below: readonly PlainRegion[], above: readonly PlainRegion[]): PlainRegion[] {
  let result = below.map(({ start, end, owner }) => ({ start, end, owner }))
  for (const { start, end, owner } of above) {
    result = result.flatMap((region) => [
      { ...region, end: min(region.end, start) },
      { ...region, start: max(region.start, end) },
    ])
    result = [...result.filter((region) => region.end > region.start), { start, end, owner }]
  }
  return result.sort(byStart)
}

function coreRegion(
  symbols: readonly PlainSymbol[],
  own: readonly PlainSymbol[],
  half: bigint,
): PlainRegion | undefined {
  const core = own.filter(({ owner }) => owner === CORE)
  if (core.length === 0) return undefined
  const marker = (name: string) => symbols.find((symbol) => symbol.owner === CORE && symbol.name === name)?.address
  const begins = [marker('_stext'), marker('_text')].filter((address) => address !== undefined)
  const here = begins.filter((address) => address / HALF === half)
  if (begins.length > 0 && here.length === 0) return undefined
  const start = here.length > 0 ? min(...here) : core[0]!.address
  const end = marker('_end')
  if (end !== undefined && end / HALF === half && end > start) return { start, end, owner: CORE }
  const last = core[core.length - 1]!.address
  const behind = own.slice(own.indexOf(core[core.length - 1]!) + 1)[0]
  const next = behind === undefined ? (half + 1n) * HALF : down(behind.address)
  return { start, end: max(last + 1n, min(last + MIB, next)), owner: CORE }
}

const SECTION_ENDS = ['_etext', '__end_rodata', '_edata', '_einittext', '__init_end', '__bss_stop', '__brk_limit']
const saysEnd = (name: string) =>
  name.startsWith('_e') ||
  name.startsWith('__stop_') ||
  /(_end|_stop|_limit|_etext|_edata)$/.test(name) ||
  name.includes('_end_')

function withoutHoles(core: PlainRegion, own: readonly PlainSymbol[]): PlainRegion[] {
  const symbols = own.filter(({ owner }) => owner === CORE)
  const holes = SECTION_ENDS.flatMap((name) => {
    const end = symbols.find((symbol) => symbol.name === name)?.address
    if (end === undefined) return []
    const begins = symbols.some(({ address, name: other }) => address === end && !saysEnd(other))
    const next = symbols.find(({ address }) => address > end)?.address ?? core.end
    return begins ? [] : [{ start: up(end), end: next }]
  })
  return [...holes, ...gaps(symbols)].reduce(
    (regions, hole) =>
      regions
        .flatMap((region) => [
          { ...region, end: min(region.end, max(hole.start, region.start)) },
          { ...region, start: max(region.start, min(hole.end > hole.start ? hole.end : region.start, region.end)) },
        ])
        .filter(({ start, end }) => end > start),
    [core],
  )
}

const SECTIONS = [
  ['_stext', '_etext'],
  ['__start_rodata', '__end_rodata'],
  ['_sdata', '_edata'],
  ['_sinittext', '_einittext'],
  ['__init_begin', '__init_end'],
  ['__bss_start', '__bss_stop'],
]

/** Where two symbols are more than 1 MiB apart and nothing says that one thing lies between them: what is beyond the 1 MiB. */
function gaps(symbols: readonly PlainSymbol[]): { start: bigint; end: bigint }[] {
  const at = (name: string) => symbols.find((symbol) => symbol.name === name)?.address
  return symbols.flatMap(({ address: start }, i) => {
    const end = symbols[i + 1]?.address
    if (end === undefined || end - start <= MIB) return []
    const isInSection = SECTIONS.some(([from, to]) => {
      const [begins, ends] = [at(from!), at(to!)]
      return begins !== undefined && ends !== undefined && begins <= start && end <= ends
    })
    const isPair = symbols.some(({ name, address }) => {
      const thing = /^__start_(.*)$/.exec(name)?.[1]
      return (
        address === start &&
        thing !== undefined &&
        symbols.some((other) => other.address === end && other.name === `__stop_${thing}`)
      )
    })
    return isInSection || isPair ? [] : [{ start: start + MIB, end }]
  })
}

/** Page by page to the owner with the most symbols; adjacent pages of one kind are one stretch. */
function stretchesOf(own: readonly PlainSymbol[]): Stretch[] {
  const voices = own.filter(({ owner, name, type }) => owner !== CORE && !isLabel(name) && !/[aA]/.test(type))
  const stretches: Stretch[] = []
  for (const page of new Set(voices.map(({ address }) => down(address)))) {
    const here = voices.filter(({ address }) => down(address) === page)
    const counts = new Map<string, number>()
    let owner = ''
    for (const voice of here) {
      counts.set(voice.owner, isBuiltin(voice.owner) ? Number.POSITIVE_INFINITY : (counts.get(voice.owner) ?? 0) + 1)
      if (counts.get(voice.owner)! > (counts.get(owner) ?? 0)) owner = voice.owner
    }
    const its = here.filter((voice) => voice.owner === owner)
    const kinds = its.map(({ type }) => kindOfType(type)).filter((kind) => kind !== undefined)
    const before = stretches[stretches.length - 1]
    const joins = before?.owner === owner && !isBuiltin(owner) && page === before.end && agree(before.last, kinds[0])
    if (!joins) {
      const last = kinds[kinds.length - 1]
      stretches.push({ start: page, end: page + PAGE, owner, symbols: its.length, first: kinds[0], last })
      continue
    }
    before.end = page + PAGE
    before.symbols += its.length
    before.last = kinds[kinds.length - 1] ?? before.last
  }
  return stretches
}

/** Stretches of one owner that follow each other, joined, or with their ends where two pieces meet. */
function withBorders(stretches: readonly Stretch[], core: PlainRegion | undefined, apart: boolean): PlainRegion[] {
  const regions: { start: bigint; end: bigint; owner: string }[] = []
  stretches.forEach((stretch, i) => {
    const before = stretches[i - 1]
    const region = regions[regions.length - 1]
    const coreBetween =
      before !== undefined && core !== undefined && core.start < stretch.start && core.end > before.end
    const isNear = before?.owner === stretch.owner && stretch.start - before.end < MIB
    if (isNear && region !== undefined && !coreBetween && !isBuiltin(stretch.owner)) {
      const isText = before.last === 'text' || stretch.first === 'text'
      if (agree(before.last, stretch.first) || (!apart && !isText)) {
        region.end = stretch.end
        return
      }
      region.end = apart ? max(region.end, stretch.start - PAGE) : stretch.start
    }
    regions.push({ start: stretch.start, end: stretch.end, owner: stretch.owner })
  })
  return regions
}

function layoutVotes(modules: readonly PlainModule[], stretches: readonly Stretch[]) {
  const votes = { apart: 0, together: 0 }
  for (const { sections = [] } of modules) {
    const told = sections
      .filter(({ name }) => !isInitial(name) && ['data', 'read-only'].includes(kindOfSection(name) ?? ''))
      .sort((a, b) => Number(a.address - b.address))
    if (told[0] !== undefined) votes[kindOfSection(told[0].name) === 'data' ? 'apart' : 'together']++
  }
  if (votes.apart + votes.together > 0) return votes
  for (const owner of new Set(stretches.map((stretch) => stretch.owner))) {
    const kinds = stretches.filter((stretch) => stretch.owner === owner).flatMap(({ first, last }) => [first, last])
    const data = kinds.indexOf('data')
    const readOnly = kinds.indexOf('read-only')
    if (data >= 0 && readOnly >= 0) votes[data < readOnly ? 'apart' : 'together']++
  }
  return votes
}

function believedRanges(
  modules: readonly PlainModule[],
  stretches: readonly Stretch[],
  layoutKnown: boolean,
): PlainRegion[] {
  const holds = ({ start, end }: PlainModule, stretch: Stretch) => stretch.start >= start && stretch.start < end
  const regions = modules.flatMap((module): PlainRegion[] => {
    const { owner, start, end } = module
    if (modules.some((other) => other !== module && other.start < end && other.end > start)) return []
    const foreign = stretches.some((stretch) => {
      if (stretch.owner === owner || stretch.start >= end || stretch.end <= start) return false
      const its = modules.find((other) => other.owner === stretch.owner)
      return its === undefined || holds(its, stretch)
    })
    const own = stretches.filter((stretch) => stretch.owner === owner)
    const inside = own.filter((stretch) => holds(module, stretch))
    const count = (list: readonly Stretch[]) => list.reduce((sum, { symbols }) => sum + symbols, 0)
    const outside = count(own) - count(inside)
    const hasData = inside.some(({ first, last }) =>
      [first, last].some((kind) => kind !== undefined && kind !== 'text'),
    )
    const strays = layoutKnown ? outside * 4 > count(inside) : outside > 0
    if (foreign || !hasData || strays) return []
    const cuts = inside.flatMap((stretch, i) => {
      const next = inside[i + 1]
      return next !== undefined && !agree(stretch.last, next.first) && [stretch.last, next.first].includes('text')
        ? [next.start]
        : []
    })
    const starts = [start, ...cuts]
    return starts.map((from, i) => ({ start: from, end: starts[i + 1] ?? end, owner }))
  })
  return regions.sort(byStart)
}

const AFTER_INIT = ['.data..ro_after_init', '__jump_table', '.static_call_sites']
const DATA = [
  ...['.gnu.linkonce.this_module', '.exit.data', '.ref.data', '.symtab', '.strtab', '__bug_table', '__tracepoints'],
  ...['__patchable_function_entries', '__bpf_raw_tp_map', '__dyndbg', '__dyndbg_classes', '_ftrace_events'],
  '_ftrace_eval_map',
]
const isInitial = (name: string) => name.startsWith('.init') || name === '.symtab' || name === '.strtab'

function kindOfSection(name: string): Kind {
  const bare = name.replace(/^\.init(?=\.)/, '')
  if (bare.includes('text') || ['.plt', '.fixup', '.altinstr_replacement', '.altinstr_aux'].includes(bare))
    return 'text'
  if (AFTER_INIT.includes(bare)) return 'after init'
  return DATA.includes(bare) || /^\.s?(data|bss)/.test(bare) ? 'data' : 'read-only'
}

interface Piece {
  readonly owner: string
  readonly kind: Kind
  readonly initial: boolean
  readonly freed: boolean
  readonly start: bigint
  least: bigint
  most: bigint | undefined
  end: bigint
}

/** What sections tell: the regions of modules whose sections are believed, and which stretches lie in none of their pieces. */
function piecesOf(
  modules: readonly PlainModule[],
  stretches: readonly Stretch[],
  apart: boolean,
  core: bigint | undefined,
) {
  const guard = apart ? PAGE : 0n
  const known = new Map<string, Piece[]>()
  for (const { owner, sections = [], loading = false } of modules) {
    const pieces: Piece[] = []
    const listed = sections.filter(({ name }) => !/^(\.data\.\.percpu|alloc_tags|\.codetag\.)/.test(name))
    for (const { name, address } of [...listed].sort((a, b) => Number(a.address - b.address))) {
      const kind = kindOfSection(name)
      const initial = isInitial(name)
      const piece = pieces[pieces.length - 1]
      const between = kind === 'text' && piece?.kind === 'text' ? 0n : guard
      const differs = piece?.kind !== kind || piece?.initial !== initial
      if (piece === undefined || (differs && address % PAGE === 0n && address >= piece.least + between))
        pieces.push({
          owner,
          kind,
          initial,
          freed: initial && !loading,
          start: down(address),
          least: up(address + 1n),
          most: 0n,
          end: 0n,
        })
      else piece.least = up(address + 1n)
    }
    if (pieces.some(({ freed }) => !freed)) known.set(owner, pieces)
  }
  const pieceAt = (pieces: readonly Piece[], address: bigint) => pieces.findLast(({ start }) => start <= address)
  const nextOwn = (piece: Piece) => known.get(piece.owner)!.find(({ start }) => start > piece.start)

  for (const stretch of stretches) {
    const pieces = known.get(stretch.owner)
    const piece = pieces && pieceAt(pieces, stretch.start)
    if (pieces === undefined) continue
    const fits = stretch.first === undefined || piece?.freed || (stretch.first === 'text') === (piece?.kind === 'text')
    if (piece === undefined || !fits) known.delete(stretch.owner)
    else {
      for (const reached of pieces.filter(({ start }) => start >= piece.start && start < stretch.end))
        reached.least = max(reached.least, min(stretch.end, nextOwn(reached)?.start ?? stretch.end))
    }
  }
  const unknown = stretches.filter(({ owner }) => !known.has(owner))
  for (const [owner, pieces] of [...known]) {
    const isTaken = ({ start, least, freed }: Piece) =>
      !freed && unknown.some((stretch) => stretch.start >= start && stretch.start < least)
    if (pieces.some(isTaken)) known.delete(owner)
  }
  const strangers = stretches.filter(({ owner }) => !known.has(owner))

  const live = [...known.values()].flat().filter(({ freed }) => !freed)
  const behind = (piece: Piece) => {
    const own = nextOwn(piece)?.start
    const others = [
      ...live.filter((other) => other !== piece && other.start >= piece.start).map(({ start }) => start),
      ...strangers.map(({ start }) => start).filter((start) => start >= piece.start),
      ...(core !== undefined && core >= piece.start ? [core] : []),
    ]
    const nexts = own === undefined ? others : [own, ...others]
    return { next: nexts.length === 0 ? undefined : min(...nexts), own }
  }
  const isPacked = live.some((piece) => piece.kind === 'text' && behind(piece).next === piece.least)
  for (const piece of live) {
    const { next, own } = behind(piece)
    const isText = piece.kind === 'text'
    piece.end =
      own !== undefined && own === next ? max(piece.least, own - (isText && isPacked ? 0n : guard)) : piece.least
    piece.most = next === undefined ? undefined : max(piece.least, isText ? next : next - guard)
  }
  const regions = modules.flatMap(({ owner, start, end, loading = false }) => {
    const pieces = known.get(owner)?.filter(({ freed }) => !freed)
    if (pieces === undefined) return []
    const bytes = end > start && start / HALF === pieces[0]!.start / HALF ? end - start : undefined
    if (apart) return settled(pieces, bytes)
    const core = pieces.filter(({ initial }) => !initial)
    const initial = pieces.filter((piece) => piece.initial)
    return [...joined(core, loading ? undefined : bytes), ...joined(initial, undefined)]
  })
  return {
    regions: regions.sort(byStart),
    owners: new Set(known.keys()),
    isElsewhere: (stretch: Stretch) => {
      const pieces = known.get(stretch.owner)
      return pieces === undefined || pieceAt(pieces, stretch.start)?.freed === true
    },
  }
}

function settled(pieces: readonly Piece[], bytes: bigint | undefined): PlainRegion[] {
  const ends = new Map(pieces.map((piece) => [piece, piece.end]))
  const left = () => bytes! - pieces.reduce((sum, piece) => sum + ends.get(piece)! - piece.start, 0n)
  for (const kind of bytes === undefined ? [] : ['data', 'read-only', 'after init', 'text']) {
    for (const piece of pieces.filter((one) => one.kind === kind)) {
      if (left() <= 0n) break
      const end = ends.get(piece)! + left()
      ends.set(piece, piece.most === undefined ? end : min(piece.most, end))
    }
  }
  for (const piece of bytes === undefined ? [] : pieces) {
    if (left() < 0n) ends.set(piece, max(piece.least, ends.get(piece)! + left()))
  }
  return pieces.map((piece) => ({ start: piece.start, end: ends.get(piece)!, owner: piece.owner }))
}

function joined(pieces: readonly Piece[], bytes: bigint | undefined): PlainRegion[] {
  if (pieces[0] === undefined) return []
  const { start, owner } = pieces[0]
  const last = pieces[pieces.length - 1]!
  const most = max(last.least, bytes === undefined ? 0n : start + bytes)
  const end = bytes === undefined ? last.least : last.most === undefined ? most : min(most, last.most)
  const rest = pieces.find(({ kind }) => kind !== 'text')?.start ?? end
  return rest > start && rest < end
    ? [
        { start, end: rest, owner },
        { start: rest, end, owner },
      ]
    : [{ start, end, owner }]
}
