import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LimitError, NoPermissionError, NotReadableError } from '../../src/core/errors.ts'
import { openTypes } from '../../src/load/open-types.ts'
import { openCatalog } from '../../src/open-catalog.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { readBlob } from '../../src/sources/blob.ts'
import { captureSource } from '../../src/sources/capture.ts'
import { parseBuildId, parseModules, parseRelease } from '../../src/sources/facts.ts'
import { fileSource } from '../../src/sources/file.ts'
import { openSource } from '../../src/sources/open.ts'
import { openReader, readFailure } from '../../src/sources/reader.ts'
import { absenceOf, isAbsence } from '../../src/sources/source.ts'
import { CAPTURE, fixtureBytes } from '../fixtures.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-sources-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** A new directory with the given files. */
async function directory(files: Record<string, string | Uint8Array>): Promise<string> {
  const path = await mkdtemp(join(folder, 'capture-'))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true })
    await writeFile(join(path, name), content)
  }
  return path
}

/** Everything a reader gives, read in portions of `size` bytes. */
async function readAll(path: string, size = 1000): Promise<Buffer> {
  const reader = openReader(path)
  const pieces: Buffer[] = []
  try {
    for (;;) {
      const target = Buffer.alloc(size)
      const count = await reader.read(target)
      if (count === 0) return Buffer.concat(pieces)
      pieces.push(target.subarray(0, count))
    }
  } finally {
    reader.close()
    reader.close() // Closing twice harms nothing: the number may be another file's by then.
  }
}

describe('readers', () => {
  it.each([1, 7, 4096, 1 << 20])('give plain and packed files alike, %i bytes at a time', async (size) => {
    const content = Buffer.from('0123456789abcdef\n'.repeat(size === 1 ? 20 : 20_000))
    const path = await directory({ plain: content, 'packed.gz': gzipSync(content) })
    expect((await readAll(join(path, 'plain'), size)).equals(content)).toBe(true)
    expect((await readAll(join(path, 'packed.gz'), size)).equals(content)).toBe(true)
  })

  it('call a damaged or cut gzip unreadable', async () => {
    const packed = gzipSync(Buffer.alloc(100_000, 'x'))
    const path = await directory({ 'cut.gz': packed.subarray(0, 60), 'junk.gz': 'no gzip at all' })
    await expect(readAll(join(path, 'cut.gz'))).rejects.toThrow(NotReadableError)
    await expect(readAll(join(path, 'junk.gz'))).rejects.toThrow(NotReadableError)
  })

  it('tell what is not there, what is a directory, and what may not be read', () => {
    expect(() => openReader(join(folder, 'nothing'))).toThrow(NotReadableError)
    expect(() => openReader(folder)).toThrow(/is a directory/)
    for (const code of ['EACCES', 'EPERM']) {
      const failure = readFailure('/proc/kallsyms', Object.assign(new Error('denied'), { code }))
      expect(failure).toBeInstanceOf(NoPermissionError)
      expect(failure.place.path).toBe('/proc/kallsyms')
      expect(failure.message).toContain('CAP_SYSLOG')
    }
    expect(readFailure('/x', Object.assign(new Error('broken'), { code: 'EIO' }))).toBeInstanceOf(NotReadableError)
  })

  it('read a whole blob into memory of its exact size, also where the size is not known', async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251))
    const path = await directory({ plain: content, 'packed.gz': gzipSync(content), empty: '' })
    for (const name of ['plain', 'packed.gz']) {
      const { bytes } = await readBlob(join(path, name))
      expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer)
      expect(bytes.buffer.byteLength).toBe(content.length)
      expect(content.equals(Buffer.from(bytes))).toBe(true)
    }
    expect((await readBlob(join(path, 'empty'))).bytes.length).toBe(0)
    // /proc says 0 bytes for what it makes up as it is read.
    if (process.platform === 'linux') {
      expect((await readBlob('/proc/version')).bytes.length).toBeGreaterThan(10)
    }
  })
})

describe('what is larger than any kernel has', () => {
  it('is not unpacked as an optional file', async () => {
    const mebibyte = gzipSync(Buffer.alloc(1024 * 1024))
    const packed = Buffer.concat(new Array<Buffer>(257).fill(mebibyte))
    const source = captureSource(await directory({ 'modules.gz': packed }))
    expect(await source.fact('modules')).toMatchObject({
      what: 'modules',
      reason: expect.stringMatching(/larger than/),
    })
  })

  it('is not read as a blob without end', async () => {
    await expect(readBlob('/dev/zero')).rejects.toThrow(LimitError)
  })
})

describe('a capture', () => {
  it('gives its kallsyms plain or packed', async () => {
    const text = 'ffffffff81000000 T _stext\n'
    for (const files of [{ kallsyms: text }, { 'kallsyms.gz': gzipSync(text) }]) {
      const reader = captureSource(await directory(files)).openSymbols()
      const target = Buffer.alloc(100)
      expect(target.toString('latin1', 0, await reader.read(target))).toBe(text)
      reader.close()
    }
    const none = await directory({ modules: '' })
    expect(() => captureSource(none).openSymbols()).toThrow(/no capture/)
  })

  it('lists type blobs, vmlinux first, each module once', async () => {
    const path = await directory({
      'btf/zram': '',
      'btf/vmlinux.gz': '',
      'btf/9p.gz': '',
      'btf/ext4.gz': '',
      'btf/ext4': '',
    })
    const files = await captureSource(path).btfFiles()
    expect(isAbsence(files)).toBe(false)
    expect(Array.isArray(files) && files.map((file) => [file.module, file.path.slice(path.length)])).toEqual([
      ['vmlinux', '/btf/vmlinux.gz'],
      ['9p', '/btf/9p.gz'],
      ['ext4', '/btf/ext4'],
      ['zram', '/btf/zram'],
    ])
  })

  it('records what is not there or cannot be read', async () => {
    const path = await directory({ kallsyms: '', 'modules.gz': 'damaged', 'version.gz': gzipSync('Linux version 1 x') })
    await mkdir(join(path, 'notes'))
    const source = captureSource(path)
    expect(await source.btfFiles()).toEqual({ what: 'btf', reason: 'not there' })
    expect(await source.fact('boot_id')).toEqual({ what: 'boot_id', reason: 'not there' })
    expect(await source.fact('notes')).toMatchObject({
      what: 'notes',
      reason: expect.stringMatching(/not a regular file/),
    })
    expect(await source.fact('modules')).toMatchObject({ what: 'modules', reason: expect.stringMatching(/header/) })
    expect(String(await source.fact('version'))).toBe('Linux version 1 x')
    expect(absenceOf('x', Object.assign(new Error('denied'), { code: 'EACCES' }))).toEqual({
      what: 'x',
      reason: 'no permission to read it',
    })
  })
})

