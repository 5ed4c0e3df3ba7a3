// Files of types however they are packed and wherever they come from: the same bytes, or a typed error at once.
import { execFileSync } from 'node:child_process'

import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KerndexError } from '../../src/core/errors.ts'
import { openTypes } from '../../src/load/open-types.ts'
import { findBtfFile, readBtfFile, readWhole } from '../../src/sources/btf-file.ts'
import { packingOf, unpack } from '../../src/sources/unpack.ts'
import { fixture, plainFixture } from '../btf/fixtures.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-packed-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

const xz = plainFixture('packed/nvme.ko.xz')
const zst = plainFixture('packed/nvme.ko.zst')
const nvme = fixture('deb61/mod/nvme.btf')

describe('a module', () => {
  test.each([
    ['xz', xz],
    ['zstd', zst],
    ['gzip', undefined],
    ['plain', undefined],
  ])('packed with %s has the same types', async (packing, bytes) => {
    const ko = Buffer.from(await readWhole(await file('nvme.ko.xz', xz)))
    const packed = bytes ?? (packing === 'gzip' ? zlib.gzipSync(ko) : ko)
    const path = await file(`nvme-${packing}`, packed)
    expect(Buffer.from(await readWhole(path)).equals(ko)).toBe(true)
    expect(Buffer.from((await readBtfFile(path)).btf).equals(nvme)).toBe(true)
  })

  test.each([
    ['xz', xz],
    ['zstd', zst],
    ['gzip', zlib.gzipSync(nvme)],
  ])('%s that is cut off or damaged is refused, or is still BTF of some kind', async (_, bytes) => {
    for (const length of [6, 12, 40, bytes.length >> 1, bytes.length - 1]) {
      const path = await file('cut', bytes.subarray(0, length))
      await expect(readBtfFile(path), `${length}`).rejects.toBeInstanceOf(KerndexError)
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (at, value) => {
        const damaged = Buffer.from(bytes)
        damaged[at] = value
        try {
          expect((await readBtfFile(await file('damaged', damaged))).btf.length).toBeLessThan(2 * nvme.length)
        } catch (error) {
          expect(error).toBeInstanceOf(KerndexError)
        }
      }),
      { numRuns: 60 },
    )
    // What fails leaves nothing behind that the next file would wait for.
    expect((await readBtfFile(await file('again', bytes))).btf.length).toBe(nvme.length)
  })
})

describe('bombs', () => {
  // 64 MiB of zeros; a sink that refuses after 1 MiB.
  test.each([
    ['xz', fixture('packed/zeros.xz')],
    ['gzip', undefined],
    ['zstd', fixture('packed/zeros.zst')],
  ] as const)('%s ends when the sink has had enough', async (packing, packed) => {
    const bytes = packed ?? zlib.gzipSync(Buffer.alloc(2 ** 26))
    expect(packingOf(bytes)).toBe(packing)
    let length = 0
    const enough = new Error('enough')
    const sink = (piece: Uint8Array): void => {
      length += piece.length
      if (length > 2 ** 20) throw enough
    }
    await expect(unpack('bomb', packing, pieces(bytes), sink, 2 ** 26)).rejects.toBe(enough)
    // zstd comes in one piece, whose size was checked before.
    expect(length).toBeLessThanOrEqual(packing === 'zstd' ? 2 ** 26 : 2 ** 22)
  })

  test('zstd does not set memory aside for a size that a file only claims', async () => {
    const claim = Buffer.from('28b52ffde0ffffffffffffff00010000', 'hex')
    const outcome = readWhole(await file('claim.zst', claim))
    await expect(outcome).rejects.toMatchObject({ code: expect.stringMatching(/LIMIT|BAD_FORMAT|NOT_READABLE/) })
    // 1 GiB in one empty block.
    const empty = Buffer.from('28b52ffda000000040010000', 'hex')
    await expect(readWhole(await file('empty.zst', empty))).rejects.toBeInstanceOf(KerndexError)
  })

  test('types that go on for ever are too large', async () => {
    const bytes = Buffer.alloc(2 ** 27 + 1)
    nvme.copy(bytes)
    await expect(readWhole(await file('huge.gz', zlib.gzipSync(bytes, { level: 1 })))).rejects.toMatchObject({
      code: 'LIMIT',
      message: expect.stringContaining('134217728'),
    })
  })
})

