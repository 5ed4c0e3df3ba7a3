// Nothing lost, nothing twice, whatever is killed: real processes of the command, a real broker, SIGKILL for the producer, for
// workers with pieces in their hands, for the broker while pieces are sent and while they are worked on, and for a worker between
// its result and letting go of the piece. Afterwards there is one answer for each piece, equal to one local run.

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeAddresses } from '../../src/fleet/answers.ts'
import { PARTITIONS, partitionOf } from '../../src/fleet/job.ts'
import { NatsObjectStore } from '../../src/fleet/nats/object-store.ts'
import { NatsQueue } from '../../src/fleet/nats/queue.ts'
import { submitJob } from '../../src/fleet/producer.ts'
import { answersOf, progressOf } from '../../src/fleet/results.ts'
import { keyOf } from '../../src/fleet/store.ts'
import type { Kernel } from '../../src/kernel.ts'
import { saveSnapshot } from '../../src/load/save.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { NO_SYMBOL } from '../../src/symbols/search.ts'
import { MAIN } from '../cli/run.ts'
import { DEBIAN, HOST, sample } from '../events/samples.ts'
import { CAPTURE, fixtureBytes } from '../fixtures.ts'
import { Broker, ended, SERVER } from './broker.ts'

const LONG = process.env.KERNDEX_LONG !== undefined
const BETWEEN = fileURLToPath(new URL('killed-before-letting-go.mjs', import.meta.url))
/** Pieces come back after so long here: half a minute at least is what people get. */
const TAKEN_MS = 3_000
const PIECE = LONG ? 1 << 19 : 1 << 15
/** Addresses of each table, and how often the recording is repeated: 348 pieces of the usual size in all. */
const ADDRESSES = LONG ? 4_000_000 : 40_000
const REPEATS = 9
/** Bytes of the recording that are enough for a short run. */
const SHORT = 1_000_000

