// What the harness concludes from rows: bars, noise, changes; and rows in words.

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Bar, checkBars, formatVerdicts, isFailure, readBars } from '../../bench/lib/bars.ts'
import { changesOf } from '../../bench/lib/changes.ts'
import { loadWarning, spreadWarnings } from '../../bench/lib/noise.ts'
import { figure, formatMarkdown, formatRows } from '../../bench/lib/table.ts'
import { report, row } from './rows.ts'

const compared = { yardstick: 'plain read', ratio: 1.3, ratioLow: 1.2, ratioHigh: 1.4 }

describe('bars', () => {
  const bar = (some: Partial<Bar> = {}): Bar => ({
    suite: 'load',
    input: 'live',
    what: 'load symbols',
    by: 'kerndex inline',
    of: 'ratio',
    most: 1.25,
    ...some,
  })
  const outcome = (one: Bar, rows = [row(compared)]) => checkBars(report(rows), [one])[0]?.outcome

  const { most: _, ...boundless } = bar()
  it.each<[string, Bar, string]>([
    ['a ratio above its bar', bar(), 'failed'],
    ['a ratio at its bar', bar({ most: 1.3 }), 'met'],
    ['a ratio that has to be large and is', { ...boundless, least: 1.3 }, 'met'],
    ['a ratio that has to be large and is not', { ...boundless, least: 1.31 }, 'failed'],
    ['a ratio between two bars', bar({ least: 1, most: 2 }), 'met'],
    ['a ratio below the lower of two bars', bar({ least: 1.5, most: 2 }), 'failed'],
    ['an absolute figure above its bar', bar({ of: 'median', most: 49 }), 'failed'],
    ['an absolute figure below its bar', bar({ of: 'median', most: 50 }), 'met'],
    ['a row that was not measured', bar({ by: 'kerndex, pool of 9' }), 'missing'],
    ['a suite that was not asked for', bar({ suite: 'bulk' }), 'not asked'],
  ])('judge %s', (_, one, expected) => {
    expect(outcome(one)).toBe(expected)
  })

  it('miss a ratio where a row has none', () => {
    expect(outcome(bar(), [row()])).toBe('missing')
  })

  it('leave out inputs that were not asked for, but not inputs that could not be had', () => {
    const rows = [row({ ...compared, input: 'capture' })]
    const { settings } = report(rows)
    const outcomeWith = (inputs: string[]) =>
      checkBars({ rows, settings: { ...settings, inputs } }, [bar()])[0]?.outcome
    expect(outcomeWith(['capture'])).toBe('not asked')
    expect(outcomeWith([])).toBe('missing')
    expect(outcomeWith(['capture', 'live'])).toBe('missing')
  })

  it('are named in words with what was measured', () => {
    const verdicts = checkBars(report([row(compared)]), [bar(), bar({ most: 2 }), bar({ by: 'nobody' })])
    expect(verdicts.filter(isFailure)).toHaveLength(2)
    expect(formatVerdicts(verdicts).split('\n')).toEqual([
      'bar missed: load, live: load symbols, kerndex inline: ratio at most 1.25, measured 1.30',
      'bar missed: load, live: load symbols, nobody: ratio at most 1.25, no such row was measured',
      '1 bars met, 1 failed, 1 without a row, 0 about what was not asked for',
      '',
    ])
  })

  it.each([
    ['no bound', { suite: 's', input: 'i', what: 'w', by: 'b', of: 'ratio' }, 'needs "least" or "most"'],
    [
      'a misspelt bound',
      { suite: 's', input: 'i', what: 'w', by: 'b', of: 'ratio', most: 1, leest: 1 },
      'bars.0.leest',
    ],
    ['a figure there is not', { suite: 's', input: 'i', what: 'w', by: 'b', of: 'mean', most: 1 }, 'bars.0.of'],
  ])('with %s are refused', (_, wrong, words) => {
    expect(() => readBars(JSON.stringify({ bars: [wrong] }), 'b.json')).toThrow(words)
  })

  it.each(['bars.json', 'bars-captures.json'])(
    'of %s, which is shipped, are readable and about one thing each',
    (name) => {
      const bars = readBars(readFileSync(new URL(`../../bench/${name}`, import.meta.url), 'utf8'), name)
      const keys = bars.map(({ suite, input, what, by, of }) => [suite, input, what, by, of].join('|'))
      expect(new Set(keys).size).toBe(bars.length)
      expect(bars.length).toBeGreaterThan(20)
    },
  )
})

