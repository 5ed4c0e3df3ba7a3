// Threads go from one load to the next, are nobody else's meanwhile, and end when nobody wants them or something went wrong.
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WorkerFailedError } from '../../src/core/errors.ts'
import { lendThreads } from '../../src/load/lent-threads.ts'
import type { LoaderTask, LoaderThreads } from '../../src/load/tasks.ts'

vi.mock('../../src/core/place.ts', () => ({ workerUrl: () => new URL('./mortal-worker.mjs', import.meta.url) }))

/** What the worker of this test understands. */
const NUMBER = 'number' as unknown as LoaderTask
const DIE = 'die' as unknown as LoaderTask

/** Has threads at work, so that they run, and says which. */
const use = (count: number | undefined) =>
  lendThreads(count, async (threads) => {
    await threads?.run(NUMBER)
    return threads
  })
const isClosed = (threads: LoaderThreads | undefined) =>
  expect(threads?.run(NUMBER)).rejects.toMatchObject({ code: 'CLOSED' })

afterEach(async () => {
  vi.useRealTimers()
  // Threads that are idle are ended by work that fails with them.
  await lendThreads(undefined, () => Promise.reject(new Error('end'))).catch(() => {})
})

describe('threads', () => {
  it('are those of the work before, where it had as many, or where any will do', async () => {
    const first = await use(2)
    expect(first?.count).toBe(2)
    expect(await use(2)).toBe(first)
    expect(await use(undefined)).toBe(first)
    expect(await use(2)).toBe(first)
    const others = await use(1)
    expect(others?.count).toBe(1)
    // There is one idle crew.
    await isClosed(first)
  })

  it('are none for 0, and none where any will do but there are none', async () => {
    expect(await use(undefined)).toBeUndefined()
    const first = await use(1)
    expect(await use(0)).toBeUndefined()
    expect(await use(undefined)).toBe(first)
  })

  it('are different ones for work at the same time', async () => {
    const [first, second, none] = await Promise.all([use(2), use(2), use(undefined)])
    expect(first).not.toBe(second)
    expect(none).toBeUndefined()
    const next = await use(2)
    expect([first, second]).toContain(next)
    await isClosed(next === first ? second : first)
  })

  it('that nobody has given a task are not kept', async () => {
    const unused = await lendThreads(2, async (threads) => threads)
    expect(unused?.awake).toBe(false)
    expect(await use(2)).not.toBe(unused)
  })

  it('end with work that fails, whose failure it is', async () => {
    const first = await use(2)
    const failure = new Error('cancelled')
    await expect(lendThreads(2, () => Promise.reject(failure))).rejects.toBe(failure)
    await isClosed(first)
    expect(await use(2)).not.toBe(first)
  })

  it('of which one has died are not used again', async () => {
    const [first, death] = await lendThreads(2, async (threads) => {
      const why = await threads?.run(DIE).catch((error: unknown) => error)
      return [threads, why] as const
    })
    expect(death).toBeInstanceOf(WorkerFailedError)
    expect(await use(2)).not.toBe(first)
    await isClosed(first)
  })

  it('of which one dies while nobody has them are not used again', async () => {
    const first = await use(1)
    // Behind the work: it is idle by then.
    const death = first?.run(DIE)
    await expect(death).rejects.toThrow(WorkerFailedError)
    while (!first?.broken) await turn()
    expect(await use(undefined)).toBeUndefined()
    await isClosed(first)
  })

  it('end two seconds after their last work', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const first = await use(2)
    vi.advanceTimersByTime(1999)
    expect(await use(2)).toBe(first)
    vi.advanceTimersByTime(1999)
    expect(await use(undefined)).toBe(first)
    vi.advanceTimersByTime(2000)
    expect(await use(undefined)).toBeUndefined()
    await isClosed(first)
  })
})
