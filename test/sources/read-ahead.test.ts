// A file that another thread reads ahead: the same bytes as read plainly, whoever read them, and every failure is told.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { workerUrl } from '../../src/core/place.ts'
import { RING_BYTES } from '../../src/sources/ahead.ts'
import { readAhead } from '../../src/sources/read-ahead.ts'
import { type ByteReader, openReader } from '../../src/sources/reader.ts'

const worker = workerUrl('reader')
/** More than the ring holds, and no multiple of anything. */
const content = Buffer.alloc(RING_BYTES + 1_234_567)
for (let i = 0; i + 4 <= content.length; i += 4) content.writeUInt32LE(Math.imul(i, 0x9e3779b1) >>> 0, i)

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-ahead-'))
  path = join(folder, 'text')
  await writeFile(path, content)
})
afterAll(() => rm(folder, { recursive: true }))

/** A reader that gives little at a time, so that the other thread is up long before the file ends; counts its bytes. */
function slow(descriptor: number): ByteReader & { bytes: number; closed: Promise<void> } {
  let close = () => {}
  const closed = new Promise<void>((resolve) => {
    close = resolve
  })
  return {
    sizeHint: fstatSync(descriptor).size,
    identity: '',
    bytes: 0,
    closed,
    read(target) {
      const count = readSync(descriptor, target, 0, Math.min(64, target.length), null)
      this.bytes += count
      return count
    },
    close() {
      closeSync(descriptor)
      close()
    },
  }
}

async function readAll(reader: ByteReader, portion: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (;;) {
    const target = Buffer.alloc(portion)
    const count = await reader.read(target)
    if (count === 0) return Buffer.concat(pieces)
    pieces.push(target.subarray(0, count))
    await turn()
  }
}

describe('a file that is read ahead', () => {
  it('has the same bytes in the same order, most of them from the other thread', async () => {
    const descriptor = openSync(path, 'r')
    const first = slow(descriptor)
    const reader = readAhead(path, descriptor, first, worker)
    const bytes = await readAll(reader, 100_000)
    expect(bytes.equals(content)).toBe(true)
    expect(await reader.read(Buffer.alloc(10))).toBe(0)
    // Reading 64 bytes a turn, this thread alone would take fifty thousand turns.
    expect(first.bytes).toBeLessThan(content.length)
    reader.close()
    await first.closed
  })

  it('is the same when opened as the load opens it, whoever is faster', async () => {
    for (const portion of [4096, 1 << 20]) {
      const reader = openReader(path, worker)
      expect(reader.sizeHint).toBe(content.length)
      expect((await readAll(reader, portion)).equals(content)).toBe(true)
      reader.close()
    }
  })

  it('can be closed at any time', async () => {
    for (const reads of [0, 1, 2_000]) {
      const descriptor = openSync(path, 'r')
      const first = slow(descriptor)
      const reader = readAhead(path, descriptor, first, worker)
      for (let i = 0; i < reads; i++) {
        await reader.read(Buffer.alloc(64))
        await turn()
      }
      reader.close()
      await first.closed
    }
  })

  it('is read by the caller where the thread cannot start', async () => {
    const descriptor = openSync(path, 'r')
    const first = slow(descriptor)
    const stillborn = new URL('../load/stillborn-worker.mjs', import.meta.url)
    const reader = readAhead(path, descriptor, { ...first, read: (target) => readSync(descriptor, target) }, stillborn)
    expect((await readAll(reader, 1 << 20)).equals(content)).toBe(true)
    reader.close()
  })

  it('is read by the caller where no thread is allowed', () => {
    const descriptor = openSync(path, 'r')
    const first = slow(descriptor)
    // The URL of no file: the thread is refused before it is made.
    const reader = readAhead(path, descriptor, first, new URL('https://example.org/reader.js'))
    expect(reader).toBe(first)
    reader.close()
  })

  it('tells why the thread could not read on', async () => {
    const directory = openSync(folder, 'r')
    // The thread reads a folder, which fails; this thread reads the file until then.
    const descriptor = openSync(path, 'r')
    const first = slow(descriptor)
    const reader = readAhead(path, directory, first, worker)
    await expect(readAll(reader, 64)).rejects.toMatchObject({ code: 'NOT_READABLE', place: { path } })
    reader.close()
    await first.closed
    closeSync(directory)
  })
})
