// Where the pieces of a module's memory lie, told by where its sections begin (/sys/module/NAME/sections), as
// kernel/module/main.c lays them out: sections in the order of the file, by their flags into text, data, read-only data and
// read-only-after-init data, each kind in whole pages. Since 6.4 each kind is an allocation by itself (move_module), with an
// unmapped page behind it unless it comes from a cache of executable memory (mm/execmem.c); until 6.3 they follow each other
// in one. Initialisation sections are allocations of their own, freed once the module is live; their places stay listed.

import { bisect } from '../core/bisect.ts'
import { type Claim, PAGE, pageEnd, pageStart } from './claims.ts'
import { PIECE } from './kinds.ts'

/** Where the sections of a module begin: which of `names` each has, and the halves of its address. */
export interface SectionStarts {
  readonly names: readonly string[]
  readonly name: Uint16Array
  readonly high: Uint32Array
  readonly low: Uint32Array
}

/** A module with known sections, as far as they lie among addresses of one upper half. */
export interface SectionedModule {
  readonly owner: number
  /** As `startsOf` gives them. */
  readonly starts: Float64Array
  /** Bytes of all its pieces, or undefined. */
  readonly bytes: number | undefined
  /** While it is being loaded its initialisation sections are memory of its own, too. */
  readonly loading: boolean
}

/** A piece of a module's memory; lower halves. Its end lies in [least, most]. */
interface Piece {
  readonly owner: number
  readonly kind: number
  readonly start: number
  /** Behind the pages of all sections that begin in it, and of all symbols. */
  least: number
  /** Where something else begins, or the unmapped page before that; text may have none. */
  most: number
  /** Where it ends as far as only its place tells. */
  end: number
  /** Initialisation memory. */
  readonly initial: boolean
  /** Freed initialisation memory: no piece, but at its time it lay beside the others. */
  readonly freed: boolean
  /** Where the module's next piece begins. */
  next: number
}

/** Data that becomes read-only when the module has started (module_mark_ro_after_init): a kind of memory of its own. */
const AFTER_INIT = 4
const AFTER_INIT_SECTIONS = new Set(['.data..ro_after_init', '__jump_table', '.static_call_sites'])
const DATA_SECTIONS = new Set([
  '.gnu.linkonce.this_module',
  '.exit.data',
  '.ref.data',
  '.symtab',
  '.strtab',
  '__bug_table',
  '__patchable_function_entries',
  '__tracepoints',
  '__bpf_raw_tp_map',
  '__dyndbg',
  '__dyndbg_classes',
  '_ftrace_events',
  '_ftrace_eval_map',
])
const DATA_PREFIXES = ['.data', '.bss', '.sdata', '.sbss']
const TEXT_SECTIONS = new Set(['.altinstr_replacement', '.altinstr_aux', '.plt', '.fixup'])
/** Sections whose memory is shared by all modules (alloc_tag.c), or made anew for each processor. */
const ELSEWHERE = ['.data..percpu', 'alloc_tags', '.codetag.']

/** Set in a section's code where it is freed when the module is live; the whole tables of symbols are put behind those. */
const INITIAL = 8
/** The code of a section that lies in no piece. */
const NOWHERE = 16
/** Codes are below it. */
const CODES = 32
const NEVER = Number.POSITIVE_INFINITY

/** The codes of names, by list of names: all modules share one. */
export type SectionCodes = Map<readonly string[], Uint8Array>

/**
 * The sections among those of a module that lie in pieces at addresses of an upper half, ascending: each as its lower half
 * times CODES and its code, plain numbers, which are sorted ten times as fast as objects.
 */
export function startsOf({ names, name, high, low }: SectionStarts, half: number, codes: SectionCodes): Float64Array {
  let known = codes.get(names)
  if (known === undefined) {
    known = Uint8Array.from(names, sectionCode)
    codes.set(names, known)
  }
  const starts = new Float64Array(low.length)
  let count = 0
  for (let i = 0; i < low.length; i++) {
    const code = known[name[i]!]!
    if (high[i] === half && code !== NOWHERE) starts[count++] = low[i]! * CODES + code
  }
  return starts.subarray(0, count).sort()
}

/** What a section's name tells of where it is put: which kind of memory, whether that is freed, whether it is the module's at all. */
export function sectionPlace(name: string): {
  readonly kind: number
  readonly initial: boolean
  readonly elsewhere: boolean
} {
  const code = sectionCode(name)
  return { kind: code & ~INITIAL, initial: (code & INITIAL) !== 0, elsewhere: code === NOWHERE }
}

