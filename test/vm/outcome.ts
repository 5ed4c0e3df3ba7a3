// What one comparison gave, and how comparisons are summed up. Pure.

/** One comparison of the kernel's answer with kerndex's. */
export interface Outcome {
  /** What was compared, such as `%pS, live`. */
  readonly check: string
  /** The kind of thing asked about, such as `start of a module's function`. */
  readonly class: string
  /** What the kernel said, in a word or two: these are the rows of a matrix, together with the class. */
  readonly kernel: string
  /** What kerndex said of it. */
  readonly kerndex: string
  /** Whether the two contradict each other. */
  readonly wrong: boolean
  /** What was asked, and both answers in full, so that the comparison can be made again by hand. */
  readonly subject: string
}

/** Outcomes of one check that agree in everything but their subjects. */
export interface Cell {
  readonly check: string
  readonly class: string
  readonly kernel: string
  readonly kerndex: string
  readonly wrong: boolean
  count: number
  /** The first of them. */
  readonly subjects: string[]
}

/** Subjects kept of outcomes that agree, and of those that do not: an exception may be made for single ones. */
const SUBJECTS = 1
const WRONG_SUBJECTS = 5000

/** Counts of outcomes, whatever their number. */
export class Tally {
  readonly #cells = new Map<string, Cell>()

  add({ check, class: kind, kernel, kerndex, wrong, subject }: Outcome): void {
    const key = JSON.stringify([check, kind, kernel, kerndex, wrong])
    let cell = this.#cells.get(key)
    if (cell === undefined) {
      cell = { check, class: kind, kernel, kerndex, wrong, count: 0, subjects: [] }
      this.#cells.set(key, cell)
    }
    cell.count++
    if (cell.subjects.length < (wrong ? WRONG_SUBJECTS : SUBJECTS)) cell.subjects.push(subject)
  }

  /** Takes over cells of another tally. */
  merge(cells: Iterable<Cell>): void {
    for (const cell of cells) {
      for (const subject of cell.subjects) this.add({ ...cell, subject })
      for (let i = cell.subjects.length; i < cell.count; i++) this.add({ ...cell, subject: '' })
    }
  }

  /** In the order of the first outcome of each. */
  get cells(): readonly Cell[] {
    return [...this.#cells.values()]
  }
}
