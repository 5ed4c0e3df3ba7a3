// The tools of this machine that do some of the same work: where they are, which version, and a run of one as a whole process.

import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { commandUrl } from '../../src/core/place.ts'

/** How each tool says its version. */
const VERSION_ARGUMENTS = {
  perf: ['--version'],
  bpftrace: ['--version'],
  bpftool: ['version'],
  pahole: ['--version'],
  blazecli: ['--version'],
  drgn: ['--version'],
} as const

export type Tool = keyof typeof VERSION_ARGUMENTS

/** Milliseconds after which a tool is taken to hang. */
const PATIENCE_MS = 120_000
/** Most that a tool may print. */
const MOST_BYTES = 1 << 28

/** The first line of what each tool says of its version; null for one that is not installed or does not run. */
export function toolVersions(): Record<Tool, string | null> {
  const versionOf = (tool: Tool) => {
    const { status, stdout } = spawnSync(tool, VERSION_ARGUMENTS[tool], { encoding: 'utf8', timeout: PATIENCE_MS })
    const first = stdout?.trim().split('\n')[0]
    return status === 0 && first ? first : null
  }
  return {
    perf: versionOf('perf'),
    bpftrace: versionOf('bpftrace'),
    bpftool: versionOf('bpftool'),
    pahole: versionOf('pahole'),
    blazecli: versionOf('blazecli'),
    drgn: versionOf('drgn'),
  }
}

/** A command line, and what it reads on its standard input. */
export interface Run {
  readonly command: string
  readonly args: readonly string[]
  readonly stdin?: string
}

/** The `kerndex` command, as built beside this harness. */
export function kerndexRun(args: readonly string[], stdin?: string): Run {
  const main = fileURLToPath(commandUrl())
  return { command: process.execPath, args: [main, ...args], ...(stdin !== undefined && { stdin }) }
}

/**
 * What a run prints.
 * @throws Error with the last thing it said on stderr if it fails
 */
export function outputOf(run: Run): string {
  return start(run, 'pipe').stdout
}

/** Milliseconds that a run takes from its start to its end, its output thrown away. */
export function timeOf(run: Run): number {
  const begun = performance.now()
  start(run, 'ignore')
  return performance.now() - begun
}

function start({ command, args, stdin }: Run, stdout: 'pipe' | 'ignore'): { stdout: string } {
  const input = stdin === undefined ? 'ignore' : openSync(stdin, 'r')
  try {
    const result = spawnSync(command, args, {
      stdio: [input, stdout, 'pipe'],
      timeout: PATIENCE_MS,
      maxBuffer: MOST_BYTES,
      encoding: 'latin1',
    })
    if (result.error !== undefined) throw result.error
    if (result.status !== 0) {
      throw new Error(`${command} ended with ${result.status ?? result.signal}: ${lastLine(result.stderr)}`)
    }
    return { stdout: result.stdout ?? '' }
  } finally {
    if (input !== 'ignore') closeSync(input)
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
