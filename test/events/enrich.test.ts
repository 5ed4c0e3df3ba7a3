// Events with their processes: the rules of thread ids, of threads and images, of events out of order, row by row.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Enricher } from '../../src/events/enrich.ts'
import { traceEvent } from '../../src/events/event.ts'
import { addPart, noParts } from '../../src/events/parts.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import { DEBIAN, HOST, run, sample, snapshotOf } from './samples.ts'

interface Enriched {
  type: string
  pid: number
  tid: number
  n?: number
  process: {
    exec_id: string
    pid: number
    tid: number
    comm?: string
    binary?: string
    flags: string
    previous_exec_id?: string
  } | null
  parent: { pid: number } | null
  ancestors?: { pid: number }[]
  incomplete?: string[]
  warnings?: string[]
}

/** The events of a text with their processes, and the cache that they left. */
async function enrich(
  text: string | Buffer,
  options: { threads?: number; input?: string; waitNs?: bigint; from?: string; ancestors?: boolean } = {},
) {
  const snapshot = await snapshotOf(options.from ?? HOST)
  const cache = new ProcessCache()
  const wait = { waitNs: options.waitNs ?? 2_000_000_000n, most: 16_384 }
  const enricher = new Enricher(cache, { wait, generation: 1, output: 'ndjson', ancestors: options.ancestors ?? false })
  let written = ''
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  const { threads, input } = options
  for (const { parts } of await run(bytes, snapshot, 'parts', { ...(threads !== undefined && { threads }), input })) {
    if (parts !== undefined) written += Buffer.from(enricher.push(parts)).toString()
  }
  written += Buffer.from(enricher.end()).toString()
  const events: Enriched[] = written
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return { events, cache, written }
}

const lines = (...objects: object[]) => objects.map((object) => `${JSON.stringify(object)}\n`).join('')
const own = (...objects: object[]) => enrich(lines(...objects), { input: 'ndjson' })

describe('the captured threads', () => {
  const golden = () => enrich(sample(HOST, 'ftrace-threads.txt'))

  it('exec from a thread: one exit, when the group is dead', async () => {
    const { events } = await golden()
    const of28613 = events.filter(({ process }) => process?.pid === 28613)
    expect(of28613.map(({ type, pid, tid, process }) => [type, pid, tid, process?.binary?.split('/').at(-1)])).toEqual([
      ['exec', 28613, 28613, 'python3'],
      ['thread_fork', 28613, 28613, 'python3'],
      ['thread_fork', 28613, 28613, 'python3'],
      ['thread_exit', 28613, 28613, 'python3'],
      ['thread_exit', 28613, 28614, 'python3'],
      ['exec', 28613, 28613, 'true'],
      ['exit', 28613, 28613, 'true'],
    ])
  })
  it('the leader ends first: the exit of the last thread is the process’s, TID = PID', async () => {
    const { events } = await golden()
    const exits = events.filter(({ process, type }) => process?.pid === 28616 && type.endsWith('exit'))
    expect(exits.map(({ type, pid, tid }) => [type, pid, tid])).toEqual([
      ['thread_exit', 28616, 28616],
      ['exit', 28616, 28616],
    ])
  })
  it('threads make no entries', async () => {
    const { cache } = await golden()
    const pids = new Set(cache.entries().map(({ snapshot }) => snapshot.pid))
    for (const tid of [28614, 28615, 28617]) expect(pids.has(tid)).toBe(false)
    expect(cache.counters).toMatchObject({ threadForks: 3, threadExits: 3, retractedForks: 0 })
  })
  it('even if their forks cannot wait for what tells them', async () => {
    const { cache } = await enrich(sample(HOST, 'ftrace-threads.txt'), { waitNs: 0n })
    const alive = cache.entries().filter((entry) => entry.alive)
    expect(alive.map(({ snapshot }) => snapshot.pid)).toEqual([28620])
    expect(cache.counters.retractedForks + cache.counters.threadForks).toBe(3)
  })
  it('each exec of one process makes an image that knows the one before', async () => {
    const { events } = await golden()
    const execs = events.filter(({ type, process }) => type === 'exec' && process?.pid === 28572)
    // Eleven: the shim, its interpreter, and what each of them calls.
    expect(execs.length).toBeGreaterThanOrEqual(7)
    expect(new Set(execs.map(({ process }) => process?.exec_id)).size).toBe(execs.length)
    for (let i = 1; i < execs.length; i++) {
      expect(execs[i]?.process?.previous_exec_id).toBe(execs[i - 1]?.process?.exec_id)
    }
    expect(execs[0]?.process?.binary).toBe('/root/.pyenv/shims/python3')
    expect(execs[1]?.process?.binary).toBe('/usr/bin/bash')
  })
  it('names come from the payload, not from the column that is filled in later', async () => {
    const { written } = await golden()
    expect(written).toContain('"name":"sched_process_fork","ts":"1815989266000","cpu":1,"comm":"python3"')
  })
  it('are the same bytes for any number of threads', async () => {
    const { written } = await golden()
    expect((await enrich(sample(HOST, 'ftrace-threads.txt'), { threads: 2 })).written).toBe(written)
  })
})