/** The kind of memory a section is put in. Its flags are not known outside of the kernel, so its name has to tell. */
function sectionCode(name: string): number {
  if (ELSEWHERE.some((prefix) => name.startsWith(prefix))) return NOWHERE
  const initial = name.startsWith('.init') || name === '.symtab' || name === '.strtab' ? INITIAL : 0
  const bare = name.startsWith('.init.') ? name.slice('.init'.length) : name
  if (bare.includes('text') || TEXT_SECTIONS.has(bare)) return PIECE.text | initial
  if (AFTER_INIT_SECTIONS.has(bare)) return AFTER_INIT | initial
  if (DATA_SECTIONS.has(bare) || DATA_PREFIXES.some((prefix) => bare.startsWith(prefix))) return PIECE.data | initial
  return PIECE.readOnly | initial
}

/** In how many of the modules data comes below read-only data, as separate pieces do, and in how many above. */
export function layoutOfSections(modules: readonly SectionedModule[]): { apart: number; together: number } {
  const votes = { apart: 0, together: 0 }
  for (const { starts } of modules) {
    for (const start of starts) {
      const code = start - Math.floor(start / CODES) * CODES
      if (code !== PIECE.data && code !== PIECE.readOnly) continue
      votes[code === PIECE.data ? 'apart' : 'together']++
      break
    }
  }
  return votes
}

/** The pieces of one module, ascending; `guard` is what at least lies between two of them. */
function piecesOf({ owner, starts, loading }: SectionedModule, guard: number): Piece[] {
  const pieces: Piece[] = []
  let piece: Piece | undefined
  for (const start of starts) {
    const low = Math.floor(start / CODES)
    const code = start - low * CODES
    const kind = code & ~INITIAL
    const initial = (code & INITIAL) !== 0
    const differs = piece?.kind !== kind || piece.initial !== initial
    // Text from a cache has no unmapped page behind it.
    const between = kind === PIECE.text && piece?.kind === PIECE.text ? 0 : guard
    if (piece === undefined || (differs && low % PAGE === 0 && low >= piece.least + between)) {
      piece = {
        owner,
        kind,
        start: pageStart(low),
        least: 0,
        most: 0,
        end: 0,
        initial,
        freed: initial && !loading,
        next: NEVER,
      }
      const before = pieces[pieces.length - 1]
      if (before !== undefined) before.next = piece.start
      pieces.push(piece)
    }
    piece.least = pageEnd(low + 1)
  }
  return pieces
}

/** Memory of one owner; lower halves, `end` exclusive. */
export interface OwnedRange {
  start: number
  end: number
  owner: number
}

/** The memory that sections tell of. */
interface SectionedMemory {
  /** The memory of the modules whose sections are believed, ascending. */
  readonly stretches: OwnedRange[]
  readonly owners: ReadonlySet<number>
  /** The claims that lie in none of it. */
  readonly claims: Claim[]
}

/** Whether a claim lies outside of its owner's pieces, as what is left of its initialisation does. */
function isElsewhere(claim: Claim, pieces: readonly Piece[] | undefined): boolean {
  return pieces === undefined || pieces[lastAtOrBelow(pieces, claim.start)]?.freed === true
}

/**
 * The memory of modules by their sections: of those whose symbols bear them out. `claims` is what the symbols tell, ascending;
 * `core` where the kernel's image begins, if it lies here. `apart`: pieces are allocations by themselves.
 */
export function sectionedMemory(
  modules: readonly SectionedModule[],
  claims: readonly Claim[],
  apart: boolean,
  core: number | undefined,
): SectionedMemory {
  const guard = apart ? PAGE : 0
  const known = new Map<number, Piece[]>()
  for (const module of modules) {
    const pieces = piecesOf(module, guard)
    if (pieces.some(({ freed }) => !freed)) known.set(module.owner, pieces)
  }
  const strangers = believe(known, claims)
  const live = [...known.values()].flat().filter(({ freed }) => !freed)
  live.sort((a, b) => a.start - b.start)
  boundPieces(live, strangers, guard, core)
  const stretches: OwnedRange[] = []
  for (const { owner, bytes, loading } of modules) {
    const pieces = known.get(owner)?.filter(({ freed }) => !freed)
    if (pieces === undefined) continue
    if (apart) stretches.push(...settle(pieces, bytes))
    else {
      // Initialisation memory is an allocation by itself, which the sum counts while there is one.
      stretches.push(
        ...joined(
          pieces.filter(({ initial }) => !initial),
          loading ? undefined : bytes,
        ),
      )
      stretches.push(
        ...joined(
          pieces.filter(({ initial }) => initial),
          undefined,
        ),
      )
    }
  }
  stretches.sort((a, b) => a.start - b.start)
  return {
    stretches,
    claims: claims.filter((claim) => isElsewhere(claim, known.get(claim.owner))),
    owners: new Set(known.keys()),
  }
}

/**
 * Takes out of `known` the modules whose sections their own symbols or others' contradict, lets symbols reach into the pieces of
 * the others, and returns the claims that no piece explains.
 */
