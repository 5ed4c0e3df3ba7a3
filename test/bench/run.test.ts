// The harness as a process, and the command that runs it: small runs over a small part of a capture. What they measure is not judged.

import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Report, readReport } from '../../bench/lib/report.ts'
import { blob } from '../btf/fixtures.ts'
import { CAPTURE, fixtureBytes } from '../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-bench-run-'))
const file = (name: string) => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function start(entry: string, args: readonly string[]): Promise<Ended> {
  const path = fileURLToPath(new URL(`../../dist/${entry}`, import.meta.url))
  return new Promise((end) => {
    execFile(process.execPath, [path, ...args], { cwd: folder }, (error, stdout, stderr) => {
      end({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/** A capture whose processes spend their time on the harness and not on a kernel: the first symbols of one, and a few types. */
const FEW = file('few')
mkdirSync(join(FEW, 'btf'), { recursive: true })
const lines = fixtureBytes('debian-6.1-amd64/kallsyms.gz').toString('latin1').split('\n')
writeFileSync(join(FEW, 'kallsyms'), `${lines.slice(0, 5_000).join('\n')}\n`)
writeFileSync(join(FEW, 'btf', 'vmlinux'), blob('synthetic/all-kinds'))

const bench = (...args: string[]) => start('lib/bench/run.js', args)
const MEAGRE = ['--processes', '1', '--rounds', '1', '--threads', '0,1', '--questions', '3000']
const SMALL = ['--data', FEW, '--input', 'few', ...MEAGRE]
const WHOLE = ['--data', CAPTURE, '--input', 'debian-6.1-amd64', ...MEAGRE]

describe('a run that is stopped', () => {
  it('reports what it has measured by then, and ends with 130', async () => {
    const path = fileURLToPath(new URL('../../dist/lib/bench/run.js', import.meta.url))
    const args = ['lookups', 'load', ...SMALL, '--processes', '500', '--report', 'stopped.json']
    const child = spawn(process.execPath, [path, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
    // The first suite's rows are there, and of the second what rounds were whole.
    child.stdout.once('data', () => child.kill('SIGINT'))
    const code = await new Promise((end) => child.once('exit', end))
    expect(code).toBe(130)
    const report = readReport(readFileSync(file('stopped.json'), 'utf8'), 'stopped.json')
    expect(report.rows.some(({ suite }) => suite === 'lookups')).toBe(true)
    for (const { suite, n } of report.rows) if (suite === 'load') expect(n).toBeLessThan(500)
    expect(report.warnings.join()).toContain('stopped before its end')
    expect(report.commit ?? 'an installed package').toMatch(/^[0-9a-f]{12}(, changed)?$|^an installed package$/)
  }, 120_000)
})

describe('a run', () => {
  let ended: Ended
  let report: Report
  beforeAll(async () => {
    ended = await bench('load', 'memory', ...SMALL, '--report', 'run.json')
    report = readReport(readFileSync(file('run.json'), 'utf8'), 'run.json')
  })

  it('prints a table a suite and ends well', () => {
    expect(ended.code).toBe(0)
    for (const suite of ['load', 'memory']) expect(ended.stdout).toContain(`${suite}: few\n`)
  })

  it('says of loads how much processor time they took, in all and on the main thread', () => {
    const notes = report.rows
      .filter(({ suite, what }) => suite === 'load' && /cold$/.test(what))
      .map(({ note }) => note)
    expect(notes.length).toBeGreaterThan(2)
    for (const note of notes) {
      const [, all, main] =
        note?.match(/^(\d+) ms of processor time, (\d+) of it on the main thread(?:; inline.*)?$/) ?? []
      expect([note, Number(all) + 1 >= Number(main) && Number(main) > 0]).toEqual([note, true])
    }
  })

  it('writes a report that fits its schema, with what it ran and on what', () => {
    expect(report.settings).toEqual({
      suites: ['load', 'memory'],
      inputs: ['few'],
      processes: 1,
      rounds: 1,
      seed: 1,
      threads: [0, 1],
      questions: 3000,
    })
    expect(report.inputs).toEqual([{ name: 'few', symbols: 5_000, typeFiles: 1 }])
    expect(new Set(report.rows.map(({ suite }) => suite))).toEqual(new Set(report.settings.suites))
  })

  it('has kerndex as it comes, every size of pool and every baseline, each with its ratio to the plain read', () => {
    const loads = report.rows.filter(({ what }) => what === 'load symbols, cold')
    expect(loads.map(({ by }) => by)).toEqual([
      'kerndex, default',
      'kerndex inline',
      'kerndex, pool of 1',
      'readline + Map',
      'split2 + Map',
      "split('\\n') + Map",
      'one worker with messages',
    ])
    for (const { ratio, median, yardstick, n } of loads) {
      expect(yardstick).toBe('plain read')
      expect(n).toBe(1)
      expect(median).toBeGreaterThan(0)
      expect(ratio).toBeGreaterThan(0)
    }
  })

  it('can be read again for every other output, without measuring', async () => {
    const markdown = await bench('--read', 'run.json', '--markdown', '--html', 'run.html', '--against', 'run.json')
    expect(markdown.code).toBe(0)
    expect(markdown.stdout).toContain('| load symbols, cold | kerndex inline | ')
    expect(readFileSync(file('run.html'), 'utf8')).toContain('<title>kerndex ')
  })

  it('ends with 1 if a bar is missed or has no row, and names the row', async () => {
    const bar = { suite: 'load', input: 'few', what: 'import', by: 'kerndex', of: 'median' }
    writeFileSync(file('met.json'), JSON.stringify({ bars: [{ ...bar, most: 1e9 }] }))
    writeFileSync(file('missed.json'), JSON.stringify({ bars: [{ ...bar, least: 1e9 }] }))
    writeFileSync(file('absent.json'), JSON.stringify({ bars: [{ ...bar, by: 'nobody', least: 1 }] }))
    expect(await bench('--read', 'run.json', '--check', 'met.json')).toMatchObject({ code: 0 })
    for (const name of ['missed.json', 'absent.json']) {
      const { code, stderr } = await bench('--read', 'run.json', '--check', 'met.json', '--check', name)
      expect(code).toBe(1)
      expect(stderr).toContain('bar missed: load, few: import, ')
    }
  })
})

describe('the suite scale', () => {
  it('measures tables of the sizes asked for', async () => {
    const few = ['--sizes', '2000', '--processes', '1', '--rounds', '1', '--questions', '1000']
    const { code } = await bench('scale', ...few, '--report', 'scale.json')
    expect(code).toBe(0)
    const { rows } = readReport(readFileSync(file('scale.json'), 'utf8'), 'scale.json')
    expect(new Set(rows.map(({ symbols }) => symbols))).toEqual(new Set([2000]))
    const load = rows.find(({ what, by }) => what === 'load symbols, cold' && by === 'kerndex inline')
    expect(load?.input).toBe('synthetic-2000')
  })
})

// Half a minute and more: every suite once, with all that it checks before it measures.
describe.runIf(process.env.KERNDEX_LONG)('every suite', () => {
  it('checks its answers and gives a JSON object a row', async () => {
    const suites = ['lookups', 'names', 'bulk', 'types', 'probes', 'refresh', 'tools']
    const { code, stdout, stderr } = await bench(...suites, ...WHOLE, '--json')
    expect(stderr).not.toMatch(/left out: (?!tools)/)
    expect(code).toBe(0)
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { suite: string; median: number })
    for (const suite of suites.slice(0, -1)) expect(rows.map((one) => one.suite)).toContain(suite)
    for (const { median } of rows) expect(median).toBeGreaterThan(0)
  })
})

describe('what cannot be meant', () => {
  it.each([
    [['nonsense'], 2, 'no suite is called nonsense'],
    [['load', '--processes', '0'], 2, '--processes must be a whole number from 1 on'],
    [['load', '--threads', '1,x'], 2, '--threads'],
    [['--no-such-option'], 2, '--no-such-option'],
    [['--check', 'nowhere.json'], 3, 'nowhere.json'],
    [['load', '--input', 'nowhere'], 3, 'nothing was measured'],
  ])('%j ends with %d', async (args, code, words) => {
    const ended = await bench(...args)
    expect(ended.stderr).toContain(words)
    expect(ended.code).toBe(code)
  })

  it('--help says what is possible', async () => {
    expect((await bench('--help')).stdout).toContain('--against FILE')
  })
})

describe('kerndex bench', () => {
  const kerndex = (...args: string[]) => start('lib/cli.cjs', ['bench', ...args])

  it('runs the harness over a capture and gives a JSON object a row', async () => {
    const { code, stdout } = await kerndex(
      'memory',
      '--from',
      FEW,
      '--threads',
      '0',
      '--processes',
      '1',
      '--json',
      '--report',
      'command.json',
    )
    expect(code).toBe(0)
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(rows).toEqual(readReport(readFileSync(file('command.json'), 'utf8'), 'command.json').rows)
  })

  it('gives the exit code of the harness', async () => {
    expect(await kerndex('nonsense')).toMatchObject({ code: 2, stderr: expect.stringContaining('no suite is called') })
  })
})
