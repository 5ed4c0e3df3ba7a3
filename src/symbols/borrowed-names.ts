// Names that a table does not have itself: runs of its ids are symbols of other tables, which lend their names. The tables of many
// hosts with one kernel build have nothing of their own but places, and share what is large.

import { encodeName } from '../core/bytes.ts'
import { BadFormatError } from '../core/errors.ts'
import { openSymbolColumns, RUN_WORDS, runOf, type SymbolColumns } from './layout.ts'
import { ownerOf } from './locate.ts'
import { NameFinder, NameLookup, nameIn } from './lookup-names.ts'

/** A table that lends its names. */
export interface Lender {
  readonly columns: SymbolColumns
  readonly names: NameLookup
  nameOf(id: number): string
}

/** Ids of one run: [first, end) are those of `lender` from `there` on. */
export interface BorrowedRun {
  readonly end: number
  readonly lender: Lender
  /** The number to add to an id for that of the lender. */
  readonly shift: number
}

/** Room for what one lender finds, and for what all do: as much as nearly any name needs. */
let found = new Uint32Array(1024)
let ours = new Uint32Array(1024)

/** Looks up the names that a table borrows. */
export class BorrowedNames extends NameFinder {
  readonly #columns: SymbolColumns
  readonly #runs: Uint32Array
  readonly #lenders: readonly Lender[]
  /** For each lender the rows of its runs, ascending by its own ids. */
  readonly #back: readonly Uint32Array[]

  /** `columns` are checked: its runs ascend and name lenders that there are. */
  constructor(columns: SymbolColumns, lenders: readonly Lender[]) {
    super()
    this.#columns = columns
    this.#lenders = lenders
    const { runs } = columns
    this.#runs = runs
    const rows = Array.from({ length: runs.length / RUN_WORDS }, (_, row) => row * RUN_WORDS)
    this.#back = lenders.map((_, number) =>
      Uint32Array.from(rows.filter((row) => runs[row + 1] === number).sort((a, b) => runs[a + 2]! - runs[b + 2]!)),
    )
  }

  /** The run that an id belongs to. */
  runOf(id: number): BorrowedRun {
    const row = runOf(this.#runs, id)
    return {
      end: this.#endOf(row),
      lender: this.#lenders[this.#runs[row + 1]!]!,
      shift: this.#runs[row + 2]! - this.#runs[row]!,
    }
  }

  nameOf(id: number): string {
    const runs = this.#runs
    const row = runOf(this.#runs, id)
    return this.#lenders[runs[row + 1]!]!.nameOf(id - runs[row]! + runs[row + 2]!)
  }

  find(bytes: Uint8Array, start: number, end: number, out: Uint32Array, at: number): number {
    let count = 0
    for (let number = 0; number < this.#lenders.length; number++) {
      const { names } = this.#lenders[number]!
      let there = names.find(bytes, start, end, found, 0)
      if (there > found.length) {
        found = new Uint32Array(2 * there)
        there = names.find(bytes, start, end, found, 0)
      }
      if (count + there > ours.length) {
        const wider = new Uint32Array(2 * (count + there))
        wider.set(ours)
        ours = wider
      }
      for (let i = 0; i < there; i++) {
        const id = this.#here(number, found[i]!)
        if (id >= 0) ours[count++] = id
      }
    }
    if (count > 1) this.#inFileOrder(ours.subarray(0, count))
    for (let i = 0; i < count && at + i < out.length; i++) out[at + i] = ours[i]!
    return at + count
  }

  withSuffixes(name: string): Uint32Array {
    const ids: number[] = []
    this.#lenders.forEach(({ names }, number) => {
      for (const there of names.withSuffixes(name)) {
        const id = this.#here(number, there)
        if (id >= 0) ids.push(id)
      }
    })
    return Uint32Array.from(ids).sort()
  }

  distinct(): number {
    const runs = this.#runs
    const names = new Set<string | number>()
    for (let row = 0; row < runs.length; row += RUN_WORDS) {
      const lender = this.#lenders[runs[row + 1]!]!
      const end = this.#endOf(row) - runs[row]! + runs[row + 2]!
      // The names of the first lender are told apart by their references; those of the others, which are few, are spelled out.
      for (let there = runs[row + 2]!; there < end; there++) {
        if (runs[row + 1] === 0) names.add(lender.columns.name[there]!)
        else {
          const spelled = lender.nameOf(there)
          if (!this.#isIn(this.#lenders[0]!, spelled)) names.add(spelled)
        }
      }
    }
    return names.size
  }

  /** Whether a name is one of a lender's that this table has, too. */
  #isIn({ names }: Lender, name: string): boolean {
    return names.ids(encodeName(name)).some((there) => this.#here(0, there) >= 0)
  }

  /** A lender's symbols come in the order of its own text: of this host's, module by module. */
  #inFileOrder(ids: Uint32Array): void {
    const keys = new Float64Array(ids.length)
    let sorted = true
    for (let i = 0; i < ids.length; i++) {
      // Owners are numbered in the order of the text.
      keys[i] = ownerOf(this.#columns, ids[i]!) * 2 ** 32 + i
      if (i > 0 && keys[i]! < keys[i - 1]!) sorted = false
    }
    if (sorted) return
    const before = ids.slice()
    keys.sort().forEach((key, i) => {
      ids[i] = before[key % 2 ** 32]!
    })
  }

  /** The id of a lender's symbol; -1 where this table does not have it. */
  #here(lender: number, there: number): number {
    const runs = this.#runs
    const back = this.#back[lender]!
    let from = 0
    let length = back.length
    while (length > 0) {
      const half = length >>> 1
      if (runs[back[from + half]! + 2]! <= there) {
        from += half + 1
        length -= half + 1
      } else length = half
    }
    if (from === 0) return -1
    const row = back[from - 1]!
    const id = there - runs[row + 2]! + runs[row]!
    return id < this.#endOf(row) ? id : -1
  }

  #endOf(row: number): number {
    return row + RUN_WORDS < this.#runs.length ? this.#runs[row + RUN_WORDS]! : this.#columns.low.length
  }
}

/** The lenders of every buffer: tables of many hosts share them. */
const known = new WeakMap<SharedArrayBuffer, Lender>()

/** The tables that lend a table its names. @throws BadFormatError if they are not those that it needs */
export function lendersOf({ runs, low }: SymbolColumns, names: readonly SharedArrayBuffer[] = []): readonly Lender[] {
  const lenders = names.map((buffer): Lender => {
    let lender = known.get(buffer)
    if (lender === undefined) {
      const columns = openSymbolColumns(buffer)
      const { heap } = columns
      const bytes = Buffer.from(heap.buffer, heap.byteOffset, heap.byteLength)
      lender = { columns, names: new NameLookup(columns), nameOf: (id) => nameIn(columns, bytes, id) }
      known.set(buffer, lender)
    }
    return lender
  })
  for (let row = 0; row < runs.length; row += RUN_WORDS) {
    const end = row + RUN_WORDS < runs.length ? runs[row + RUN_WORDS]! : low.length
    const lender = lenders[runs[row + 1]!]
    if (row === 0 ? runs[0] !== 0 : end <= runs[row]!) throw new BadFormatError('symbol table: runs of names overlap')
    if (lender === undefined || lender.columns.name.length < end - runs[row]! + runs[row + 2]!) {
      throw new BadFormatError('symbol table: its names are in another table, which must be given with it, and is not')
    }
  }
  return lenders
}