describe('what a path names', () => {
  it('is a capture, a file, or an error', async () => {
    const path = await directory({ kallsyms: 'ffffffff81000000 T _stext\n' })
    expect((await openSource(path)).kind).toBe('capture')
    const file = await openSource(join(path, 'kallsyms'))
    expect(file.kind).toBe('file')
    expect(isAbsence(await file.btfFiles())).toBe(true)
    expect(isAbsence(await file.fact('modules'))).toBe(true)
    expect((await openSource(undefined)).kind).toBe('live')
    await expect(openSource(join(path, 'missing'))).rejects.toThrow(NotReadableError)
    expect(fileSource('/x').description).toBe('/x')
  })
})

describe('the small files', () => {
  it('modules: names, sizes, states and addresses, newest first', () => {
    const modules = parseModules(fixtureBytes('debian-6.1-amd64/modules'))
    expect(modules.length).toBe(12)
    expect(modules[0]).toEqual({ name: '9p', size: 81920, state: 'Live', address: 0xffffffffc0584000n })
    expect(modules.at(-1)?.name).toBe('virtio_ring')
  })

  it('modules: tainted, hidden and odd lines', () => {
    const text = [
      'zfs 123 0 - Live 0xffffffffc0000000 (POE)',
      'hid 20480 1 a,b, Loading 0x0000000000000000',
      'no size here',
      'bad x 0 - Live 0xffffffffc0000000',
      'bad 10 0 - Live ffffffffc0000000',
      '',
    ].join('\n')
    expect(parseModules(Buffer.from(text))).toEqual([
      { name: 'zfs', size: 123, state: 'Live', address: 0xffffffffc0000000n },
      { name: 'hid', size: 20480, state: 'Loading', address: 0n },
    ])
    expect(parseModules(Buffer.alloc(0))).toEqual([])
  })

  it('release', () => {
    expect(parseRelease(fixtureBytes('debian-6.1-amd64/version'))).toBe('6.1.0-56-amd64')
    expect(parseRelease(Buffer.from('something else'))).toBeUndefined()
  })

  /** An ELF note in either byte order. */
  function note(name: string, type: number, value: Buffer, little: boolean): Buffer {
    const header = Buffer.alloc(12)
    const words = [name.length, value.length, type]
    words.forEach((word, i) => {
      if (little) header.writeUInt32LE(word, 4 * i)
      else header.writeUInt32BE(word, 4 * i)
    })
    const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
    return Buffer.concat([header, padded(Buffer.from(name, 'latin1')), padded(value)])
  }

  it('build id: that of the notes, in both byte orders, wherever it stands', () => {
    // As `readelf -n` prints it for this kernel.
    expect(parseBuildId(fixtureBytes('debian-6.1-amd64/notes'))).toMatch(/^[0-9a-f]{40}$/)
    const id = Buffer.from('00112233445566778899aabbccddeeff00112233', 'hex')
    for (const little of [true, false]) {
      const notes = Buffer.concat([
        note('Linux\0', 0, Buffer.from('abcde'), little),
        note('Xen\0', 6, Buffer.from('g'), little),
        note('GNU\0', 3, id, little),
      ])
      expect(parseBuildId(notes)).toBe(id.toString('hex'))
      for (let bytes = 0; bytes < notes.length; bytes++) expect(parseBuildId(notes.subarray(0, bytes))).toBeUndefined()
    }
    expect(parseBuildId(note('GNU\0', 1, id, true))).toBeUndefined()
    expect(parseBuildId(Buffer.alloc(0))).toBeUndefined()
  })

  it('build id: any bytes are read without a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const id = parseBuildId(Buffer.from(bytes))
        expect(id === undefined || /^([0-9a-f]{2})*$/.test(id)).toBe(true)
      }),
    )
  })

  it('come with the shipped capture', async () => {
    const source = captureSource(CAPTURE)
    for (const name of ['modules', 'module_sections', 'notes', 'version'] as const) {
      expect(isAbsence(await source.fact(name)), name).toBe(false)
    }
  })
})

it.skipIf(process.platform !== 'linux')(
  'what opens but cannot be read, or has no end, is NOT_READABLE to whoever asks',
  async () => {
    const catalog = await openCatalog({ directory: await directory({}) })
    const path = '/proc/self/mem'
    for (const ask of [() => openKernel({ from: path }), () => openTypes({ from: path }), () => catalog.import(path)]) {
      await expect(ask()).rejects.toMatchObject({ code: 'NOT_READABLE' })
    }
    await expect(catalog.import('/dev/zero')).rejects.toMatchObject({ code: 'NOT_READABLE' })
  },
)
