// Tools that are installed on the machine against the `kerndex` command: whole processes that do the same named work, each
// with its output held against the other's before anything is timed.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Input, vmlinuxOf } from './lib/inputs.ts'
import { seededRandom } from './lib/random.ts'
import type { LeftOut, Row } from './lib/report.ts'
import { compare, summarize } from './lib/stats.ts'
import {
  blazecliFrames,
  compareFrames,
  compareHeaders,
  drgnFrames,
  type Frame,
  framesOf,
  functionsOf,
  placesOf,
  sameLines,
} from './lib/tool-outputs.ts'
import { kerndexRun, outputOf, type Run, type Tool, timeOf, toolVersions } from './lib/tools.ts'

/** The same work by a tool and by kerndex. */
interface Duel {
  readonly what: string
  readonly tool: Tool
  readonly theirs: Run
  readonly ours: Run
  /** Throws unless both did the same work; says in words how much that was. */
  compareOutputs(theirs: string, ours: string): string
}

/** The struct that is printed: one of the largest. */
const STRUCT = 'task_struct'
/** Functions that are listed. */
const GLOB = 'nf_*'
/** Addresses that are named. */
const ADDRESSES = 1_000
/** What perf records to have stacks to name: the forks and reads of a small shell loop. */
const LOAD = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); cat /proc/self/status /proc/self/maps >/dev/null; done'

