// A process of its own, warm after its first rounds, that refreshes an opened kernel and loads it anew, inline and with pools
// that have been started before.

import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { workerUrl } from '../../src/core/place.ts'
import { openKernel } from '../../src/index.ts'
import { loadKernel } from '../../src/load/load.ts'
import type { LoaderResult, LoaderTask, LoaderThreads } from '../../src/load/tasks.ts'
import { Threads } from '../../src/load/threads.ts'
import { liveSource } from '../../src/sources/live.ts'
import { openSource } from '../../src/sources/open.ts'
import { answer, coldTask } from '../lib/cold.ts'
import { type Contender, contest, type Turns } from '../lib/contest.ts'
import { kerndexWith } from '../lib/contestants.ts'
import { plainRead } from '../lib/plain-read.ts'

export interface RefreshTask {
  readonly from: string | undefined
  /** What a refresh reads: types are known to be the same by the identity of their files. */
  readonly files: readonly string[]
  /** The same with the files of types; undefined where there are none. */
  readonly allFiles: readonly string[] | undefined
  readonly rounds: number
  /** The pools that load anew; 0 is inline. */
  readonly threads: readonly number[]
}

export interface RefreshResult {
  readonly turns: readonly Turns[]
  /** Refreshes that found something changed, as may happen on a running kernel. */
  readonly changes: number
}

const YARDSTICK = 'plain read'

const task = coldTask<RefreshTask>()
const { from } = task
const types = task.allFiles !== undefined
const inline = await openKernel({ from, types, threads: 0 })
const pooled = await openKernel({ from, types, threads: 2 })
let changes = 0

async function refresh(kernel: typeof inline): Promise<void> {
  if ((await kernel.refresh()).changed) changes++
}

const plain = (what: string, files: readonly string[]): Contender => {
  return { what, by: YARDSTICK, count: 1, run: () => plainRead(files) }
}

/** Whole loads, which know nothing of those before them. */
async function loadsAnew(what: string, withTypes: boolean, files: readonly string[]): Promise<Turns[]> {
  const source = from === undefined ? liveSource() : await openSource(from)
  const pools: (LoaderThreads | undefined)[] = task.threads.map((count) =>
    count === 0 ? undefined : new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), count),
  )
  await Promise.all(pools.map((pool) => pool?.start()))
  const loads = pools.map((threads): Contender => {
    const run = () => loadKernel(source, 1, { threads, types: withTypes })
    return { what, by: kerndexWith(threads?.count ?? 0), count: 1, run, yardstick: YARDSTICK }
  })
  const turns = await contest([plain(what, files), ...loads], task.rounds)
  await Promise.all(pools.map((pool) => pool?.close()))
  return turns
}

/** Kernels that are opened again and again, inline and with the threads of the one before: a process's threads are for one pool. */
async function opensAgain(what: string, withTypes: boolean): Promise<Turns[]> {
  const contests: Turns[] = []
  for (const count of task.threads.filter((each) => each > 0)) {
    const open = async (threads: number) => {
      const kernel = await openKernel({ from, types: withTypes, threads })
      await kernel.close()
    }
    const common = { what: `${what}, inline or with a pool of ${count}`, count: 1 }
    const inline = { ...common, by: kerndexWith(0), run: () => open(0) }
    const pool = { ...common, by: kerndexWith(count), run: () => open(count), yardstick: inline.by }
    contests.push(...(await contest([inline, pool], task.rounds)))
  }
  return contests
}

/** A capture's symbols with one letter of a name in the middle of the text changed, in a folder of its own. */
function withOneChange(capture: string, folder: string): string {
  const text = readFileSync(join(capture, 'kallsyms'))
  // A name stands behind sixteen digits, its type and two blanks.
  text[text.indexOf('\n', text.length / 2) + 1 + 19] = 'z'.charCodeAt(0)
  writeFileSync(join(folder, 'kallsyms'), text)
  for (const fact of ['modules', 'notes', 'version']) {
    if (existsSync(join(capture, fact))) copyFileSync(join(capture, fact), join(folder, fact))
  }
  return folder
}

/** Loads of symbols that know the one before them, in which one name was another, against whole loads. */
async function oneChange(capture: string): Promise<Turns[]> {
  const what = 'refresh of symbols, one name changed'
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-bench-'))
  try {
    const source = await openSource(capture)
    const { memory } = await loadKernel(await openSource(withOneChange(capture, folder)), 1, { types: false })
    const load = () => loadKernel(source, 1, { types: false })
    const refresh = () => loadKernel(source, 2, { types: false, earlier: memory })
    return await contest(
      [
        { what, by: 'a whole load', count: 1, run: load },
        { what, by: kerndexWith(0), count: 1, run: refresh, yardstick: 'a whole load' },
      ],
      task.rounds,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const again = 'refresh, nothing changed'
const turns = [
  ...(await contest(
    [
      plain(again, task.files),
      { what: again, by: 'kerndex inline', count: 1, run: () => refresh(inline), yardstick: YARDSTICK },
      { what: again, by: 'kerndex, pool of 2', count: 1, run: () => refresh(pooled), yardstick: YARDSTICK },
    ],
    task.rounds,
  )),
  ...(from === undefined ? [] : await oneChange(from)),
  ...(await opensAgain('open symbols again', false)),
  ...(task.allFiles === undefined ? [] : await opensAgain('open symbols and types again', true)),
  ...(await loadsAnew('load symbols, warm', false, task.files)),
  ...(task.allFiles === undefined ? [] : await loadsAnew('load symbols and types, warm', true, task.allFiles)),
]
await inline.close()
await pooled.close()
answer<RefreshResult>({ turns, changes })
