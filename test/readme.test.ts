// What README and the commands' help show, run as a reader would: README's examples print what stands there, and those of the help
// are answered by the shipped capture.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
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

/** README's examples in `console` blocks: a line to run, and the lines it prints, in which `…` stands for any. */
function examples(): { line: string; prints: string[] }[] {
  const readme = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8')
  const found: { line: string; prints: string[] }[] = []
  for (const [, block] of readme.matchAll(/```console\n([^`]*)```/g)) {
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
    const outcomes = await kerndexes(
      lines.map((words) => (words.includes('--from') ? words : [...words, '--from', CAPTURE])),
    )
    const failed = outcomes.flatMap(({ code, stderr }, i) =>
      code === 0 ? [] : [`${lines[i]!.join(' ')}: ${code} ${stderr}`],
    )
    expect(failed).toEqual([])
    for (const [i, { stdout }] of outcomes.entries()) expect(stdout, lines[i]!.join(' ')).not.toBe('')
  }, 240_000)
})
