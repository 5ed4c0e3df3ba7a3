// Kernels find the threads of those before them, share none with those beside them, and hold no process up.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { threadId, Worker } from 'node:worker_threads'
import { afterAll, expect, it } from 'vitest'
import { lendThreads } from '../../src/load/lent-threads.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { CAPTURE, fixturePath } from '../fixtures.ts'

const from = CAPTURE
const small = fixturePath('edge/edge.kallsyms')
const types = false

afterAll(() => lendThreads(undefined, () => Promise.reject(new Error('end'))).catch(() => {}))

/** The number that Node gives a thread now: they are counted. */
async function nextThread(): Promise<number> {
  const worker = new Worker('', { eval: true })
  const { threadId } = worker
  await once(worker, 'exit')
  return threadId
}

const bytesOf = (kernel: { handle(): { readonly symbols: SharedArrayBuffer } }) => Buffer.from(kernel.handle().symbols)

it('a kernel is opened with the threads of the one before it, asked for or not', async () => {
  const first = await openKernel({ from, types, threads: 2 })
  await first.close()
  // It may be open before all of them are there.
  await lendThreads(2, async (threads) => threads?.start())
  const before = await nextThread()
  const [second, third] = [await openKernel({ from, types, threads: 2 }), await openKernel({ from, types })]
  const inline = await openKernel({ from, types, threads: 0 })
  expect(await nextThread()).toBe(before + 1)
  expect([second, third, inline].map(({ timing }) => timing.threads)).toEqual([2, 2, 0])
  for (const kernel of [second, third, inline]) {
    expect(bytesOf(kernel).equals(bytesOf(first))).toBe(true)
    await kernel.close()
  }
})

it('a text that one buffer holds calls no thread', async () => {
  const before = await nextThread()
  const kernel = await openKernel({ from: small, types, threads: 3 })
  expect(kernel.timing.spans.every(({ thread }) => thread === threadId)).toBe(true)
  await kernel.close()
  expect(await nextThread()).toBe(before + 1)
})

it('a kernel that is closed, or whose opening is given up, ends no threads of another', async () => {
  const cancel = new AbortController()
  const loads = [
    openKernel({ from, types, threads: 2 }),
    openKernel({ from, types, threads: 2, signal: cancel.signal }),
    openKernel({ from, types, threads: 2 }),
  ] as const
  cancel.abort()
  await expect(loads[1]).rejects.toMatchObject({ code: 'ABORTED' })
  const first = await loads[0]
  await first.close()
  const second = await loads[2]
  const refreshing = second.refresh()
  const third = await openKernel({ from, types, threads: 2 })
  await third.close()
  expect((await refreshing).changed).toBe(false)
  await second.close()
})

it.runIf(process.platform === 'linux')('a process ends without waiting for them', async () => {
  const script = `
    const { readdirSync } = require('node:fs')
    const { openKernel } = require(${JSON.stringify(new URL('../../dist/lib/index.cjs', import.meta.url).pathname)})
    const threads = () => readdirSync('/proc/self/task').length
    const before = threads()
    openKernel({ from: ${JSON.stringify(from)}, types: false, threads: 2 }).then((kernel) => kernel.close())
    process.once('beforeExit', () => console.log(threads() - before))`
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', script])
  expect(stderr).toBe('')
  expect(Number(stdout)).toBeGreaterThanOrEqual(2)
})
