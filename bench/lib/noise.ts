// Whether a run can be trusted: what the load of the machine and the spread of the rows say about it.

import type { Report, Row } from './report.ts'

/** A load average above this share of the cores means that others had a good part of them. */
const BUSY = 0.25
/** Quartiles further apart than this share of the median, and the median is not much more than a guess. */
const WIDE = 0.25
/** Measurements below which the quartiles themselves say little. */
const FEW = 5

/** How far the quartiles of a row lie apart, as a share of its median. */
export function spreadOf({ low, high, median }: Pick<Row, 'low' | 'high' | 'median'>): number {
  return median === 0 ? 0 : (high - low) / Math.abs(median)
}

/** A sentence if the machine was busy before the run. */
export function loadWarning({
  loadBefore,
  cores,
}: Pick<Report['machine'], 'loadBefore' | 'cores'>): string | undefined {
  if (loadBefore <= BUSY * cores) return undefined
  return `the load average was ${loadBefore.toFixed(2)} on ${cores} cores before the run: something else had a part of them, trust ratios before times`
}

/** Sentences about rows that vary too much to be trusted, or were measured too few times to tell. */
export function spreadWarnings(rows: readonly Row[]): string[] {
  const warnings: string[] = []
  const wide = rows.filter((row) => row.n > 1 && spreadOf(row) > WIDE).sort((a, b) => spreadOf(b) - spreadOf(a))
  const [worst] = wide
  if (worst !== undefined) {
    warnings.push(
      `${wide.length} of ${rows.length} rows have quartiles further apart than ${WIDE * 100} % of their median; the widest, ` +
        `${(spreadOf(worst) * 100).toFixed(0)} %: ${worst.suite}, ${worst.input}: ${worst.what}, ${worst.by}`,
    )
  }
  const few = rows.filter(({ n }) => n < FEW).length
  if (few > 0) warnings.push(`${few} of ${rows.length} rows were measured fewer than ${FEW} times`)
  return warnings
}
