// A soak: a kernel that changes all the time, threads that read it, watches, other kernels that are opened, closed and
// cancelled in between. What it takes stays flat: memory, threads and open files. Ten minutes with KERNDEX_LONG, or as many
// seconds as KERNDEX_SOAK_SECONDS says.

import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { KerndexError } from '../../src/core/errors.ts'
import { openKernel } from '../../src/open-kernel.ts'

const seconds = Number(process.env.KERNDEX_SOAK_SECONDS ?? (process.env.KERNDEX_LONG === undefined ? 0 : 600))
const READERS = 3
const SYMBOLS = 20_000
/** What resident memory may become, compared with what it was after the first fifth. Nothing is collected by force. */
const MOST_GROWTH = 1.3

/** Two tables with no symbol in common but one, at other addresses too. */
function text(version: number): string {
  const lines = ['ffffffff81000000 T always_there']
  for (let i = 0; i + 1 < SYMBOLS; i++) {
    lines.push(`${(0xffffffff81000100n + BigInt(i * 16 + (version % 2) * 4)).toString(16)} t v_${version % 2}_${i}`)
  }
  return `${lines.join('\n')}\n`
}

const texts = [text(0), text(1)]

interface Taken {
  readonly rss: number
  readonly threads: number
  readonly files: number
}

const taken = (): Taken => ({
  rss: process.memoryUsage().rss,
  threads: readdirSync('/proc/self/task').length,
  files: readdirSync('/proc/self/fd').length,
})

it.skipIf(seconds === 0)(
  `takes no more after ${seconds} seconds than at first`,
  { timeout: (seconds + 120) * 1000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kerndex-soak-'))
    const path = join(folder, 'kallsyms')
    writeFileSync(path, texts[0]!)
    const kernel = await openKernel({ from: path, threads: 2 })
    const readers = Array.from({ length: READERS }, () => {
      const { port1, port2 } = new MessageChannel()
      const worker = new Worker(new URL('./hammer-worker.mjs', import.meta.url), {
        workerData: { symbols: SYMBOLS, port: port2 },
        transferList: [port2],
      })
      port1.postMessage(kernel.handle())
      return { port: port1, report: once(worker, 'message'), end: once(worker, 'exit') }
    })

    /** Another kernel that is opened and closed, or whose opening is cancelled somewhere on its way. */
    const another = async (turn: number) => {
      const cancel = new AbortController()
      if (turn % 3 === 1) setImmediate(() => cancel.abort())
      if (turn % 3 === 2) setTimeout(() => cancel.abort(), turn % 20)
      try {
        const other = await openKernel({ from: path, threads: turn % 2, signal: cancel.signal })
        if (turn % 5 === 0) for await (const _ of other.watch({ intervalMs: 100, refreshes: 1 })) break
        const results = other.symbols.named('always_there')
        expect(results).toHaveLength(1)
        await other.close()
      } catch (error) {
        expect(error).toBeInstanceOf(KerndexError)
        expect(error).toMatchObject({ code: 'ABORTED' })
      }
    }

    const end = performance.now() + seconds * 1000
    const samples: Taken[] = []
    let version = 0
    for (let now = performance.now(); now < end; now = performance.now()) {
      version++
      writeFileSync(path, texts[version % 2]!)
      expect(await kernel.refresh()).toMatchObject({ changed: true, generation: version + 1 })
      for (const { port } of readers) port.postMessage(kernel.handle())
      if (version % 4 === 0) await another(version / 4)
      samples.push(taken())
    }
    for (const { port } of readers) port.postMessage('stop')
    for (const { port, report, end: over } of readers) {
      const [{ failures, lookups }] = await report
      expect(failures).toEqual([])
      expect(lookups).toBeGreaterThan(version)
      port.close()
      await over
    }
    await kernel.close()
    rmSync(folder, { recursive: true })

    const most = (part: readonly Taken[], what: keyof Taken) => Math.max(...part.map((each) => each[what]))
    const fifth = Math.ceil(samples.length / 5)
    const early = samples.slice(0, fifth)
    const late = samples.slice(-fifth)
    const told = (part: readonly Taken[]) =>
      `${Math.round(most(part, 'rss') / 2 ** 20)} MiB, ${most(part, 'threads')} threads, ${most(part, 'files')} files`
    console.log(`${version} refreshes in ${seconds} s: at first ${told(early)}; at last ${told(late)}`)
    expect(most(late, 'rss')).toBeLessThan(MOST_GROWTH * most(early, 'rss'))
    expect(most(late, 'threads')).toBeLessThanOrEqual(most(early, 'threads'))
    expect(most(late, 'files')).toBeLessThanOrEqual(most(early, 'files'))
  },
)