describe.skipIf(SERVER === undefined)('whatever is killed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-kills-'))
  const processes: ChildProcess[] = []
  let broker: Broker
  let queue: NatsQueue
  const perf = join(folder, 'perf.txt')
  const tables: { readonly kernel: Kernel; readonly file: string; readonly bytes: Uint8Array; readonly key: string }[] =
    []

  beforeAll(async () => {
    broker = await Broker.start()
    queue = await NatsQueue.open({ servers: [broker.url], prefix: 'kills' })
    const { names, manager } = queue
    for (let partition = 0; partition < PARTITIONS; partition++) {
      await manager.consumers.update(names.pieces, names.consumer(partition), { ack_wait: TAKEN_MS * 1e6 })
    }
    const recording = sample(DEBIAN, 'perf-script.txt')
    const some = recording.subarray(0, recording.indexOf('\n\n', SHORT) + 2)
    writeFileSync(perf, LONG ? Buffer.concat(Array.from({ length: REPEATS }, () => recording)) : some)
    const captures = [DEBIAN, CAPTURE, ...(LONG ? [HOST, unpacked('6.12.117'), unpacked('7.3.4')] : [])]
    for (const [i, from] of captures.entries()) {
      const kernel = await openKernel({ from, threads: 0, types: false })
      const file = join(folder, `table-${i}`)
      await saveSnapshot(kernel.snapshot(), file)
      const bytes = readFileSync(file)
      tables.push({ kernel, file, bytes, key: keyOf(bytes) })
    }
  })
  afterAll(async () => {
    for (const child of processes) await ended(child, 'SIGKILL')
    for (const { kernel } of tables) await kernel.close()
    await queue?.close()
    await broker?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  /** A capture that is kept packed. */
  function unpacked(version: string): string {
    const path = join(folder, `kallsyms-${version}`)
    writeFileSync(path, fixtureBytes(`kernels/${version}/kallsyms.br`))
    return path
  }

  const fleet = (...args: string[]) => {
    const [what = '', ...rest] = args
    const all = [MAIN, 'fleet', what, '--server', broker.url, '--subjects', 'kills', ...rest]
    const child = spawn(process.execPath, all, { stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => {})
    child.stdout.resume()
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString()
    })
    processes.push(child)
    return child
  }
  let said = ''
  const told = (child: ChildProcess, words: string) =>
    new Promise<void>((resolve) => {
      let own = ''
      child.stderr?.on('data', (piece: Buffer) => {
        own += piece.toString()
        if (own.includes(words)) resolve()
      })
    })
  const output = async (...args: string[]) => {
    const run = promisify(execFile)(process.execPath, [MAIN, ...args], { encoding: 'buffer', maxBuffer: 1 << 30 })
    // Some frames of the recording have no symbol, which is told by the code.
    return (await run.catch((error: { stdout: Buffer }) => error)).stdout
  }
  const results = (job: string) => output('fleet', 'results', job, '--server', broker.url, '--subjects', 'kills')

  /** Waits until something is so; the broker may be away meanwhile. */
  async function when(what: string, isSo: () => Promise<boolean>): Promise<void> {
    for (const start = Date.now(); ; ) {
      if (await isSo().catch(() => false)) return
      if (Date.now() - start > (LONG ? 600_000 : 50_000))
        throw new Error(`never: ${what}; ${JSON.stringify(await queue.waiting())} ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const answered = async (...jobs: string[]) => {
    const sets = await Promise.all(jobs.map((job) => queue.answered(job)))
    return sets.reduce((sum, { size }) => sum + size, 0)
  }
  /** Of the partitions that there are pieces for: asking about all of them is most of what a broker does here. */
  const queued = async () => {
    const { names, manager } = queue
    const partitions = [...new Set(tables.map(({ key }) => partitionOf(key)))]
    const infos = await Promise.all(
      partitions.map((partition) => manager.consumers.info(names.pieces, names.consumer(partition))),
    )
    const sum = (of: (info: (typeof infos)[number]) => number) => infos.reduce((total, info) => total + of(info), 0)
    return {
      taken: sum((info) => info.num_ack_pending),
      waiting: sum((info) => info.num_pending + info.num_ack_pending),
    }
  }
  const taken = async () => (await queued()).taken
  const waiting = async () => (await queued()).waiting

  async function* inPieces(bytes: Uint8Array) {
    for (let at = 0; at < bytes.length; at += 1 << 16) yield bytes.subarray(at, at + (1 << 16))
  }

  it('has one answer for each piece, equal to the local one', { timeout: LONG ? 3_000_000 : 120_000 }, async () => {
    const text = readFileSync(perf)
    const { file: table } = tables[0]!
    const submit = ['submit', '--table', table, '--piece-bytes', String(PIECE)]
    // The producer is killed in the middle of sending, and started again.
    const first = fleet(...submit, '--job', 'text', '--output', 'text')
    first.stdin?.write(text.subarray(0, text.length >> 1))
    await when('pieces of the first producer', async () => (await waiting()) > 3)
    await ended(first, 'SIGKILL')
    // The broker is killed while the second one sends.
    const second = fleet(...submit, '--job', 'text', '--output', 'text')
    const gone = finished(second)
    const before = await waiting()
    second.stdin?.write(text.subarray(0, (text.length * 3) >> 2))
    await when('more pieces', async () => (await waiting()) > before)
    await broker.kill()
    second.stdin?.end(text.subarray((text.length * 3) >> 2))
    await broker.again()
    expect(await gone).toBe(0)

    expect(await finished(fleet(...submit, perf, '--job', 'profile'))).toBe(0)
    const jobs = ['text', 'profile']
    const asked: { job: string; kernel: Kernel; addresses: BigUint64Array }[] = []
    const store = await NatsObjectStore.open(queue)
    for (const [i, { kernel, bytes, key }] of tables.entries()) {
      await store.put(key, bytes)
      const addresses = randomAddresses(kernel, ADDRESSES)
      const packed = new Uint8Array(addresses.buffer)
      const job = `addresses-${i}`
      await submitJob(queue, inPieces(packed), { table: key, job, input: 'packed', pieceBytes: PIECE })
      asked.push({ job, kernel, addresses })
      jobs.push(job)
    }
    const pieces = (await Promise.all(jobs.map((job) => progressOf(queue, job)))).reduce((sum, p) => sum + p.pieces!, 0)
    if (LONG) expect(pieces).toBeGreaterThanOrEqual(348)

    // A worker is killed with pieces in its hands, in the long run again and again.
    for (let kill = 0; kill < (LONG ? 5 : 1); kill++) {
      const done = await answered(...jobs)
      const worker = fleet('worker')
      await when('a worker with a piece', async () => (await answered(...jobs)) > done && (await taken()) > 0)
      await ended(worker, 'SIGKILL')
    }
    // One is killed between its result and letting go of the piece.
    const between = spawn(process.execPath, [BETWEEN, broker.url, 'kills'], { stdio: 'inherit' })
    processes.push(between)
    const half = await answered(...jobs)
    await finished(between)
    expect(between.signalCode).toBe('SIGKILL')
    expect(await answered(...jobs)).toBe(half + 1)
    // The broker is killed while two work.
    const workers = [fleet('worker', '--json'), fleet('worker', '--json')]
    // One that is still looking for its broker when that is killed ends, as it should.
    await Promise.all(workers.map((worker) => told(worker, 'working for')))
    await when('some work', async () => (await answered(...jobs)) > half + 2)
    await broker.kill()
    await broker.again()
    await when('all answers', async () => (await answered(...jobs)) >= pieces)
    await when('an empty queue', async () => (await waiting()) === 0)
    for (const worker of workers) expect(await ended(worker, 'SIGTERM')).toBe(0)

    // One message for each piece, none of them a dead letter.
    const { state } = await queue.manager.streams.info(queue.names.results, { subjects_filter: 'kills.results.*.*' })
    expect(Object.keys(state.subjects ?? {})).toHaveLength(pieces)
    expect(new Set(Object.values(state.subjects ?? {}))).toEqual(new Set([1]))
    for (const job of jobs) expect((await queue.buried(job)).size).toBe(0)
    const local = (...args: string[]) => output('resolve', perf, '--from', table, ...args)
    const [words, folded, ...alone] = await Promise.all([
      results('text'),
      results('profile'),
      local('--output', 'text'),
      local('--output', 'folded'),
    ])
    expect(folded.length).toBeGreaterThan(10_000)
    expect([words.equals(alone[0]!), folded.equals(alone[1]!)]).toEqual([true, true])
    for (const { job, kernel, addresses } of asked) await checkAddresses(job, kernel, addresses)
  })

  async function checkAddresses(job: string, kernel: Kernel, addresses: BigUint64Array): Promise<void> {
    const { ids, offsets } = kernel.symbols.findMany(addresses)
    let at = 0
    for await (const { bytes } of answersOf(queue, await progressOf(queue, job))) {
      const answer = decodeAddresses(bytes)
      const end = at + answer.ids.length
      expect(Buffer.compare(bytesOf(answer.ids), bytesOf(ids.subarray(at, end)))).toBe(0)
      expect(Buffer.compare(bytesOf(answer.offsets), bytesOf(offsets.subarray(at, end)))).toBe(0)
      const unknown = addresses.subarray(at, end).filter((_, i) => ids[at + i] === NO_SYMBOL)
      expect(answer.unknown).toEqual(unknown)
      at = end
    }
    expect(at).toBe(addresses.length)
  }
})

const finished = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('exit', resolve))

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint32Array) => new Uint8Array(buffer, byteOffset, byteLength)

/** Addresses in symbols, and some where nothing is. */
function randomAddresses({ symbols }: Kernel, count: number): BigUint64Array {
  const addresses = new BigUint64Array(count)
  let state = 1
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const id = (state >>> 4) % symbols.size
    addresses[i] = i % 97 === 0 ? BigInt(state) : symbols.addressOf(id) + BigInt(state & 63)
  }
  return addresses
}
