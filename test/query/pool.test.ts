import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { AbortedError, ClosedError, KerndexError, UsageError } from '../../src/core/errors.ts'
import { attachKernel, type Kernel, NO_SYMBOL, openKernel } from '../../src/index.ts'
import { BATCH, QueryPool, SMALL } from '../../src/query/pool.ts'
import { runQueryTask } from '../../src/query/tasks.ts'
import { CAPTURE, fixturePath } from '../fixtures.ts'

let kernel: Kernel
beforeAll(async () => {
  kernel = await openKernel({ from: CAPTURE, threads: 2, types: false })
})
afterAll(() => kernel.close())

/** Addresses in kernel memory and outside of it, always the same. */
function addresses(count: number, into: BigUint64Array = new BigUint64Array(count)): BigUint64Array {
  const below = seededRandom(12345)
  for (let i = 0; i < count; i++) {
    into[i] = 0xffffffff_00000000n | BigInt(below(2 ** 32))
    if (i % 5 === 0) into[i] = kernel.symbols.addressOf(below(kernel.symbols.size)) + BigInt(below(7))
  }
  return into
}

describe('bulk lookups through the pool', () => {
  it.each([0, 1, SMALL - 1, SMALL, BATCH - 1, BATCH, BATCH + 1, 5 * BATCH + 3])(
    'of %i addresses are those of one thread, in order',
    async (count) => {
      const asked = addresses(count)
      const expected = kernel.symbols.findMany(asked)
      const got = await kernel.findMany(asked)
      expect(
        Buffer.from(got.ids.buffer, got.ids.byteOffset, got.ids.byteLength).equals(Buffer.from(expected.ids.buffer)),
      ).toBe(true)
      expect(
        Buffer.from(got.offsets.buffer, got.offsets.byteOffset, got.offsets.byteLength).equals(
          Buffer.from(expected.offsets.buffer),
        ),
      ).toBe(true)
      if (count >= SMALL) expect(got.ids.some((id) => id !== NO_SYMBOL)).toBe(true)
    },
  )

  it('take views and shared memory, whole or a part', async () => {
    const count = 2 * BATCH
    const shared = addresses(count + 7, new BigUint64Array(new SharedArrayBuffer((count + 7) * 8)))
    for (const view of [shared, shared.subarray(0, count), shared.subarray(7)]) {
      const got = await kernel.findMany(view)
      const expected = kernel.symbols.findMany(view)
      expect(got.ids.length).toBe(view.length)
      expect(Buffer.from(got.ids.buffer).equals(Buffer.from(expected.ids.buffer))).toBe(true)
    }
  })

  it('leave the caller free to change the addresses of its own memory meanwhile', async () => {
    const asked = addresses(3 * BATCH)
    const expected = kernel.symbols.findMany(asked)
    const pending = kernel.findMany(asked)
    asked.fill(0n)
    expect(Buffer.from((await pending).ids.buffer).equals(Buffer.from(expected.ids.buffer))).toBe(true)
  })

  it('run side by side without mixing answers', async () => {
    const lists = [1, 2, 3, 4].map((n) => addresses(BATCH * n))
    const answers = await Promise.all(lists.map((list) => kernel.findMany(list)))
    answers.forEach((answer, i) => {
      expect(Buffer.from(answer.ids.buffer).equals(Buffer.from(kernel.symbols.findMany(lists[i]!).ids.buffer))).toBe(
        true,
      )
    })
  })

  it('end with an abort, and the threads go on living', async () => {
    const asked = addresses(40 * BATCH)
    const abort = new AbortController()
    const pending = kernel.findMany(asked, { signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(pending).rejects.toThrow(AbortedError)
    await expect(pending).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } })
    await expect(kernel.findMany(asked, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError)
    await expect(kernel.findMany(addresses(10), { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError)
    const after = await kernel.findMany(addresses(2 * BATCH))
    expect(after.ids.length).toBe(2 * BATCH)
  })

  it('that were given up are not worked on', () => {
    const ids = new SharedArrayBuffer(4)
    const cancelled = new SharedArrayBuffer(4)
    new Int32Array(cancelled)[0] = 1
    const table = kernel.symbols.buffer
    const numbers = new SharedArrayBuffer(4)
    const task = { do: 'contain', table, addresses: new SharedArrayBuffer(8), ids, numbers, from: 0, to: 1 } as const
    new Uint32Array(ids)[0] = 77
    runQueryTask({ ...task, cancelled })
    expect(new Uint32Array(ids)[0]).toBe(77)
    runQueryTask({ ...task, cancelled: new SharedArrayBuffer(4) })
    expect(new Uint32Array(ids)[0]).toBe(NO_SYMBOL)
  })

  it.each([1, 5_000, 20_001])('of %i names are those of one thread, in order', async (count) => {
    const { symbols } = kernel
    const names = Array.from(
      { length: count },
      (_, i) => symbols.nameOf((i * 7_919) % symbols.size) + (i % 4 === 3 ? 'x' : ''),
    )
    const expected = symbols.namedMany(names)
    const got = await kernel.namedMany(names)
    expect(Array.from(got.starts)).toEqual(Array.from(expected.starts))
    expect(Array.from(got.ids)).toEqual(Array.from(expected.ids))
    expect(got.ids.length).toBeGreaterThan(0)
  })

  it('of exact addresses and patterns are those of one thread', async () => {
    const { symbols } = kernel
    const asked = BigUint64Array.from(
      { length: 2 * BATCH },
      (_, i) => symbols.addressOf(i % symbols.size) + BigInt(i % 3),
    )
    const expected = symbols.startingAtMany(asked)
    const got = await kernel.startingAtMany(asked)
    expect(Buffer.from(got.ids.buffer).equals(Buffer.from(expected.ids.buffer))).toBe(true)
    expect(Buffer.from(got.counts.buffer).equals(Buffer.from(expected.counts.buffer))).toBe(true)
    for (const [pattern, owner] of [
      ['*_read', undefined],
      [/^vfs_/, 'vmlinux'],
      ['*', /^virtio/],
      ['nothing', 'nobody'],
    ] as const) {
      const ids = Array.from(symbols.matching(pattern, { owner }), ({ id }) => id)
      expect(Array.from(await kernel.matching(pattern, { owner })), String(pattern)).toEqual(ids)
    }
  })

  it('without threads are done here', async () => {
    const pool = new QueryPool(() => 0)
    const asked = addresses(2 * BATCH)
    const { ids } = await pool.findMany(kernel.symbols, asked)
    expect(Buffer.from(ids.buffer).equals(Buffer.from(kernel.symbols.findMany(asked).ids.buffer))).toBe(true)
    await pool.close()
  })
})

describe('a kernel that is closed', () => {
  it('answers nothing more through its pool; its snapshot and readers stay whole', async () => {
    const closing = await openKernel({ from: CAPTURE, threads: 1, types: true })
    const before = closing.snapshot()
    const handle = closing.handle()
    await closing.findMany(addresses(SMALL))
    await closing.close()
    await closing.close()
    for (const count of [1, 2 * BATCH]) {
      await expect(closing.findMany(addresses(count))).rejects.toThrow(ClosedError)
      await expect(closing.findMany(addresses(count))).rejects.toMatchObject({ code: 'CLOSED' })
    }
    const address = before.symbols.named('vfs_read')[0]!.address
    expect(before.symbols.at(address + 1n)?.symbol.name).toBe('vfs_read')
    expect(closing.symbols.at(address + 1n)?.symbol.name).toBe('vfs_read')
    expect(attachKernel(handle).types.find('task_struct', { kind: 'STRUCT' }).length).toBe(1)
  })

  it('fails the lookups under way with a typed error', async () => {
    const closing = await openKernel({ from: CAPTURE, threads: 1, types: false })
    const pending = closing.findMany(addresses(60 * BATCH)).then(
      () => 'done',
      (error: unknown) => (error instanceof KerndexError ? error.code : String(error)),
    )
    await closing.close()
    expect(['CLOSED', 'done']).toContain(await pending)
  })

  it('is closed by await using', async () => {
    let closed: Kernel
    {
      await using scoped = await openKernel({ from: fixturePath('edge/edge.kallsyms'), threads: 0 })
      expect(scoped.symbols.size).toBe(34)
      closed = scoped
    }
    await expect(closed.findMany(addresses(1))).rejects.toThrow(ClosedError)
  })
})

describe('a handle', () => {
  it('attaches in any thread, also one that kerndex knows nothing of', async () => {
    const full = await openKernel({ from: CAPTURE, threads: 0 })
    const index = new URL('../../dist/lib/index.js', import.meta.url).href
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads')
       parentPort.once('message', async (handle) => {
         const { attachKernel } = await import(${JSON.stringify(index)})
         const { symbols, types, generation, host } = attachKernel(handle)
         const { symbol, offset, size } = symbols.at(symbols.named('vfs_read')[0].address + 5n)
         parentPort.postMessage({
           generation, name: symbol.name, offset, size, count: symbols.size, release: host.release,
           types: types.size, task: types.find('task_struct', { kind: 'STRUCT' }), same: handle.symbols })
       })`,
      { eval: true },
    )
    worker.postMessage(full.handle())
    const [answer] = await once(worker, 'message')
    await worker.terminate()
    const { symbol, offset, size } = full.symbols.at(full.symbols.named('vfs_read')[0]!.address + 5n)!
    const { same, ...rest } = answer
    expect(rest).toEqual({
      generation: 1,
      name: symbol.name,
      offset,
      size,
      count: 96_457,
      release: '6.1.0-56-amd64',
      types: full.types.size,
      task: full.types.find('task_struct', { kind: 'STRUCT' }),
    })
    // Nothing was copied: what the other side sends back is the same memory.
    const view = new Uint8Array(same as SharedArrayBuffer)
    const mine = new Uint8Array(full.symbols.buffer)
    const spare = mine.length - 1
    const was = mine[spare]!
    mine[spare] = was ^ 0xff
    expect(view[spare]).toBe(was ^ 0xff)
    mine[spare] = was
    await full.close()
  })

  it('survives structured clone and gives an equal snapshot', () => {
    const snapshot = attachKernel(structuredClone(kernel.handle()))
    expect(snapshot.symbols.buffer.byteLength).toBe(kernel.symbols.buffer.byteLength)
    expect(snapshot.host).toEqual(kernel.host)
    expect(snapshot.handle()).toEqual(kernel.handle())
  })

  it('of another make is refused', () => {
    const handle = kernel.handle()
    const wrong: unknown[] = [undefined, null, {}, { ...handle, kerndex: 2 }, 'handle']
    for (const other of wrong) expect(() => attachKernel(other as typeof handle)).toThrow(UsageError)
    expect(() => attachKernel({ ...handle, symbols: new SharedArrayBuffer(8) })).toThrow(KerndexError)
  })
})

describe('openKernel', () => {
  it('refuses a number of threads that is none', async () => {
    for (const threads of [-1, 0.5, 5_000, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(openKernel({ from: CAPTURE, threads })).rejects.toThrow(UsageError)
    }
  })

  it('loads no types where none are wanted, and says what a single file lacks', async () => {
    expect(kernel.types.sets).toEqual([])
    const single = await openKernel({ from: fixturePath('edge/edge.kallsyms'), threads: 0 })
    expect(single.host.absences.map(({ what }) => what)).toContain('btf')
    expect(single.host.modules).toBeUndefined()
    await single.close()
  })

  it('knows its host', () => {
    const { host } = kernel
    expect(host.release).toBe('6.1.0-56-amd64')
    expect(host.modules?.map(({ name }) => name)).toEqual(
      readFileSync(`${CAPTURE}/modules`, 'utf8')
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    )
    expect(kernel.timing.spans.length).toBeGreaterThan(0)
    expect(kernel.timing.threads).toBe(2)
  })

  it('leaves no thread behind when it fails', async () => {
    const workers = () =>
      process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker').length
    const before = workers()
    for (let i = 0; i < 3; i++) {
      await expect(openKernel({ from: fixturePath('edge/zero.kallsyms'), threads: 2 })).rejects.toMatchObject({
        code: 'NO_PERMISSION',
      })
    }
    expect(workers()).toBeLessThanOrEqual(before)
  })
})
