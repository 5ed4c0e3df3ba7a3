// Help, completion and manual: every command and option has all three, because all come from the same definitions; and the shells
// that are installed complete by what they are told.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isColoured } from '../../src/cli/colours.ts'
import { completionsOf } from '../../src/cli/complete.ts'
import { helpBehind, manualPages } from '../../src/cli/manual.ts'
import { commandsOf, makeProgram, withCommonBehind } from '../../src/cli/program.ts'
import { CAPTURE } from '../fixtures.ts'
import { kerndexes, MAIN } from './run.ts'

const program = makeProgram()
const leaves = commandsOf(program).filter((each) => each.commands.length === 0)
const titleOf = (command: Command): string[] =>
  command.parent === null ? [] : [...titleOf(command.parent), command.name()]
const words = (...line: readonly string[]) => completionsOf(program, line).words.map(({ word }) => word)
const pages = manualPages(program, '0.0.0', '2026-01-01')
/** A page as a reader sees it. */
const plain = (name: string) =>
  pages.get(`kerndex-${name}.1`)!.replaceAll('\\-', '-').replaceAll('\\e', '\\').replaceAll('\\(dq', '"')

describe.each(leaves.map((each) => [titleOf(each).join(' '), each] as const))('%s', (title, command) => {
  const path = titleOf(command)

  test('has help with examples, exit codes and a word for every option', () => {
    const { examples, codes } = helpBehind(command)
    expect(command.description()).not.toBe('')
    expect(examples.length, 'examples').toBeGreaterThan(0)
    expect(examples.join('\n')).toContain(`kerndex ${title}`)
    expect(codes, 'exit codes').toMatch(/^0 /)
    for (const option of command.options) expect(option.description, option.flags).not.toBe('')
    for (const argument of command.registeredArguments) expect(argument.description, argument.name()).not.toBe('')
  })

  test('is completed, with its options and their choices', () => {
    for (let i = 0; i < path.length; i++) expect(words(...path.slice(0, i), '')).toContain(path[i])
    const options = command.options.filter(({ hidden }) => !hidden)
    expect(words(...path, '--')).toEqual(expect.arrayContaining(options.map(({ long }) => long)))
    for (const { long, argChoices } of options) {
      if (argChoices !== undefined) expect(words(...path, long!, '')).toEqual(argChoices)
    }
  })

  test('is in the manual, with its options and examples', () => {
    const page = plain(path[0]!)
    expect(plain('symbol')).toContain('.SH "EXIT STATUS"')
    expect(page).toContain(command.description().replaceAll('\\', '\\\\'))
    for (const { flags } of command.options) expect(page).toContain(flags)
    for (const each of helpBehind(command).examples) expect(page).toContain(each)
  })
})

test('what a word may be: files, names of a kernel, values', () => {
  const asked = (...line: readonly string[]) => completionsOf(program, line)
  expect(asked('symbol', '--from', '')).toMatchObject({ files: true, names: undefined })
  expect(asked('symbol', 'vfs_')).toMatchObject({ files: false, names: 'symbol' })
  expect(asked('function', '--json', 'vfs_')).toMatchObject({ names: 'function' })
  expect(asked('type', 'task')).toMatchObject({ names: 'type' })
  expect(asked('probe', 'plan', 'kprobe:vfs')).toMatchObject({ names: 'spec' })
  expect(asked('btf', 'dump', '--module', 'nf')).toMatchObject({ names: 'module' })
  expect(asked('resolve', '')).toMatchObject({ files: true })
  expect(words('--from', 'capture', 'sta')).toContain('status')
  expect(words('symbol', '--', '--')).toEqual([])
  expect(words('completion', '')).toEqual([])
})

test('common options may stand in front of the command', () => {
  expect(withCommonBehind(['--from', 'x', '--json', 'symbol', 'a'])).toEqual(['symbol', 'a', '--from', 'x', '--json'])
  expect(withCommonBehind(['--from=x', 'probe', 'plan', '--', '-a'])).toEqual(['probe', 'plan', '--from=x', '--', '-a'])
  expect(withCommonBehind(['--version'])).toEqual(['--version'])
  expect(withCommonBehind(['symbol', '--json'])).toEqual(['symbol', '--json'])
  expect(withCommonBehind(['--nonsense', 'symbol'])).toEqual(['--nonsense', 'symbol'])
  for (const alone of [['--json'], ['--from'], ['--from', 'x']])
    expect(() => withCommonBehind(alone)).toThrow(/^no command is given beside --/)
})

