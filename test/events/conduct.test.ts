// What a fork made where no line says it: small recordings without a column of thread groups, one for each kind of conduct. All that is
// taken from it says that it may be wrong.

import { describe, expect, it } from 'vitest'
import { Enricher } from '../../src/events/enrich.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import { run, snapshotOfText } from './samples.ts'

interface Seen {
  readonly type: string
  readonly pid: number
  readonly tid: number
  readonly incomplete?: readonly string[]
}

/** A line of a thread's at so many microseconds. */
const line = (us: number, tid: number, what: string, cpu = 0) =>
  `            prog-${tid} [00${cpu}] ..... ${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}: ${what}\n`
const fork = (us: number, tid: number, child: number, cpu = 0) =>
  line(us, tid, `sched_process_fork: comm=prog pid=${tid} child_comm=prog child_pid=${child}`, cpu)
const exec = (us: number, tid: number) =>
  line(us, tid, `sched_process_exec: filename=/bin/prog pid=${tid} old_pid=${tid}`)
const exit = (us: number, tid: number, cpu = 0) =>
  line(us, tid, `sched_process_exit: comm=prog pid=${tid} prio=120`, cpu)
const call = (us: number, tid: number, cpu = 0) => line(us, tid, 'op: (do_sys_openat2+0x0/0x170)', cpu)

/** Commands that a shell runs, each of which takes 500 us for its fork and 400 for its end. */
function commands(count: number): string {
  let text = ''
  for (let i = 0; i < count; i++) {
    const at = 1_000_000 + i * 10_000
    const child = 500 + i
    text +=
      call(at, 10) + fork(at + 500, 10, child) + call(at + 600, 10) + exec(at + 1000, child) + exit(at + 1400, child)
  }
  return text
}

async function seen(text: string): Promise<Seen[]> {
  const snapshot = await snapshotOfText('ffffffff81000000 T _stext\nffffffff81000200 T _etext\n')
  const enricher = new Enricher(new ProcessCache(), { generation: 1, output: 'ndjson' })
  const written: Uint8Array[] = []
  for (const { parts } of await run(Buffer.from(text), snapshot, 'parts', { input: 'ftrace' }))
    if (parts !== undefined) written.push(enricher.push(parts))
  written.push(enricher.end())
  const lines = Buffer.concat(written).toString().trim().split('\n')
  return lines.map((one): Seen => JSON.parse(one))
}

/** Of what type the forks of some children are, and the groups of their last events; each says that it is a guess. */
async function madeOf(text: string, ...children: number[]) {
  const events = await seen(text)
  return children.map((child) => {
    const own = events.findLast(({ tid, type }) => tid === child && type !== 'fork')
    const last = own ?? events.findLast(({ type }) => type === 'thread_exit')
    expect(last?.incomplete).toContain('thread_group')
    return last?.type === 'exit' ? 'process' : `thread of ${last?.pid}`
  })
}

describe('how fast forks and exits are', () => {
  it('an exit that no process of the recording is as fast as is a thread’s', async () => {
    const text = commands(8) + fork(2_000_000, 20, 21) + call(2_001_000, 21) + exit(2_001_100, 21) + call(2_005_000, 20)
    expect(await madeOf(text, 21)).toEqual(['thread of 20'])
  })

  it('a fork that none is as fast as makes a thread', async () => {
    const text = commands(8) + call(2_000_000, 20) + fork(2_000_100, 20, 21) + call(2_001_000, 21) + exit(2_002_100, 21)
    expect(await madeOf(text, 21)).toEqual(['thread of 20'])
  })

  it('of too few processes nothing is taken', async () => {
    const text = commands(7) + fork(2_000_000, 20, 21) + call(2_001_000, 21) + exit(2_001_100, 21)
    expect(await madeOf(text, 21)).toEqual(['process'])
  })

  it('nothing is taken from a time in which another thread ran on that CPU', async () => {
    const text = commands(8) + fork(2_000_000, 20, 21) + call(2_000_900, 21) + call(2_001_000, 30) + exit(2_001_100, 21)
    expect(await madeOf(text, 21)).toEqual(['process'])
  })

  it('a forker whose others were fast made threads of all', async () => {
    const text =
      commands(8) +
      fork(2_000_000, 20, 21) +
      fork(2_001_000, 20, 22) +
      call(2_002_000, 21) +
      exit(2_002_100, 21) +
      call(2_003_000, 22) +
      exit(2_004_000, 22)
    expect(await madeOf(text, 21, 22)).toEqual(['thread of 20', 'thread of 20'])
  })
})

describe('a child that lives on after who forked it', () => {
  const family = fork(1_000_000, 10, 20) + fork(1_001_000, 20, 21) + exit(1_002_000, 20)

  it('is a thread where who waits for them goes on when it ends', async () => {
    const text = family + call(1_010_000, 21) + exit(1_030_000, 21) + fork(1_031_000, 10, 40)
    const [, , first, , last] = await seen(text)
    expect([first?.type, last?.type, last?.pid, last?.tid]).toEqual(['thread_exit', 'exit', 20, 20])
    expect(last?.incomplete).toContain('thread_group')
  })

  it('is a process where that one goes on before', async () => {
    const text = family + fork(1_003_000, 10, 40) + call(1_010_000, 21) + exit(1_030_000, 21)
    expect(await madeOf(text, 21)).toEqual(['process'])
  })

  it('is a thread where it ends at once with it, and did nothing meanwhile', async () => {
    const [, , , last] = await seen(family + exit(1_004_000, 21))
    expect([last?.type, last?.pid]).toEqual(['exit', 20])
  })

  it('is a process where it did something', async () => {
    expect(await madeOf(family + call(1_003_000, 21) + exit(1_004_000, 21), 21)).toEqual(['process'])
  })
})
