// Events of a live stream, line by line: the same as those of its stretches, whatever pieces they come in.

import { expect, it } from 'vitest'
import type { TraceEvent } from '../../src/events/event.ts'
import { inputFormat } from '../../src/events/formats.ts'
import { readEvents } from '../../src/events/live.ts'
import { decode, HOST, inPieces, sample } from './samples.ts'

async function all(bytes: Buffer, format: string, ...lengths: number[]) {
  const events: TraceEvent[] = []
  const bad: [number, string][] = []
  const take = (line: number, reason: string) => bad.push([line, reason])
  for await (const event of readEvents(inPieces(bytes, ...lengths), inputFormat(format), take)) events.push(event)
  return { events, bad }
}

it.each([
  ['ftrace', 'ftrace-stack-symaddr.txt'],
  ['perf-script', 'perf-script-taskevents.txt'],
  ['bpftrace', 'bpftrace-kstack.txt'],
])('%s: the same events whole, in pieces and one byte at a time', async (format, name) => {
  const bytes = sample(HOST, name)
  const { events, bad } = decode(format, bytes.toString('latin1'))
  const expected = { events, bad }
  expect(expected.events.length).toBeGreaterThan(50)
  for (const lengths of [[1 << 20], [7, 4096, 1]]) expect(await all(bytes, format, ...lengths)).toEqual(expected)
})

it('bytes that are no UTF-8 come through, and a torn line is told of', async () => {
  const text = Buffer.from('{"type":"exit","pid":1,"comm":"\xff"}\n{"type', 'latin1')
  const { events, bad } = await all(text, 'ndjson', 1)
  expect(events).toHaveLength(1)
  // JSON text is decoded as a whole, and each of its bytes then stands for itself.
  expect(events[0]?.comm).toBe('\udcff')
  expect(bad.map(([line]) => line)).toEqual([1])
})

it('an event is there as soon as the next one begins, not when the stream ends', async () => {
  let more: () => void = () => {}
  async function* stream() {
    yield Buffer.from('  x-5 [000] .....  1.000001: sched_waking: a\n  x-6 [000] .....  1.000002: sched_waking: b\n')
    await new Promise<void>((resume) => {
      more = resume
    })
  }
  const events = readEvents(stream(), inputFormat('ftrace'))
  expect((await events.next()).value).toMatchObject({ tid: 5 })
  more()
  expect((await events.next()).value).toMatchObject({ tid: 6 })
})

it('a line without end is told of with its beginning, and costs neither memory nor the lines after it', async () => {
  const head = 'x'.repeat(1000)
  const piece = Buffer.alloc(1 << 20, 'y')
  async function* stream() {
    yield Buffer.from('{"type":"exit","pid":1}\n')
    yield Buffer.from(head)
    for (let i = 0; i < 20; i++) yield piece
    yield Buffer.from('end\n{"type":"exit","pid":2}\n{"ty')
    yield Buffer.from('pe":"exit","pid":3}\n')
  }
  const bad: [number, string, string][] = []
  const pids: (number | undefined)[] = []
  const take = (line: number, reason: string, text: string) => bad.push([line, reason, text])
  for await (const { pid } of readEvents(stream(), inputFormat('ndjson'), take)) pids.push(pid)
  expect(pids).toEqual([1, 2, 3])
  expect(bad.map(([line, reason]) => [line, reason])).toEqual([[1, 'a line of more than 8388608 bytes']])
  expect(bad[0]?.[2].length).toBe(8388608)
  expect(bad[0]?.[2].startsWith(`${head}yyy`)).toBe(true)
})

it('too long lines within one piece are told of one by one', async () => {
  const long = 'z'.repeat(8388609)
  const text = Buffer.from(`${long}\n{"type":"exit","pid":1}\n${long}\n{"type":"exit","pid":2}\n${long}`)
  for (const length of [text.length, 1_000_003]) {
    const { events, bad } = await all(text, 'ndjson', length)
    expect(events.map(({ pid }) => pid)).toEqual([1, 2])
    expect(bad.map(([line]) => line)).toEqual([0, 2, 4])
  }
})
