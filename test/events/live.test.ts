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
  const expected = decode(format, bytes.toString('latin1'))
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
