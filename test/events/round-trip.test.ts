// Text that was put into words is text of the same format: read again it comes out as it is, and its stacks are the same.

import { beforeAll, describe, expect, it } from 'vitest'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { same } from '../same.ts'
import { DEBIAN, HOST, output, sample, snapshotOf, snapshotOfText } from './samples.ts'

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

/** Addresses as people list them, of the recording's frames, and lists of symbols. */
const asAddresses = (text: Buffer) =>
  Buffer.from(`${[...new Set(text.toString('latin1').match(/\bffffffff[0-9a-f]{8}\b/g))].join('\n')}\n`)
const asList = (text: Buffer) =>
  Buffer.from(
    asAddresses(text)
      .toString()
      .replaceAll(/^(.*)$/gm, (line) => (line === '' ? '' : `${line} t f`)),
  )
/** A log whose traces are those of /proc, of which every other is an interrupted one's. */
const asLog = (text: Buffer) =>
  Buffer.from(
    text
      .toString('latin1')
      .split(/^== .*$/m)
      .map((stack, i) => {
        const frames = stack.split('\n').flatMap((line) => /^\[<0>\] (\S+)(?: \[\S+\])?$/.exec(line)?.[1] ?? [])
        const trace = [
          `CPU: 0 PID: ${i} Comm: x`,
          ...(i % 2 === 0 ? [`RIP: 0010:${frames[0]}`] : []),
          'Call Trace:',
          ' <TASK>',
        ]
        return [...trace, ...frames.map((frame) => ` ${frame}`), ' </TASK>', '']
          .map((line) => `[  1.000000] ${line}`)
          .join('\n')
      })
      .join('\n'),
  )