test('several zstd frames, and one of unknown size, are refused rather than read in part', async () => {
  const piped = await file('piped.zst', plainFixture('packed/piped.zst'))
  const two = await file('two.zst', Buffer.concat([zst, zst]))
  for (const path of [piped, two]) {
    const message = expect.stringMatching(/unzstd/)
    await expect(readWhole(path)).rejects.toMatchObject({ code: 'UNSUPPORTED', message, place: { path } })
  }
})

describe('what is no file', () => {
  test('endless devices are refused after their first bytes', async () => {
    await expect(readWhole('/dev/zero')).rejects.toMatchObject({ code: 'BAD_FORMAT', place: { path: '/dev/zero' } })
    await expect(readBtfFile('/dev/zero')).rejects.toMatchObject({ code: 'BAD_FORMAT' })
    expect(await findBtfFile('/dev/zero')).toBeUndefined()
    await expect(readWhole('/dev/null')).rejects.toMatchObject({ code: 'BAD_FORMAT' })
  })

  test('directories are not read, missing files named', async () => {
    expect(await findBtfFile(folder)).toBeUndefined()
    await expect(readWhole(folder)).rejects.toMatchObject({ code: 'NOT_READABLE' })
    const path = join(folder, 'missing')
    await expect(readWhole(path)).rejects.toMatchObject({ code: 'NOT_READABLE', place: { path } })
    await expect(findBtfFile(path)).rejects.toMatchObject({ code: 'NOT_READABLE', place: { path } })
  })

  /** A pipe with a name, into which bytes are written in pieces once somebody reads. */
  async function pipe(name: string, ...written: Uint8Array[]): Promise<string> {
    const path = join(folder, name)
    execFileSync('mkfifo', [path])
    void (async () => {
      const handle = await open(path, 'w')
      // Whoever reads may have seen enough.
      for (const each of written) await handle.write(each).catch(() => {})
      await handle.close()
    })()
    return path
  }

  test('pipes are read to their end, once, however few bytes arrive first', async () => {
    const vmlinux = fixture('deb61/vmlinux.btf')
    const plain = await pipe('pipe', vmlinux.subarray(0, 1), vmlinux.subarray(1, 3), vmlinux.subarray(3))
    const { types } = await openTypes({ from: plain })
    expect(types.find('list_head', { kind: 'STRUCT' })).toMatchObject([{ id: 97 }])
    const packed = await pipe('packed-pipe', xz.subarray(0, 2), xz.subarray(2, 5), xz.subarray(5))
    expect(Buffer.from((await readBtfFile(packed)).btf).equals(nvme)).toBe(true)
  })

  test('a pipe of something else is left', async () => {
    await expect(readBtfFile(await pipe('text', Buffer.from('ffffffff81000000 T _stext\n')))).rejects.toMatchObject({
      code: 'BAD_FORMAT',
    })
    await expect(readBtfFile(await pipe('short', Buffer.from('\x7fE')))).rejects.toMatchObject({ code: 'BAD_FORMAT' })
  })
})

test('of an ELF file no more is read than its types', async () => {
  const ko = Buffer.from(await readWhole(await file('nvme.ko.xz', xz)))
  // A hole of 6 GiB would be refused; one of 3 GiB is more than this test could read in its time.
  const path = join(folder, 'sparse.ko')
  const shifted = Buffer.from(ko)
  const table = Number(ko.readBigUInt64LE(40))
  const far = 3 * 2 ** 30
  shifted.writeBigUInt64LE(BigInt(far), 40)
  const handle = await open(path, 'w')
  await handle.write(shifted, 0, shifted.length, 0)
  await handle.write(ko, table, ko.length - table, far)
  await handle.close()
  expect(Buffer.from((await readBtfFile(path)).btf).equals(nvme)).toBe(true)
})

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1024) yield bytes.subarray(at, at + 1024)
}
