// The JSON of a run: what is read back, what is refused and with which words.

import { describe, expect, it } from 'vitest'
import { machine, readReport } from '../../bench/lib/report.ts'
import { report, row } from './rows.ts'

const whole = report(
  [row(), row({ by: 'other', yardstick: 'plain read', ratio: 1.2, ratioLow: 1.1, ratioHigh: 1.3, note: '' })],
  {
    leftOut: [{ suite: 'tools', input: 'live', what: 'perf', why: 'perf is not installed' }],
    warnings: ['busy'],
  },
)

/** A report with one place of its JSON changed. */
function changed(path: readonly (string | number)[], value: unknown): string {
  const copy = structuredClone(whole) as unknown
  let at = copy as Record<string | number, unknown>
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>
  at[path.at(-1)!] = value
  return JSON.stringify(copy)
}

describe('a report', () => {
  it('is read back as it was written', () => {
    expect(readReport(JSON.stringify(whole), 'run.json')).toEqual(whole)
  })

  it('may have fields that a later version added', () => {
    expect(readReport(changed(['later'], 1), 'run.json')).toEqual(whole)
  })

  it.each<[string, readonly (string | number)[], unknown, string]>([
    ['another schema', ['schema'], 1, 'run.json: schema: '],
    ['a row without a unit', ['rows', 1, 'unit'], undefined, 'run.json: rows.1.unit: '],
    ['a unit nobody knows', ['rows', 0, 'unit'], 'parsec', 'run.json: rows.0.unit: '],
    ['a figure that is none', ['rows', 0, 'median'], '50', 'run.json: rows.0.median: '],
    ['rows that are none', ['rows'], {}, 'run.json: rows: '],
    ['no machine', ['machine'], undefined, 'run.json: machine: '],
    ['a date in words', ['date'], 'yesterday', 'run.json: date: '],
    ['half a core', ['machine', 'cores'], 1.5, 'run.json: machine.cores: '],
    ['something left out without a reason', ['leftOut', 0, 'why'], '', 'run.json: leftOut.0.why: '],
  ])('with %s is refused, with the place', (_, path, value, words) => {
    expect(() => readReport(changed(path, value), 'run.json')).toThrow(words)
  })

  it('that is no JSON is refused', () => {
    expect(() => readReport('{', 'run.json')).toThrow('run.json is not JSON')
  })

  it('describes this machine so that it can be read back', () => {
    const here = report([row()], { machine: machine() })
    expect(readReport(JSON.stringify(here), 'run.json').machine).toEqual(here.machine)
    expect(here.machine.node).toBe(process.version)
  })
})
