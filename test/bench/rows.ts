// Rows and reports for the tests of the harness.

import { type Report, type Row, SCHEMA } from '../../bench/lib/report.ts'

export const row = (some: Partial<Row> = {}): Row => ({
  suite: 'load',
  input: 'live',
  what: 'load symbols',
  by: 'kerndex inline',
  unit: 'ms',
  n: 15,
  median: 50,
  low: 48,
  high: 52,
  min: 47,
  max: 60,
  ...some,
})

export const report = (rows: readonly Row[], some: Partial<Report> = {}): Report => ({
  schema: SCHEMA,
  date: '2026-01-02T03:04:05.678Z',
  kerndex: '1.2.3',
  machine: {
    cpu: 'A processor <&>',
    cores: 2,
    arch: 'x64',
    memoryBytes: 8 * 2 ** 30,
    kernel: '6.18.0',
    node: 'v20.19.0',
    v8: '11.3',
    loadBefore: 0.1,
  },
  tools: { perf: 'perf version 6.1', pahole: null },
  settings: {
    suites: [...new Set(rows.map(({ suite }) => suite))],
    inputs: [],
    processes: 15,
    rounds: 15,
    seed: 1,
    threads: [0, 2],
    questions: 1000,
  },
  inputs: [{ name: 'live', symbols: 120_000, typeFiles: 1 }],
  rows,
  leftOut: [],
  warnings: [],
  ...some,
})