describe('rules that the kernel’s own truth showed', () => {
  const line = (tid: number, at: string, what: string) => `  a-${tid} (${tid}) [000] ..... 1.${at}: ${what}\n`
  const fork = (tid: number, child: number, at: string) =>
    line(tid, at, `sched_process_fork: comm=a pid=${tid} child_comm=a child_pid=${child}`)
  const exec = (tid: number, at: string, name: string) =>
    line(tid, at, `sched_process_exec: filename=${name} pid=${tid} old_pid=${tid}`)

  it('CLONE_PARENT makes a child of the forker’s parent', async () => {
    const { cache } = await enrich(
      exec(10, '100000', '/bin/sh') +
        fork(10, 20, '200000') +
        exec(20, '300000', '/bin/x') +
        line(20, '400000', 'task_newtask: pid=30 comm=a clone_flags=8000 oom_score_adj=0') +
        fork(20, 30, '400001') +
        exec(30, '500000', '/bin/y'),
    )
    expect(cache.find(30, undefined)?.parent?.snapshot).toMatchObject({ pid: 10, binary: '/bin/sh' })
  })
  it('idle samples are no failures', async () => {
    const text =
      'swapper     0 [000]     1.000000: cpu-clock:\n\tffffffff816b8aab vfs_read+0xbb ([kernel.kallsyms])\n\n'
    const { events, cache } = await enrich(text)
    expect(events[0]).not.toHaveProperty('incomplete')
    expect(cache.counters.failures).toEqual({ process_info: 0, parent_info: 0, ancestors_info: 0 })
  })
  it('an exec that two recorders tell makes one image', async () => {
    const { events, cache } = await enrich(
      '      x   5/5   [000]     1.000000: PERF_RECORD_COMM exec: x:5/5\n' +
        '      x   5/5   [000]     1.000010: sched:sched_process_exec: filename=/bin/x pid=5 old_pid=5\n',
    )
    expect(events.map(({ type, process }) => [type, process?.comm, process?.binary])).toEqual([['exec', 'x', '/bin/x']])
    expect(cache.entries()).toHaveLength(1)
    expect(cache.counters.toldTwice).toBe(1)
  })
  it('what was lost is an event, counted, and in doubt until the number begins anew', async () => {
    const { events, cache } = await enrich(
      exec(5, '100000', '/bin/a') +
        fork(5, 6, '150000') +
        exec(6, '160000', '/bin/c') +
        'CPU:0 [LOST 7 EVENTS]\n' +
        line(5, '200000', 'op: x') +
        line(6, '250000', 'op: x') +
        exec(5, '300000', '/bin/b') +
        line(5, '400000', 'op: x'),
    )
    const doubt = events.map(({ type, process, incomplete }) => [
      type,
      process?.pid,
      incomplete?.includes('lost_events'),
    ])
    expect(doubt.slice(3)).toEqual([
      ['lost', undefined, undefined],
      ['tracepoint', 5, true],
      ['tracepoint', 6, true],
      ['exec', 5, false],
      ['tracepoint', 5, false],
    ])
    expect(cache.counters.lostEvents).toBe(7)
  })
})

