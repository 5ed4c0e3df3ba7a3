// Counters of the fleet commands as a scraper reads them: over HTTP while a worker works, and in the file that is left.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { hostPort, submitMetrics, withMetrics, workerMetrics } from '../../src/cli/fleet-metrics.ts'
import { freePort } from '../../src/cli/free-port.ts'
import { newJobName } from '../../src/fleet/job.ts'
import { packAddresses } from '../../src/fleet/packed-addresses.ts'
import { submitJob } from '../../src/fleet/producer.ts'
import { MemoryQueue } from '../../src/fleet/queue.ts'
import { keyOf, MemoryStore } from '../../src/fleet/store.ts'
import { Tables } from '../../src/fleet/tables.ts'
import { Worker } from '../../src/fleet/worker.ts'
import { saveSnapshot } from '../../src/load/save.ts'
import { snapshotOfText } from '../events/samples.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-metrics-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Prometheus text as its description has it: each family is declared once, in front of its rows. */
function scraped(text: string): Map<string, number> {
  const rows = new Map<string, number>()
  const declared = new Set<string>()
  for (const line of text.split('\n')) {
    const [, name = ''] = /^# TYPE (\S+) (?:counter|gauge)$/.exec(line) ?? []
    if (name !== '') {
      expect(declared).not.toContain(name)
      declared.add(name)
    }
    if (line === '' || line.startsWith('#')) continue
    const [, row = '', family = '', value = ''] =
      /^(([a-z_]+)(?:\{[a-z_]+="[^"\\]*"(?:,[a-z_]+="[^"\\]*")*\})?) (\S+)$/.exec(line) ?? []
    expect([line, declared.has(family), Number.isFinite(Number(value))]).toEqual([line, true, true])
    rows.set(row, Number(value))
  }
  return rows
}

it('tells what a worker did, over HTTP and in a file', async () => {
  const file = join(folder, 'table')
  await saveSnapshot(
    await snapshotOfText('ffffffff81000000 T _text\nffffffff81000010 T f\nffffffff82000000 T _end\n'),
    file,
  )
  const table = readFileSync(file)
  const [queue, store] = [new MemoryQueue(), new MemoryStore()]
  await store.put(keyOf(table), table)
  const addresses = new Uint8Array(BigUint64Array.of(0xffff_ffff_8100_0011n, 1n, 0xffff_ffff_8100_0012n).buffer)
  async function* stream() {
    yield addresses
  }
  const submitted = await submitJob(queue, stream(), { table: keyOf(table), input: 'packed' })
  await queue.submit({ job: submitted.job.name, number: 7, bytes: new Uint8Array(3) }, keyOf(table))
  await queue.submit({ job: newJobName(), number: 0, bytes: packAddresses(new BigUint64Array(1)) }, keyOf(table))
  const tables = new Tables(store)
  const worker = new Worker(queue, tables, { idleMs: 0 })
  const metrics = join(folder, 'metrics')
  const port = await freePort()
  const read = async () => workerMetrics(worker.counts, await queue.waiting())
  const url = `http://127.0.0.1:${port}`
  const overHttp = await withMetrics({ metrics, metricsListen: hostPort(String(port)) }, read, async () => {
    await worker.run()
    expect((await fetch(`${url}/other`)).status).toBe(404)
    const response = await fetch(`${url}/metrics`)
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    return scraped(await response.text())
  })
  await tables.close()
  await expect(fetch(`${url}/metrics`)).rejects.toThrow()
  expect(scraped(readFileSync(metrics, 'utf8'))).toEqual(overHttp)
  const expected = {
    pieces_total: 1,
    addresses_total: 3,
    'frames_total{result="found"}': 2,
    'frames_total{result="unresolved"}': 1,
    dead_letters_total: 1,
    delayed_total: 1,
    redelivered_total: 0,
    suppressed_total: 0,
    table_fetches_total: 1,
    table_fetched_bytes_total: table.length,
    table_openings_total: 1,
    table_closings_total: 0,
    // What belongs to no job comes back later: until then somebody has it.
    'queue_pieces{state="waiting"}': 0,
    'queue_pieces{state="taken"}': 1,
  }
  for (const [name, value] of Object.entries(expected))
    expect([name, overHttp.get(`kerndex_fleet_${name}`)]).toEqual([name, value])
  for (const phase of ['idle', 'table', 'resolve', 'answer'])
    expect(overHttp.get(`kerndex_fleet_seconds_total{phase="${phase}"}`)).toBeGreaterThanOrEqual(0)
  const sent = scraped(await submitMetrics(submitted, 1.5))
  expect(sent.get('kerndex_fleet_sent_pieces_total')).toBe(1)
  expect(sent.get('kerndex_fleet_sent_events_total')).toBe(3)
})
