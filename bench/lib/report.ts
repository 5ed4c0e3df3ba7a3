// What a run of the harness reports: its rows, the machine, and the JSON that keeps them, with the schema that reads it back.

import { execFileSync } from 'node:child_process'
import { arch, cpus, loadavg, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import * as v from 'valibot'
import { packageUrl } from '../../src/core/place.ts'
import type { Comparison, Summary } from './stats.ts'

/** Units, and whether more of it is better. */
const UNITS = {
  ms: false,
  µs: false,
  ns: false,
  bytes: false,
  MB: false,
  'M/s': true,
  'MB/s': true,
} as const

export type Unit = keyof typeof UNITS

/** One figure: what was done, by whom, how it went, and how that compares with the yardstick of the same run. */
export interface Row extends Summary, Partial<Comparison> {
  readonly suite: string
  /** The capture's name, or `live`. */
  readonly input: string
  /** The work. */
  readonly what: string
  /** Who did it: kerndex in some way, or a baseline. */
  readonly by: string
  readonly unit: Unit
  /** Symbols of the input, where the row is one of a series over inputs of growing size. */
  readonly symbols?: number
  readonly note?: string
}

/** Something that was asked for and not measured, and why. */
export interface LeftOut {
  readonly suite: string
  readonly input: string
  /** The work and who would have done it, or empty for the whole suite. */
  readonly what: string
  readonly why: string
}

/** The number of the schema. It changes when a field changes its meaning or goes; fields may be added. */
export const SCHEMA = 2

/** What `--json` writes. */
export interface Report {
  readonly schema: typeof SCHEMA
  /** When the run began, ISO 8601. */
  readonly date: string
  readonly kerndex: string
  /** The commit that was measured, where it is a clone of the repository; marked where files were changed since. */
  readonly commit?: string
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
  /** Versions of the tools that are compared with, as they print them; null for a tool that is not installed. */
  readonly tools: Readonly<Record<string, string | null>>
  readonly settings: {
    /** What ran; a bar about another suite is not looked at. */
    readonly suites: readonly string[]
    /** The inputs that were asked for, if not all: a bar about another is not looked at. */
    readonly inputs: readonly string[]
    readonly processes: number
    readonly rounds: number
    readonly seed: number
    readonly threads: readonly number[]
    readonly questions: number
  }
  /** What was measured with. */
  readonly inputs: readonly { readonly name: string; readonly symbols: number; readonly typeFiles: number }[]
  readonly rows: readonly Row[]
  readonly leftOut: readonly LeftOut[]
  /** Why the figures may not be trusted; empty after a quiet run. */
  readonly warnings: readonly string[]
}

const text = v.pipe(v.string(), v.nonEmpty())
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const figures = v.pipe(v.number(), v.finite())
const ratio = v.exactOptional(v.pipe(v.number(), v.finite(), v.minValue(0)))

const ROW: v.GenericSchema<unknown, Row> = v.object({
  suite: text,
  input: text,
  what: text,
  by: text,
  unit: v.picklist(Object.keys(UNITS) as Unit[]), // Its own keys.
  n: v.pipe(count, v.minValue(1)),
  median: figures,
  low: figures,
  high: figures,
  min: figures,
  max: figures,
  yardstick: v.exactOptional(text),
  ratio,
  ratioLow: ratio,
  ratioHigh: ratio,
  symbols: v.exactOptional(count),
  note: v.exactOptional(v.string()),
})

const REPORT: v.GenericSchema<unknown, Report> = v.object({
  schema: v.literal(SCHEMA),
  date: v.pipe(v.string(), v.isoTimestamp()),
  kerndex: text,
  commit: v.exactOptional(text),
  machine: v.object({
    cpu: text,
    cores: count,
    arch: text,
    memoryBytes: count,
    kernel: text,
    node: text,
    v8: text,
    loadBefore: figures,
  }),
  tools: v.record(v.string(), v.nullable(text)),
  settings: v.object({
    suites: v.array(text),
    inputs: v.array(text),
    processes: count,
    rounds: count,
    seed: count,
    threads: v.array(count),
    questions: count,
  }),
  inputs: v.array(v.object({ name: text, symbols: count, typeFiles: count })),
  rows: v.array(ROW),
  leftOut: v.array(v.object({ suite: v.string(), input: v.string(), what: v.string(), why: text })),
  warnings: v.array(text),
})

/**
 * Reads a report that an earlier run wrote.
 * @throws Error that names the file and what is wrong with it
 */
export function readReport(json: string, file: string): Report {
  return readJson(REPORT, json, file)
}

/** Reads JSON that has to fit a schema. */
export function readJson<T>(schema: v.GenericSchema<unknown, T>, json: string, file: string): T {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new Error(`${file} is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const [issue] = result.issues
  const place = v.getDotPath(issue)
  throw new Error(`${file}${place === null ? '' : `: ${place}`}: ${issue.message}`)
}

/** Whether more of a unit is better: true for rates, false for times and memory. */
export function moreIsBetter(unit: Unit): boolean {
  return UNITS[unit]
}

/** What makes two rows of two runs the same row. */
export function keyOf({ suite, input, what, by }: Pick<Row, 'suite' | 'input' | 'what' | 'by'>): string {
  return JSON.stringify([suite, input, what, by])
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

/** The commit of this run; undefined in an installed package. */
export function commitOf(): string | undefined {
  const cwd = fileURLToPath(packageUrl('.'))
  const git = (...args: readonly string[]) =>
    execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    // A package that lies in somebody else's repository is not that repository's.
    if (git('rev-parse', '--show-prefix') !== '') return undefined
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : ', changed')
  } catch {
    return undefined
  }
}
