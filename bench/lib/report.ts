// What a run of the harness reports: rows, the machine they were measured on, and their form on a terminal.

import { arch, cpus, loadavg, release, totalmem } from 'node:os'
import type { Summary } from './stats.ts'

/** One figure: what was done, by whom, how it went, and how that compares with the yardstick of the same run. */
export interface Row extends Summary {
  readonly suite: string
  /** The capture's name, or `live`. */
  readonly input: string
  /** The work. */
  readonly what: string
  /** Who did it: kerndex in some way, or a baseline. */
  readonly by: string
  readonly unit: 'ms' | 'M/s' | 'bytes' | 'MB'
  /** What `ratio` divides by; absent in rows that stand alone. */
  readonly yardstick?: string
  /** Median of the paired ratios to the yardstick. */
  readonly ratio?: number
  readonly note?: string
}

/** What `--json` writes. The schema number changes when a field changes its meaning or goes; fields may be added. */
export interface Report {
  readonly schema: 1
  /** ISO 8601. */
  readonly date: string
  readonly kerndex: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly arch: string
    readonly memoryBytes: number
    readonly kernel: string
    readonly node: string
    readonly v8: string
    /** The load average of one minute before the run: above 0, something else had the cores. */
    readonly loadBefore: number
  }
  readonly seed: number
  readonly rows: readonly Row[]
}

/** The machine of this run. */
export function machine(): Report['machine'] {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    arch: arch(),
    memoryBytes: totalmem(),
    kernel: release(),
    node: process.version,
    v8: process.versions.v8,
    loadBefore: loadavg()[0] ?? 0,
  }
}

/** Rows of one suite and input as an aligned table. */
export function formatRows(rows: readonly Row[]): string {
  const first = rows[0]
  if (first === undefined) return ''
  const cells = rows.map((row) => [
    row.what,
    row.by,
    `${figure(row.median)} ${row.unit}`,
    row.n > 1 ? `${figure(row.low)} – ${figure(row.high)}` : '',
    row.n > 1 ? figure(row.unit === 'M/s' ? row.max : row.min) : '',
    row.ratio === undefined ? '' : `${row.ratio.toFixed(2)} × ${row.yardstick ?? ''}`,
    row.note ?? '',
  ])
  const table = [['what', 'by', 'median', 'quartiles', 'best', 'ratio', 'note'], ...cells]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)))
  const lines = table.map((line) =>
    `  ${line.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd(),
  )
  return `${first.suite}: ${first.input}\n${lines.join('\n')}\n`
}

/** Three significant digits, never in exponential form. */
function figure(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 0.01))))
  return value.toFixed(digits)
}
