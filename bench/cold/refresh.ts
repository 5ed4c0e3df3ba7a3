// A process of its own, warm after its first rounds, that refreshes an opened kernel and loads it anew.

import { openKernel } from '../../src/index.ts'
import { answer, coldTask } from '../lib/cold.ts'
import { type Contender, contest, type Turns } from '../lib/contest.ts'
import { plainRead } from '../lib/plain-read.ts'

export interface RefreshTask {
  readonly from: string | undefined
  /** What a refresh reads: types are known to be the same by the identity of their files. */
  readonly files: readonly string[]
  readonly types: boolean
  readonly rounds: number
}

export interface RefreshResult {
  readonly turns: readonly Turns[]
  /** Refreshes that found something changed, as may happen on a running kernel. */
  readonly changes: number
}

const YARDSTICK = 'plain read'

const task = coldTask<RefreshTask>()
const { from, types } = task
const inline = await openKernel({ from, types, threads: 0 })
const pooled = await openKernel({ from, types, threads: 2 })
let changes = 0

async function refresh(kernel: typeof inline): Promise<void> {
  if ((await kernel.refresh()).changed) changes++
}

async function loadAnew(): Promise<void> {
  await (await openKernel({ from, types: false, threads: 0 })).close()
}

const again = 'refresh, nothing changed'
const anew = 'load symbols, warm'
const plain = (what: string): Contender => ({ what, by: YARDSTICK, count: 1, run: () => plainRead(task.files) })
const turns = [
  ...(await contest(
    [
      plain(again),
      { what: again, by: 'kerndex inline', count: 1, run: () => refresh(inline), yardstick: YARDSTICK },
      { what: again, by: 'kerndex, pool of 2', count: 1, run: () => refresh(pooled), yardstick: YARDSTICK },
    ],
    task.rounds,
  )),
  ...(await contest(
    [plain(anew), { what: anew, by: 'kerndex inline', count: 1, run: loadAnew, yardstick: YARDSTICK }],
    task.rounds,
  )),
]
await inline.close()
await pooled.close()
answer<RefreshResult>({ turns, changes })
