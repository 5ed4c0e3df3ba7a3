// What every queue and every store has to do, held against each implementation: in memory, a directory, HTTP, and NATS JetStream
// with a real broker.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DirectoryStore } from '../../src/fleet/directory-store.ts'
import { HttpStore } from '../../src/fleet/http-store.ts'
import { type Job, partitionOf } from '../../src/fleet/job.ts'
import { NatsObjectStore } from '../../src/fleet/nats/object-store.ts'
import { NatsQueue } from '../../src/fleet/nats/queue.ts'
import { MemoryQueue, type Queue } from '../../src/fleet/queue.ts'
import { keyOf, MemoryStore, type Store } from '../../src/fleet/store.ts'
import { Broker, SERVER } from './broker.ts'

let broker: Broker
const opened: { close(): Promise<void> }[] = []
const folder = mkdtempSync(join(tmpdir(), 'kerndex-contract-'))
beforeAll(async () => {
  if (SERVER !== undefined) broker = await Broker.start('max_payload: 65536\n')
})
afterAll(async () => {
  for (const one of opened) await one.close()
  await broker?.stop()
  rmSync(folder, { recursive: true, force: true })
})

let prefixes = 0
async function natsQueue(options: { queueBytes?: number } = {}): Promise<NatsQueue> {
  const queue = await NatsQueue.open({
    servers: [broker.url],
    prefix: `t${prefixes++}`,
    resultBytes: 1 << 26,
    queueBytes: 1 << 26,
    ...options,
  })
  opened.push(queue)
  return queue
}

/** A web server with a folder in memory, that lets nobody in without its token. */
async function webStore(): Promise<Store> {
  const files = new Map<string, Buffer>()
  const server: Server = createServer((request, response) => {
    const path = request.url ?? ''
    if (request.headers.authorization !== 'Bearer secret') return response.writeHead(401).end()
    if (request.method === 'PUT') {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        files.set(path, Buffer.concat(pieces))
        response.writeHead(201).end()
      })
      return response
    }
    const found = files.get(path)
    if (request.method === 'DELETE') files.delete(path)
    return found === undefined ? response.writeHead(404).end() : response.writeHead(200).end(found)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  const close = async () => {
    server.close()
    server.closeAllConnections()
  }
  opened.push({ close })
  return new HttpStore(`http://127.0.0.1:${address.port}/tables`, 'secret')
}

const stores: [string, () => Promise<Store>][] = [
  ['in memory', async () => new MemoryStore()],
  ['a directory', async () => new DirectoryStore(mkdtempSync(join(folder, 'store-')))],
  ['HTTP', webStore],
]
if (SERVER !== undefined) stores.push(['NATS objects', async () => NatsObjectStore.open(await natsQueue())])

async function all(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const piece of pieces) parts.push(piece)
  return Buffer.concat(parts)
}

