// Refreshing: what is published and what is not, what is parsed again, what a watch and its subscribers see.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ClosedError, NoPermissionError, UsageError } from '../../src/core/errors.ts'
import type { Kernel } from '../../src/kernel.ts'
import { loadKernel } from '../../src/load/load.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { type Change, differenceOf } from '../../src/snapshot/changes.ts'
import { build, tableOf } from '../symbols/build-table.ts'
import { fakeSource } from './sources.ts'

/** A table of several hundred thousand bytes of text whose symbols of module `mod` say which version it is. */
function text(version: number, symbols = 4_000): string {
  const lines = []
  for (let i = 0; i < symbols; i++) {
    const address = (0xffffffff81000000n + BigInt(i) * 64n).toString(16)
    lines.push(`${address} ${i % 3 === 0 ? 'T' : 't'} core_function_${i}`)
  }
  for (let i = 0; i < 50; i++) {
    const address = (0xffffffffc0000000n + BigInt(version) * 0x100000n + BigInt(i) * 64n).toString(16)
    lines.push(`${address} t version_${version}_${i}\t[mod_${version % 2}]`)
  }
  return `${lines.join('\n')}\n`
}

let folder: string
let path: string
let kernel: Kernel | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-'))
  path = join(folder, 'kallsyms')
  await writeFile(path, text(1))
})

afterEach(async () => {
  await kernel?.close()
  kernel = undefined
  await rm(folder, { recursive: true })
})

describe.each([0, 2])('a refresh with %i threads', (threads) => {
  it('publishes nothing while the content is the same, and parses none of it', async () => {
    kernel = await openKernel({ from: path, threads })
    const before = kernel.snapshot()
    for (let i = 0; i < 3; i++) {
      const { changed, generation, timing } = await kernel.refresh()
      expect({ changed, generation }).toEqual({ changed: false, generation: 1 })
      expect(timing.spans.filter(({ work }) => work === 'parse' || work === 'merge')).toEqual([])
      expect(kernel.snapshot()).toBe(before)
    }
  })

  it('publishes what a fresh load of the new content gives, byte for byte', async () => {
    kernel = await openKernel({ from: path, threads })
    const old = kernel.snapshot()
    await writeFile(path, text(2))
    expect(await kernel.refresh()).toMatchObject({ changed: true, generation: 2 })
    expect(Buffer.from(kernel.symbols.buffer).equals(Buffer.from(build(text(2)).buffer))).toBe(true)
    // Who holds the old snapshot has a whole old snapshot.
    expect(old.symbols.named('version_1_0')).toHaveLength(1)
    expect(old.symbols.named('version_2_0')).toEqual([])
    expect(kernel.symbols.named('version_1_0')).toEqual([])
    expect(kernel.symbols.named('version_2_0')).toHaveLength(1)
  })

  it('joins calls that are made while one is under way', async () => {
    kernel = await openKernel({ from: path, threads })
    await writeFile(path, text(3))
    const results = await Promise.all([kernel.refresh(), kernel.refresh(), kernel.refresh()])
    expect(new Set(results).size).toBe(1)
    expect(kernel.generation).toBe(2)
  })

  it('that fails leaves the old snapshot, says why, and can be tried again', async () => {
    kernel = await openKernel({ from: path, threads })
    const before = kernel.snapshot()
    await writeFile(path, '0000000000000000 T _stext\n0000000000000000 T vfs_read\n')
    await expect(kernel.refresh()).rejects.toBeInstanceOf(NoPermissionError)
    expect(kernel.snapshot()).toBe(before)
    await rm(path)
    await expect(kernel.refresh()).rejects.toMatchObject({ code: 'NOT_READABLE' })
    expect(kernel.snapshot()).toBe(before)
    await writeFile(path, text(4))
    expect(await kernel.refresh()).toMatchObject({ changed: true, generation: 2 })
  })
})

