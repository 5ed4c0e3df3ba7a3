// Bars that figures have to reach, read from JSON files, and the verdict of a report about each.

import * as v from 'valibot'
import { SCALE } from '../scale.ts'
import { keyOf, type Report, readJson } from './report.ts'
import { figure } from './table.ts'

/** What one row has to reach. */
export interface Bar {
  readonly suite: string
  readonly input: string
  readonly what: string
  readonly by: string
  /** Which figure of the row: its ratio to the yardstick, which other work on the machine disturbs least, or its median. */
  readonly of: 'ratio' | 'median'
  /** The row's figure has to be at least, or at most, so much; one of the two, or both. */
  readonly least?: number
  readonly most?: number
}

/** How a bar was met. */
export interface Verdict {
  readonly bar: Bar
  /** `not asked`: the run was about other suites or inputs. `missing`: it should have measured this and did not. */
  readonly outcome: 'met' | 'failed' | 'missing' | 'not asked'
  readonly measured?: number
}

const text = v.pipe(v.string(), v.nonEmpty())
const bound = v.exactOptional(v.pipe(v.number(), v.finite()))

const BARS: v.GenericSchema<unknown, { readonly bars: readonly Bar[] }> = v.strictObject({
  bars: v.array(
    v.pipe(
      v.strictObject({
        suite: text,
        input: text,
        what: text,
        by: text,
        of: v.picklist(['ratio', 'median']),
        least: bound,
        most: bound,
      }),
      v.check(({ least, most }) => least !== undefined || most !== undefined, 'a bar needs "least" or "most"'),
    ),
  ),
})

/**
 * Reads a file of bars.
 * @throws Error that names the file and what is wrong with it
 */
export function readBars(json: string, file: string): readonly Bar[] {
  return readJson(BARS, json, file).bars
}

/** The verdict about every bar. */
export function checkBars({ settings, rows }: Pick<Report, 'settings' | 'rows'>, bars: readonly Bar[]): Verdict[] {
  const byKey = new Map(rows.map((row) => [keyOf(row), row]))
  return bars.map((bar) => {
    const otherInput = settings.inputs.length > 0 && bar.suite !== SCALE && !settings.inputs.includes(bar.input)
    if (!settings.suites.includes(bar.suite) || otherInput) return { bar, outcome: 'not asked' }
    const measured = byKey.get(keyOf(bar))?.[bar.of]
    if (measured === undefined) return { bar, outcome: 'missing' }
    const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = bar
    return { bar, outcome: measured >= least && measured <= most ? 'met' : 'failed', measured }
  })
}

/** Whether a verdict is one that makes the check fail. */
export function isFailure({ outcome }: Verdict): boolean {
  return outcome === 'failed' || outcome === 'missing'
}

/** A line for each failure, and one that sums up. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  const lines = verdicts.filter(isFailure).map(({ bar, measured }) => {
    const wanted = [
      ...(bar.least === undefined ? [] : [`at least ${bar.least}`]),
      ...(bar.most === undefined ? [] : [`at most ${bar.most}`]),
    ].join(' and ')
    const found = measured === undefined ? 'no such row was measured' : `measured ${figure(measured)}`
    return `bar missed: ${bar.suite}, ${bar.input}: ${bar.what}, ${bar.by}: ${bar.of} ${wanted}, ${found}`
  })
  const count = (outcome: Verdict['outcome']) => verdicts.filter((verdict) => verdict.outcome === outcome).length
  lines.push(
    `${count('met')} bars met, ${count('failed')} failed, ${count('missing')} without a row, ${count('not asked')} about what was not asked for`,
  )
  return `${lines.join('\n')}\n`
}
