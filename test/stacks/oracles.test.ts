// Real stacks against what the tools that took them said: perf's own symbols, the kernel's names, offsets and sizes.

import { beforeAll, describe, expect, it } from 'vitest'
import type { TraceEvent } from '../../src/events/event.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import type { Frame, RawFrame } from '../../src/stacks/frame.ts'
import { StackResolver } from '../../src/stacks/resolve.ts'
import { DEBIAN, decode, HOST, sample, snapshotOf } from '../events/samples.ts'

let host: Snapshot
let debian: Snapshot
beforeAll(async () => {
  host = await snapshotOf(HOST)
  debian = await snapshotOf(DEBIAN)
})

/** Each kernel frame that has an address, as printed and as resolved. */
function frames(
  events: readonly TraceEvent[],
  resolver: StackResolver,
): { raw: RawFrame; frame: Frame; outer: Frame[] }[] {
  const pairs: { raw: RawFrame; frame: Frame; outer: Frame[] }[] = []
  for (const { frames: raws, shape } of events) {
    const all = resolver.resolve(raws, shape)
    all.forEach((frame, i) => {
      if (!frame.user) pairs.push({ raw: raws[i]!, frame, outer: all.slice(Math.max(0, i - 1), i) })
    })
  }
  return pairs
}

const inWords = ({ name, offset }: RawFrame) => `${name}+0x${offset?.toString(16)}`

describe.each([
  ['x86 6.18, one image', HOST, 'perf-script-default.txt', 2_500, 1],
  ['x86 6.1 with modules', DEBIAN, 'perf-script.txt', 70_000, 0],
])('perf script of %s', (_, capture, name, least, places) => {
  it('reads in raw mode as perf printed it, in every kernel frame', async () => {
    const { symbols } = await snapshotOf(capture)
    const { events, bad } = decode('perf-script', sample(capture, name).toString('latin1'))
    expect(bad).toEqual([])
    const pairs = frames(events, new StackResolver(symbols, { mode: 'raw' })).filter(
      ({ raw }) => raw.name !== undefined && raw.offset !== undefined,
    )
    expect(pairs.length).toBeGreaterThan(least)
    const wrong = pairs.filter(({ raw, frame }) => {
      const names = [frame.symbol, ...frame.aliases]
      // perf prints the name of the last alias, kerndex that of the first, as the kernel does.
      return !names.includes(raw.name ?? '') || frame.offset !== raw.offset || frame.owner !== raw.owner
    })
    expect(wrong.map(({ raw, frame }) => `${inWords(raw)} ${frame.symbol}`)).toEqual([])
  })

  it('differs in return mode only where a call was the last instruction of its function', async () => {
    const { symbols } = await snapshotOf(capture)
    const { events } = decode('perf-script', sample(capture, name).toString('latin1'))
    const different = frames(events, new StackResolver(symbols)).filter(
      ({ raw, frame }) => raw.offset !== undefined && frame.offset !== raw.offset,
    )
    expect(new Set(different.map(({ raw }) => raw.address)).size).toBe(places)
    for (const { raw, frame } of different) {
      expect(raw.offset).toBe(0)
      expect(frame.offset).toBe(frame.size)
    }
  })
})

it('names the caller of x86_64_start_kernel, which never returns, as the kernel does', () => {
  const { events } = decode('perf-script', sample(HOST, 'perf-script-default.txt').toString('latin1'))
  const words = new Map<string, number>()
  for (const { raw, frame } of frames(events, new StackResolver(host.symbols))) {
    if (frame.offset === raw.offset) continue
    const key = `${inWords(raw)} -> ${frame.symbol}+0x${frame.offset?.toString(16)}`
    words.set(key, (words.get(key) ?? 0) + 1)
  }
  // The one stack with an interrupted PC at the start of do_anonymous_page is in this sample and must not differ.
  expect([...words.keys()]).toEqual(['__pfx_clear_bss+0x0 -> x86_64_start_reservations+0x20'])
})

it('takes the frame outside of an interrupt entry for the PC that it is', () => {
  const { events } = decode('perf-script', sample(HOST, 'perf-script-default.txt').toString('latin1'))
  const interrupted = frames(events, new StackResolver(host.symbols)).filter(({ outer }) => outer[0]?.entry)
  expect(interrupted.length).toBeGreaterThan(0)
  const start = interrupted.filter(({ raw }) => raw.offset === 0)
  expect(start.map(({ frame }) => [frame.symbol, frame.offset])).toEqual([['do_anonymous_page', 0]])
})

describe('ftrace', () => {
  const words = (mode: string) => decode('ftrace', sample(HOST, `ftrace-stack-${mode}.txt`).toString('latin1'))

  it('has the names, offsets, sizes and addresses that the kernel printed', () => {
    const { events, bad } = words('symaddr')
    expect(bad).toEqual([])
    const pairs = frames(events, new StackResolver(host.symbols))
    expect(pairs).toHaveLength(1317)
    for (const { raw, frame } of pairs) {
      expect([frame.symbol, frame.offset, frame.size]).toEqual([raw.name, raw.offset, raw.size])
    }
  })

  it('finds the addresses back from name, offset and size', () => {
    const known = words('symaddr').events.flatMap((event) => event.frames.map(({ address }) => address))
    const found = frames(words('symoffset').events, new StackResolver(host.symbols)).map(({ frame }) => frame.address)
    expect(found).toEqual(known)
  })

  it('keeps bare names, and knows what is known of them', () => {
    const pairs = frames(words('plain').events, new StackResolver(host.symbols))
    expect(pairs).toHaveLength(1317)
    const { frame } = pairs[2]!
    expect([frame.symbol, frame.offset, frame.address]).toEqual(['kernel_clone', null, undefined])
    expect(frame.size).toBe(0x3e0)
  })
})

describe('/proc/PID/stack', () => {
  it.each([
    [HOST, 'proc-pid-stack.txt', 13],
    [HOST, 'proc-pid-stack-many.txt', 2851],
    [DEBIAN, 'proc-pid-stack.txt', 1158],
  ])('%s %s: every frame finds back to one address with the printed size', async (capture, name, count) => {
    const { symbols } = await snapshotOf(capture)
    const { events, bad } = decode('proc-stack', sample(capture, name).toString('latin1'))
    expect(bad).toEqual([])
    const pairs = frames(events, new StackResolver(symbols))
    expect(pairs).toHaveLength(count)
    for (const { raw, frame } of pairs) {
      expect(frame.reason).toBeUndefined()
      expect([frame.symbol, frame.offset, frame.size, frame.owner]).toEqual([
        raw.name,
        raw.offset,
        raw.size,
        raw.owner ?? 'vmlinux',
      ])
    }
  })
})

it('bpftrace with addresses agrees with its own decimal offsets', () => {
  const { events } = decode('bpftrace', sample(DEBIAN, 'bpftrace-kstack.txt').toString('latin1'))
  const pairs = frames(events, new StackResolver(debian.symbols, { mode: 'raw' })).filter(
    // The trampolines of tracers have no names of their own in kallsyms of 6.1.
    ({ raw, frame }) => raw.address !== undefined && frame.symbol !== null && raw.name !== undefined,
  )
  expect(pairs.length).toBeGreaterThan(5_000)
  const wrong = pairs.filter(
    ({ raw, frame }) => ![frame.symbol, ...frame.aliases].includes(raw.name ?? '') || frame.offset !== raw.offset,
  )
  expect(wrong.map(({ raw, frame }) => `${inWords(raw)} ${frame.symbol}`)).toEqual([])
})
