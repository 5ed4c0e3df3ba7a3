// Where the pieces of a module's memory lie, told by where its sections begin (/sys/module/NAME/sections), as
// kernel/module/main.c lays them out: sections in the order of the file, by their flags into text, data, read-only data and
// read-only-after-init data, each kind in whole pages. Since 6.4 each kind is an allocation by itself (move_module), with an
// unmapped page behind it unless it comes from a cache of executable memory (mm/execmem.c); until 6.3 they follow each other
// in one. Initialisation sections are allocations of their own, freed once the module is live; their places stay listed.

import { type Claims, claimsWhere, PAGE, pageEnd, pageStart } from './claims.ts'
import { PIECE } from './kinds.ts'
import { upperBound } from './search.ts'
import { AFTER_INIT, CODES, INITIAL, type SectionedModules } from './section-starts.ts'
import { orderOf, Stretches } from './stretches.ts'

const NEVER = Number.POSITIVE_INFINITY

/** The pieces of modules' memory: columns, a module's behind each other and ascending. Lower halves. The end of each lies in [least, most]. */
class Pieces {
  count = 0
  /** The first piece of each module, and where the last one's end. */
  readonly first: Uint32Array
  readonly kind: Uint8Array
  readonly start: Uint32Array
  /** Behind the pages of all sections that begin in it, and of all symbols. */
  readonly least: Float64Array
  /** Where something else begins, or the unmapped page before that; text may have none. */
  readonly most: Float64Array
  /** Where it ends as far as only its place tells. */
  readonly end: Float64Array
  /** Where the module's next piece begins. */
  readonly next: Float64Array
  /** Initialisation memory. */
  readonly initial: Uint8Array
  /** Freed initialisation memory: no piece, but at its time it lay beside the others. */
  readonly freed: Uint8Array

  /** `guard` is what at least lies between two pieces of a module. */
  constructor(modules: SectionedModules, guard: number) {
    const room = mostPieces(modules)
    this.first = new Uint32Array(modules.count + 1)
    this.kind = new Uint8Array(room)
    this.start = new Uint32Array(room)
    this.least = new Float64Array(room)
    this.most = new Float64Array(room)
    this.end = new Float64Array(room)
    this.next = new Float64Array(room)
    this.initial = new Uint8Array(room)
    this.freed = new Uint8Array(room)
    for (let m = 0; m < modules.count; m++) this.#addModule(modules, m, guard)
  }

  #addModule({ first, starts, loading }: SectionedModules, m: number, guard: number): void {
    const { kind, initial, least } = this
    let piece = -1
    for (let i = first[m]!; i < first[m + 1]!; i++) {
      const low = Math.floor(starts[i]! / CODES)
      const code = starts[i]! % CODES
      const ownKind = code & ~INITIAL
      const ownInitial = (code & INITIAL) === 0 ? 0 : 1
      const differs = kind[piece] !== ownKind || initial[piece] !== ownInitial
      // Text from a cache has no unmapped page behind it.
      const between = ownKind === PIECE.text && kind[piece] === PIECE.text ? 0 : guard
      if (piece < 0 || (differs && low % PAGE === 0 && low >= least[piece]! + between)) {
        if (piece >= 0) this.next[piece] = low
        piece = this.count++
        kind[piece] = ownKind
        this.start[piece] = pageStart(low)
        this.next[piece] = NEVER
        initial[piece] = ownInitial
        this.freed[piece] = ownInitial === 1 && loading[m] === 0 ? 1 : 0
      }
      least[piece] = pageEnd(low + 1)
    }
    this.first[m + 1] = this.count
  }

  /** Whether a module has memory that is not freed. */
  isLive(m: number): boolean {
    for (let i = this.first[m]!; i < this.first[m + 1]!; i++) if (this.freed[i] === 0) return true
    return false
  }

  /** The last piece of a module that starts at or below `value`; -1 if there is none. */
  lastAtOrBelow(m: number, value: number): number {
    const from = this.first[m]!
    const behind = upperBound(this.start, from, this.first[m + 1]!, value)
    return behind === from ? -1 : behind - 1
  }
}

/** No fewer than there are pieces: those behind a module's first begin with a page. */
function mostPieces({ count, first, starts }: SectionedModules): number {
  let most = count
  for (let i = 0; i < first[count]!; i++) if (Math.floor(starts[i]! / CODES) % PAGE === 0) most++
  return most
}