/** perf's stacks as stackcollapse folds them, kernel frames marked, each with a count. */
const asFolded = (text: Buffer) =>
  Buffer.from(
    text
      .toString('latin1')
      .split('\n\n')
      .flatMap((sample, i) => {
        const frames = [...sample.matchAll(/^\t *([0-9a-f]+) (\S+?)(?:\+0x[0-9a-f]+)? \(/gm)]
        const names = frames.map(([, address = '', name = '']) => (address.length === 16 ? `${name}_[k]` : name))
        return names.length === 0 ? [] : [`${names.reverse().join(';')} ${i + 1}\n`]
      })
      .join(''),
  )

/** Reports with stacks of their own, registers within a trace, frames that lay on the stack, and hidden addresses. */
const REPORTS = `[    5.000001] BUG: KASAN: slab-use-after-free in vfs_read+0x10/0x330
[    5.000002] Read of size 8 at addr ffff888012345678 by task cat/4711
[    5.000003] CPU: 1 PID: 4711 Comm: cat Not tainted 6.1.0 #1
[    5.000004] Call Trace:
[    5.000005]  <TASK>
[    5.000006]  dump_stack_lvl+0x45/0x5c
[    5.000007]  ? __pfx_vfs_read+0x10/0x10
[    5.000008]  vfs_read+0x0/0x330
[    5.000009] RIP: 0010:do_idle+0x206/0x2a0
[    5.000010] RSP: 0018:ffffb1e2c00afed8 EFLAGS: 00000202
[    5.000011]  ksys_read+0x6b/0xf0
[    5.000012]  gone_fn+0x10/0x20 [gone]
[    5.000013]  </TASK>
[    5.000014] 
[    5.000015] Allocated by task 4710:
[    5.000016]  kmem_cache_alloc+0x1b5/0x3d0
[    5.000017]  do_sys_openat2+0x97/0x160
[    5.000018] 
[    5.000019] Freed by task 0:
[    5.000020]  kmem_cache_free+0x9a/0x3d0
[    5.000021] pc : [<00000000d4b3b027>]    lr : [<ffffffff81001010>]
[    5.000022] PC is at vfs_read+0x10/0x330
[    5.000023] Backtrace:
[    5.000024] [<00000000d4b3b027>] (vfs_read) from [<00000000d4b3b028>] (ksys_read+0x6b/0xf0)
[    5.000025]  r5:00000001
`
const asReports = () => Buffer.from(REPORTS)

recordings.push(
  ['folded', HOST, 'perf-script-pidtid.txt', asFolded],
  ['folded', DEBIAN, 'perf-script.txt', asFolded],
  ['log', HOST, 'perf-script-pidtid.txt', asReports],
  ['log', DEBIAN, 'perf-script.txt', asReports],
  ['addresses', HOST, 'perf-script-default.txt', asAddresses],
  ['addresses', DEBIAN, 'perf-script.txt', asAddresses],
  ['symbols', HOST, 'perf-script-default.txt', asList],
  ['oops', HOST, 'proc-pid-stack-many.txt', asLog],
)

describe('text in words', () => {
  it.each(recordings)('of %s (%s, %s) is read again as it is', async (kind, capture, name, change) => {
    const snapshot = symbolsOf(capture)
    const all = sample(capture, name)
    const perf = name.startsWith('perf')
    // Lists of addresses and symbols look like each other, and in words like nothing.
    const input = ['addresses', 'symbols', 'oops'].find((format) => format === kind)
    const options = input === undefined ? {} : { input }
    const text = change(perf ? all.subarray(0, all.indexOf('\n\n', Math.min(150_000, all.length - 10)) + 2) : all)
    const once = await output(text, snapshot, 'text', options)
    const again = kind === 'addresses' ? { input: 'any-text' } : options
    expect((await output(once, snapshot, 'text', again)).equals(once)).toBe(true)
    if (kind === 'addresses') return
    const stacks = async (of: Buffer) => {
      const lines = (await output(of, snapshot, 'ndjson', options)).toString().trim().split('\n')
      return lines.map((line) => {
        const { kernel_stack } = JSON.parse(line) as { kernel_stack?: { symbol: string; offset: number }[] }
        return kernel_stack?.map(({ symbol, offset }) => [symbol, offset])
      })
    }
    same(await stacks(once), await stacks(text))
  })
})

describe('NDJSON', () => {
  it.each([
    ...recordings,
    ...['perf-data-convert.json', 'ftrace-threads.txt'].map((name): (typeof recordings)[number] => [
      name,
      HOST,
      name,
      (text) => text,
    ]),
  ])('of %s (%s, %s) is read again as it is', async (kind, capture, name, change) => {
    const snapshot = symbolsOf(capture)
    const all = sample(capture, name)
    const perf = name.startsWith('perf-script')
    const text = change(perf ? all.subarray(0, all.indexOf('\n\n', Math.min(100_000, all.length - 10)) + 2) : all)
    const input = ['addresses', 'symbols', 'oops'].find((format) => format === kind)
    const once = await output(text, snapshot, 'ndjson', input === undefined ? {} : { input })
    const lines = (bytes: Buffer) =>
      bytes
        .toString()
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line))
    expect(lines(once).length).toBeGreaterThan(kind === 'oops' ? 20 : kind === 'log' ? 3 : 1)
    same(lines(await output(once, snapshot, 'ndjson')), lines(once))
  })

  it('says which frames are PCs, where their place in the stack does not', async () => {
    const log = `[1.000000] RIP: 0010:vfs_read+0x10/0x200
[1.000000] Call Trace:
[1.000000]  ksys_read+0x60/0x200
[1.000000]  panic+0x0/0x1400
[1.000000]  vfs_read+0x20/0x200
`
    const kernel = await snapshotOfText(
      'ffffffff81001200 T vfs_read\nffffffff81001400 T ksys_read\nffffffff81001600 T panic\nffffffff81002a00 T end_fn\n',
    )
    const once = await output(Buffer.from(log), kernel, 'ndjson', { input: 'oops' })
    const { kernel_stack, shape } = JSON.parse(once.toString()) as {
      kernel_stack: { symbol: string; pc?: boolean }[]
      shape: string
    }
    expect(kernel_stack.map(({ symbol, pc }) => [symbol, pc])).toEqual([
      ['vfs_read', true],
      ['ksys_read', undefined],
      ['panic', true],
      ['vfs_read', undefined],
    ])
    expect(shape).toBe('returns')
    expect((await output(once, kernel, 'ndjson')).toString()).toBe(once.toString())
    // The shape that an event came with stays where it was.
    const given = '{"type":"sample","shape":"returns","stack":["0xffffffff81001400"]}\n'
    const [event] = (await output(Buffer.from(given), kernel, 'ndjson')).toString().split('\n')
    expect(JSON.parse(event ?? '')).toMatchObject({
      shape: 'returns',
      kernel_stack: [{ symbol: 'vfs_read', offset: 512 }],
    })
  })
})
