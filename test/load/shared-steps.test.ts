// Two threads share the steps of a load, and its timing tells which of them did what.
import { afterAll, expect, it } from 'vitest'
import { workerUrl } from '../../src/core/place.ts'
import { borrowWasm } from '../../src/core/wasm-memory.ts'
import { loadKernel } from '../../src/load/load.ts'
import type { LoaderResult, LoaderTask } from '../../src/load/tasks.ts'
import { Threads } from '../../src/load/threads.ts'
import { LOOPS_WASM } from '../../src/symbols/loops-wasm.ts'
import { fixtureBytes } from '../fixtures.ts'
import { fakeSource } from './sources.ts'

/** The steps of a load that keeps nothing of an earlier one: those of many pieces, and those that are one piece. */
const SHARED = [
  'scan',
  'enterRoots',
  'countRanges',
  'spread',
  'sortRange',
  'placeIds',
  'listIds',
  'flagIds',
  'countCells',
  'enterNames',
]
const WHOLE = ['sumRanges', 'claimPages']
/** What is no step. */
const BETWEEN = ['kallsyms', 'between steps']
/** Few loads are enough, but who knows what else the machine does. */
const MOST_LOADS = 200

const threads = new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), 2)
afterAll(() => threads.close())

it('both threads of a pool are in every step that has pieces for two, and the timing shows them', async () => {
  await threads.start()
  const source = fakeSource(fixtureBytes('debian-6.1-amd64/kallsyms.gz'))
  const known = new Map(SHARED.map((step) => [step, new Set<number>()]))
  const missing = () => SHARED.filter((step) => known.get(step)!.size < 2)
  // Which thread takes a piece is chance: what is looked for comes in one of the loads, unless a thread stays out of a step.
  for (let load = 0; load < MOST_LOADS && missing().length > 0; load++) {
    const { timeline } = await loadKernel(source, 1, { threads, types: false, chunkBytes: 20_000 })
    const spans = timeline.spans.filter(({ what }) => !BETWEEN.includes(what))
    expect(new Set(spans.map(({ what }) => what))).toEqual(new Set([...SHARED, ...WHOLE]))
    for (const { what, thread } of spans) known.get(what)?.add(thread)
  }
  expect(missing()).toEqual([])
})

it('memory that the threads have worked in is used by those who come after them, once they have ended', async () => {
  const known = borrowWasm(LOOPS_WASM)!.memory
  const pool = new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), 1)
  await pool.start()
  expect(pool.keepMemory(known)).toBe(true)
  expect(borrowWasm(LOOPS_WASM)!.memory).not.toBe(known)
  await pool.close()
  expect(borrowWasm(LOOPS_WASM)!.memory).toBe(known)
})