describe('what a live stream names and nothing is known of', () => {
  const numbers = async (...objects: object[]) => {
    const cache = new ProcessCache()
    const asked: number[] = []
    const enricher = new Enricher(cache, {
      ...{ wait: { waitNs: 10n, most: 100 }, generation: 1, output: 'ndjson' },
      ask: (tid) => {
        asked.push(tid)
        if (tid < 100) cache.add({ pid: tid, startTs: 0n, flags: 'procFS' }, undefined)
      },
    })
    let written = ''
    for (const { parts } of await run(Buffer.from(lines(...objects)), await snapshotOf(HOST), 'parts', {
      input: 'ndjson',
    }))
      if (parts !== undefined) written += Buffer.from(enricher.push(parts)).toString()
    written += Buffer.from(enricher.end()).toString()
    return { asked, cache, written }
  }
  const probe = (pid: number, ts: number) => ({ type: 'kprobe', pid, ts })

  it('is asked of once', async () => {
    const { asked, cache, written } = await numbers(
      probe(5, 1),
      probe(5, 2),
      probe(500, 3),
      probe(500, 90),
      probe(0, 95),
    )
    expect(asked).toEqual([5, 500])
    expect(cache.counters.asked).toBe(2)
    expect(written.split('\n')[0]).toContain('"flags":"procFS"')
  })
  it('is asked of again once its number was forked anew', async () => {
    const fork = { type: 'fork', pid: 5, child_pid: 500, ts: 20 }
    const { asked } = await numbers(probe(500, 1), fork, probe(500, 21), { type: 'exit', pid: 500, ts: 22 })
    expect(asked).toEqual([500, 5])
    // Its fork waits still: it is not unknown.
    expect((await numbers(fork, probe(500, 21))).asked).toEqual([5])
  })
})

it('a thread is called what task_rename says, the leader is not', async () => {
  const line = (tid: number, ts: string, what: string) => `  a-${tid} (100) [000] ..... ${ts}: ${what}\n`
  const { cache } = await enrich(
    line(100, '1.000000', 'sched_process_exec: filename=/bin/a pid=100 old_pid=100') +
      line(100, '1.100000', 'sched_process_fork: comm=a pid=100 child_comm=a child_pid=101') +
      line(101, '1.200000', 'task_rename: pid=101 oldcomm=a newcomm=pool 1 oom_score_adj=0') +
      line(100, '1.300000', 'task_rename: pid=100 oldcomm=a newcomm=main oom_score_adj=-1000'),
  )
  expect([cache.thread(101)?.comm, cache.thread(100)?.comm]).toEqual(['pool 1', 'main'])
  expect(cache.at(100, 1_250_000_000n)?.comm).toBe('a')
})

it('a long trace gives the same bytes for any number of threads, in the order of the input', async () => {
  const text = sample(DEBIAN, 'perf-script.txt')
  const { written, events } = await enrich(text, { from: DEBIAN })
  expect(events).toHaveLength(11215)
  expect((await enrich(text, { threads: 2, from: DEBIAN })).written).toBe(written)
})

it('perf’s task events: what was there before, forks, exec by name, exit', async () => {
  const { events, cache } = await enrich(sample(HOST, 'perf-script-taskevents.txt'))
  // The recording holds perf's own task events and the kernel's tracepoints: each fact is told twice, and is one event.
  const ls = events.filter(({ process, type }) => process?.pid === 4477 && (type === 'exec' || type === 'exit'))
  expect(ls.map(({ type, process, warnings }) => [type, process?.comm, process?.binary, warnings])).toEqual([
    ['exec', 'ls', '/usr/bin/ls', undefined],
    ['exit', 'ls', '/usr/bin/ls', undefined],
  ])
  expect(new Set(ls.map(({ process }) => process?.exec_id)).size).toBe(1)
  expect(cache.counters.toldTwice).toBe(5)
  expect(cache.counters.duplicates).toEqual({ clone: 0, exec: 0, exit: 0 })
  expect(cache.counters.pidReuses).toBe(0)
  expect(cache.find(2, undefined)?.snapshot.comm).toBe('kthreadd')
  expect(cache.find(18, undefined)?.parent?.snapshot.comm).toBe('kthreadd')
})