describe('noise', () => {
  it('is a load that others make', () => {
    expect(loadWarning({ loadBefore: 0.5, cores: 2 })).toBeUndefined()
    expect(loadWarning({ loadBefore: 0.6, cores: 2 })).toContain('0.60 on 2 cores')
  })

  it('is a wide spread, of which the widest is named, and too few measurements', () => {
    expect(spreadWarnings([row(), row()])).toEqual([])
    expect(spreadWarnings([row(), row({ n: 1, low: 0, high: 100 })])).toEqual([
      '1 of 2 rows were measured fewer than 5 times',
    ])
    const [wide, few] = spreadWarnings([
      row({ low: 40, high: 60 }),
      row({ by: 'worst', low: 30, high: 70 }),
      row({ n: 4 }),
    ])
    expect(wide).toContain('2 of 3 rows')
    expect(wide).toContain('80 %: load, live: load symbols, worst')
    expect(few).toContain('1 of 3 rows')
  })
})

describe('changes', () => {
  const change = (now: Parameters<typeof row>[0], before: Parameters<typeof row>[0]) =>
    changesOf({ rows: [row(now)] }, { rows: [row(before)] })[0]

  it('are better where less is better and there is less', () => {
    expect(change({}, { median: 100, low: 96, high: 104 })).toMatchObject({ gain: 2, verdict: 'better', of: 'median' })
    expect(change({ median: 100, low: 96, high: 104 }, {})).toMatchObject({ gain: 0.5, verdict: 'worse' })
  })

  it('are better where more is better and there is more', () => {
    const rate = { unit: 'M/s' } as const
    expect(change({ ...rate, median: 100, low: 96, high: 104 }, rate)).toMatchObject({ gain: 2, verdict: 'better' })
    expect(change(rate, { ...rate, median: 100, low: 96, high: 104 })).toMatchObject({ gain: 0.5, verdict: 'worse' })
  })

  it('are none where the quartiles overlap', () => {
    expect(change({}, { median: 53, low: 51, high: 55 })).toMatchObject({ verdict: 'same' })
  })

  it('go by the ratio to the same yardstick, which a slower machine does not move', () => {
    const slower = { median: 100, low: 96, high: 104, ...compared }
    expect(change(slower, compared)).toMatchObject({ of: 'ratio', gain: 1, verdict: 'same' })
    expect(change(slower, { ...compared, yardstick: 'another' })).toMatchObject({ of: 'median', verdict: 'worse' })
  })

  it('have a range that holds the change', () => {
    const one = change({}, { median: 100, low: 80, high: 120 })
    expect(one?.gainLow).toBeCloseTo(80 / 52)
    expect(one?.gainHigh).toBeCloseTo(120 / 48)
  })

  it('are about rows that both runs have', () => {
    expect(changesOf({ rows: [row(), row({ by: 'new' })] }, { rows: [row(), row({ by: 'gone' })] })).toHaveLength(1)
  })
})

describe('rows in words', () => {
  const one = row({ ...compared, n: 3, median: 1234.5, low: 0.01234, high: 56.78, min: 0.012, note: 'noted' })

  it('have their figures, spread, ratio and note', () => {
    expect(formatRows([one]).split('\n').slice(0, 3)).toEqual([
      'load: live',
      '  what          by              median   quartiles      best    n  ratio              note',
      '  load symbols  kerndex inline  1235 ms  0.0123 – 56.8  0.0120  3  1.30 × plain read  noted',
    ])
    expect(formatRows([])).toBe('')
  })

  it('show the largest of rates as the best', () => {
    expect(formatRows([row({ unit: 'M/s' })])).toContain('60.0')
  })

  it('are tables of Markdown with a column an input', () => {
    const text = formatMarkdown(report([one, row({ input: 'a|b', by: 'other', n: 1 })]))
    expect(text.split('\n').slice(2)).toEqual([
      '**load**',
      '',
      '| work | by | live | a\\|b |',
      '|---|---|---|---|',
      '| load symbols | kerndex inline | 1235 ms (0.0123–56.8), 1.30 × plain read |  |',
      '| load symbols | other |  | 50.0 ms |',
      '',
    ])
    expect(text).toContain('2 cores, Linux 6.18.0, Node 20.19.0; kerndex 1.2.3, 2026-01-02')
  })

  it.each([
    [0, '0.0000'],
    [0.01234, '0.0123'],
    [9.999, '10.00'],
    [123.4, '123'],
    [1234.5, '1235'],
    [-5.678, '-5.68'],
  ])('print %d as %s', (value, expected) => {
    expect(figure(value)).toBe(expected)
  })
})
