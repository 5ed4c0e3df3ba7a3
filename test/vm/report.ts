// The table of one kernel: a matrix for each check, and the first of what differs, with what is needed to ask again. Pure.
import type { KnownDifference } from './known-differences.ts'
import type { Cell } from './outcome.ts'

/** One suite's cells. */
export interface SuiteCells {
  readonly suite: string
  readonly cells: readonly Cell[]
}

/** A difference, and the reason if it is known. */
interface Difference {
  readonly cell: Cell
  readonly subjects: readonly string[]
  readonly count: number
  readonly known: KnownDifference | undefined
}

/** Subjects printed of one difference. */
const SHOWN = 5
/** A check with more of the kernel's answers than this is printed without its matrix. */
const WIDEST = 12

/** The report's text, and how many outcomes differ without a reason. */
export function report(
  release: string,
  suites: readonly SuiteCells[],
  known: readonly KnownDifference[],
): { readonly text: string; readonly unlisted: number } {
  const lines: string[] = []
  let unlisted = 0
  for (const { suite, cells } of suites) {
    for (const check of new Set(cells.map((cell) => cell.check))) {
      const own = cells.filter((cell) => cell.check === check)
      const total = sum(own.map(({ count }) => count))
      const differences = differencesIn(release, suite, own, total, known)
      const open = sum(differences.flatMap(({ known: reason, count }) => (reason === undefined ? [count] : [])))
      const listed = sum(differences.flatMap(({ known: reason, count }) => (reason === undefined ? [] : [count])))
      unlisted += open
      const agree = total - open - listed
      lines.push(`${suite}: ${check}: ${total} compared, ${agree} agree, ${listed} known to differ, ${open} DIFFER`)
      lines.push(...matrix(own).map((line) => `    ${line}`))
      for (const { cell, subjects, count, known: reason } of differences) {
        const what = `${cell.class}: the kernel ${cell.kernel}, kerndex ${cell.kerndex} (${count})`
        lines.push(reason === undefined ? `  DIFFERS: ${what}` : `  known: ${what}: ${reason.reason}`)
        const shown = reason === undefined ? SHOWN : 1
        lines.push(...subjects.slice(0, shown).map((subject) => `      ${subject}`))
      }
    }
  }
  return { text: lines.map((line) => `${line}\n`).join(''), unlisted }
}

/** What differs in one check, split by the known differences that apply. */
function differencesIn(
  release: string,
  suite: string,
  cells: readonly Cell[],
  total: number,
  known: readonly KnownDifference[],
): Difference[] {
  const here = known.filter((each) => {
    return each.suite === suite && fits(each.check, cells[0]!.check) && (each.releases?.test(release) ?? true)
  })
  const found: Difference[] = []
  for (const cell of cells.filter(({ wrong }) => wrong)) {
    let subjects = cell.subjects
    let count = cell.count
    for (const each of here) {
      if (!fits(each.class, cell.class) || !fits(each.kernel, cell.kernel) || !fits(each.kerndex, cell.kerndex))
        continue
      const { subject } = each
      const taken = subject === undefined ? subjects : subjects.filter((text) => subject.test(text))
      const takenCount = subject === undefined ? count : taken.length
      if (takenCount === 0) continue
      found.push({ cell, subjects: taken, count: takenCount, known: each })
      subjects = subjects.filter((text) => !taken.includes(text))
      count -= takenCount
      if (count === 0) break
    }
    if (count > 0) found.push({ cell, subjects, count, known: undefined })
  }
  // A difference that is known up to a share of the check is none any more where it is more.
  const tooMany = here.filter(({ atMost }, i) => {
    const count = sum(found.flatMap((each) => (each.known === here[i] ? [each.count] : [])))
    return atMost !== undefined && count > atMost * total
  })
  return found.map((each) =>
    each.known !== undefined && tooMany.includes(each.known) ? { ...each, known: undefined } : each,
  )
}

/** The kernel's answers by kerndex's. */
function matrix(cells: readonly Cell[]): string[] {
  const rows = [...new Set(cells.map(({ kernel }) => kernel))]
  const columns = [...new Set(cells.map(({ kerndex }) => kerndex))]
  if (rows.length > WIDEST || columns.length > WIDEST) return []
  const counts = rows.map((row) => {
    return columns.map((column) => {
      const own = cells.filter(({ kernel, kerndex }) => kernel === row && kerndex === column)
      const count = sum(own.map((cell) => cell.count))
      return count === 0 ? '-' : `${count}${own.some(({ wrong }) => wrong) ? '!' : ' '}`
    })
  })
  const first = Math.max(...rows.map(({ length }) => length), 'kernel \\ kerndex'.length)
  const widths = columns.map((column, i) => Math.max(column.length, ...counts.map((row) => row[i]!.length)))
  const line = (name: string, values: readonly string[]) =>
    [name.padEnd(first), ...values.map((value, i) => value.padStart(widths[i]!))].join('  ').trimEnd()
  return [line('kernel \\ kerndex', columns), ...rows.map((row, i) => line(row, counts[i]!))]
}

/** Whether a text is what a pattern says; `*` at the pattern's end stands for anything. */
function fits(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined) return true
  return pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0)
}
