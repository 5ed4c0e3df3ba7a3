// Captures in archives: the same answers as their directories, within bounds, and nothing written to disk.
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGzip, gunzipSync, gzipSync } from 'node:zlib'
import { type Header, pack } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KerndexError } from '../../src/core/errors.ts'
import { writeCapture } from '../../src/load/capture.ts'
import { openTypes } from '../../src/load/open-types.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { archiveSource } from '../../src/sources/archive.ts'
import { isAbsence } from '../../src/sources/source.ts'
import { CAPTURE } from '../fixtures.ts'

const run = promisify(execFile)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-archive-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** An archive with those entries. */
async function archive(
  name: string,
  entries: readonly (Partial<Header> & { name: string } & { content?: string | Buffer })[],
): Promise<string> {
  const path = join(folder, name)
  const tar = pack()
  for (const { content, ...header } of entries) tar.entry(header, content ?? '')
  tar.finalize()
  await pipeline(tar, createGzip(), createWriteStream(path))
  return path
}

const KALLSYMS = 'ffffffff81000000 T _stext\nffffffff81000010 T vfs_read\n'

describe('a capture in an archive', () => {
  it.each(['.', 'debian-6.1-amd64'])('as tar packs %s answers as its directory does', async (what) => {
    const path = join(folder, `${what.length}.tar.gz`)
    const from = what === '.' ? CAPTURE : join(CAPTURE, '..')
    await run('tar', ['-czf', path, '-C', from, what])
    const [packed, plain] = await Promise.all([path, CAPTURE].map((each) => openKernel({ from: each, threads: 0 })))
    expect(Buffer.from(packed!.symbols.buffer).equals(Buffer.from(plain!.symbols.buffer))).toBe(true)
    expect(packed!.types.sets.map(({ name, size }) => [name, size])).toEqual(
      plain!.types.sets.map(({ name, size }) => [name, size]),
    )
    expect({ ...packed!.host, source: '' }).toEqual({ ...plain!.host, source: '' })
    expect(packed!.probes.plan(['fentry:vfs_read'])).toEqual(plain!.probes.plan(['fentry:vfs_read']))
    expect(await packed!.refresh()).toMatchObject({ changed: false })
    await Promise.all([packed!.close(), plain!.close()])
  })

  it('gives its types to threads, lazily and alone', async () => {
    const path = join(folder, 'types.tar.gz')
    await run('tar', ['-czf', path, '-C', CAPTURE, '.'])
    const inline = await openTypes({ from: path })
    const pool = await openTypes({ from: path, threads: 2 })
    expect(pool.opened).toEqual(inline.opened)
    expect(pool.types.size).toBe(inline.types.size)
    const lazy = await openKernel({ from: path, threads: 0, types: 'lazy' })
    expect(lazy.types.requireSet('9p').size).toBe(inline.types.requireSet('9p').size)
  })

  it('is read past links, devices and paths that lead out of it, and writes nothing', async () => {
    const outside = join(folder, 'outside')
    const path = await archive('hostile.tar.gz', [
      { name: '../outside', content: 'x' },
      { name: join(folder, 'outside'), content: 'x' },
      { name: 'a/../../outside', content: 'x' },
      { name: 'kallsyms', type: 'symlink', linkname: '/proc/kallsyms' },
      { name: 'modules', type: 'link', linkname: '/etc/passwd' },
      { name: 'version', type: 'character-device' },
      { name: './kallsyms', content: KALLSYMS },
      { name: 'btf/../../../outside', content: 'x' },
    ])
    const before = await readdir(folder)
    const source = await archiveSource(path)
    const kernel = await openKernel({ from: path, threads: 0 })
    expect(kernel.symbols.size).toBe(2)
    for (const name of ['modules', 'version'] as const) expect(isAbsence(await source.fact(name))).toBe(true)
    expect(await readdir(folder)).toEqual(before)
    await expect(readFile(outside)).rejects.toThrow()
  })

  it('prefers the capture nearest to its top', async () => {
    const path = await archive('nested.tar.gz', [
      { name: 'a/b/kallsyms', content: 'ffffffff81000000 T wrong\n' },
      { name: 'a/kallsyms.gz', content: gzipSync(KALLSYMS) },
      { name: 'a/notkallsyms', content: 'x' },
    ])
    const kernel = await openKernel({ from: path, threads: 0 })
    expect(kernel.symbols.named('vfs_read')).toHaveLength(1)
  })

  it('is refused where there are two, with the folders of both', async () => {
    for (const name of ['kallsyms', 'kallsyms.gz', 'btf/vmlinux']) {
      const path = await archive('two.tar.gz', [
        { name: `all/b/${name}`, content: KALLSYMS },
        { name: `all/a/${name}`, content: KALLSYMS },
      ])
      const message = expect.stringMatching(/all\/a\/ and all\/b\/; unpack it/)
      await expect(openKernel({ from: path, threads: 0 })).rejects.toMatchObject({ code: 'NOT_READABLE', message })
      await expect(openTypes(path)).rejects.toMatchObject({ code: 'NOT_READABLE', message })
    }
  })

  it('that is none, is damaged or cut is refused in words', async () => {
    const none = await archive('none.tar.gz', [{ name: 'readme', content: 'x' }])
    await expect(openKernel({ from: none })).rejects.toMatchObject({ code: 'NOT_READABLE' })
    const good = await readFile(await archive('good.tar.gz', [{ name: 'kallsyms', content: KALLSYMS.repeat(2000) }]))
    for (const [name, bytes] of [
      ['cut.tar.gz', good.subarray(0, good.length - 20)],
      ['junk.tar.gz', Buffer.from('no archive at all')],
      ['junk.tar', Buffer.alloc(3000, 'x')],
      ['badfact.tgz', Buffer.alloc(0)],
    ] as const) {
      await writeFile(join(folder, name), bytes)
      const error = await openKernel({ from: join(folder, name) }).catch((thrown: unknown) => thrown)
      expect(error, name).toBeInstanceOf(KerndexError)
    }
  })

  it('takes no memory without limit', async () => {
    const header = (size: number) => {
      const block = Buffer.alloc(512)
      block.write('kallsyms', 0)
      block.write(`${size.toString(8).padStart(11, '0')} `, 124)
      block.write('0', 156)
      block.write('ustar\x0000', 257)
      block.fill(' ', 148, 156)
      const sum = block.reduce((total, byte) => total + byte, 0)
      block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
      return block
    }
    const path = join(folder, 'large.tar.gz')
    await writeFile(path, gzipSync(Buffer.concat([header(2 ** 31), Buffer.alloc(1 << 20)])))
    await expect(openKernel({ from: path })).rejects.toMatchObject({ code: 'LIMIT' })
  })

  it('is read where its directories have a size, as POSIX lets them have', async () => {
    const path = await archive('sizes.tar.gz', [
      { name: 'cap/', type: 'directory' },
      { name: 'cap/kallsyms', content: KALLSYMS },
    ])
    const tar = gunzipSync(await readFile(path))
    tar.write('00000001000', 124)
    tar.fill(' ', 148, 156)
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0)
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    await writeFile(path, gzipSync(tar))
    const kernel = await openKernel({ from: path, threads: 0, types: false })
    expect(kernel.symbols.size).toBe(2)
    await kernel.close()
  })

  it.each([
    ['a packed file that becomes too large', 1, 200],
    ['packed files that become too large together', 3, 100],
  ])('with %s is refused', async (_, files, megabytes) => {
    const bomb = Buffer.concat(new Array<Buffer>(megabytes / 4).fill(gzipSync(Buffer.alloc(4 << 20))))
    // Where the packing does not tell how much it holds.
    if (files === 1) bomb.writeUInt32LE(1, bomb.length - 4)
    const entries = Array.from({ length: files }, (_, i) => ({ name: `btf/m${i}.gz`, content: bomb }))
    const path = await archive(`bombs${files}.tar.gz`, [{ name: 'kallsyms', content: KALLSYMS }, ...entries])
    await expect(openKernel({ from: path, threads: 0 })).rejects.toMatchObject({ code: 'LIMIT' })
  })
})

