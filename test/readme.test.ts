// What README and the commands' help show, run as a reader would: README's examples print what stands there, its programs run with the
// library as it is shipped, and the examples of the help are answered by the shipped capture.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { helpBehind } from '../src/cli/manual.ts'
import { commandsOf, makeProgram } from '../src/cli/program.ts'
import { kerndexes } from './cli/run.ts'
import { CAPTURE } from './fixtures.ts'

/** The words of a command line as a shell parts them: enough of it for examples. */
function shellWords(line: string): string[] {
  return Array.from(
    line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
    ([, single, double, bare]) => single ?? double ?? bare!,
  )
}

const README = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8')

/** README's examples in `console` blocks: a line to run, and the lines it prints, in which `…` stands for any. */
function examples(): { line: string; prints: string[] }[] {
  const found: { line: string; prints: string[] }[] = []
  for (const [, block] of README.matchAll(/```console\n([^`]*)```/g)) {
    for (const each of block!.trimEnd().split('\n')) {
      if (each.startsWith('$ kerndex ')) found.push({ line: each.slice('$ kerndex '.length), prints: [] })
      else found.at(-1)!.prints.push(each)
    }
  }
  return found
}

test("README's examples print what it says", async () => {
  const all = examples()
  expect(all.length).toBeGreaterThan(5)
  const outcomes = await kerndexes(all.map(({ line }) => shellWords(line)))
  for (const [i, { line, prints }] of all.entries()) {
    const { code, stdout } = outcomes[i]!
    expect(code, line).toBe(0)
    // Every stretch between two gaps stands in the output, one behind the other.
    let rest = `\n${stdout}`
    for (const stretch of prints.join('\n').split(/^…$\n?/m)) {
      const text = `\n${stretch.trimEnd()}\n`
      if (stretch.trim() === '') continue
      const at = rest.indexOf(text)
      expect(at, `${line} prints ${text} in ${rest}`).toBeGreaterThanOrEqual(0)
      rest = rest.slice(at + text.length - 1)
    }
    if (!prints.includes('…')) expect(stdout.trimEnd(), line).toBe(prints.join('\n'))
  }
}, 120_000)

test("README's programs run with the library as it is shipped, and print what it says", async () => {
  const programs = Array.from(README.matchAll(/```[jt]s\n(.*?\n)```/gs), ([, code]) => code!)
  expect(programs.length).toBeGreaterThan(0)
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-readme-'))
  const shipped = (entry: string) => new URL(`../dist/lib/${entry}.js`, import.meta.url).href
  try {
    // The capture takes the place of the running kernel.
    const stand = join(folder, 'kerndex.mjs')
    writeFileSync(
      stand,
      `import * as kerndex from '${shipped('index')}'
      export * from '${shipped('index')}'
      export const openKernel = (options) => kerndex.openKernel({ from: ${JSON.stringify(CAPTURE)}, ...options })\n`,
    )
    const names = programs.map((code, i) => {
      const mapped = code.replace(/ from 'kerndex(?:\/(\w+))?'/g, (_, entry?: string) => {
        return ` from '${entry === undefined ? pathToFileURL(stand).href : shipped(entry)}'`
      })
      writeFileSync(join(folder, `${i}.mjs`), mapped)
      return `./${i}.mjs`
    })
    // One process for all, one program after the other.
    writeFileSync(join(folder, 'all.mjs'), names.map((name) => `await import('${name}')\n`).join(''))
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'all.mjs')], {
      env: { ...process.env, XDG_CACHE_HOME: folder },
      maxBuffer: 1 << 26,
    })
    const lines = stdout.split('\n')
    // What a line prints stands behind it, up to a comma.
    const said = programs.flatMap((code) =>
      Array.from(code.matchAll(/console\.log\(.*\) +\/\/ ([^,\n]+)/g), ([, text]) => text!),
    )
    expect(said.length).toBeGreaterThan(0)
    for (const line of said) expect(lines).toContain(line)
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 60_000)

describe('examples of the help', () => {
  /** Commands that need nothing but a kernel: the capture takes the place of the running one. */
  const KERNEL = [
    'status',
    'address',
    'symbol',
    'type',
    'function',
    'probe list',
    'probe plan',
    'probe suffixes',
    'btf dump',
  ]

  test('are answered by the shipped capture', async () => {
    const lines = commandsOf(makeProgram())
      .filter((each) => each.commands.length === 0)
      .flatMap((each) => helpBehind(each).examples)
      // What comes in by a pipe or from a file, and what goes out by one, belongs to the shell.
      .map((each) => each.replace(/^.*\| (?=kerndex)|^sudo /, '').replace(/\s+[|<>].*$/, ''))
      .filter((each) => KERNEL.some((command) => each.startsWith(`kerndex ${command} `)))
      .filter(
        (each) => !/module\.ko|--from host\./.test(each) && !/^kerndex (symbol --json|address --format)/.test(each),
      )
      .map((each) =>
        shellWords(each)
          .slice(1)
          .map((word) => (word === 'capture/' ? CAPTURE : word)),
      )
      .filter((words) => words.length > 1 && !(words[0] === 'address' && words[1] === '--from'))
    expect(lines.length).toBeGreaterThan(20)
    const folder = mkdtempSync(join(tmpdir(), 'kerndex-help-'))
    const saved = join(folder, 'capture.kerndex')
    const [, ...outcomes] = await kerndexes([
      ['snapshot', 'save', saved, '--from', CAPTURE],
      ...lines.map((words) => (words.includes('--from') ? words : [...words, '--from', saved])),
    ])
    rmSync(folder, { recursive: true })
    const failed = outcomes.flatMap(({ code, stderr }, i) =>
      code === 0 ? [] : [`${lines[i]!.join(' ')}: ${code} ${stderr}`],
    )
    expect(failed).toEqual([])
    for (const [i, { stdout }] of outcomes.entries()) expect(stdout, lines[i]!.join(' ')).not.toBe('')
  }, 240_000)
})
