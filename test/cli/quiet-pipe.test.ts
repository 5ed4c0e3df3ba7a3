// Wherever the command takes a file, it may be given a pipe that nobody writes to: it refuses that, or waits until Ctrl-C. Which these
// places are is read from the command's own help. The pipe stays open here, so that opening it waits for nobody, but its reading does.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { afterAll, expect, it } from 'vitest'
import { commandsOf, makeProgram } from '../../src/cli/program.ts'
import { fixturePath } from '../fixtures.ts'
import { MAIN } from './run.ts'

const LONG = process.env.KERNDEX_LONG !== undefined
const folder = mkdtempSync(join(tmpdir(), 'kerndex-quiet-'))
// An archive is told by its name.
const PIPES = ['pipe', 'pipe.tar.gz'].map((name) => join(folder, name))
execFileSync('mkfifo', PIPES)
const held = PIPES.map((path) => openSync(path, constants.O_RDWR | constants.O_NONBLOCK))
afterAll(() => {
  for (const each of held) closeSync(each)
  rmSync(folder, { recursive: true })
})

/** How help calls what is read; and options whose file is written. */
const READ = /^(?:file|files|path|capture|source|object|a|b|key\|path)$/
const WRITTEN = /^--(?:to|metrics|dead-letter|dump|report|html|prefix)$/
/** Arguments that name what is written. */
const WRITES = new Set(['capture', 'snapshot save', 'layout', 'catalog export', 'catalog elf'])
/** What a command needs besides, to come to where it reads. */
const BESIDES: Readonly<Record<string, readonly string[]>> = {
  address: ['1'],
  symbol: ['x'],
  type: ['x'],
  function: ['x'],
  'probe list': ['x'],
  'probe plan': ['x'],
  capture: [join(folder, 'out')],
  'snapshot save': [join(folder, 'out')],
  'snapshot verify': [join(folder, 'out')],
  layout: [join(folder, 'out')],
  'btf check': [fixturePath('debian-6.1-amd64/btf/vmlinux.gz')],
  core: [fixturePath('debian-6.1-amd64/btf/vmlinux.gz')],
  'fleet results': ['job'],
}
/** What the short run leaves to the long one: these are opened as others are that it tries. */
const ALIKE = /^fleet --(?:token-file|nkey|creds|tls-.*)$|^btf diff/
/** Commands whose `--from` is tried in the short run; all that read a kernel read it in one of their ways. */
const FROM = new Set(['symbol', 'type', 'capture', 'layout'])

const nameOf = (command: Command): string =>
  command.parent?.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name()

function lines(pipe: string): string[][] {
  const found: string[][] = []
  const shared = new Set<string>()
  for (const command of commandsOf(makeProgram()).filter(({ commands }) => commands.length === 0)) {
    const name = nameOf(command)
    const words = name.split(' ')
    const given = BESIDES[name] ?? []
    if (!WRITES.has(name)) {
      command.registeredArguments.forEach((argument, at) => {
        if (READ.test(argument.name())) found.push([...words, ...Array<string>(at + 1).fill(pipe)])
      })
    }
    for (const { long, flags } of command.options) {
      const value = /<([^>.]+)(?:\.\.\.)?>/.exec(flags)?.[1]
      if (!long || value === undefined || !READ.test(value) || WRITTEN.test(long)) continue
      if (long === '--from' && !LONG && !FROM.has(name)) continue
      // The commands of a fleet reach it in one way.
      const own = words[0] === 'fleet' ? `fleet ${long}` : `${name} ${long}`
      if (shared.has(own) || (!LONG && ALIKE.test(own))) continue
      shared.add(own)
      found.push([...words, ...given, long, pipe])
    }
  }
  return found
}

const has = (pid: number, pipe: string): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === pipe)
  } catch {
    return false
  }
}

const LINES = [...lines(PIPES[0]!), ['catalog', 'import', PIPES[1]!], ['type', 'x', '--from', PIPES[1]!]]

it.each(LINES.map((line) => [line.join(' ').replaceAll(folder, '…'), line] as const))(
  '%s',
  async (_, line) => {
    const child = spawn(process.execPath, [MAIN, ...line], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    const exit = once(child, 'exit')
    const pipe = line.find((word) => PIPES.includes(word))!
    try {
      while (child.exitCode === null && !has(child.pid!, pipe)) await sleep(5)
      const waited = child.exitCode === null
      if (waited) child.kill('SIGINT')
      const [code] = await exit
      expect({ code, said }).toEqual({
        code: expect.toSatisfy((c) => (waited ? c === 130 || c === 3 : typeof c === 'number')),
        said,
      })
    } finally {
      child.kill('SIGKILL')
    }
  },
  20_000,
)
