// Where the modules of a layout lie: of each the pieces of its entry in a book, what of it has no place, and where its sections are that
// tell of its memory. What goes over sections is a compiled loop (symbols/assembly/sites.ts).

import {
  BUILD_PLACED,
  KIND_BASE,
  KIND_ELSEWHERE,
  NO_GROUP,
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
} from '../symbols/constants.ts'
import type { PlacedPiece } from '../symbols/placed.ts'
import { type SectionStarts, sectionPlace } from '../symbols/section-starts.ts'
import type { Plan, Workspace } from '../symbols/workspace.ts'
import { type Book, type BookEntry, MOST_GROUP, ROW } from './book.ts'
import { BASE } from './entry.ts'
import type { LayoutModule } from './layout.ts'

/** A module of a layout, and the entry of it. */
export interface Site {
  readonly module: LayoutModule
  /** By its place among the books. */
  readonly book: number
  readonly entry: BookEntry
}

/** Places modules. What it gives lies in the workspace, and is gone with that. */
export function* placeModules(workspace: Workspace, books: readonly Book[], sites: readonly Site[]): Plan<Sites> {
  const rowsOf = books.map(({ rows }) => workspace.copy(rows))
  const kindsOf = books.map(({ names }) => workspace.copy(Uint8Array.from(names, kindOf)))
  const numbers = new Numbers(workspace, books)
  let rows = 0
  let given = 0
  for (const { module, entry } of sites) {
    rows += (entry.end - entry.first) / ROW.words
    given += module.sections?.name.length ?? 0
  }
  const names = Math.max(1, ...books.map((book) => book.names.length))
  const head = workspace.room(SITES_HEAD + SITE_BYTES * sites.length)
  const rooms = new Map([
    [SITES_NAMES, zeros(workspace, SITE_KNOWN_BYTES * names)],
    [SITES_GROUPS, zeros(workspace, SITE_KNOWN_BYTES * (MOST_GROUP + 1))],
    [SITES_PIECES, workspace.room(16 * rows)],
    [SITES_LACKING, workspace.room(8 * rows)],
    [SITES_TOLD_NAMES, workspace.room(2 * rows)],
    [SITES_TOLD_HIGHS, workspace.room(4 * rows)],
    [SITES_TOLD_LOWS, workspace.room(4 * rows)],
  ])
  const [nameAt, highAt, lowAt] = [workspace.room(2 * given), workspace.room(4 * given), workspace.room(4 * given)]
  const { buffer } = workspace.memory
  const nameColumn = new Uint16Array(buffer, nameAt, given)
  const highColumn = new Uint32Array(buffer, highAt, given)
  const lowColumn = new Uint32Array(buffer, lowAt, given)
  const words = new Uint32Array(buffer, head, (SITES_HEAD + SITE_BYTES * sites.length) / 4)
  words[SITES_COUNT / 4] = sites.length
  for (const [field, at] of rooms) words[field / 4] = at
  let at = 0
  sites.forEach(({ module: { sections, address }, book, entry: { first, end, base } }, i) => {
    const row = (SITES_HEAD + SITE_BYTES * i) / 4
    words[row + SITE_ROWS / 4] = rowsOf[book]! + 4 * first
    words[row + SITE_ROW_COUNT / 4] = (end - first) / ROW.words
    words[row + SITE_KINDS / 4] = kindsOf[book]!
    words[row + SITE_GIVEN / 4] = sections?.name.length ?? 0
    words[row + SITE_NAMES / 4] = nameAt + 2 * at
    words[row + SITE_HIGHS / 4] = highAt + 4 * at
    words[row + SITE_LOWS / 4] = lowAt + 4 * at
    if (sections !== undefined) {
      const known = numbers.of(book, sections.names)
      words[row + SITE_NUMBERS / 4] = known.at
      words[row + SITE_NUMBER_COUNT / 4] = known.count
      nameColumn.set(sections.name, at)
      highColumn.set(sections.high, at)
      lowColumn.set(sections.low, at)
      at += sections.name.length
    }
    const isBased = address !== 0n && base !== undefined
    words[row + SITE_BASE_GROUP / 4] = isBased ? base.group : NO_GROUP
    if (!isBased) return
    const shift = BigInt.asUintN(64, address - base.address)
    words[row + SITE_BASE_HIGH / 4] = Number(shift >> 32n)
    words[row + SITE_BASE_LOW / 4] = Number(shift & 0xffff_ffffn)
  })
  workspace.set(BUILD_PLACED, head)
  yield { step: 'placeModules', from: 0, to: 1 }
  return new Sites(workspace, words, rows)
}