/** Measures every tool that is there, `processes` times by turns with kerndex; the others are left out, with the reason. */
export function benchTools(input: Input, processes: number, leaveOut: (one: LeftOut) => void): Row[] {
  const versions = toolVersions()
  const scratch = mkdtempSync(join(tmpdir(), 'kerndex-tools-'))
  const skip = (tool: Tool, what: string, why: string) =>
    leaveOut({ suite: 'tools', input: input.name, what: `${what}, ${tool}`, why })
  try {
    return WORKS.flatMap(({ what, tool, prepare }) => {
      if (versions[tool] === null) {
        skip(tool, what, `${tool} is not installed`)
        return []
      }
      try {
        const duel = prepare(input, scratch)
        if (duel === undefined) return []
        const note = duel.compareOutputs(outputOf(duel.theirs), outputOf(duel.ours))
        return rowsOf(input, { ...duel, what, tool }, processes, note)
      } catch (error) {
        skip(tool, what, error instanceof Error ? error.message : String(error))
        return []
      }
    })
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

function rowsOf(input: Input, { what, tool, theirs, ours }: Duel, processes: number, note: string): Row[] {
  const times: { theirs: number[]; ours: number[] } = { theirs: [], ours: [] }
  for (let round = 0; round < processes; round++) {
    if (round % 2 === 0) times.theirs.push(timeOf(theirs))
    times.ours.push(timeOf(ours))
    if (round % 2 === 1) times.theirs.push(timeOf(theirs))
  }
  const common = { suite: 'tools', input: input.name, what, unit: 'ms' } as const
  return [
    { ...common, by: tool, ...summarize(times.theirs), note },
    { ...common, by: 'kerndex command', ...summarize(times.ours), ...compare(tool, times.ours, times.theirs) },
  ]
}

interface Work {
  readonly what: string
  readonly tool: Tool
  /** The duel over an input, or undefined for an input that has nothing to do with it. Throws if it cannot be had. */
  prepare(input: Input, scratch: string): Pair | undefined
}

type Pair = Pick<Duel, 'theirs' | 'ours' | 'compareOutputs'>

/** Work over the types of vmlinux, for inputs that have them. */
const overTypes = (pairOf: (file: string, input: Input) => Pair) => (input: Input) => {
  const file = vmlinuxOf(input)
  return file === undefined ? undefined : pairOf(file, input)
}

const from = (input: Input): string[] => (input.from === undefined ? [] : ['--from', input.from])

const WORKS: readonly Work[] = [
  {
    what: 'raw dump of vmlinux',
    tool: 'bpftool',
    prepare: overTypes((file) => ({
      theirs: { command: 'bpftool', args: ['btf', 'dump', 'file', file, 'format', 'raw'] },
      ours: kerndexRun(['btf', 'dump', file, '--format', 'raw']),
      compareOutputs: (theirs, ours) => sameLines(theirs.trimEnd().split('\n'), ours.trimEnd().split('\n'), 'lines'),
    })),
  },
  {
    what: 'C header of vmlinux, ids in order',
    tool: 'bpftool',
    prepare: overTypes((file) => ({
      theirs: { command: 'bpftool', args: ['btf', 'dump', 'file', file, 'format', 'c', ...unsorted()] },
      ours: kerndexRun(['btf', 'dump', file, '--format', 'c', '--unsorted']),
      compareOutputs: compareHeaders,
    })),
  },
  {
    what: `layout of struct ${STRUCT}`,
    tool: 'pahole',
    prepare: overTypes((file, input) => ({
      theirs: { command: 'pahole', args: ['-C', STRUCT, file] },
      ours: kerndexRun(['type', `struct ${STRUCT}`, ...from(input)]),
      compareOutputs: (theirs, ours) => sameLines(placesOf(theirs), placesOf(ours), 'members with offset and size'),
    })),
  },
  {
    what: `kprobes ${GLOB}`,
    tool: 'bpftrace',
    prepare(input) {
      if (input.from !== undefined) return undefined
      const theirs = { command: 'bpftrace', args: ['-l', `kprobe:${GLOB}`] }
      if (functionsOf(outputOf(theirs)).length === 0) {
        throw new Error('bpftrace lists no kprobes: tracefs or its available_filter_functions cannot be read')
      }
      return {
        theirs,
        ours: kerndexRun(['probe', 'list', `kprobe:${GLOB}`]),
        compareOutputs: (theirs, ours) => sameLines(functionsOf(theirs), functionsOf(ours), 'functions'),
      }
    },
  },
  {
    what: 'name the frames of recorded stacks',
    tool: 'perf',
    prepare(input, scratch) {
      if (input.from !== undefined) return undefined
      const data = join(scratch, 'perf.data')
      const addresses = join(scratch, 'addresses')
      // Into a file of the harness: nothing of it is left behind.
      const record = [
        'record',
        '-q',
        '-o',
        data,
        '-a',
        '-g',
        '--kernel-callchains',
        '-F',
        '2000',
        '-e',
        'cpu-clock:k',
        '--',
        'sh',
        '-c',
        LOAD,
      ]
      execFileSync('perf', record, { stdio: ['ignore', 'ignore', 'pipe'] })
      const theirs = { command: 'perf', args: ['script', '-i', data, '-F', 'ip,sym,symoff'] }
      const frames = framesOf(outputOf(theirs))
      if (frames.length === 0) throw new Error('perf recorded no stack of the kernel')
      writeFileSync(addresses, frames.map(({ address }) => `${address}\n`).join(''))
      return { theirs, ours: kerndexRun(['address'], addresses), compareOutputs: compareFrames('perf', framesOf) }
    },
  },
  {
    what: `name ${ADDRESSES} addresses`,
    tool: 'blazecli',
    prepare(input, scratch) {
      const addresses = addressesIn(input, ADDRESSES)
      // A file with debug information would be another work; it has to be told that there is none.
      const kernel = ['--kallsyms', input.kallsyms, '--vmlinux', '']
      return naming(input, scratch, addresses, {
        theirs: { command: 'blazecli', args: ['symbolize', 'kernel', ...kernel, ...addresses] },
        framesOf: blazecliFrames,
        by: 'blazecli',
      })
    },
  },
  {
    what: `name ${ADDRESSES} addresses`,
    tool: 'drgn',
    prepare(input, scratch) {
      // It reads a running kernel's memory, or a dump.
      if (input.from !== undefined) return undefined
      const script = join(scratch, 'name.py')
      writeFileSync(script, DRGN_SCRIPT)
      const addresses = addressesIn(input, ADDRESSES)
      return naming(input, scratch, addresses, {
        theirs: { command: 'drgn', args: ['-q', '-k', script, ...addresses] },
        framesOf: drgnFrames,
        by: 'drgn',
      })
    },
  },
]

/** A name for each address given, by what drgn knows of the running kernel's symbols. */
const DRGN_SCRIPT = `import sys
for text in sys.argv[1:]:
    address = int(text, 16)
    symbol = prog.symbol(address)
    print(f"{address:016x} {symbol.name}+{address - symbol.address:#x}")
`

/** Addresses a few bytes inside of functions, each of another one. */
function addressesIn({ kallsyms }: Input, count: number): string[] {
  const starts = [...readFileSync(kallsyms, 'latin1').matchAll(/^([0-9a-f]{16}) [tT] /gm)].map(([, start]) => start!)
  const random = seededRandom(1)
  return Array.from({ length: count }, () => `0x${(BigInt(`0x${starts[random(starts.length)]}`) + 1n).toString(16)}`)
}

/** Addresses named by another tool, and by kerndex from the same symbols. */
function naming(
  input: Input,
  scratch: string,
  addresses: readonly string[],
  { theirs, framesOf, by }: { theirs: Run; framesOf(text: string): Frame[]; by: Tool },
): Pair {
  const file = join(scratch, `addresses-${by}`)
  writeFileSync(file, addresses.map((each) => `${each}\n`).join(''))
  return { theirs, ours: kerndexRun(['address', ...from(input)], file), compareOutputs: compareFrames(by, framesOf) }
}

/** The word that asks bpftool for ids in order: older versions know no other order, and refuse it. */
function unsorted(): string[] {
  return /unsorted/.test(spawnSync('bpftool', ['btf', 'help'], { encoding: 'utf8' }).stderr) ? ['unsorted'] : []
}
