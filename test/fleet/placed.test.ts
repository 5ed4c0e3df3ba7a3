// Tables as a catalogue has them: builds that travel once, layouts of hosts, and what a worker answers with them.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { storedLayout } from '../../src/cli/fleet-table.ts'
import { cleanFleet } from '../../src/fleet/clean.ts'
import { buildsOf, decodePlaced, encodePlaced, isPlaced } from '../../src/fleet/placed-table.ts'
import { submitJob } from '../../src/fleet/producer.ts'
import { MemoryQueue } from '../../src/fleet/queue.ts'
import { addressLine, addressRows, answersOf, progressOf } from '../../src/fleet/results.ts'
import { keyOf, MemoryStore } from '../../src/fleet/store.ts'
import { Tables } from '../../src/fleet/tables.ts'
import { Worker } from '../../src/fleet/worker.ts'
import type { Kernel } from '../../src/kernel.ts'
import { writeLayout } from '../../src/load/layout-file.ts'
import { openCatalog } from '../../src/open-catalog.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { CAPTURE } from '../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-placed-'))
const directory = join(folder, 'catalog')
const layout = join(folder, 'host.layout')
const later = join(folder, 'later.layout')
let kernel: Kernel
beforeAll(async () => {
  await (await openCatalog({ directory })).add(CAPTURE)
  await writeLayout(layout, { from: CAPTURE })
  await writeLayout(later, { from: CAPTURE, generation: 2 })
  kernel = await openKernel({ from: layout, catalog: directory, threads: 0 })
})
afterAll(async () => {
  await kernel?.close()
  rmSync(folder, { recursive: true, force: true })
})

it('answers as the catalogue itself does, and fetches the builds of many hosts once', async () => {
  const [queue, store] = [new MemoryQueue(), new MemoryStore()]
  const { symbols } = kernel
  const addresses = BigUint64Array.from({ length: 5000 }, (_, i) =>
    i % 50 === 0 ? BigInt(i + 1) : symbols.addressOf((i * 19) % symbols.size) + BigInt(i % 5),
  )
  async function* stream() {
    yield new Uint8Array(addresses.buffer)
  }
  const first = await storedLayout(layout, directory, store)
  const builds = await buildsOf(store, first)
  // Whoever has no catalogue names the builds that are there.
  const second = await storedLayout(later, builds, store)
  expect(second).not.toBe(first)
  expect(await storedLayout(layout, directory, store)).toBe(first)
  expect((await store.list()).map(({ bytes }) => bytes < 100_000).sort()).toEqual([false, true, true])
  for (const product of ['ids', 'names'] as const) {
    for (const [i, table] of [first, second].entries())
      await submitJob(queue, stream(), { table, input: 'packed', product, job: `${product}-${i}` })
  }
  const place = join(folder, 'tables')
  const tables = new Tables(store, { directory: place })
  const worker = new Worker(queue, tables, { idleMs: 0 })
  await worker.run()
  expect(worker.counts).toMatchObject({ pieces: 4, buried: 0, tables: { fetched: 3, opened: 2 } })
  const words = await linesOf(queue, 'names-0')
  expect(words.filter((line) => line.includes('+0x')).length).toBeGreaterThan(4000)
  expect(words.filter((line) => line.includes(' [')).length).toBeGreaterThan(30)
  words.forEach((line, i) => {
    const match = symbols.at(addresses[i]!)
    if (match === undefined) expect(line).toBe(`0x${addresses[i]!.toString(16)}`)
    else expect(line.split('+')[0]).toBe(match.symbol.name)
  })
  expect(await linesOf(queue, 'names-1')).toEqual(words)
  const { symbols: fetched } = await tables.table(first)
  expect(await linesOf(queue, 'ids-0', fetched)).toEqual(words)
  await tables.close()

  // The next worker of that folder fetches nothing; one without room keeps what it works with.
  const again = new Tables(store, { directory: place })
  await again.table(second)
  expect(again.counts.fetched).toBe(0)
  await again.close()
  const narrow = new Tables(store, { directory: place, bytes: 1 })
  await store.put(keyOf(Buffer.from('x')), Buffer.from('x'))
  await expect(narrow.table(keyOf(Buffer.from('x')))).rejects.toMatchObject({ code: 'BAD_FORMAT' })
  expect(readdirSync(place)).toEqual([keyOf(Buffer.from('x'))])
  await narrow.close()

  // Builds stay as long as a job needs a table of them.
  await queue.forget('ids-0')
  await queue.forget('names-0')
  expect((await cleanFleet(queue, store, { olderThanMs: 0 })).jobs.sort()).toEqual(['ids-1', 'names-1'])
})

it('keeps builds that a job still needs, and says what is missing', async () => {
  const [queue, store] = [new MemoryQueue(), new MemoryStore()]
  const table = await storedLayout(layout, directory, store)
  async function* stream() {
    yield new Uint8Array(8)
  }
  await submitJob(queue, stream(), { table, input: 'packed', job: 'waiting' })
  expect((await cleanFleet(queue, store, { olderThanMs: 0 })).tables).toEqual([])
  await store.remove((await buildsOf(store, table))!)
  const tables = new Tables(store)
  await expect(tables.table(table)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await tables.close()
  await expect(storedLayout(layout, 'ab'.repeat(32), store)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(storedLayout(layout, join(folder, 'empty'), store)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

it('is told from anything else, and refused where it is damaged', async () => {
  const placed = { builds: 'ab'.repeat(32), layout: Buffer.from('bytes of a layout') }
  const bytes = encodePlaced(placed)
  expect([isPlaced(bytes), isPlaced(bytes.subarray(0, 10)), isPlaced(Buffer.from('{}'))]).toEqual([true, false, false])
  expect(decodePlaced(bytes)).toEqual(placed)
  for (const damaged of [
    bytes.subarray(0, 50),
    Buffer.from(Buffer.from(bytes).toString().replace(placed.builds, '../x')),
    Buffer.from('null'),
    Buffer.from('{}'),
  ])
    expect(() => decodePlaced(damaged)).toThrow(expect.objectContaining({ code: 'BAD_FORMAT' }))
  const store = new MemoryStore()
  const other = encodePlaced(placed)
  await store.put(placed.builds, Buffer.from('no archive'))
  await store.put(keyOf(other), other)
  const tables = new Tables(store)
  await expect(tables.table(keyOf(other))).rejects.toMatchObject({ code: 'BAD_FORMAT' })
  await tables.close()
})

async function linesOf(queue: MemoryQueue, job: string, symbols?: Kernel['symbols']): Promise<string[]> {
  let text = ''
  for await (const { bytes } of answersOf(queue, await progressOf(queue, job)))
    for (const row of addressRows(bytes, symbols)) text += addressLine(row)
  return text.split('\n').slice(0, -1)
}
