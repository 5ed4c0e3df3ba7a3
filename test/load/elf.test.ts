// openElf: from paths, packed paths and bytes; only what is needed is read; errors say which file; any thread attaches.
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openElf } from '../../src/load/elf.ts'
import { NO_SYMBOL } from '../../src/symbols/search.ts'

const packed = fileURLToPath(new URL('../../fixtures/elf/s390x.so.gz', import.meta.url))
let folder: string
let plain: string
let bytes: Buffer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-elf-'))
  plain = join(folder, 's390x.so')
  bytes = gunzipSync(await readFile(packed))
  await writeFile(plain, bytes)
})
afterAll(() => rm(folder, { recursive: true }))

test('a path, a packed path and bytes give the same table', async () => {
  const all = await Promise.all([openElf(plain), openElf(packed), openElf(bytes), openElf(new Uint8Array(bytes))])
  const [first] = all
  for (const { symbols } of all) {
    expect(Buffer.from(symbols.buffer).equals(Buffer.from(first!.symbols.buffer))).toBe(true)
  }
  expect(first).toMatchObject({ is64: true, littleEndian: false, machine: 22, relocatable: false, damagedCount: 0 })
  expect(first?.symbols.named('init_function').map((symbol) => symbol.toJSON())).toEqual([
    { address: '0x00000000000014e0', type: 'T', name: 'init_function', owner: '.init.text', size: 2 },
  ])
})

test('what is not read is not needed: everything but the symbols may be anything', async () => {
  const table = Number(bytes.readBigUInt64BE(40))
  const headers = Array.from({ length: bytes.readUInt16BE(60) }, (_, i) => table + 64 * i)
  const noise = Buffer.alloc(bytes.length, 0xff)
  bytes.copy(noise, 0, 0, 64)
  bytes.copy(noise, table, table)
  for (const at of headers) {
    // Symbol and string tables.
    if (![2, 3, 11].includes(bytes.readUInt32BE(at + 4))) continue
    const offset = Number(bytes.readBigUInt64BE(at + 24))
    bytes.copy(noise, offset, offset, offset + Number(bytes.readBigUInt64BE(at + 32)))
  }
  const path = join(folder, 'noise.so')
  await writeFile(path, noise)
  const [one, other] = await Promise.all([openElf(path), openElf(plain)])
  expect(Buffer.from(one.symbols.buffer).equals(Buffer.from(other.symbols.buffer))).toBe(true)
})

test('a file of 3 GB with holes costs only its symbols', async () => {
  const path = join(folder, 'sparse.so')
  await writeFile(path, bytes)
  const file = await open(path, 'r+')
  await file.truncate(3 * 2 ** 30)
  await file.close()
  const before = process.memoryUsage().rss
  const { symbols } = await openElf(path)
  expect(symbols.size).toBe(9)
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20)
})

describe('errors', () => {
  test.each<[string, () => Promise<string>, string]>([
    ['a path without a file', async () => join(folder, 'none'), 'NOT_READABLE'],
    ['a directory', async () => folder, 'NOT_READABLE'],
    ['a text', async () => fileURLToPath(import.meta.url), 'BAD_FORMAT'],
    ['a cut file', () => write('cut', bytes.subarray(0, 1000)), 'BAD_FORMAT'],
    ['an empty file', () => write('empty', Buffer.alloc(0)), 'BAD_FORMAT'],
  ])('%s', async (_, make, code) => {
    const path = await make()
    await expect(openElf(path)).rejects.toMatchObject({ code, place: { path }, message: expect.stringContaining(path) })
  })

  async function write(name: string, content: Buffer): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, content)
    return path
  }

  test('an abort', async () => {
    await expect(openElf(plain, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('a wrong argument', async () => {
    // @ts-expect-error neither a path nor bytes
    await expect(openElf(7)).rejects.toMatchObject({ code: 'USAGE' })
  })
})

test('the running Node itself: every sampled symbol is found by name and by address, in another thread too', async () => {
  const { symbols, relocatable, damagedCount } = await openElf(process.execPath)
  expect(relocatable).toBe(false)
  expect(damagedCount).toBe(0)
  expect(symbols.size).toBeGreaterThan(0)
  const sample = Array.from({ length: 2_000 }, (_, i) => symbols.get(Math.floor((i * symbols.size) / 2_000)))
  for (const symbol of sample) {
    expect(symbols.named(symbol.name).map(({ id }) => id)).toContain(symbol.id)
    if (symbol.size === 0) continue
    const last = symbol.address + BigInt(symbol.size) - 1n
    expect(symbols.at(last)?.candidates.map((each) => each.symbol.id)).toContain(symbol.id)
  }
  const addresses = BigUint64Array.from(sample, ({ address }) => address)
  const here = symbols.findMany(addresses)
  expect(here.ids.some((id) => id !== NO_SYMBOL)).toBe(true)
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.library).then(({ SymbolTable }) => {
      parentPort.postMessage(new SymbolTable(workerData.buffer).findMany(workerData.addresses))
    })`
  const library = new URL('../../dist/lib/index.js', import.meta.url).href
  const worker = new Worker(code, { eval: true, workerData: { library, buffer: symbols.buffer, addresses } })
  const there = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await worker.terminate()
  expect(there).toEqual(here)
})