describe('TID and PID', () => {
  it('exec, fork and exit that say otherwise are corrected, warned of and counted', async () => {
    const { events, cache } = await own(
      { type: 'fork', pid: 5, tid: 6, ppid: 1, ts: 1 },
      { type: 'exec', pid: 5, tid: 6, ts: 2, filename: '/bin/x' },
      { type: 'exit', pid: 5, tid: 6, ts: 3 },
    )
    expect(events.map(({ pid, tid, process, warnings }) => [pid, tid, process?.tid, warnings])).toEqual([
      [5, 5, 5, ['tid_mismatch']],
      [5, 5, 5, ['tid_mismatch']],
      [5, 5, 5, ['tid_mismatch']],
    ])
    expect(cache.counters.mismatches).toEqual({ exec: 1, clone: 1, exit: 1 })
  })
  it('without a TID there is nothing to correct', async () => {
    const { events, cache } = await own(
      { type: 'exec', pid: 5, ts: 2, filename: '/bin/x' },
      { type: 'exit', pid: 5, ts: 3 },
    )
    expect(events.map(({ pid, process, warnings }) => [pid, process?.tid, warnings])).toEqual([
      [5, 5, undefined],
      [5, 5, undefined],
    ])
    expect(cache.counters.mismatches).toEqual({ exec: 0, clone: 0, exit: 0 })
  })
  it('probe events keep their own on a copy, and leave the leader as it is', async () => {
    const { events, cache } = await own(
      { type: 'exec', pid: 5, ts: 1, filename: '/bin/x', uid: 0 },
      { type: 'kprobe', pid: 5, tid: 7, ts: 2, uid: 1000 },
      { type: 'kprobe', pid: 5, tid: 5, ts: 3 },
      { type: 'exit', pid: 5, ts: 4 },
    )
    const [exec, other, leader, exit] = events
    expect(other?.process).toEqual({ ...exec?.process, tid: 7 })
    expect([leader?.process, exit?.process]).toEqual([exec?.process, exec?.process])
    // Nothing is copied for the leader: neither for its probe nor for its exit.
    expect(cache.counters.handedOut).toEqual({ shared: 3, copied: 1 })
  })
  it('pid 0 is a process like others', async () => {
    const { events, cache } = await own(
      { type: 'exec', pid: 0, tid: 0, ts: 1 },
      { type: 'kprobe', pid: 0, tid: 0, ts: 2 },
    )
    expect(events.map(({ process, warnings }) => [process?.pid, process?.tid, warnings])).toEqual([
      [0, 0, undefined],
      [0, 0, undefined],
    ])
    expect(cache.counters.mismatches.exec).toBe(0)
  })
  it('fork with CLONE_THREAD makes no entry', async () => {
    const { events, cache } = await own(
      { type: 'exec', pid: 5, ts: 1 },
      { type: 'fork', pid: 5, child_pid: 5, child_tid: 8, clone_flags: '0x10000', ts: 2 },
    )
    expect(events[1]?.type).toBe('thread_fork')
    expect(cache.entries()).toHaveLength(1)
  })
})

describe('without group_dead', () => {
  const fork = (tid: number, child: number, ts: number) =>
    `  a-${tid} (${tid}) [000] .....  1.00000${ts}: sched_process_fork: comm=a pid=${tid} child_comm=a child_pid=${child}\n`
  const exit = (tid: number, pid: number, ts: number) =>
    `  a-${tid} (${pid}) [000] .....  1.00000${ts}: sched_process_exit: comm=a pid=${tid} prio=120\n`
  it('the last thread that is known ends the process', async () => {
    const text = fork(1, 100, 1) + fork(100, 101, 2) + exit(100, 100, 3) + exit(101, 100, 4)
    const { events } = await enrich(text)
    expect(events.map(({ type, pid, tid }) => [type, pid, tid])).toEqual([
      ['fork', 1, 1],
      ['thread_fork', 100, 100],
      ['thread_exit', 100, 100],
      ['exit', 100, 100],
    ])
  })
})

