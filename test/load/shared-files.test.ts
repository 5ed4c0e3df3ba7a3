// Modules shared out over threads: the same index to the last byte, whoever did which file, and the same absences.

import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { workerUrl } from '../../src/core/place.ts'
import { Pacer } from '../../src/load/pacer.ts'
import { blobsOf, FileCounter, helpWithFiles } from '../../src/load/shared-files.ts'
import type { LoaderThreads } from '../../src/load/tasks.ts'
import { runLoaderTask } from '../../src/load/tasks.ts'
import { Threads } from '../../src/load/threads.ts'
import { Timeline } from '../../src/load/timeline.ts'
import { loadTypes, type TypeThreads } from '../../src/load/types.ts'
import type { LoadedTypes } from '../../src/snapshot/loaded-types.ts'
import { captureSource } from '../../src/sources/capture.ts'
import { type BtfFile, isAbsence } from '../../src/sources/source.ts'
import { fixture, MODULES, swapWords } from '../btf/fixtures.ts'

const COPIES = 12
let directory = ''
let files: readonly BtfFile[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kerndex-shared-'))
  await mkdir(join(directory, 'btf'))
  const put = (name: string, bytes: Uint8Array | string) => writeFile(join(directory, 'btf', name), bytes)
  await put('vmlinux', fixture('deb61/vmlinux.btf'))
  const small = MODULES.filter((name) => name !== 'ext4')
  for (const name of small) {
    const bytes = fixture(`deb61/mod/${name}.btf`)
    for (let i = 0; i < COPIES; i++) await put(`${name}_${i}`, bytes)
  }
  const bytes = fixture('deb61/mod/veth.btf')
  await put('packed.gz', gzipSync(bytes))
  await put('foreign', swapWords(bytes))
  await put('cut', bytes.subarray(0, 100))
  await put('empty', '')
  await put('junk', 'not BTF at all, but long enough for a header')
  const listed = await captureSource(directory).btfFiles()
  if (isAbsence(listed)) throw new Error(listed.reason)
  // One more than there is: it has vanished.
  files = [...listed, { module: 'vanished', path: join(directory, 'btf', 'vanished') }]
})

afterAll(() => rm(directory, { recursive: true, force: true }))

async function load(threads?: TypeThreads) {
  const timeline = new Timeline()
  const loaded = await loadTypes(files, { threads, pacer: new Pacer(), timeline })
  return { loaded, spans: timeline.spans }
}

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Everything of a load that is not a place in memory. */
function contents({ records, identities, absences }: LoadedTypes) {
  return {
    sets: records.map(({ name, blob, blobOffset, blobLength, index, indexOffset }) => ({
      name,
      blob: digest(Buffer.from(blob, blobOffset, blobLength)),
      index: index.byteLength,
      row: indexOffset,
    })),
    indexes: [...new Set(records.map(({ index }) => index))].map((index) => digest(Buffer.from(index))),
    identities: [...identities].sort(),
    absences,
  }
}

describe('modules over threads', () => {
  let alone: ReturnType<typeof contents>
  beforeAll(async () => {
    alone = contents((await load()).loaded)
  })

  test('a load names what it cannot use', async () => {
    const { loaded } = await load()
    expect(loaded.absences.map(({ what }) => what)).toEqual(['btf/cut', 'btf/empty', 'btf/junk', 'btf/vanished'])
    expect(loaded.records.length).toBe(files.length - 4)
  })

  test.each([1, 2, 3])('are the same where %i helpers have taken all of them', async (count) => {
    // Each runs as soon as it is asked: the first finds all files, and the calling thread none.
    const { loaded, spans } = await load({ count, run: runLoaderTask })
    expect(contents(loaded)).toEqual(alone)
    const sound = files.length - 1 - ['packed', 'foreign', 'cut', 'empty', 'junk', 'vanished'].length
    expect(spans.filter(({ work }) => work === 'index').map(({ what }) => what)).toContain(`${sound} modules`)
  })

  test.each([1, 2, 3])('are the same with a pool of %i that is running', async (count) => {
    const pool: LoaderThreads = new Threads(workerUrl('loader'), count)
    try {
      await pool.start()
      for (let i = 0; i < 3; i++) expect(contents((await load(pool)).loaded)).toEqual(alone)
    } finally {
      await pool.close()
    }
  })

  test('are not waited for where nobody has begun, and lost where one has died', async () => {
    const never = new Promise<never>(() => {})
    expect(contents((await load({ count: 2, run: () => never })).loaded)).toEqual(alone)
    const died = new Error('died')
    const dying: TypeThreads['run'] = async (task) => {
      if (task.do === 'help') new FileCounter(task.counter).begin(task.helper)
      throw died
    }
    await expect(load({ count: 1, run: dying })).rejects.toBe(died)
  })

  test('an aborted load leaves nothing to do', async () => {
    const abort = new AbortController()
    let counter: FileCounter | undefined
    const pacer = new Pacer(abort.signal)
    Object.defineProperty(pacer, 'due', { get: () => counter !== undefined })
    const run: TypeThreads['run'] = (task) => {
      if (task.do === 'help') counter = new FileCounter(task.counter)
      abort.abort()
      return new Promise(() => {})
    }
    const aborted = loadTypes(files, { threads: { count: 1, run }, pacer, timeline: new Timeline() })
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    const modules = files.length - 1
    expect(counter?.take(modules)).toEqual({ from: modules, to: modules })
  })

  test('a helper leaves what it cannot use to the calling thread', () => {
    const base = { typeCount: 1, stringBytes: 0, strings: [] }
    const paths = ['/nowhere/at/all', directory, join(directory, 'btf', 'junk'), join(directory, 'btf', 'packed.gz')]
    const helped = helpWithFiles({ paths, base, counter: FileCounter.forHelpers(1).words, helper: 0 })
    expect(helped?.identities).toEqual([])
  })

  test('a helper forgets what it has found of a large blob that is wrong in the end', async () => {
    const pointers = (count: number): Buffer => {
      const bytes = Buffer.alloc(24 + count * 12 + 1)
      bytes.writeUInt32LE(0x0001eb9f, 0)
      bytes.writeUInt32LE(24, 4)
      bytes.writeUInt32LE(count * 12, 12)
      bytes.writeUInt32LE(count * 12, 16)
      bytes.writeUInt32LE(1, 20)
      for (let i = 0; i < count; i++) bytes.writeUInt32LE(2 << 24, 24 + i * 12 + 4)
      return bytes
    }
    const wrong = pointers(80_000)
    wrong.writeUInt32LE(0, 24 + 79_999 * 12 + 4)
    const paths = [join(directory, 'wrong'), join(directory, 'right')] as const
    await writeFile(paths[0], wrong)
    await writeFile(paths[1], pointers(40_000))
    const base = { typeCount: 1, stringBytes: 0, strings: [] }
    const helped = helpWithFiles({ paths, base, counter: FileCounter.forHelpers(1).words, helper: 0 })
    const [found] = helped === undefined ? [] : [...blobsOf(helped, String)]
    expect(found).toMatchObject({ file: 1, blob: { name: '1', walked: { from: 0, result: { count: 40_000 } } } })
    const offsets = helped?.output.offsets.subarray(0, 40_000)
    expect(offsets?.every((offset, i) => offset === 6 + 3 * i)).toBe(true)
  })
})
