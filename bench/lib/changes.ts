// What changed from an earlier run to this one, row by row, told from what only looks so.

import { keyOf, moreIsBetter, type Report, type Row } from './report.ts'

/** A row that both runs have. */
export interface ChangedRow {
  readonly suite: string
  readonly input: string
  readonly what: string
  readonly by: string
  readonly unit: Row['unit']
  readonly before: number
  readonly now: number
  /** How many times better than before: above 1 faster or smaller, whatever the unit; with its quartiles. */
  readonly gain: number
  readonly gainLow: number
  readonly gainHigh: number
  /** By which figure: the ratio to the yardstick where both runs have one, so that a slower machine does not show as a change. */
  readonly of: 'ratio' | 'median'
  /** `same` if the quartiles of the two overlap. */
  readonly verdict: 'better' | 'worse' | 'same'
}

/** The rows that two runs share, in the order of the new one. */
export function changesOf(report: Pick<Report, 'rows'>, earlier: Pick<Report, 'rows'>): ChangedRow[] {
  const before = new Map(earlier.rows.map((row) => [keyOf(row), row]))
  return report.rows.flatMap((row) => {
    const old = before.get(keyOf(row))
    return old === undefined || old.unit !== row.unit ? [] : [changeOf(row, old)]
  })
}

interface Figures {
  readonly middle: number
  readonly low: number
  readonly high: number
}

function changeOf(row: Row, old: Row): ChangedRow {
  const { suite, input, what, by, unit } = row
  const ratios = [ratiosOf(row), ratiosOf(old)] as const
  const byRatio = ratios[0] !== undefined && ratios[1] !== undefined && row.yardstick === old.yardstick
  const now = (byRatio ? ratios[0] : undefined) ?? mediansOf(row)
  const then = (byRatio ? ratios[1] : undefined) ?? mediansOf(old)
  const more = moreIsBetter(unit)
  const gainOf = (new_: number, old_: number) => (more ? new_ / old_ : old_ / new_)
  const gains = [
    gainOf(now.low, then.high),
    gainOf(now.high, then.low),
    gainOf(now.low, then.low),
    gainOf(now.high, then.high),
  ]
  const overlap = now.low <= then.high && then.low <= now.high
  const gain = gainOf(now.middle, then.middle)
  return {
    suite,
    input,
    what,
    by,
    unit,
    before: then.middle,
    now: now.middle,
    gain,
    gainLow: Math.min(...gains),
    gainHigh: Math.max(...gains),
    of: byRatio ? 'ratio' : 'median',
    verdict: overlap ? 'same' : gain > 1 ? 'better' : 'worse',
  }
}

function ratiosOf({ ratio, ratioLow, ratioHigh }: Row): Figures | undefined {
  return ratio === undefined ? undefined : { middle: ratio, low: ratioLow ?? ratio, high: ratioHigh ?? ratio }
}

function mediansOf({ median, low, high }: Row): Figures {
  return { middle: median, low, high }
}