describe('writing a capture', () => {
  it.each(['out', 'out.tar.gz'])(
    'to %s gives what it was made from, private, and not over what is there',
    async (name) => {
      const path = join(folder, name)
      const { files, unsettled } = await writeCapture(path, { from: CAPTURE })
      expect(unsettled).toBe(false)
      expect(files.map((file) => file.name)).toEqual(
        expect.arrayContaining(['kallsyms', 'modules', 'notes', 'version', 'btf/vmlinux']),
      )
      const [copy, original] = await Promise.all([path, CAPTURE].map((from) => openKernel({ from, threads: 0 })))
      expect(Buffer.from(copy!.symbols.buffer).equals(Buffer.from(original!.symbols.buffer))).toBe(true)
      expect(copy!.types.size).toBe(original!.types.size)
      expect({ ...copy!.host, source: '' }).toEqual({ ...original!.host, source: '' })
      const { stdout } = await run('find', [path, '-perm', '/077'])
      expect(stdout).toBe('')
      await expect(writeCapture(path, { from: CAPTURE })).rejects.toMatchObject({ code: 'USAGE' })
      await writeCapture(path, { from: CAPTURE, replace: true })
      expect((await readdir(folder)).filter((each) => each.endsWith('.tmp') || each.endsWith('.old'))).toEqual([])
    },
  )

  it('replaces captures only, and leaves nothing of the old one', async () => {
    const path = join(folder, 'replaced')
    await mkdir(join(path, 'btf'), { recursive: true })
    await writeFile(join(path, 'btf', 'long_gone'), 'x')
    await writeFile(join(path, 'kallsyms.gz'), 'x')
    await writeCapture(path, { from: CAPTURE, replace: true })
    expect(await readdir(join(path, 'btf'))).not.toContain('long_gone')
    expect(await readdir(path)).not.toContain('kallsyms.gz')
    await writeFile(join(path, 'diary.txt'), 'x')
    await expect(writeCapture(path, { from: CAPTURE, replace: true })).rejects.toMatchObject({ code: 'USAGE' })
    expect(await readdir(path)).toContain('diary.txt')
    await writeFile(join(folder, 'plain'), 'x')
    await expect(writeCapture(join(folder, 'plain'), { from: CAPTURE, replace: true })).rejects.toMatchObject({
      code: 'USAGE',
    })
    await expect(writeCapture(join(folder, 'no/such'), { from: CAPTURE })).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('refuses where addresses are hidden, and writes nothing', async () => {
    const hidden = join(folder, 'hidden')
    await mkdir(hidden)
    await writeFile(join(hidden, 'kallsyms'), '0000000000000000 T _stext\n0000000000000000 T vfs_read\n')
    await expect(writeCapture(join(folder, 'never'), { from: hidden })).rejects.toMatchObject({ code: 'NO_PERMISSION' })
    expect(await readdir(folder)).not.toContain('never')
  })

  it('stops at an abort and leaves nothing', async () => {
    const path = join(folder, 'aborted')
    const ending = new AbortController()
    const onFile = (_: string, done: number) => {
      if (done === 3) ending.abort()
    }
    const { signal } = ending
    await expect(writeCapture(path, { from: CAPTURE, signal, onFile })).rejects.toMatchObject({ code: 'ABORTED' })
    expect((await readdir(folder)).filter((name) => name.startsWith('aborted'))).toEqual([])
  })
})
