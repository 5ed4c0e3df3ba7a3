// Files that are written: whole or not at all, private where they hold addresses, and never in the place of a device.
import { execFileSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { open, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { saveSnapshot } from '../../src/load/save.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { createFile, type FileOptions, writeFileSafely, writeFolder } from '../../src/sources/write-file.ts'
import { fixturePath } from '../fixtures.ts'

const root = mkdtempSync(join(tmpdir(), 'kerndex-write-'))
afterAll(() => rm(root, { recursive: true }))

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'))
})

const INTO: FileOptions = { secret: true, special: 'write into' }
const mode = (path: string) => (lstatSync(path).mode & 0o777).toString(8)
const refused = { code: 'USAGE' }

/** A device like /dev/null, where this user may make one: the machine's own is not what to test with. */
function ownDevice(): string | undefined {
  try {
    execFileSync('mknod', [join(folder, 'device'), 'c', '1', '3'], { stdio: 'ignore' })
    return join(folder, 'device')
  } catch {
    return undefined
  }
}

describe('a regular file', () => {
  it('appears when it is whole, and the old one stays until then', async () => {
    const path = join(folder, 'out')
    await writeFile(path, 'old')
    const file = await createFile(path, INTO)
    const large = Buffer.alloc(200_000, 'x')
    for (const piece of ['a', large, 'b']) await file.write(piece)
    expect(readFileSync(path, 'utf8')).toBe('old')
    await file.flush()
    expect(readFileSync(path, 'utf8')).toBe('old')
    await file.finish()
    expect(readFileSync(path, 'utf8')).toBe(`a${large}b`)
    expect(readdirSync(folder)).toEqual(['out'])
  })

  it('that is given up leaves nothing and takes nothing away', async () => {
    const path = join(folder, 'out')
    const file = await createFile(path, INTO)
    await file.write('a')
    await file.abandon()
    expect(readdirSync(folder)).toEqual([])
  })

  it('is private where it holds addresses; else it keeps the mode of the one that it replaces', async () => {
    const path = join(folder, 'out')
    await writeFile(path, 'old', { mode: 0o644 })
    await writeFileSafely(path, 'new', { ...INTO, secret: false })
    expect(mode(path)).toBe('644')
    await writeFileSafely(path, 'new', INTO)
    expect(mode(path)).toBe('600')
  })

  it('is not replaced where that was not asked for, not even one that came meanwhile', async () => {
    const path = join(folder, 'out')
    const file = await createFile(path, { ...INTO, replace: false })
    await writeFile(path, 'mine')
    await expect(file.finish()).rejects.toMatchObject(refused)
    await file.abandon()
    await expect(createFile(path, { ...INTO, replace: false })).rejects.toMatchObject(refused)
    expect(readFileSync(path, 'utf8')).toBe('mine')
  })

  it('cannot be in a folder that is not there, nor be one', async () => {
    await expect(createFile(join(folder, 'none/out'), INTO)).rejects.toMatchObject({
      code: 'NOT_WRITABLE',
      // Not the file beside it, which is nobody's business.
      message: `${join(folder, 'none/out')} cannot be written: ENOENT: no such file or directory`,
    })
    await expect(createFile(folder, INTO)).rejects.toMatchObject(refused)
  })
})

describe('a link', () => {
  it('stays, and leads to the new file', async () => {
    await writeFile(join(folder, 'target'), 'old')
    await symlink('target', join(folder, 'link'))
    await writeFileSafely(join(folder, 'link'), 'new', INTO)
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true)
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('new')
  })

  it('to nothing is refused', async () => {
    await symlink('nothing', join(folder, 'link'))
    await expect(createFile(join(folder, 'link'), INTO)).rejects.toMatchObject(refused)
  })
})