describe('out of order', () => {
  /** A family's life, each event with a time of its own and a number to know it by. */
  const STORY = [
    { type: 'exec', pid: 10, ppid: 1, ts: 1000, filename: '/bin/sh' },
    { type: 'fork', pid: 10, child_pid: 20, ts: 2000 },
    { type: 'kprobe', pid: 20, tid: 21, ts: 3000 },
    { type: 'exec', pid: 20, ts: 4000, filename: '/bin/one' },
    { type: 'kprobe', pid: 20, ts: 5000 },
    { type: 'exec', pid: 20, ts: 6000, filename: '/bin/two' },
    { type: 'kprobe', pid: 20, tid: 22, ts: 7000 },
    { type: 'exit', pid: 20, ts: 8000, exit_code: 3 },
    { type: 'fork', pid: 10, child_pid: 20, ts: 9000 },
    { type: 'kprobe', pid: 20, ts: 9500 },
    { type: 'exit', pid: 20, ts: 9800 },
    { type: 'exit', pid: 10, ts: 9900 },
  ].map((event, n) => ({ ...event, n }))

  const told = async (order: readonly object[], waitNs?: bigint) => {
    const { events, cache } = await enrich(lines(...order), {
      input: 'ndjson',
      ...(waitNs === undefined ? {} : { waitNs }),
    })
    return { events, cache }
  }

  it('in order says what one expects', async () => {
    const { events, cache } = await told(STORY)
    expect(events.map(({ process }) => process?.binary)).toEqual([
      '/bin/sh',
      '/bin/sh',
      '/bin/sh',
      '/bin/one',
      '/bin/one',
      '/bin/two',
      '/bin/two',
      '/bin/two',
      '/bin/sh',
      '/bin/sh',
      '/bin/sh',
      '/bin/sh',
    ])
    expect(cache.counters.late).toBe(0)
    cache.tick()
    cache.tick()
    expect(cache.entries()).toEqual([])
  })

  it('in any order within the wait says the same of each event, and leaves in the order in which it came', async () => {
    const { events: expected } = await told(STORY)
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(STORY, { minLength: STORY.length }), async (order) => {
        const { events } = await told(order)
        expect(events.map(({ n }) => n)).toEqual(order.map(({ n }) => n))
        expect([...events].sort((a, b) => (a.n ?? 0) - (b.n ?? 0))).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  it('twice over is counted and changes no count of references', async () => {
    const { cache } = await told([...STORY.slice(0, 8), ...STORY.slice(1, 8)])
    expect(cache.counters.duplicates).toMatchObject({ clone: 1, exec: 2, exit: 1 })
    expect(cache.counters.refcountUnderflows).toEqual({ process: 0, parent: 0 })
    cache.tick()
    cache.tick()
    expect(cache.entries().map(({ snapshot, refcount }) => [snapshot.pid, refcount])).toEqual([[10, 1]])
  })

  it('beyond the wait goes on incomplete, and is counted', async () => {
    const { events, cache } = await told([
      { type: 'kprobe', pid: 77, ts: '5000000000' },
      { type: 'exec', pid: 1, ts: '9000000000' },
      { type: 'exec', pid: 77, ts: '4000000000' },
    ])
    expect(events[0]).toMatchObject({
      pid: 77,
      process: { pid: 77, flags: 'unknown' },
      parent: null,
      incomplete: ['process'],
    })
    expect(cache.counters.waiting.process_info).toBeGreaterThan(0)
    expect(cache.counters.retries).toEqual(cache.counters.waiting)
    expect(cache.counters.waitingNow).toBe(0)
    expect(cache.counters.failures.process_info).toBe(1)
    expect(cache.counters.late).toBe(1)
  })

  it('a number that is used again belongs to whom it belonged at the time', async () => {
    const { events } = await own(
      { type: 'exec', pid: 5, ts: 10, filename: '/bin/old' },
      { type: 'fork', pid: 1, child_pid: 5, ts: 20 },
      { type: 'exec', pid: 5, ts: 21, filename: '/bin/new' },
      { type: 'kprobe', pid: 5, ts: 15 },
      { type: 'kprobe', pid: 5, ts: 25 },
    )
    expect(events[1]?.warnings).toEqual(['pid_reuse'])
    expect([events[3]?.process?.binary, events[4]?.process?.binary]).toEqual(['/bin/old', '/bin/new'])
  })
})

describe('ancestors', () => {
  const line = (pid: number, child: number, ts: number) => ({ type: 'fork', pid, child_pid: child, ts })
  it('are all above the parent, nearest first', async () => {
    const text = lines(
      { type: 'exec', pid: 1, ts: 1, filename: '/init' },
      line(1, 10, 2),
      line(10, 20, 3),
      line(20, 30, 4),
      line(30, 40, 5),
      // Who ended is an ancestor still.
      { type: 'exit', pid: 20, ts: 6 },
      { type: 'kprobe', pid: 40, ts: 7 },
      { type: 'kprobe', pid: 10, ts: 8 },
    )
    const { events, cache } = await enrich(text, { input: 'ndjson', ancestors: true })
    const [deep, shallow] = events.slice(-2)
    expect([deep?.parent?.pid, deep?.ancestors?.map(({ pid }) => pid), deep?.incomplete]).toEqual([
      30,
      [20, 10, 1],
      undefined,
    ])
    expect([shallow?.parent?.pid, shallow?.ancestors, shallow?.incomplete]).toEqual([1, [], undefined])
    expect(cache.counters.failures.ancestors_info).toBe(0)
  })
  it('that break off are said to, and counted', async () => {
    const text = lines({ type: 'exec', pid: 10, ts: 1 }, line(10, 20, 2), { type: 'kprobe', pid: 20, ts: 3 })
    const { events, cache } = await enrich(text, { input: 'ndjson', ancestors: true })
    expect([events[2]?.parent?.pid, events[2]?.ancestors, events[2]?.incomplete]).toEqual([10, [], ['ancestors']])
    expect(cache.counters.failures.ancestors_info).toBe(3)
  })
  it('are there only if asked for', async () => {
    const { events } = await own({ type: 'exec', pid: 1, ts: 1 })
    expect(events[0]).not.toHaveProperty('ancestors')
  })
})

/** Events of one process that differ in their times, pushed one by one; how many were held back at most, and at last. */
function holdBack(waitNs: bigint, times: Iterable<bigint>): { most: number; last: number } {
  const enricher = new Enricher(new ProcessCache(), { wait: { waitNs, most: 100 }, generation: 1, output: 'ndjson' })
  let held = 0
  let most = 0
  for (const ts of times) {
    const parts = noParts()
    addPart(
      parts,
      traceEvent({ type: 'kprobe', pid: 1, tid: 1, ts, line: 0 }),
      { inWords: false, passthrough: true },
      0,
      0,
    )
    held += 1 - (Buffer.from(enricher.push(parts)).toString().match(/\n/g)?.length ?? 0)
    most = Math.max(most, held)
  }
  return { most, last: held }
}

it('memory is bounded where time goes back and stays there', () => {
  const ahead = Array.from({ length: 50 }, (_, i) => 1_000_000n + BigInt(i))
  const back = Array.from({ length: 10_000 }, (_, i) => BigInt(i % 7))
  expect(holdBack(1000n, [1n, ...ahead, ...back]).most).toBeLessThanOrEqual(100)
})

it('memory is bounded where times stand still', () => {
  expect(
    holdBack(
      1n,
      Array.from({ length: 1000 }, () => 5n),
    ).last,
  ).toBe(100)
})
