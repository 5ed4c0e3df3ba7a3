// A stream that keeps processes itself, as tetragon does: its ids, parents and ancestors are used and kept, also of processes
// that it only mentions.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Enricher } from '../../src/events/enrich.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import { run, snapshotOfText } from './samples.ts'

const made = gunzipSync(
  readFileSync(fileURLToPath(new URL('../../fixtures/events/tetragon/made.jsonl.gz', import.meta.url))),
).toString()

interface Process {
  readonly exec_id: string
  readonly pid: number
  readonly tid: number
  readonly binary?: string
  readonly parent_exec_id?: string
  readonly previous_exec_id?: string
}

interface Enriched {
  readonly type: string
  readonly process: Process
  readonly parent: Process | null
  readonly ancestors: readonly Process[]
  readonly warnings?: readonly string[]
  readonly incomplete?: readonly string[]
}

async function enrich(text: string) {
  const snapshot = await snapshotOfText('ffffffff81000000 T _stext\nffffffff81000200 T _etext\n')
  const cache = new ProcessCache({ node: 'other' })
  const enricher = new Enricher(cache, { generation: 1, output: 'ndjson', ancestors: true })
  let written = ''
  for (const { parts } of await run(Buffer.from(text), snapshot, 'parts', { input: 'tetragon' })) {
    if (parts !== undefined) written += Buffer.from(enricher.push(parts)).toString()
  }
  written += Buffer.from(enricher.end()).toString()
  const lines = written.trim().split('\n')
  return { events: lines.map((line): Enriched => JSON.parse(line)), cache }
}

interface Told {
  readonly process: Process
  readonly parent: Process
}

/** What the stream itself says of each event's process and parent. */
const told = made
  .trim()
  .split('\n')
  .map((line): Told => {
    const event: Record<string, Told> = JSON.parse(line)
    return Object.entries(event).find(([key]) => key.startsWith('process_'))![1]
  })
const idOf = (pid: number, start: string) => Buffer.from(`n1:${start}:${pid}`).toString('base64')

describe('a stream with ids of its own', () => {
  it('has them kept, with its parents', async () => {
    const { events } = await enrich(made)
    expect(events.map(({ process, parent }) => [process.exec_id, process.parent_exec_id, parent?.exec_id])).toEqual(
      told.map(({ process, parent }) => [process.exec_id, process.parent_exec_id, parent.exec_id]),
    )
    expect(events.every(({ incomplete }) => incomplete === undefined)).toBe(true)
  })
  it('has the same for events in any order', async () => {
    const lines = made.trim().split('\n')
    const { events } = await enrich(lines.toReversed().join('\n'))
    expect(events.map(({ process, parent }) => [process.exec_id, parent?.exec_id]).reverse()).toEqual(
      told.map(({ process, parent }) => [process.exec_id, parent.exec_id]),
    )
  })
  it('has the ancestors that its events tell of, each event a part', async () => {
    const { events } = await enrich(made)
    const ls = events.find(({ process }) => process.binary === '/bin/ls')
    // The image before is the parent, as tetragon sees it.
    expect(ls?.process.previous_exec_id).toBe(idOf(200, '11000000000'))
    expect(ls?.ancestors.map(({ exec_id }) => exec_id)).toEqual([idOf(100, '10000000000'), idOf(1, '1000000000')])
  })
  it('knows clones without an exec from what events say of them', async () => {
    const { events } = await enrich(made)
    const ofClone = events.filter(({ process }) => process.pid === 210)
    expect(ofClone.map(({ type, process }) => [type, process.binary])).toEqual([
      ['kprobe', '/bin/bash'],
      ['exit', '/bin/bash'],
    ])
  })
  it('gives a number that is used again nothing of the dead one', async () => {
    const { events, cache } = await enrich(made)
    const two = events.find(({ process }) => process.binary === '/bin/two')
    expect([two?.parent?.pid, two?.process.previous_exec_id]).toEqual([101, undefined])
    expect(cache.counters.pidReuses).toBe(1)
  })
  it('has TID = PID in exec and exit, and its own in probes', async () => {
    const { events } = await enrich(made)
    expect(events.map(({ process, warnings }) => [process.pid, process.tid, warnings])).toEqual(
      told.map(({ process: { pid, tid } }, i) => {
        const isProbe = events[i]?.type === 'kprobe'
        return [pid, isProbe ? tid : pid, !isProbe && tid !== pid ? ['tid_mismatch'] : undefined]
      }),
    )
  })
  it('leaves nothing behind once all have ended', async () => {
    const { cache } = await enrich(made)
    const ended = cache.entries().filter(({ alive }) => !alive)
    expect(ended.map(({ snapshot }) => snapshot.binary).sort()).toEqual([
      '/bin/bash',
      '/bin/cat',
      '/bin/ls',
      '/bin/mm',
      '/bin/one',
    ])
    expect(cache.counters.refcountUnderflows).toEqual({ process: 0, parent: 0 })
    cache.tick()
    cache.tick()
    // init, bash, zsh, /bin/two: those that were not seen to end.
    expect(cache.entries().map(({ snapshot }) => snapshot.pid)).toEqual([1, 100, 101, 300])
  })
})

describe('what the rate limit of the export kept back', () => {
  const lines = made.trim().split('\n')
  /** The stream with a loss behind its first half, written as protobuf's JSON has numbers, or as Go's has. */
  const lossy = (count: string) => [
    ...lines.slice(0, 6),
    `{"rate_limit_info":{"number_of_dropped_process_events":${count}},"node_name":"n1","time":"2026-11-28T20:00:12Z"}`,
    ...lines.slice(6),
    '{"process_kprobe":{"process":{"pid":1}},"time":"2026-11-28T20:00:24Z"}',
  ]
  it.each(['"25"', '25'])('is lost, and counted: %s', async (count) => {
    const { events, cache } = await enrich(lossy(count).join('\n'))
    expect(events.filter(({ type }) => type === 'lost')).toHaveLength(1)
    expect(events[6]).toMatchObject({ type: 'lost', process: null, parent: null })
    expect(cache.counters.lostEvents).toBe(25)
  })
  it('marks what names a process only by its number, not what describes it', async () => {
    const { events } = await enrich(lossy('"25"').join('\n'))
    const marked = events.map(({ incomplete }) => incomplete?.includes('lost_events') === true)
    expect(marked).toEqual(events.map((_, i) => i === events.length - 1))
  })
})