describe.each(stores)('a store: %s', (name, make) => {
  it('gives back what was put under its key, once or twice, and says what it lacks', async () => {
    const store = await make()
    const bytes = randomBytes(300_000)
    const key = keyOf(bytes)
    expect(key).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(await store.has(key)).toBe(false)
    await expect(store.get(key)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await store.put(key, bytes)
    await store.put(key, bytes)
    expect(await store.has(key)).toBe(true)
    expect((await all(await store.get(key))).equals(bytes)).toBe(true)
    const list = await store.list()
    if (name === 'HTTP') expect(list).toBeUndefined()
    else expect(list?.map((one) => [one.key, one.bytes])).toEqual([[key, bytes.length]])
    await store.remove(key)
    await store.remove(key)
    expect(await store.has(key)).toBe(false)
    expect(await store.sweep(0)).toBe(0)
  })

  it('takes nothing but content keys', async () => {
    const store = await make()
    for (const key of ['', '../x', 'A'.repeat(64), 'g'.repeat(64)]) {
      await expect(store.get(key)).rejects.toMatchObject({ code: 'USAGE' })
      await expect(store.put(key, new Uint8Array(1))).rejects.toMatchObject({ code: 'USAGE' })
    }
  })
})

describe('stores', () => {
  it('in a directory are files for their owner alone, and what was left behind is swept', async () => {
    const directory = mkdtempSync(join(folder, 'own-'))
    const store = new DirectoryStore(directory)
    const key = keyOf(Buffer.from('x'))
    await store.put(key, Buffer.from('x'))
    expect(statSync(join(directory, key)).mode & 0o777).toBe(0o600)
    writeFileSync(join(directory, 'not-ours'), 'x')
    expect(await store.sweep(0)).toBe(0)
    expect((await store.list())?.length).toBe(1)
  })

  it('over HTTP say that credentials are missing, and what cannot be reached', async () => {
    const key = keyOf(Buffer.from('x'))
    const store = await webStore()
    const url = store.what.replace('the store ', '')
    await expect(new HttpStore(url).get(key)).rejects.toMatchObject({ code: 'NO_PERMISSION' })
    await expect(new HttpStore('http://127.0.0.1:1/').get(key)).rejects.toMatchObject({ code: 'NOT_READABLE' })
    expect(() => new HttpStore('ftp://x/')).toThrow(expect.objectContaining({ code: 'USAGE' }))
    // What is shown of a URL has no password in it.
    expect(new HttpStore('https://me:hidden@host/x').what).not.toContain('hidden')
  })
})

it.skipIf(SERVER === undefined)('what a killed put left among the objects is swept, and nothing else', async () => {
  const queue = await natsQueue()
  const store = await NatsObjectStore.open(queue)
  const bytes = randomBytes(200_000)
  await store.put(keyOf(bytes), bytes)
  // As far as it had come: pieces of an object that nothing names.
  for (let i = 0; i < 3; i++) await queue.client.publish(`$O.${queue.names.tables}.C.killed`, randomBytes(50_000))
  expect(await store.sweep(3_600_000)).toBe(0)
  expect(await store.sweep(0)).toBeGreaterThanOrEqual(150_000)
  expect(await store.sweep(0)).toBe(0)
  expect((await all(await store.get(keyOf(bytes)))).equals(bytes)).toBe(true)
})

const queues: [string, (room?: number) => Promise<Queue>][] = [
  ['in memory', async (room) => new MemoryQueue({ mostBytes: 60_000, ...(room === undefined ? {} : { room }) })],
]
if (SERVER !== undefined)
  queues.push(['NATS JetStream', (room) => natsQueue(room === undefined ? {} : { queueBytes: room })])

const TABLE = 'ab'.repeat(32)
const job = (name: string): Job => ({
  name,
  table: TABLE,
  pieces: 'records',
  product: 'text',
  input: 'perf-script',
  mode: 'return',
  boot: { release: '6.1' },
  prefix: 'comm',
  kernelMark: false,
  userAddresses: false,
  sample: '',
  opened: '2026-01-01T00:00:00.000Z',
})

describe.each(queues)('a queue: %s', (_, make) => {
  const partition = partitionOf(TABLE)

  it('keeps one job of a name, and its totals', async () => {
    const queue = await make()
    expect(await queue.job('a')).toBeUndefined()
    expect(await queue.openJob(job('a'))).toEqual(job('a'))
    expect(await queue.openJob({ ...job('a'), table: 'cd'.repeat(32) })).toEqual(job('a'))
    const sent = { pieces: 2, events: 3, bad: 0, digest: 'd' }
    await queue.closeJob(job('a'), sent)
    expect(await queue.job('a')).toEqual({ ...job('a'), sent })
    await queue.openJob(job('b'))
    expect((await queue.jobs()).sort()).toEqual(['a', 'b'])
  })

  it('hands each piece out once, counts who takes it, and has it back', async () => {
    const queue = await make()
    expect(await queue.take(partition)).toBeUndefined()
    for (let number = 0; number < 3; number++) {
      expect(await queue.submit({ job: 'a', number, bytes: Buffer.from(`piece ${number}`) }, TABLE)).toBe('new')
    }
    expect(await queue.submit({ job: 'a', number: 1, bytes: Buffer.from('again') }, TABLE)).toBe('there')
    expect(await queue.waiting()).toEqual([{ partition, waiting: 3, taken: 0 }])
    const taken = [await queue.take(partition), await queue.take(partition), await queue.take(partition)]
    expect(taken.map((one) => Buffer.from(one?.bytes ?? []).toString())).toEqual(['piece 0', 'piece 1', 'piece 2'])
    expect(taken.map((one) => [one?.job, one?.number, one?.attempt])).toEqual([0, 1, 2].map((n) => ['a', n, 1]))
    expect(await queue.take(partition)).toBeUndefined()
    expect(await queue.waiting()).toEqual([{ partition, waiting: 0, taken: 3 }])
    for (const one of taken) one?.extend()
    await taken[0]?.done()
    taken[1]?.again(0)
    const again = await eventually(() => queue.take(partition))
    expect([again?.number, again?.attempt]).toEqual([1, 2])
    await again?.done()
    await taken[2]?.done()
    // The broker hears of it a little later.
    await eventually(async () => ((await queue.waiting()).length === 0 ? true : undefined))
    // What is done can be sent again: its answer is what guards it then.
    expect(await queue.submit({ job: 'a', number: 0, bytes: Buffer.from('later') }, TABLE)).toBe('new')
  })

  it('keeps the first answer of a piece, of any length', async () => {
    const queue = await make()
    const long = randomBytes(200_000)
    const answer = (number: number, bytes: Uint8Array) =>
      queue.answer({ job: 'a', number, bytes, counts: { frames: 7 } })
    expect(await answer(0, Buffer.from('first'))).toBe('new')
    expect(await answer(0, Buffer.from('second'))).toBe('there')
    expect(await answer(5, long)).toBe('new')
    expect(await answer(5, randomBytes(200_000))).toBe('there')
    expect(await answer(6, new Uint8Array(0))).toBe('new')
    expect([...(await queue.answered('a'))].sort()).toEqual([0, 5, 6])
    expect(await queue.answered('b')).toEqual(new Set())
    const [first, second] = [await queue.answerOf('a', 0), await queue.answerOf('a', 5)]
    expect(Buffer.from(first?.bytes ?? []).toString()).toBe('first')
    expect(first?.counts).toEqual({ frames: 7 })
    expect(long.equals(second?.bytes ?? new Uint8Array(0))).toBe(true)
    expect(await queue.answerOf('a', 1)).toBeUndefined()
  })

  it('keeps what was given up with its reason and its bytes', async () => {
    const queue = await make()
    const letter = { job: 'a', number: 3, bytes: Buffer.from('poison'), reason: 'no “table”\nof that', attempts: 5 }
    expect(await queue.bury(letter)).toBe('new')
    expect(await queue.bury(letter)).toBe('there')
    expect(await queue.buried('a')).toEqual(new Set([3]))
    const found = await queue.letterOf('a', 3)
    expect({ ...found, bytes: Buffer.from(found?.bytes ?? []) }).toMatchObject(letter)
    expect(Math.abs((found?.buried.getTime() ?? 0) - Date.now())).toBeLessThan(600_000)
  })

  it('forgets all that belongs to a job, and nothing else', async () => {
    const queue = await make()
    for (const name of ['a', 'ab']) {
      await queue.openJob(job(name))
      await queue.submit({ job: name, number: 0, bytes: Buffer.from('x') }, TABLE)
      await queue.answer({ job: name, number: 1, bytes: randomBytes(200_000), counts: {} })
      await queue.bury({ job: name, number: 2, bytes: Buffer.from('x'), reason: 'r', attempts: 1 })
    }
    await queue.forget('a')
    expect(await queue.jobs()).toEqual(['ab'])
    expect([await queue.answered('a'), await queue.buried('a')]).toEqual([new Set(), new Set()])
    expect([await queue.answered('ab'), await queue.buried('ab')]).toEqual([new Set([1]), new Set([2])])
    expect((await queue.take(partition))?.job).toBe('ab')
    expect((await queue.answerOf('ab', 1))?.bytes.length).toBe(200_000)
  })

  it('refuses what there is no room for, and takes it once there is', async () => {
    const queue = await make(1 << 18)
    const bytes = randomBytes(50_000)
    let number = 0
    while ((await queue.submit({ job: 'a', number, bytes }, TABLE)) === 'new') number++
    expect(number).toBeGreaterThan(2)
    expect(number).toBeLessThan(7)
    const taken = await queue.take(partition)
    await taken?.done()
    const kept = await eventually(async () => {
      const answer = await queue.submit({ job: 'a', number, bytes }, TABLE)
      return answer === 'full' ? undefined : answer
    })
    expect(kept).toBe('new')
  })
})

/** What is there soon: brokers hear of acknowledgements a moment later. */
async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let i = 0; i < 200; i++) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await new Promise((resolve) => setImmediate(resolve))
  }
  return undefined
}
