// The rights that docs/fleet.md gives to agents, workers and readers: enough for what each does, and no more. The users are those of
// the document, with passwords in place of keys.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectFailure } from '../../src/fleet/nats/connect.ts'
import { NatsObjectStore } from '../../src/fleet/nats/object-store.ts'
import { NatsQueue } from '../../src/fleet/nats/queue.ts'
import { submitJob } from '../../src/fleet/producer.ts'
import { answersOf, progressOf } from '../../src/fleet/results.ts'
import { keyOf } from '../../src/fleet/store.ts'
import { Tables } from '../../src/fleet/tables.ts'
import { Worker } from '../../src/fleet/worker.ts'
import { saveSnapshot } from '../../src/load/save.ts'
import { snapshotOfText } from '../events/samples.ts'
import { Broker, SERVER } from './broker.ts'

const DOCUMENT = readFileSync(new URL('../../docs/fleet.md', import.meta.url), 'utf8')
const authorization = /authorization \{[\s\S]*?\n\] \}/.exec(DOCUMENT)?.[0] ?? ''
const users = authorization
  .replace(/#.*/g, '')
  .replace(/nkey: U(\w+)…/g, (_, name: string) => `user: ${name.toLowerCase()}, password: secret`)

describe.skipIf(SERVER === undefined)('rights', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-rights-'))
  const passwordFile = join(folder, 'password')
  const opened: NatsQueue[] = []
  let broker: Broker
  beforeAll(async () => {
    writeFileSync(passwordFile, 'secret\n')
    broker = await Broker.start(users)
  })
  afterAll(async () => {
    for (const queue of opened) await queue.close()
    await broker?.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const as = async (user: string) => {
    const sizes = { queueBytes: 1 << 26, resultBytes: 1 << 26 }
    const queue = await NatsQueue.open({ servers: [broker.url], user, passwordFile, ...sizes })
    opened.push(queue)
    return queue
  }

  it('are enough for a job from agent to reader, and for nothing else', { timeout: 120_000 }, async () => {
    const admin = await as('admin')
    await NatsObjectStore.open(admin)
    const [agent, worker, reader] = [await as('agent'), await as('worker'), await as('reader')]
    const file = join(folder, 'table')
    await saveSnapshot(
      await snapshotOfText('ffffffff81000000 T _text\nffffffff81000010 T f\nffffffff82000000 T _end\n'),
      file,
    )
    const table = readFileSync(file)
    const store = await NatsObjectStore.open(agent)
    await store.put(keyOf(table), table)
    const addresses = new Uint8Array(new BigUint64Array([0xffffffff81000012n]).buffer)
    async function* stream() {
      yield addresses
    }
    const { job } = await submitJob(agent, stream(), { table: keyOf(table), input: 'packed', product: 'names' })
    const tables = new Tables(await NatsObjectStore.open(worker))
    const working = new Worker(worker, tables, { idleMs: 200 })
    await working.run()
    await tables.close()
    expect(working.counts).toMatchObject({ pieces: 1, buried: 0, delayed: 0 })
    const answers: Uint8Array[] = []
    for await (const { bytes } of answersOf(reader, await progressOf(reader, job.name))) answers.push(bytes)
    expect(Buffer.concat(answers).toString('latin1')).toContain('"f"')
    // An agent writes no results, a worker no jobs, a reader nothing.
    const answer = { job: job.name, number: 7, bytes: addresses, counts: {} }
    await expect(agent.answer(answer)).rejects.toThrow()
    await expect(worker.submit({ job: job.name, number: 7, bytes: addresses }, keyOf(table))).rejects.toThrow()
    await expect(reader.answer(answer)).rejects.toThrow()
    await expect(reader.forget(job.name)).rejects.toThrow()
    expect([...(await admin.answered(job.name))]).toEqual([0])
    expect(await admin.waiting()).toEqual([])
    await expect(as('stranger')).rejects.toMatchObject({ code: 'NO_PERMISSION' })
  })
})

describe('a connection that fails', () => {
  it('says what a time-out may be, and no secret', async () => {
    const error = connectFailure(['tls://me:hidden@host:4222'], new Error('timeout'), false)
    expect(error.message).toContain('client certificate')
    expect(error.message).toContain('--tls-cert')
    expect(error.message).not.toContain('hidden')
  })

  it('ends in time where a server says nothing', { timeout: 60_000 }, async () => {
    const server = createServer(() => {})
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await expect(NatsQueue.open({ servers: [`nats://127.0.0.1:${port}`] })).rejects.toMatchObject({
      code: 'NOT_READABLE',
    })
    server.close()
  })
})
