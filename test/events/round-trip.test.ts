// Text that was put into words is text of the same format: read again it comes out as it is, and its stacks are the same.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Snapshot } from '../../src/load/snapshot.ts'
import { DEBIAN, HOST, output, sample, snapshotOf } from './samples.ts'

let snapshots: ReadonlyMap<string, Snapshot>
beforeAll(async () => {
  snapshots = new Map([
    [HOST, await snapshotOf(HOST)],
    [DEBIAN, await snapshotOf(DEBIAN)],
  ])
})
const symbolsOf = (capture: string): Snapshot => {
  const snapshot = snapshots.get(capture)
  if (snapshot === undefined) throw new Error(capture)
  return snapshot
}

/** As the tools print it without symbols: what a resolver has most to add to. */
const withoutNames = (text: Buffer) =>
  Buffer.from(text.toString('latin1').replaceAll(/^(\t *[0-9a-f]{5,16}) .*$/gm, '$1'), 'latin1')
const unknown = (text: Buffer) =>
  Buffer.from(text.toString('latin1').replaceAll(/^(\t *[0-9a-f]{5,16}) .*( \(.*\))$/gm, '$1 [unknown]$2'), 'latin1')
/** bpftrace's kstack(raw), and kstack(perf), of the addresses of perf's frames. */
const asBpftrace = (text: Buffer) => {
  const stacks = text.toString('latin1').match(/(?:^\t *ffffffff[0-9a-f]{8} .*\n)+/gm) ?? []
  return Buffer.from(
    stacks.map((stack, i) => `@[\n${stack.replaceAll(/^\t *([0-9a-f]+) .*$/gm, '    $1')}, sh]: ${i}\n`).join(''),
  )
}

const recordings: [string, string, string, (text: Buffer) => Buffer][] = [
  ...[HOST, DEBIAN].flatMap((capture): [string, string, string, (text: Buffer) => Buffer][] => {
    const name = capture === HOST ? 'perf-script-pidtid.txt' : 'perf-script.txt'
    return [
      ['perf', capture, name, (text) => text],
      ['perf without names', capture, name, withoutNames],
      ['perf with unknown names', capture, name, unknown],
      ['bpftrace raw', capture, name, asBpftrace],
      ['bpftrace', capture, 'bpftrace-kstack.txt', (text) => text],
      ['/proc/PID/stack', capture, 'proc-pid-stack.txt', (text) => text],
    ]
  }),
  ...['perf-script-default.txt', 'perf-script-sched.txt', 'perf-script-taskevents.txt', 'proc-pid-stack-many.txt'].map(
    (name): [string, string, string, (text: Buffer) => Buffer] => [name, HOST, name, (text) => text],
  ),
  ...['plain', 'symaddr', 'symoffset'].map((name): [string, string, string, (text: Buffer) => Buffer] => [
    `ftrace ${name}`,
    HOST,
    `ftrace-stack-${name}.txt`,
    (text) => text,
  ]),
]

describe('text in words', () => {
  it.each(recordings)('of %s (%s, %s) is read again as it is', async (_, capture, name, change) => {
    const snapshot = symbolsOf(capture)
    const all = sample(capture, name)
    const perf = name.startsWith('perf')
    const text = change(perf ? all.subarray(0, all.indexOf('\n\n', Math.min(400_000, all.length - 10)) + 2) : all)
    const once = await output(text, snapshot, 'text')
    expect((await output(once, snapshot, 'text')).equals(once)).toBe(true)
    const stacks = async (of: Buffer) => {
      const lines = (await output(of, snapshot, 'ndjson')).toString().trim().split('\n')
      return lines.map((line) => {
        const { kernel_stack } = JSON.parse(line) as { kernel_stack?: { symbol: string; offset: number }[] }
        return kernel_stack?.map(({ symbol, offset }) => [symbol, offset])
      })
    }
    expect(await stacks(once)).toEqual(await stacks(text))
  })
})