describe('what is no file', () => {
  it('is written into: a device', async () => {
    const device = ownDevice()
    if (device !== undefined) {
      await writeFileSafely(device, 'x', INTO)
      expect(lstatSync(device).isCharacterDevice()).toBe(true)
    }
    symlinkSync('/dev/null', join(folder, 'link'))
    await writeFileSafely(join(folder, 'link'), 'x', INTO)
    expect(readlinkSync(join(folder, 'link'))).toBe('/dev/null')
    await expect(writeFileSafely('/dev/full', 'x', INTO)).rejects.toMatchObject({ code: 'NOT_WRITABLE' })
  })

  it('is written into: a pipe, as soon as somebody reads it, and at its pace', async () => {
    const path = join(folder, 'pipe')
    execFileSync('mkfifo', [path])
    const large = 'x'.repeat(300_000)
    const writing = writeFileSafely(path, large, INTO)
    const [text] = await Promise.all([readFile(path, 'utf8'), writing])
    expect(text).toBe(large)
    expect(lstatSync(path).isFIFO()).toBe(true)
  })

  it('a pipe that nobody reads, or that nobody empties, is given up at an abort', async () => {
    const path = join(folder, 'pipe')
    execFileSync('mkfifo', [path])
    await expect(createFile(path, { ...INTO, signal: AbortSignal.timeout(10) })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    const reader = await open(path, 'r+')
    const control = new AbortController()
    const file = await createFile(path, { ...INTO, signal: control.signal })
    const writing = file.write(Buffer.alloc(1 << 20))
    control.abort()
    await expect(writing).rejects.toMatchObject({ code: 'ABORTED' })
    await file.abandon()
    await reader.close()
  })

  it('is refused where that was said, and by snapshots', async () => {
    const kernel = await openKernel({ from: fixturePath('edge/edge.kallsyms'), threads: 0, types: false })
    execFileSync('mkfifo', [join(folder, 'pipe')])
    symlinkSync('pipe', join(folder, 'link'))
    const device = ownDevice() ?? join(folder, 'pipe')
    for (const path of [device, join(folder, 'pipe'), join(folder, 'link'), folder]) {
      await expect(saveSnapshot(kernel.snapshot(), path, { replace: true })).rejects.toMatchObject(refused)
    }
    expect(readdirSync(folder).filter((name) => name !== 'device')).toEqual(['link', 'pipe'])
    await saveSnapshot(kernel.snapshot(), join(folder, 'snapshot'))
    expect(mode(join(folder, 'snapshot'))).toBe('600')
    await kernel.close()
  })
})

describe('what killed writers left', () => {
  it('goes with the next file in that folder; what others are writing stays', async () => {
    const own = await createFile(join(folder, 'own'), INTO)
    await own.write('x')
    const [name] = readdirSync(folder)
    // As this process's, but of one that is gone, or was before this one had its number.
    const dead = name!.replace(/-\d+-(\d+)-/, '-4194305-$1-')
    const before = name!.replace(/-(\d+)-(\d+)-/, '-$1-1-')
    const elsewhere = name!.replace(/kerndex-\w+/, 'kerndex-0a')
    const longAgo = elsewhere.replace('0a', '0b')
    for (const each of [dead, before, elsewhere, longAgo, 'notes.tmp']) writeFileSync(join(folder, each), 'x')
    utimesSync(join(folder, longAgo), 1e9, 1e9)
    await writeFileSafely(join(folder, 'other'), 'y', INTO)
    expect(readdirSync(folder).sort()).toEqual([name!, elsewhere, 'notes.tmp', 'other'].sort())
    await own.finish()
    expect(readFileSync(join(folder, 'own'), 'utf8')).toBe('x')
  })

  it('a folder that was moved away for a new one comes back', async () => {
    await writeFolder(join(folder, 'probe'), async (inside) => writeFile(join(inside, 'a'), '1'))
    const left = join(folder, '.kerndex-0b-7-8-89abcdef.tmp')
    mkdirSync(join(left, 'before', 'capture'), { recursive: true })
    mkdirSync(join(left, 'before', 'probe'), { recursive: true })
    writeFileSync(join(left, 'before', 'capture', 'kallsyms'), 'old')
    utimesSync(left, 1e9, 1e9)
    await writeFolder(join(folder, 'probe'), async (inside) => writeFile(join(inside, 'a'), '2'))
    expect(readdirSync(folder).sort()).toEqual(['capture', 'probe'])
    expect(readFileSync(join(folder, 'capture', 'kallsyms'), 'utf8')).toBe('old')
    expect(readFileSync(join(folder, 'probe', 'a'), 'utf8')).toBe('2')
  })

  it('a folder that cannot be filled leaves the old one', async () => {
    await writeFolder(join(folder, 'capture'), async (inside) => writeFile(join(inside, 'a'), '1'))
    const failing = writeFolder(join(folder, 'capture'), () => Promise.reject(new Error('disk full')))
    await expect(failing).rejects.toMatchObject({ code: 'NOT_WRITABLE' })
    expect(readdirSync(folder)).toEqual(['capture'])
    expect(readFileSync(join(folder, 'capture', 'a'), 'utf8')).toBe('1')
  })
})
