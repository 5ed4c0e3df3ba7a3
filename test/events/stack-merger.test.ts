// Stacks that were merged before they are looked up: the profile of the merged lines is the profile of every single stack, for
// each format that has stacks, and what comes of hostile lines is said.

import { beforeAll, describe, expect, it } from 'vitest'
import { INPUT_FORMATS } from '../../src/events/formats.ts'
import { foldedLines } from '../../src/events/output/folded.ts'
import { pprofBytes } from '../../src/events/output/pprof.ts'
import { StackMerger } from '../../src/events/stack-merger.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { Profiles } from '../../src/stacks/profile.ts'
import { DEBIAN, decode, HOST, run, sample, snapshotOf } from './samples.ts'

let debian: Snapshot
let host: Snapshot
beforeAll(async () => {
  debian = await snapshotOf(DEBIAN)
  host = await snapshotOf(HOST)
})

const FOLDING = { prefix: 'comm-pid', addresses: true } as const

async function profiles(text: Uint8Array, snapshot: Snapshot, input: string) {
  const all = new Profiles()
  for (const { profile } of await run(text, snapshot, 'profile', { input, folding: FOLDING })) all.merge(profile ?? [])
  return all.all.map((profile) => ({
    event: profile.event,
    events: profile.events,
    time: profile.time,
    measured: [...foldedLines(profile)],
    counted: [...foldedLines(profile, 'events')],
    unit: profile.unit(),
  }))
}

function mergedText(text: Buffer, input: string, pieces = 1 << 20) {
  const merger = new StackMerger({ input, prefix: 'comm-pid' })
  const { events } = merger.add(text)
  const { stacks } = merger
  const lines = [...merger.take(pieces)]
  expect(merger.stacks).toBe(0)
  expect(lines.every((piece) => piece.length <= pieces)).toBe(true)
  return { events, stacks, text: Buffer.concat(lines) }
}

describe('merged stacks', () => {
  it.each([
    ['perf-script', DEBIAN, 'perf-script.txt'],
    ['bpftrace', DEBIAN, 'bpftrace-kstack.txt'],
    ['proc-stack', DEBIAN, 'proc-pid-stack.txt'],
    ['perf-script', HOST, 'perf-script-default.txt'],
    ['perf-script', HOST, 'perf-script-sched.txt'],
    ['ftrace', HOST, 'ftrace-stack-symaddr.txt'],
    ['proc-stack', HOST, 'proc-pid-stack-many.txt'],
  ])('of %s (%s %s) make the profile of all stacks', async (input, capture, name) => {
    const snapshot = capture === HOST ? host : debian
    const format = INPUT_FORMATS.find((one) => one.name.startsWith(input))!.name
    const text = sample(capture, name)
    const whole = await profiles(text, snapshot, format)
    const { text: merged, stacks, events } = mergedText(text, format)
    expect(await profiles(merged, snapshot, 'merged')).toEqual(whole)
    // Events without a stack are counted where they were met, and nothing is sent of them.
    expect(stacks).toBeLessThanOrEqual(events)
    // Merging again what was merged changes nothing.
    const again = mergedText(merged, 'merged')
    expect(again.stacks).toBe(stacks)
    expect(await profiles(again.text, snapshot, 'merged')).toEqual(whole)
  })

  it('come in pieces of whole lines, and a stack that fits in none is told', () => {
    const merger = new StackMerger({ input: 'perf-script' })
    merger.add(sample(DEBIAN, 'perf-script.txt'))
    const pieces = [...merger.take(4096)]
    expect(pieces.length).toBeGreaterThan(10)
    for (const piece of pieces) expect(piece.at(-1)).toBe(10)
    merger.add(sample(DEBIAN, 'perf-script.txt'))
    expect(() => [...merger.take(50)]).toThrow(expect.objectContaining({ code: 'LIMIT' }))
  })

  it('keep names that are no text, and lines that are nothing are told with a reason', () => {
    const bytes = Buffer.from('comm  1/1 1.000000: 7 cycles:\n\tffffffff81000018 f\xff\u0141 (/lib/\xfe)\n\n', 'latin1')
    const { text } = mergedText(bytes, 'perf-script')
    const [event] = decode('merged', text.toString('latin1')).events
    const [original] = decode('perf-script', bytes.toString('latin1')).events
    const bare = ({ column, length, ...frame }: object & { column?: number; length?: number }) => frame
    expect(event?.frames.map(bare)).toEqual(original?.frames.map(bare))
    expect(event).toMatchObject({ count: 1, weight: 7n, name: 'cycles', ts: 1_000_000_000n, lastTs: 1_000_000_000n })
    const bad = ['{"merged":0,"stack":[]}', '{"merged":1}', '{"merged":1,"stack":["12"]}', '{"merged":1,"stack":[{}]}']
    expect(decode('merged', bad.join('\n')).bad.map(([line]) => line)).toEqual([0, 1, 2, 3])
  })

  it('of a profile in pprof keep its numbers', async () => {
    const all = new Profiles()
    for (const { profile } of await run(sample(DEBIAN, 'perf-script.txt'), debian, 'profile', { folding: FOLDING }))
      all.merge(profile ?? [])
    const pprof = Buffer.from(pprofBytes(all.all[0]!, { title: 't', weighing: 'measured' }))
    const { text } = mergedText(pprof, 'pprof')
    expect(await profiles(text, debian, 'merged')).toEqual(await profiles(pprof, debian, 'pprof'))
  })
})