/** The memory that sections tell of. */
interface SectionedMemory {
  /** The memory of the modules whose sections are believed, ascending. */
  readonly stretches: Stretches
  isBelieved(owner: number): boolean
  /** The claims that lie in none of it. */
  readonly claims: Uint32Array
}

/**
 * The memory of modules by their sections: of those whose symbols bear them out. `claims` is what the symbols tell; `core` where the
 * kernel's image begins, if it lies here. `apart`: pieces are allocations by themselves. `owners`: how many there are.
 */
export function sectionedMemory(
  modules: SectionedModules,
  claims: Claims,
  apart: boolean,
  core: number | undefined,
  owners: number,
): SectionedMemory {
  const guard = apart ? PAGE : 0
  const pieces = new Pieces(modules, guard)
  const moduleOf = new Int32Array(owners).fill(NONE)
  for (let m = 0; m < modules.count; m++) if (pieces.isLive(m)) moduleOf[modules.owner[m]!] = m
  const strangers = believe(moduleOf, pieces, claims)
  boundPieces(pieces, liveOnes(modules, moduleOf, pieces), strangers, guard, core)
  const stretches = new Stretches(pieces.count)
  for (let m = 0; m < modules.count; m++) {
    const owner = modules.owner[m]!
    if (moduleOf[owner] !== m) continue
    const bytes = modules.bytes[m]!
    if (apart) settle(pieces, m, bytes, owner, stretches)
    else {
      // Initialisation memory is an allocation by itself, which the sum counts while there is one.
      addJoined(pieces, m, 0, modules.loading[m] === 1 ? Number.NaN : bytes, owner, stretches)
      addJoined(pieces, m, 1, Number.NaN, owner, stretches)
    }
  }
  return {
    stretches: stretches.sorted(),
    isBelieved: (owner) => moduleOf[owner] !== NONE,
    claims: claimsWhere(claims, (c) => {
      const m = moduleOf[claims.owner[c]!]!
      // What is left of initialisation lies outside of its owner's pieces.
      return m === NONE || pieces.freed[pieces.lastAtOrBelow(m, claims.start[c]!)] === 1
    }),
  }
}

/** In place of a module of an owner: it has none whose sections are believed. */
const NONE = -1

/**
 * Takes out of `moduleOf`, the modules by owner, those whose sections their own symbols or others' contradict, lets symbols reach
 * into the pieces of the others, and returns where the claims start that no piece explains.
 */
function believe(moduleOf: Int32Array, pieces: Pieces, claims: Claims): Uint32Array {
  const { start, least, next, freed } = pieces
  for (let c = 0; c < claims.count; c++) {
    const m = moduleOf[claims.owner[c]!]!
    if (m === NONE) continue
    const piece = pieces.lastAtOrBelow(m, claims.start[c]!)
    const kind = claims.first[c]!
    const isOther = (kind === PIECE.text) !== (pieces.kind[piece] === PIECE.text)
    if (piece < 0 || (kind !== PIECE.any && freed[piece] === 0 && isOther)) {
      moduleOf[claims.owner[c]!] = NONE
      continue
    }
    // Adjacent pages of one kind may be in two pieces: text and initialisation text.
    const end = claims.end[c]!
    for (let i = piece; i < pieces.first[m + 1]! && start[i]! < end; i++) {
      least[i] = Math.max(least[i]!, Math.min(end, next[i]!))
    }
  }
  const strangers = strangersOf(moduleOf, claims)
  for (let owner = 0; owner < moduleOf.length; owner++) {
    const m = moduleOf[owner]!
    if (m === NONE) continue
    for (let i = pieces.first[m]!; i < pieces.first[m + 1]!; i++) {
      if (freed[i] === 1) continue
      const stranger = start[i] === 0 ? 0 : upperBound(strangers, 0, strangers.length, start[i]! - 1)
      if (stranger < strangers.length && strangers[stranger]! < least[i]!) moduleOf[owner] = NONE
    }
  }
  return strangersOf(moduleOf, claims)
}

/** Where the claims of owners start that have no module. */
function strangersOf(moduleOf: Int32Array, claims: Claims): Uint32Array {
  const starts = new Uint32Array(claims.count)
  let found = 0
  for (let c = 0; c < claims.count; c++) {
    if (moduleOf[claims.owner[c]!] === NONE) starts[found++] = claims.start[c]!
  }
  return starts.subarray(0, found)
}