/** The kind of memory of a section, as the loop knows it. */
function kindOf(name: string): number {
  const { kind, initial, elsewhere } = sectionPlace(name)
  return name === BASE ? KIND_BASE : elsewhere ? KIND_ELSEWHERE : 2 * kind + Number(initial)
}

function zeros(workspace: Workspace, bytes: number): number {
  const at = workspace.room(bytes)
  workspace.bytes(at, bytes).fill(0)
  return at
}

/** The books' numbers of section names by those of a layout: for each list of names once. */
class Numbers {
  readonly #workspace: Workspace
  readonly #books: readonly Book[]
  readonly #known = new Map<readonly string[], { readonly at: number; readonly count: number }[]>()

  constructor(workspace: Workspace, books: readonly Book[]) {
    this.#workspace = workspace
    this.#books = books
  }

  of(book: number, names: readonly string[]): { readonly at: number; readonly count: number } {
    let known = this.#known.get(names)
    if (known === undefined) {
      known = this.#books.map((each) => {
        const own = new Map(each.names.map((name, number) => [name, number]))
        const numbers = Uint32Array.from(names, (name) => own.get(name) ?? -1)
        return { at: this.#workspace.copy(numbers), count: names.length }
      })
      this.#known.set(names, known)
    }
    return known[book]!
  }
}

/** Modules that were placed, by their places among the sites. */
export class Sites {
  readonly #words: Uint32Array
  readonly #pieces: Uint32Array
  readonly #lacking: Uint32Array
  readonly #names: Uint16Array
  readonly #highs: Uint32Array
  readonly #lows: Uint32Array

  /** `words` are those that the loop worked on; there were so many rows of sections. */
  constructor(workspace: Workspace, words: Uint32Array, rows: number) {
    const { buffer } = workspace.memory
    this.#words = words
    this.#pieces = new Uint32Array(buffer, words[SITES_PIECES / 4]!, 4 * rows)
    this.#lacking = new Uint32Array(buffer, words[SITES_LACKING / 4]!, 2 * rows)
    this.#names = new Uint16Array(buffer, words[SITES_TOLD_NAMES / 4]!, rows)
    this.#highs = new Uint32Array(buffer, words[SITES_TOLD_HIGHS / 4]!, rows)
    this.#lows = new Uint32Array(buffer, words[SITES_TOLD_LOWS / 4]!, rows)
  }

  /** Where a module's words begin. */
  #row(site: number): number {
    return (SITES_HEAD + SITE_BYTES * site) / 4
  }

  /** Whether any two of a module's sections contradict each other. */
  isContradicted(site: number): boolean {
    return (this.#words[this.#row(site) + SITE_STATE / 4]! & SITE_CONTRADICTED) !== 0
  }

  /** Whether nothing tells where any of it lies. */
  isNowhere(site: number): boolean {
    return (this.#words[this.#row(site) + SITE_STATE / 4]! & SITE_ANY) === 0
  }

  /** The ids in the book that cannot be placed. */
  lacking(site: number): number[] {
    const ids: number[] = []
    const row = this.#row(site)
    const first = this.#words[row + SITE_LACKING / 4]!
    const end = first + this.#words[row + SITE_LACKING_COUNT / 4]!
    for (let i = first; i < end; i++) {
      for (let id = this.#lacking[2 * i]!; id < this.#lacking[2 * i + 1]!; id++) ids.push(id)
    }
    return ids
  }

  /** Adds a module's pieces to others. */
  addPieces(site: number, lender: number, owner: number, pieces: PlacedPiece[]): void {
    const row = this.#row(site)
    const first = this.#words[row + SITE_PIECES / 4]!
    const end = first + this.#words[row + SITE_PIECE_COUNT / 4]!
    const words = this.#pieces
    for (let at = 4 * first; at < 4 * end; at += 4) {
      pieces.push({ lender, from: words[at]!, to: words[at + 1]!, high: words[at + 2]!, low: words[at + 3]!, owner })
    }
  }

  /** Where those sections are that tell where memory begins and ends; undefined where the entry knows of none. */
  sections(site: number, { names }: Book): SectionStarts | undefined {
    const row = this.#row(site)
    const first = this.#words[row + SITE_TOLD / 4]!
    const end = first + this.#words[row + SITE_TOLD_COUNT / 4]!
    if (end === first) return undefined
    return {
      names,
      name: this.#names.subarray(first, end),
      high: this.#highs.subarray(first, end),
      low: this.#lows.subarray(first, end),
    }
  }
}
