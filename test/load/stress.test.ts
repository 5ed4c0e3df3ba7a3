// The proof by force: threads that are not ours hammer lookups while 400 refreshes swap two tables under them.
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MessageChannel, Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { openKernel } from '../../src/open-kernel.ts'

const REFRESHES = 400
const READERS = 3
const SYMBOLS = 400
const MOST_GROWTH = 3_000_000

/** Two tables with no symbol in common but one, at other addresses too. */
function text(version: number): string {
  const lines = ['ffffffff81000000 T always_there']
  for (let i = 0; i + 1 < SYMBOLS; i++) {
    lines.push(`${(0xffffffff81000100n + BigInt(i * 16 + (version % 2) * 4)).toString(16)} t v_${version % 2}_${i}`)
  }
  return `${lines.join('\n')}\n`
}

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

it('no torn read, no miss of a symbol that is always there, no growth', { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-'))
  const path = join(folder, 'kallsyms')
  writeFileSync(path, text(0))
  const kernel = await openKernel({ from: path, threads: 0 })
  const readers = Array.from({ length: READERS }, () => {
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(new URL('./hammer-worker.mjs', import.meta.url), {
      workerData: { symbols: SYMBOLS, port: port2 },
      transferList: [port2],
    })
    port1.postMessage(kernel.handle())
    return { port: port1, report: once(worker, 'message'), end: once(worker, 'exit') }
  })
  let early = 0
  for (let version = 1; version <= REFRESHES; version++) {
    writeFileSync(path, text(version))
    const { changed, generation } = await kernel.refresh()
    expect({ changed, generation }).toEqual({ changed: true, generation: version + 1 })
    for (const { port } of readers) port.postMessage(kernel.handle())
    if (version === REFRESHES / 4) {
      collect()
      early = process.memoryUsage().arrayBuffers
    }
  }
  for (const { port } of readers) port.postMessage('stop')
  for (const { port, report, end } of readers) {
    const [{ failures, lookups, attached }] = await report
    expect(failures).toEqual([])
    expect(attached).toBe(REFRESHES + 1)
    expect(lookups).toBeGreaterThan(REFRESHES)
    port.close()
    // A thread keeps what it attached last until it ends.
    await end
  }
  // 300 more generations of 20 KB each would be 6 MB if any were kept. Memory that several threads shared is given back
  // some turns after the last of them has let go.
  let grown = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 200 && grown >= MOST_GROWTH; turn++) {
    collect()
    await new Promise((resume) => setImmediate(resume))
    grown = process.memoryUsage().arrayBuffers - early
  }
  expect(grown).toBeLessThan(MOST_GROWTH)
  await kernel.close()
  rmSync(folder, { recursive: true })
})
