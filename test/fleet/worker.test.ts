// What a worker does with pieces that go wrong, with its time, and with its tables: over a queue and a store in memory, with time
// that the test moves.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cleanFleet } from '../../src/fleet/clean.ts'
import { type Job, partitionOf } from '../../src/fleet/job.ts'
import { packAddresses } from '../../src/fleet/packed-addresses.ts'
import { submitJob } from '../../src/fleet/producer.ts'
import { MemoryQueue } from '../../src/fleet/queue.ts'
import { addressLine, addressRows, answersOf, profileOf, progressOf } from '../../src/fleet/results.ts'
import { keyOf, MemoryStore } from '../../src/fleet/store.ts'
import { Tables } from '../../src/fleet/tables.ts'
import { Worker, type WorkerOptions } from '../../src/fleet/worker.ts'
import { saveSnapshot } from '../../src/load/save.ts'
import { Profiles } from '../../src/stacks/profile.ts'
import { DEBIAN, output, run, sample, snapshotOf, snapshotOfText } from '../events/samples.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-worker-'))
const perf = sample(DEBIAN, 'perf-script.txt').subarray(0, 400_000)
const text = perf.subarray(0, perf.lastIndexOf('\n\n') + 2)
const ADDRESSES = packAddresses(new BigUint64Array(2))
let snapshots = 0
const bytesOf = async (snapshot: Awaited<ReturnType<typeof snapshotOf>>) => {
  const file = join(folder, `snapshot-${snapshots++}`)
  await saveSnapshot(snapshot, file)
  return readFileSync(file)
}
let table: Buffer
let key: string
beforeAll(async () => {
  table = await bytesOf(await snapshotOf(DEBIAN))
  key = keyOf(table)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function* whole(bytes: Uint8Array) {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000)
}

async function fleet(room?: number) {
  let now = 0
  const queue = new MemoryQueue({ mostBytes: 1 << 18, now: () => now, ...(room === undefined ? {} : { room }) })
  const store = new MemoryStore()
  await store.put(key, table)
  const tables = new Tables(store)
  const work = async (options: WorkerOptions = {}, from = tables) => {
    const worker = new Worker(queue, from, { idleMs: 0, ...options })
    await worker.run()
    return worker.counts
  }
  return { queue, store, tables, work, pass: (ms: number) => (now += ms) }
}

describe('a job', () => {
  it('of stacks makes the profile of one run, once, however often it is sent', async () => {
    const { queue, work, tables } = await fleet()
    const { job, sent, before } = await submitJob(queue, whole(text), { table: key, pieceBytes: 20_000 })
    expect(sent.pieces).toBeGreaterThan(3)
    expect(before).toBe(0)
    const half = await queue.take(partitionOf(key))
    await half?.done()
    expect((await submitJob(queue, whole(text), { table: key, job: job.name, pieceBytes: 20_000 })).before).toBe(
      sent.pieces - 1,
    )
    expect(await work()).toMatchObject({ pieces: sent.pieces, buried: 0, suppressed: 0 })
    // Sent again when all is done, nothing is to be done any more.
    expect((await submitJob(queue, whole(text), { table: key, job: job.name, pieceBytes: 20_000 })).before).toBe(
      sent.pieces,
    )
    expect(await queue.waiting()).toEqual([])
    const progress = await progressOf(queue, job.name)
    expect(progress.done).toBe(true)
    const parts = await run(text, await snapshotOf(DEBIAN), 'profile', { folding: { prefix: 'comm', addresses: true } })
    const local = parts.flatMap(({ profile }) => profile ?? [])
    const expected = new Profiles()
    expected.merge(local)
    const [made] = (await profileOf(queue, progress)).all
    expect(made?.folded()).toEqual(expected.all[0]?.folded())
    expect([made?.events, made?.time]).toEqual([expected.all[0]?.events, expected.all[0]?.time])
    await tables.close()
  })

  it.each(['text', 'ndjson', 'compact'] as const)('makes the %s of one run, in order', async (product) => {
    const { queue, work, tables } = await fleet()
    const { job } = await submitJob(queue, whole(text), { table: key, product, pieceBytes: 20_000 })
    await work()
    const made: Uint8Array[] = []
    for await (const { bytes } of answersOf(queue, await progressOf(queue, job.name))) made.push(bytes)
    const snapshot = await snapshotOf(DEBIAN)
    const local = (await output(text, snapshot, product)).toString('latin1')
    const here = Buffer.concat(made).toString('latin1')
    // Generations count loads: a worker's table is a first one.
    expect(here).toBe(local.replaceAll(`"generation":${snapshot.generation}}`, '"generation":1}'))
    await tables.close()
  })

  it.each(['ids', 'names'] as const)('makes %s of addresses that read as one run has them', async (product) => {
    const { queue, work, tables } = await fleet()
    const { symbols } = await snapshotOf(DEBIAN)
    const addresses = Array.from({ length: 9_000 }, (_, i) =>
      i % 50 === 0 ? BigInt(i + 1) : symbols.addressOf(i * 7) + BigInt(i % 5),
    )
    const lines = Buffer.from(addresses.map((address) => `0x${address.toString(16)}\n`).join(''))
    const { job, sent } = await submitJob(queue, whole(lines), { table: key, product, pieceBytes: 16_384 })
    expect(sent).toMatchObject({ pieces: 5, events: 9_000 })
    await work()
    let made = ''
    for await (const { bytes } of answersOf(queue, await progressOf(queue, job.name)))
      for (const row of addressRows(bytes, product === 'ids' ? symbols : undefined)) made += addressLine(row)
    expect(made).toBe((await output(lines, await snapshotOf(DEBIAN), 'text')).toString('latin1'))
    await tables.close()
  })

  it.each<[string, object, string]>([
    ['another content under its name', { change: true }, 'another content'],
    ['another table under its name', { table: 'cd'.repeat(32) }, 'already'],
    ['ids of stacks', { product: 'ids', job: 'x' }, 'not made into ids'],
    ['a record that fits in no piece', { product: 'text', job: 'y', pieceBytes: 1024, long: true }, '1024 bytes'],
  ])('refuses %s', async (_, { change, long, ...given }: { change?: boolean; long?: boolean; job?: string }, words) => {
    const { queue } = await fleet()
    await submitJob(queue, whole(text), { table: key, job: 'a' })
    const header = 'a 1/1 1.0: 1 c:\n'
    const other = long
      ? Buffer.from(`${header}\tffffffff81000018 ${'f'.repeat(4000)}\n\n${header}\n`)
      : change
        ? text.subarray(0, 90_000)
        : text
    await expect(submitJob(queue, whole(other), { table: key, job: 'a', ...given })).rejects.toThrow(words)
  })

  it('waits for room, and drops nothing', async () => {
    const { queue, work, tables } = await fleet(70_000)
    let waits = 0
    const sending = submitJob(queue, whole(text), {
      table: key,
      product: 'text',
      pieceBytes: 20_000,
      onWait: () => waits++,
    })
    const done = new AbortController()
    const working = work({ idleMs: undefined, signal: done.signal })
    const { sent, job } = await sending
    done.abort()
    await working
    await work()
    expect(waits).toBeGreaterThan(0)
    expect((await progressOf(queue, job.name)).answered.size).toBe(sent.pieces)
    await tables.close()
  })
})

describe('a worker', () => {
  const job = (name: string, more: Partial<Job> = {}): Job => ({
    name,
    table: key,
    pieces: 'addresses',
    product: 'ids',
    input: 'addresses',
    mode: 'return',
    boot: {},
    prefix: 'comm',
    kernelMark: false,
    userAddresses: false,
    sample: '',
    opened: new Date(0).toISOString(),
    ...more,
  })

  it('gives up what is damaged, with its bytes and a reason, and does the good pieces around it', async () => {
    const { queue, work, tables } = await fleet()
    await queue.openJob(job('a'))
    for (const [number, bytes] of [ADDRESSES, Buffer.from('poison!'), ADDRESSES].entries())
      await queue.submit({ job: 'a', number, bytes }, key)
    expect(await work()).toMatchObject({ pieces: 2, buried: 1, delayed: 0 })
    const letter = await queue.letterOf('a', 1)
    expect(Buffer.from(letter?.bytes ?? []).toString()).toBe('poison!')
    expect(letter).toMatchObject({
      attempts: 1,
      reason: expect.stringMatching(/7 bytes are no packed addresses.*BAD_FORMAT/),
    })
    expect([...(await queue.answered('a'))]).toEqual([0, 2])
    await tables.close()
  })

  it('tries again, later each time, what lacks its table or its job, and gives it up after that', async () => {
    const { queue, work, tables, pass } = await fleet()
    const none = 'ef'.repeat(32)
    await queue.openJob(job('lost', { table: none }))
    await queue.submit({ job: 'lost', number: 0, bytes: ADDRESSES }, none)
    await queue.submit({ job: 'nobody', number: 0, bytes: ADDRESSES }, key)
    for (let attempt = 1; attempt < 3; attempt++) {
      expect(await work({ tableAttempts: 3, delayMs: 100 })).toMatchObject({ delayed: 2, buried: 0 })
      // Too early, nothing comes.
      pass(100 * 2 ** (attempt - 1) - 1)
      expect(await work({ tableAttempts: 3 })).toMatchObject({ delayed: 0, buried: 0, redelivered: 0 })
      pass(1)
    }
    expect(await work({ tableAttempts: 3 })).toMatchObject({ buried: 2, redelivered: 2 })
    expect((await queue.letterOf('lost', 0))?.reason).toContain(none)
    expect((await queue.letterOf('nobody', 0))?.reason).toContain('no job nobody')
    await tables.close()
  })

  it('fetches a damaged table once more, keeps tables for its owner, and bounds what is open and on disk', async () => {
    const { queue, store, work } = await fleet()
    let reads = 0
    const get = store.get.bind(store)
    store.get = async (asked) => {
      const pieces = await get(asked)
      if (reads++ > 0) return pieces
      return (async function* () {
        for await (const piece of pieces) yield piece.subarray(0, piece.length - 100)
      })()
    }
    const directory = join(folder, 'tables')
    const others = await Promise.all(
      ['f', 'g', 'h'].map(async (name) => {
        const bytes = await bytesOf(
          await snapshotOfText(`ffffffff81000000 T _text\nffffffff81000010 T ${name}\nffffffff82000000 T _end\n`),
        )
        await store.put(keyOf(bytes), bytes)
        return keyOf(bytes)
      }),
    )
    const tables = new Tables(store, { directory, open: 2, bytes: 1_000_000 })
    for (const [i, of] of [key, ...others].entries()) {
      await queue.openJob(job(`j${i}`, { table: of }))
      await queue.submit({ job: `j${i}`, number: 0, bytes: ADDRESSES }, of)
    }
    const counts = await work({}, tables)
    expect(counts).toMatchObject({ pieces: 4, buried: 0, tables: { damaged: 1, fetched: 5, opened: 4, closed: 2 } })
    const files = readdirSync(directory)
    // The large one is more than all may have: it goes as soon as another comes.
    expect(files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)).toBeLessThan(3_000_000)
    for (const name of files) expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600)
    await tables.close()
  })

  it('extends what it holds while a table is being fetched', async () => {
    const { store } = await fleet()
    let clock = 0
    let extended = () => {}
    const queue = new MemoryQueue({ takenMs: 60, now: () => clock })
    await queue.openJob(job('a'))
    await queue.submit({ job: 'a', number: 0, bytes: ADDRESSES }, key)
    const take = queue.take.bind(queue)
    queue.take = async (...asked) => {
      const piece = await take(...asked)
      if (piece === undefined) return undefined
      const extend = async () => {
        await piece.extend()
        extended()
      }
      return { ...piece, extend }
    }
    const get = store.get.bind(store)
    store.get = async (asked) => {
      const pieces = await get(asked)
      return (async function* () {
        // Far longer than a piece may be held, as long as it is extended: nobody else is given it meanwhile.
        for (let waited = 0; waited < 300; waited += 40) {
          await new Promise<void>((resolve) => {
            extended = resolve
          })
          clock += 40
          expect(await take(partitionOf(key))).toBeUndefined()
        }
        yield* pieces
      })()
    }
    const tables = new Tables(store)
    const worker = new Worker(queue, tables, { idleMs: 0 })
    await worker.run()
    expect(worker.counts).toMatchObject({ pieces: 1, redelivered: 0 })
    await tables.close()
  })

  it('stays with the partitions whose tables it has open: 20 tables, two workers, a closing for hardly more than must be', async () => {
    const { queue, store } = await fleet()
    const keys = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const bytes = await bytesOf(
          await snapshotOfText(`ffffffff81000000 T _text\nffffffff81000010 T f${i}\nffffffff82000000 T _end\n`),
        )
        await store.put(keyOf(bytes), bytes)
        await queue.openJob(job(`j${i}`, { table: keyOf(bytes) }))
        return keyOf(bytes)
      }),
    )
    // As they come: a piece of each table, again and again.
    for (let number = 0; number < 10; number++)
      for (const [i, of] of keys.entries()) await queue.submit({ job: `j${i}`, number, bytes: ADDRESSES }, of)
    const tables = [new Tables(store, { open: 4 }), new Tables(store, { open: 4 })]
    const workers = tables.map((some) => new Worker(queue, some, { idleMs: 0 }))
    await Promise.all(workers.map((worker) => worker.run()))
    const sum = (of: 'opened' | 'closed') => tables.reduce((total, { counts }) => total + counts[of], 0)
    expect(workers.reduce((total, { counts }) => total + counts.pieces, 0)).toBe(200)
    // Each table at least once, and what does not fit is closed: 12. Tables that share a partition, or are shared by both, cost more.
    expect(sum('opened')).toBeGreaterThanOrEqual(20)
    expect(sum('closed')).toBeLessThanOrEqual(40)
    for (const some of tables) await some.close()
  })
})

describe('cleaning up', () => {
  it('removes jobs that are done and old, then tables that nobody names', async () => {
    const { queue, store, work, tables } = await fleet()
    const sent = async (job: string) => submitJob(queue, whole(text), { table: key, job })
    await sent('done')
    await work()
    await sent('open')
    const old = { olderThanMs: 3_600_000 }
    expect(await cleanFleet(queue, store, old)).toEqual({ jobs: [], tables: [], orphanedBytes: 0 })
    expect(await cleanFleet(queue, store, { olderThanMs: 0 })).toEqual({ jobs: ['done'], tables: [], orphanedBytes: 0 })
    expect(await queue.answered('done')).toEqual(new Set())
    expect(await cleanFleet(queue, store, { olderThanMs: 0, unfinished: true })).toMatchObject({
      jobs: ['open'],
      tables: [key],
    })
    expect(await queue.waiting()).toEqual([])
    await tables.close()
  })
})