/** The pieces that are memory of modules that are believed, ascending. */
function liveOnes({ count, owner }: SectionedModules, moduleOf: Int32Array, pieces: Pieces): Uint32Array {
  const live = new Uint32Array(pieces.count)
  let found = 0
  for (let m = 0; m < count; m++) {
    if (moduleOf[owner[m]!] !== m) continue
    for (let i = pieces.first[m]!; i < pieces.first[m + 1]!; i++) if (pieces.freed[i] === 0) live[found++] = i
  }
  const own = live.subarray(0, found)
  return orderOf(own.map((i) => pieces.start[i]!)).map((place) => own[place]!)
}

/**
 * Fills `most` and `end` of live pieces, which come ascending: up to what begins next, if that is the module's own, because the
 * kernel allocates its pieces one after the other; else behind what is known of the piece.
 */
function boundPieces(
  { kind, start, least, most, end, next }: Pieces,
  live: Uint32Array,
  strangers: Uint32Array,
  guard: number,
  core: number | undefined,
): void {
  // Behind a page that is never mapped nothing begins at once. Text that comes from a cache has none.
  let textIsPacked = false
  // The next memory that is not the module's own.
  const others = new Float64Array(live.length)
  for (let k = 0, stranger = 0; k < live.length; k++) {
    const i = live[k]!
    while (stranger < strangers.length && strangers[stranger]! < start[i]!) stranger++
    let other = core !== undefined && core >= start[i]! ? core : NEVER
    if (k + 1 < live.length) other = Math.min(other, start[live[k + 1]!]!)
    if (stranger < strangers.length) other = Math.min(other, strangers[stranger]!)
    others[k] = other
    if (kind[i] === PIECE.text && least[i] === Math.min(next[i]!, other)) textIsPacked = true
  }
  for (let k = 0; k < live.length; k++) {
    const i = live[k]!
    const isText = kind[i] === PIECE.text
    const border = Math.min(next[i]!, others[k]!)
    const unmapped = isText && textIsPacked ? 0 : guard
    end[i] = border === next[i] && border !== NEVER ? Math.max(least[i]!, border - unmapped) : least[i]!
    most[i] = Math.max(least[i]!, isText ? border : border - guard)
  }
}

/**
 * Adds a module's pieces where each is an allocation: they end as their places tell, corrected by the `bytes` that all of them have
 * in sum.
 */
function settle(pieces: Pieces, m: number, bytes: number, owner: number, stretches: Stretches): void {
  const { kind, start, least, most, end, freed } = pieces
  const from = pieces.first[m]!
  const to = pieces.first[m + 1]!
  let left = bytes
  for (let i = from; i < to; i++) if (freed[i] === 0) left -= end[i]! - start[i]!
  // Data comes first: the module's table of symbols lies behind its last section.
  for (const grown of left > 0 ? GROWING : []) {
    for (let i = from; i < to; i++) {
      if (freed[i] === 1 || kind[i] !== grown) continue
      const more = Math.min(left, most[i]! - end[i]!)
      end[i]! += more
      left -= more
    }
  }
  for (let i = from; i < to; i++) {
    if (freed[i] === 1) continue
    if (left < 0) {
      // Too much: something that is gone by now lay between two of the pieces.
      const less = Math.min(-left, end[i]! - least[i]!)
      end[i]! -= less
      left += less
    }
    stretches.add(start[i]!, end[i]!, owner)
  }
}

/** The kinds of pieces that grow first. */
const GROWING = [PIECE.data, PIECE.readOnly, AFTER_INIT, PIECE.text]

/**
 * The same where all pieces, or all of initialisation memory, are one allocation: its text, and the rest, in which the kernel tells no
 * pieces apart.
 */
function addJoined(
  { first, kind, start, least, most, freed, initial }: Pieces,
  m: number,
  ofInitial: number,
  bytes: number,
  owner: number,
  stretches: Stretches,
): void {
  let begin = -1
  let last = -1
  let rest = NEVER
  for (let i = first[m]!; i < first[m + 1]!; i++) {
    if (freed[i] === 1 || initial[i] !== ofInitial) continue
    if (begin < 0) begin = start[i]!
    last = i
    if (rest === NEVER && kind[i] !== PIECE.text) rest = start[i]!
  }
  if (last < 0) return
  const end = Number.isNaN(bytes) ? least[last]! : Math.min(Math.max(least[last]!, begin + bytes), most[last]!)
  if (rest > begin && rest < end) {
    stretches.add(begin, rest, owner)
    stretches.add(rest, end, owner)
  } else stretches.add(begin, end, owner)
}