function believe(known: Map<number, Piece[]>, claims: readonly Claim[]): Claim[] {
  for (const claim of claims) {
    const pieces = known.get(claim.owner)
    if (pieces === undefined) continue
    const i = lastAtOrBelow(pieces, claim.start)
    const piece = pieces[i]
    const isText = claim.first === PIECE.text
    if (piece === undefined || (claim.first !== PIECE.any && !piece.freed && isText !== (piece.kind === PIECE.text))) {
      known.delete(claim.owner)
      continue
    }
    // Adjacent pages of one kind may be in two pieces: text and initialisation text.
    for (let at = i; at < pieces.length && pieces[at]!.start < claim.end; at++) {
      const reached = pieces[at]!
      reached.least = Math.max(reached.least, Math.min(claim.end, reached.next))
    }
  }
  const strangers = claims.filter(({ owner }) => !known.has(owner))
  for (const [owner, pieces] of known) {
    const contradicted = pieces.some((piece) => {
      const claim = strangers[firstAtOrAbove(strangers, piece.start)]
      return !piece.freed && claim !== undefined && claim.start < piece.least
    })
    if (contradicted) known.delete(owner)
  }
  return claims.filter(({ owner }) => !known.has(owner))
}

/**
 * Fills `most` and `end` of live pieces, which come ascending: up to what begins next, if that is the module's own, because the
 * kernel allocates its pieces one after the other; else behind what is known of the piece.
 */
function boundPieces(
  live: readonly Piece[],
  strangers: readonly Claim[],
  guard: number,
  core: number | undefined,
): void {
  let stranger = 0
  // The next memory that is not the module's own.
  const others = live.map(({ start }, i) => {
    while (stranger < strangers.length && strangers[stranger]!.start < start) stranger++
    const image = core !== undefined && core >= start ? core : NEVER
    return Math.min(live[i + 1]?.start ?? NEVER, strangers[stranger]?.start ?? NEVER, image)
  })
  // Behind a page that is never mapped nothing begins at once. Text that comes from a cache has none.
  const isText = ({ kind }: Piece) => kind === PIECE.text
  const textIsPacked = live.some((piece, i) => isText(piece) && piece.least === Math.min(piece.next, others[i]!))
  live.forEach((piece, i) => {
    const next = Math.min(piece.next, others[i]!)
    const unmapped = isText(piece) && textIsPacked ? 0 : guard
    piece.end = next === piece.next && next !== NEVER ? Math.max(piece.least, next - unmapped) : piece.least
    piece.most = Math.max(piece.least, isText(piece) ? next : next - guard)
  })
}

/**
 * The ends of a module's pieces when each is an allocation: as their places tell, corrected by the `bytes` that all of them have
 * in sum.
 */
function settle(pieces: readonly Piece[], bytes: number | undefined): OwnedRange[] {
  const ends = pieces.map(({ end }) => end)
  if (bytes !== undefined) {
    let left = bytes
    for (const { start, end } of pieces) left -= end - start
    // Data comes first: the module's table of symbols lies behind its last section.
    for (const kind of left > 0 ? [PIECE.data, PIECE.readOnly, AFTER_INIT, PIECE.text] : []) {
      pieces.forEach((piece, i) => {
        if (piece.kind !== kind) return
        const more = Math.min(left, piece.most - ends[i]!)
        ends[i]! += more
        left -= more
      })
    }
    // Too much: something that is gone by now lay between two of the pieces.
    pieces.forEach((piece, i) => {
      if (left >= 0) return
      const less = Math.min(-left, ends[i]! - piece.least)
      ends[i]! -= less
      left += less
    })
  }
  return pieces.map(({ start, owner }, i) => ({ start, end: ends[i]!, owner }))
}

/** The same where all pieces are one allocation: its text, and the rest, in which the kernel tells no pieces apart. */
function joined(pieces: readonly Piece[], bytes: number | undefined): OwnedRange[] {
  const [first] = pieces
  if (first === undefined) return []
  const { owner, start } = first
  const last = pieces[pieces.length - 1]!
  const end = bytes === undefined ? last.least : Math.min(Math.max(last.least, start + bytes), last.most)
  const rest = pieces.find(({ kind }) => kind !== PIECE.text)?.start ?? end
  return rest > start && rest < end
    ? [
        { start, end: rest, owner },
        { start: rest, end, owner },
      ]
    : [{ start, end, owner }]
}

/** The index of the last that starts at or below `value`, or -1; they come ascending. */
function lastAtOrBelow(list: readonly { readonly start: number }[], value: number): number {
  return firstAtOrAbove(list, value + 1) - 1
}

/** The index of the first that starts at or above `value`. */
function firstAtOrAbove(list: readonly { readonly start: number }[], value: number): number {
  return bisect(0, list.length, (i) => list[i]!.start < value)
}
