// What a stream of processes without end costs: nothing that grows with it. By the heap, as what is resident depends on when V8
// collects. With KERNDEX_LONG=1 a quarter of a million processes against a million.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { Enricher } from '../../src/events/enrich.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import { run, snapshotOfText } from '../events/samples.ts'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

const isLong = process.env.KERNDEX_LONG === '1'
/** Processes in one piece of the stream. */
const PIECE = 2000
const EVENT_US = 20

/** ftrace's text of processes that live one behind the other, every fourth with a thread, as a machine's two CPUs tell of them. */
class Workload {
  #us = 100_000_000
  #last = 1000
  #made = 0

  piece(count: number): Buffer {
    let text = ''
    for (let i = 0; i < count; i++) text += this.#process(this.#made++)
    return Buffer.from(text)
  }

  #process(index: number): string {
    const pid = this.#number()
    const name = `program-of-${index % 97}`
    let text =
      this.#line('make', 900, `task_newtask: pid=${pid} comm=make clone_flags=1200011 oom_score_adj=0`) +
      this.#line('make', 900, `sched_process_fork: comm=make pid=900 child_comm=make child_pid=${pid}`) +
      this.#line('make', pid, `sched_process_exec: filename=/usr/bin/${name} pid=${pid} old_pid=${pid}`)
    if (index % 4 === 0) {
      const tid = this.#number()
      text +=
        this.#line(name, pid, `task_newtask: pid=${tid} comm=${name} clone_flags=3d0f00 oom_score_adj=0`) +
        this.#line(name, pid, `sched_process_fork: comm=${name} pid=${pid} child_comm=${name} child_pid=${tid}`) +
        this.#line(name, tid, `sched_process_exit: comm=${name} pid=${tid} prio=120 group_dead=false`)
    }
    return text + this.#line(name, pid, `sched_process_exit: comm=${name} pid=${pid} prio=120 group_dead=true`)
  }

  #number(): number {
    this.#last = this.#last === 4_194_303 ? 1001 : this.#last + 1
    return this.#last
  }

  #line(comm: string, tid: number, what: string): string {
    this.#us += EVENT_US
    const us = String(this.#us % 1_000_000).padStart(6, '0')
    const cpu = (this.#us / EVENT_US) % 2
    return `${comm.padStart(16)}-${tid} [00${cpu}] d..2. ${Math.floor(this.#us / 1_000_000)}.${us}: ${what}\n`
  }
}

/** Megabytes in use after each of so many processes. */
async function used(capacity: number, ...marks: number[]): Promise<number[]> {
  const snapshot = await snapshotOfText('ffffffff81000000 T _stext\nffffffff81000200 T _etext\n')
  const cache = new ProcessCache({ capacity })
  const enricher = new Enricher(cache, { generation: 1, output: 'ndjson' })
  const workload = new Workload()
  const sizes: number[] = []
  let made = 0
  for (const mark of marks) {
    for (; made < mark; made += PIECE) {
      for (const { parts } of await run(workload.piece(PIECE), snapshot, 'parts', { input: 'ftrace' }))
        if (parts !== undefined) enricher.push(parts)
    }
    collect()
    sizes.push(process.memoryUsage().heapUsed / 1e6)
  }
  expect(cache.entries().length).toBeLessThanOrEqual(capacity)
  return sizes
}

it('does not grow with the stream', async () => {
  const [before = 0, after = 0] = await used(1000, 10_000, 20_000)
  // 20,000 images, two of each process, would take some 10 MB.
  expect(after - before).toBeLessThan(4)
}, 60_000)

it.runIf(isLong)(
  'is the same after 250,000 processes and a million, at the default options',
  async () => {
    // Threads of 131,072 numbers are kept, which half a million processes fill.
    const [quarter = 0, half = 0, whole = 0] = await used(65_536, 250_000, 550_000, 1_000_000)
    expect(half).toBeLessThan(1.5 * quarter)
    expect(whole).toBeLessThan(1.1 * half)
  },
  1_200_000,
)
