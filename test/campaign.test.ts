// A campaign against everything that reads what others wrote: text formats, pprof, archives, snapshots, kallsyms and types,
// mutated at random within bounds of time and memory. Short as a part of `npm test`, long with KERNDEX_LONG.

import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip, gunzipSync, gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../bench/lib/random.ts'
import { KerndexError } from '../src/core/errors.ts'
import { INPUT_FORMATS } from '../src/events/formats.ts'
import { saveSnapshot } from '../src/index.ts'
import { openKernel } from '../src/open-kernel.ts'
import type { Snapshot } from '../src/snapshot/snapshot.ts'
import { RECORDS } from './events/hostile-records.ts'
import { run, snapshotOfText } from './events/samples.ts'

const long = process.env.KERNDEX_LONG !== undefined
const ROUNDS = long ? 3000 : 25
/** Milliseconds of processor time for one input, and bytes that the process may grow by over a campaign. */
const MOST_MS = 2000
const MOST_GROWTH = 400 * 2 ** 20

const folder = mkdtempSync(join(tmpdir(), 'kerndex-campaign-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Bytes changed in a few places: flipped, repeated, cut out, blown up, exchanged. */
function mutate(bytes: Buffer, below: (n: number) => number): Buffer {
  let changed = Buffer.from(bytes)
  for (let i = 1 + below(4); i > 0 && changed.length > 0; i--) {
    const at = below(changed.length)
    const length = 1 + below(Math.min(64, changed.length - at))
    const part = changed.subarray(at, at + length)
    const [before, after] = [changed.subarray(0, at), changed.subarray(at + length)]
    const between = [
      () => Buffer.from([below(256)]),
      () => Buffer.alloc(0),
      () => Buffer.concat(new Array<Buffer>(2 + below(100)).fill(Buffer.from(part))),
      () => Buffer.alloc(1 + below(5000), part[0]),
      () => Buffer.from(part).reverse(),
      () => Buffer.alloc(length, 0xff),
    ][below(6)]!()
    changed = Buffer.concat([before, between, after])
  }
  return changed
}

/** Does something with each of many mutations: within its time, and with nothing thrown but typed errors. */
async function campaign(seed: number, bytes: Buffer, use: (mutated: Buffer) => Promise<unknown>): Promise<void> {
  const below = seededRandom(seed)
  let most = 0
  let start = 0
  for (let round = 0; round < ROUNDS; round++) {
    const mutated = mutate(bytes, below)
    const before = process.cpuUsage()
    try {
      await use(mutated)
    } catch (error) {
      expect(error, `round ${round}: ${String(error)}`).toBeInstanceOf(KerndexError)
    }
    const { user, system } = process.cpuUsage(before)
    expect((user + system) / 1000, `milliseconds of round ${round}`).toBeLessThan(MOST_MS)
    const { rss } = process.memoryUsage()
    if (round === Math.floor(ROUNDS / 5)) start = rss
    most = Math.max(most, rss)
  }
  expect(most - start).toBeLessThan(MOST_GROWTH)
}

describe('mutated input', () => {
  let snapshot: Snapshot
  beforeAll(async () => {
    snapshot = await snapshotOfText('ffffffff81000000 T _stext\nffffffff81000010 T f\nffffffff82000000 T _end\n')
  })

  it.each(INPUT_FORMATS.filter(({ kind }) => kind !== 'binary'))('of $name', async ({ name, kind }) => {
    const text = (RECORDS[name] ?? []).map((record) => `${record.join('\n')}\n`).join('')
    await campaign(1, Buffer.from(text, 'latin1'), async (mutated) => {
      await run(mutated, snapshot, kind === 'text' ? 'text' : 'ndjson', { input: name })
      await run(mutated, snapshot, 'parts', { input: name })
      await run(mutated, snapshot, 'usual').catch((error: unknown) => {
        if (!(error instanceof KerndexError)) throw error
      })
    })
  })

  it('of pprof', async () => {
    const field = (number: number, bytes: readonly number[]) => [(number << 3) | 2, bytes.length, ...bytes]
    const profile = Buffer.from([
      ...field(1, [8, 1, 16, 2]),
      ...field(4, [8, 1, 24, 0x90, 0x80, 0x80, 0x88, 0xf8, 0xff, 0xff, 0xff, 0xff, 1, ...field(4, [8, 1])]),
      ...field(5, [8, 1, 16, 3]),
      ...['', 'cpu', 'nanoseconds', 'f'].flatMap((word) => field(6, [...Buffer.from(word)])),
      ...field(2, [...field(1, [1, 1, 1]), ...field(2, [5]), ...field(3, [8, 1, 16, 3])]),
    ])
    await campaign(2, profile, (mutated) => run(mutated, snapshot, 'ndjson', { input: 'pprof' }))
    await campaign(3, gzipSync(profile), (mutated) => run(mutated, snapshot, 'ndjson', { input: 'pprof' }))
  })
})

describe('mutated files', () => {
  const KALLSYMS =
    'ffffffff81000000 T _stext\nffffffff81000010 T f\nffffffffc0000000 t g\t[mod]\nffffffff82000000 T _end\n'
  const use = (name: string) => async (mutated: Buffer) => {
    const path = join(folder, name)
    writeFileSync(path, mutated)
    const kernel = await openKernel({ from: path, threads: 0 })
    try {
      kernel.symbols.at(0xffffffff81000011n)
      kernel.types.find('f')
    } finally {
      await kernel.close()
    }
  }

  it('of kallsyms', () => campaign(4, Buffer.from(KALLSYMS), use('kallsyms')))
  it('of packed kallsyms', () => campaign(5, gzipSync(KALLSYMS), use('kallsyms.gz')))

  it('of archives', async () => {
    const tar = pack()
    tar.entry({ name: 'cap/', type: 'directory' })
    tar.entry({ name: 'cap/kallsyms.gz' }, gzipSync(KALLSYMS))
    tar.entry({ name: 'cap/modules' }, 'mod 16384 0 - Live 0xffffffffc0000000\n')
    tar.entry({ name: `cap/btf/${'x'.repeat(120)}` }, 'no types')
    tar.finalize()
    const path = join(folder, 'whole.tgz')
    await pipeline(tar, createGzip(), createWriteStream(path))
    const archive = gunzipSync(await readFile(path))
    await campaign(6, archive, use('capture.tar'))
    await campaign(7, archive, (mutated) => use('capture.tar.gz')(gzipSync(mutated)))
    await campaign(8, gzipSync(archive), use('capture.tgz'))
  })

  it('of snapshots', async () => {
    const text = join(folder, 'plain')
    writeFileSync(text, KALLSYMS)
    const kernel = await openKernel({ from: text, threads: 0 })
    const path = join(folder, 'saved')
    await saveSnapshot(kernel.snapshot(), path)
    await kernel.close()
    await campaign(9, await readFile(path), use('snapshot'))
  })

  it('are still what they were where nothing is changed', async () => {
    await use('kallsyms')(Buffer.from(KALLSYMS))
    await use('kallsyms.gz')(gunzipSync(gzipSync(gzipSync(KALLSYMS))))
  })
})