describe('what is taken over', () => {
  const load = (bytes: string, earlier?: Awaited<ReturnType<typeof loadKernel>>) =>
    loadKernel(fakeSource(Buffer.from(bytes)), 1 + (earlier?.handle.generation ?? 0), {
      chunkBytes: 4_096,
      types: false,
      earlier: earlier?.memory,
    })

  const parsedBytes = async (before: string, after: string) => {
    const first = await load(before)
    const second = await load(after, first)
    expect(Buffer.from(second.handle.symbols).equals(Buffer.from(build(after).buffer))).toBe(true)
    const chunks = second.memory.text.digests
    return chunks.filter((digest) => !first.memory.text.digests.includes(digest)).length
  }

  it('are the chunks before and behind a change that keeps every length', async () => {
    const before = text(1)
    const after = before.replace('core_function_2000', 'core_function_zzzz')
    expect(await parsedBytes(before, after)).toBe(1)
  })

  it('are the chunks before and soon those behind a change of length', async () => {
    const before = text(1)
    for (const name of ['core_function_3990', 'core_function_1000', 'core_function_0\n']) {
      expect(await parsedBytes(before, before.replace(name, `longer_${name}`)), name).toBeLessThan(8)
    }
  })

  it('is nothing where everything is different, or the text has become shorter', async () => {
    const one = text(1, 300)
    for (const other of [text(1, 100), text(2, 10), one.slice(0, 20_000)]) {
      const first = await load(one)
      const { handle } = await load(other, first)
      expect(Buffer.from(handle.symbols).equals(Buffer.from(build(other).buffer))).toBe(true)
    }
  })

  it('keeps bad lines and their numbers', async () => {
    const first = await load(`not a line\n${text(1)}`)
    const second = await load(`not a line\n${text(2)}nor this\n`, first)
    const lines = text(2).split('\n').length
    expect(second.handle.skipped).toMatchObject({
      count: 2,
      lines: [
        { line: 1, reason: 'address' },
        { line: lines + 1, reason: 'address' },
      ],
    })
  })
})

describe('changes', () => {
  it('tell what is gone and what is new', async () => {
    kernel = await openKernel({ from: path, threads: 0 })
    const seen: Change[] = []
    const stop = kernel.subscribe((change) => seen.push(change))
    await writeFile(path, text(2))
    await kernel.refresh()
    await kernel.refresh()
    stop()
    await writeFile(path, text(3))
    await kernel.refresh()
    expect(seen.map(({ generation }) => generation)).toEqual([2])
    const { symbols, owners } = seen[0]!.difference
    expect(symbols.gone).toHaveLength(50)
    expect(symbols.fresh).toHaveLength(50)
    expect(symbols.gone[0]?.name).toBe('version_1_0')
    expect(symbols.fresh.every(({ owner }) => owner === 'mod_0')).toBe(true)
    expect(owners).toEqual({ gone: ['mod_1'], fresh: ['mod_0'] })
  })

  it('count aliases one by one', () => {
    const lines = (names: string[]) => names.map((name) => `ffffffff81000000 T ${name}\n`).join('')
    const cases: [string[], string[], string[], string[]][] = [
      [['a', 'b', 'c'], ['c', 'a'], ['b'], []],
      [['a', 'a', 'b'], ['a', 'b', 'b'], ['a'], ['b']],
      [['a'], ['a', 'x', 'y'], [], ['x', 'y']],
    ]
    for (const [before, after, gone, fresh] of cases) {
      const { symbols } = differenceOf(tableOf(lines(before)), tableOf(lines(after)))
      expect(symbols.gone.map(({ name }) => name).sort()).toEqual(gone)
      expect(symbols.fresh.map(({ name }) => name).sort()).toEqual(fresh)
    }
  })

  it('reach a watch, which ends with its signal, its count or the kernel', async () => {
    kernel = await openKernel({ from: path, threads: 0 })
    const generations: number[] = []
    const ending = new AbortController()
    let version = 2
    await writeFile(path, text(version))
    for await (const change of kernel.watch({ intervalMs: 10, signal: ending.signal })) {
      generations.push(change.generation)
      if (version === 4) ending.abort()
      await writeFile(path, text(++version))
    }
    expect(generations).toEqual([2, 3, 4])
    const counted = []
    for await (const change of kernel.watch({ intervalMs: 10, refreshes: 2 })) counted.push(change.generation)
    expect(counted).toEqual([5])
    const watch = kernel.watch({ intervalMs: 3_600_000 })
    const next = watch.next()
    await kernel.close()
    expect(await next).toEqual({ done: true, value: undefined })
    await expect(kernel.refresh()).rejects.toBeInstanceOf(ClosedError)
    await expect(kernel.watch({ intervalMs: 10 }).next()).rejects.toBeInstanceOf(ClosedError)
  })

  it('are not watched for more often than is sane', async () => {
    kernel = await openKernel({ from: path, threads: 0 })
    for (const intervalMs of [0, -1, 9, Number.NaN]) {
      await expect(kernel.watch({ intervalMs }).next()).rejects.toBeInstanceOf(UsageError)
    }
  })
})