test('colours: the option, then NO_COLOR, then FORCE_COLOR, then the terminal', () => {
  expect(isColoured(['--color', 'always'], { NO_COLOR: '1' }, false)).toBe(true)
  expect(isColoured(['--color=never'], { FORCE_COLOR: '1' }, true)).toBe(false)
  expect(isColoured(['--color=always', '--color=auto'], {}, false)).toBe(false)
  expect(isColoured(['--', '--color=always'], {}, false)).toBe(false)
  expect(isColoured([], { NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false)
  expect(isColoured([], { FORCE_COLOR: '1', TERM: 'dumb' }, false)).toBe(true)
  expect(isColoured([], { FORCE_COLOR: '0' }, true)).toBe(false)
  expect(isColoured([], { TERM: 'dumb' }, true)).toBe(false)
  expect(isColoured([], { TERM: 'xterm' }, true)).toBe(true)
})

describe('shells', () => {
  const has = (shell: string) =>
    ['/bin', '/usr/bin', '/usr/local/bin'].some((folder) => existsSync(`${folder}/${shell}`))
  const command = `kerndex() { '${process.execPath}' '${MAIN}' "$@"; }\n`
  const cache = mkdtempSync(join(tmpdir(), 'kerndex-completion-'))
  const env = { ...process.env, HOME: '/nonexistent', XDG_CACHE_HOME: cache }
  const run = (shell: string, args: readonly string[], script: string) =>
    execFileSync(shell, [...args, script], { encoding: 'utf8', env })

  beforeAll(async () => {
    mkdirSync(join(cache, 'kerndex'), { mode: 0o700 })
    const file = join(cache, 'kerndex', `${'ab'.repeat(20)}-00000000-0000-4000-8000-000000000000.kerndex`)
    const [outcome] = await kerndexes([['snapshot', 'save', file, '--from', CAPTURE, '--threads', '0']])
    expect(outcome).toMatchObject({ code: 0 })
  })
  afterAll(() => rmSync(cache, { recursive: true }))

  /** What names of the cache begin so, whichever shell asks. */
  const NAMES: readonly (readonly [line: readonly string[], completed: string])[] = [
    [['symbol', 'vfs_readl'], 'vfs_readlink'],
    [['symbol', '--from=x', 'virtio_pci:vp_n'], 'virtio_pci:vp_notify'],
    [['type', 'task_str'], 'task_struct'],
    [['function', 'vfs_readl'], 'vfs_readlink'],
    [['btf', 'dump', '--module', 'virtio_b'], 'virtio_blk'],
    [['probe', 'plan', 'kprobe:vfs_readl'], 'kprobe:vfs_readlink'],
  ]

  test('bash', () => {
    const script = `${command}source <(kerndex completion bash)\nCOMP_WORDS=(kerndex func) COMP_CWORD=1; _kerndex; echo "\${COMPREPLY[@]}"
COMP_WORDS=(kerndex symbol --fro) COMP_CWORD=2; _kerndex; echo "\${COMPREPLY[@]}"`
    expect(run('bash', ['--norc', '-c'], script)).toBe('function\n--from\n')
    // As bash parts words, and what stands behind the last colon is what it puts an answer in the place of.
    const parted = (line: readonly string[]) => line.flatMap((word) => word.split(/([:=])/)).map((word) => `'${word}'`)
    const asked = NAMES.map(
      ([line]) =>
        `COMP_WORDS=(kerndex ${parted(line).join(' ')}) COMP_CWORD=${parted(line).length}; _kerndex; echo "\${COMPREPLY[@]}"\n`,
    )
    const source = `${command}source <(kerndex completion bash)\nCOMP_WORDBREAKS=' :='\n`
    expect(run('bash', ['--norc', '-c'], source + asked.join(''))).toBe(
      NAMES.map(([, completed]) => `${completed.replace(/.*:/, '')}\n`).join(''),
    )
  })

  test.skipIf(!has('zsh'))('zsh', () => {
    const script = `${command}compdef() { print defined $1 $2 }\n_describe() { print -rl -- \${(P)2} }\neval "$(kerndex completion zsh)"
words=(kerndex probe p) CURRENT=3; _kerndex`
    const asked = NAMES.map(([line]) => `words=(kerndex ${line.join(' ')}) CURRENT=${line.length + 1}; _kerndex\n`)
    const [defined, plan, ...names] = run('zsh', ['-f', '-c'], `${script}\n${asked.join('')}`)
      .trim()
      .split('\n')
    expect([defined, plan]).toEqual(['defined _kerndex kerndex', expect.stringMatching(/^plan:verdict/)])
    // The first colon that is no part of a name parts it from its help.
    const answer = (name: string) => `${name.replaceAll(':', '\\:')}:${name}`
    expect(names).toEqual(NAMES.map(([, completed]) => answer(completed)))
  })

  test.skipIf(!has('fish'))('fish', () => {
    const script = `function kerndex; '${process.execPath}' '${MAIN}' $argv; end
kerndex completion fish | source
complete -C 'kerndex snapshot in'`
    const asked = NAMES.map(([line]) => `complete -C 'kerndex ${line.join(' ')}'\n`)
    const [info, ...names] = run('fish', ['--no-config', '-c'], `${script}\n${asked.join('')}`)
      .trim()
      .split('\n')
    expect(info).toMatch(/^info\t/)
    expect(names).toEqual(NAMES.map(([, completed]) => completed))
  })

  test('others are refused', async () => {
    const [outcome] = await kerndexes([['completion', 'basj']])
    expect(outcome).toMatchObject({ code: 2, stdout: '' })
    expect(outcome!.stderr).toMatch(/^kerndex: the shell must be bash, zsh or fish; did you mean "bash"\?/)
  })
})

test('names that are not there: which was meant, and whether the module is', async () => {
  const from = ['--from', 'fixtures/debian-6.1-amd64']
  const outcomes = await kerndexes([
    ['symbol', 'vfs_raed', 'virtio_pcj:vp_notify', ...from],
    [...from, 'function', 'vfs_raed'],
    ['type', 'task_strict', ...from],
    ['symbol', 'vfs_read', '--threads', '257', ...from],
  ])
  const [symbol, func, type, threads] = outcomes.map(({ stderr }) => stderr)
  expect(symbol).toContain('did you mean "vfs_read"?')
  expect(symbol).toContain('no module virtio_pcj is loaded; did you mean "virtio_pci"?')
  expect(func).toContain('did you mean "vfs_read"?')
  expect(type).toContain('did you mean "task_struct"?')
  expect(threads).toContain('a whole number from 0 to 256 is needed')
  expect(threads).toMatch(/^kerndex: /)
})
