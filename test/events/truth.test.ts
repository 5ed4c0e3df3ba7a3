// A recording of a known workload against what the kernel itself knew of each event's process (kprobes on wake_up_new_task and
// taskstats_exit): with the TGIDs that a live pipe prints, with those that were filled in when the trace was read, without any;
// and as perf records it by default. What no event says is marked.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Enricher } from '../../src/events/enrich.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import { run, snapshotOfText } from './samples.ts'

const folder = fileURLToPath(new URL('../../fixtures/events/processes-6.1/', import.meta.url))
const text = (name: string) => gunzipSync(readFileSync(`${folder}${name}.gz`)).toString('latin1')

interface Truth {
  readonly key: string
  readonly scenario: string
  readonly type: string
  readonly pid: string
  readonly tid: string
  readonly image: string
  readonly parent: string
}

const truth: readonly Truth[] = text('truth.tsv')
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => {
    const [ts, cpu, name, scenario, type, pid, tid, imagePid, start, parentPid, parentStart] = line.split('\t')
    return {
      key: `${ts} ${cpu} ${name}`,
      ...{ scenario: scenario!, type: type!, pid: pid!, tid: tid! },
      image: `${imagePid} ${start}`,
      parent: `${parentPid} ${parentStart}`,
    }
  })

const HEADER = /^(.*-\d+ +)\((.{7})\)( \[(\d+)\] \S+ +(\d+)\.(\d{6}): (\w+): )(.*)$/s

/** A line of the recording, and what is true of its event; undefined where that is not known. */
interface Line {
  readonly text: string
  readonly cpu: number | undefined
  readonly true: Truth | undefined
}

const lines: readonly Line[] = (() => {
  const byKey = new Map<string, Truth[]>()
  for (const one of truth) byKey.set(one.key, [...(byKey.get(one.key) ?? []), one])
  return text('tgid.txt')
    .split('\n')
    .map((line) => {
      const [, , , , cpu, seconds, fraction, name] = HEADER.exec(line) ?? []
      const ts = BigInt(seconds ?? 0) * 1_000_000_000n + BigInt(fraction ?? 0) * 1000n
      const known = byKey.get(`${ts} ${Number(cpu)} ${name}`)?.shift()
      return { text: line, cpu: cpu === undefined ? undefined : Number(cpu), true: known }
    })
})()

const recorded = (each: (line: Line) => string | undefined) =>
  lines
    .map(each)
    .filter((line) => line !== undefined)
    .join('\n')

const asRead = ({ text: line }: Line) => line
/** The TGID column as `trace_pipe` prints it: of the thread's group at the time. */
const asPrintedLive = ({ text: line, true: known }: Line) =>
  known === undefined || known.pid === ''
    ? line
    : line.replace(HEADER, (_, head, __, behind, ...rest) => `${head}(${known.pid.padStart(7)})${behind}${rest[4]}`)
/** ftrace's default has no such column. */
const withoutGroups = ({ text: line }: Line) =>
  line.replace(HEADER, (_, head, __, behind, ...rest) => `${head}${behind.trimStart()}${rest[4]}`)
/** As kernels since 6.16 or so say it. */
const withGroupDead = (write: (line: Line) => string) => (line: Line) => {
  const dead = line.true?.type === 'exit' ? 'true' : 'false'
  return / sched_process_exit: .* prio=\d+$/.test(line.text) && line.true !== undefined
    ? `${write(line)} group_dead=${dead}`
    : write(line)
}
/** With task_newtask beside the scheduler's events. */
const withNewTask = (line: Line) => {
  const plain = withoutGroups(line)
  const [, head, comm, child] = /^(.*: )sched_process_fork: comm=(.*) pid=.* child_pid=(\d+)$/s.exec(plain) ?? []
  if (child === undefined || line.true === undefined) return plain
  const flags = line.true.type === 'thread_fork' ? '3d0f00' : '1200011'
  return `${head}task_newtask: pid=${child} comm=${comm} clone_flags=${flags} oom_score_adj=0\n${plain}`
}
/** The files of the CPUs one behind the other, each with the header. */
const byCpu = (write: (line: Line) => string, ...cpus: number[]) => {
  let at = 0
  const of = lines.map(({ cpu }) => {
    // A line that a name tore is of the CPU of the line before.
    at = cpu ?? at
    return at
  })
  return cpus
    .map(
      (cpu) =>
        `# tracer: nop\n#\n${lines
          .filter((line, i) => of[i] === cpu && !line.text.startsWith('#'))
          .map(write)
          .join('\n')}\n`,
    )
    .join('')
}
/** A buffer that is too small: now and then some hundred events are gone. */
const withLosses = (write: (line: Line) => string) => {
  const written: string[] = []
  for (let i = 0; i < lines.length; i++) {
    if (i % 600 === 599) {
      const lost = 20 + ((i * 37) % 100)
      written.push(`CPU:${i % 2} [LOST ${lost} EVENTS]`)
      i += lost
    }
    const line = lines[i]
    if (line !== undefined) written.push(write(line))
  }
  return written.join('\n')
}

interface Seen {
  readonly type: string
  readonly name?: string
  readonly ts?: string
  readonly cpu?: number
  readonly pid?: number
  readonly tid?: number
  readonly process?: { readonly exec_id?: string }
  readonly parent?: { readonly exec_id?: string } | null
  readonly incomplete?: readonly string[]
}

async function enriched(recording: string, input: string, waitMs: number): Promise<Seen[]> {
  const snapshot = await snapshotOfText('ffffffff81000000 T _stext\nffffffff81000100 T a\nffffffff81000200 T _etext\n')
  const enricher = new Enricher(new ProcessCache(), {
    wait: { waitNs: BigInt(waitMs) * 1_000_000n, most: 16_384 },
    generation: 1,
    output: 'ndjson',
  })
  const written: Uint8Array[] = []
  for (const { parts } of await run(Buffer.from(recording, 'latin1'), snapshot, 'parts', { input })) {
    if (parts !== undefined) written.push(enricher.push(parts))
  }
  written.push(enricher.end())
  const lines = Buffer.concat(written).toString().trim().split('\n')
  return lines.map((line): Seen => JSON.parse(line))
}

const image = (process: { readonly exec_id?: string } | null | undefined): string => {
  if (!process?.exec_id) return ' '
  const [, start, pid] = Buffer.from(process.exec_id, 'base64').toString().split(':')
  return `${pid} ${start}`
}

/** Which events are wrong in type, number, image or parent, and which of them do not say that they may be. */
async function compared(recording: string, waitMs: number) {
  const byKey = new Map<string, Seen[]>()
  for (const seen of await enriched(recording, 'ftrace', waitMs)) {
    const key = `${seen.ts} ${seen.cpu} ${seen.name}`
    byKey.set(key, [...(byKey.get(key) ?? []), seen])
  }
  const wrong: string[] = []
  const unmarked: string[] = []
  let missing = 0
  for (const one of truth) {
    const seen = byKey.get(one.key)?.shift()
    if (seen === undefined) {
      missing++
      continue
    }
    const type = one.type === 'probe' || seen.type === one.type
    const numbers = String(seen.pid) === one.pid && String(seen.tid) === one.tid
    // What made the truth did not read lines that a newline in a name tore, and knows no images of those.
    const images = one.image === ' ' || image(seen.process) === one.image
    const parents = one.image === ' ' || one.parent === ' ' || image(seen.parent) === one.parent
    if (new Set(seen.incomplete).size !== (seen.incomplete?.length ?? 0)) throw new Error(`twice: ${seen.incomplete}`)
    if (type && numbers && images && parents) continue
    // Threads of a process that was there before the recording: nothing in it names their group.
    if (one.image === ' ' && seen.incomplete?.includes('process') === true) continue
    wrong.push(`${one.scenario}: ${one.key}`)
    if (seen.incomplete === undefined) unmarked.push(`${one.scenario}: ${one.key}`)
  }
  return { wrong, unmarked, missing }
}

describe('8,624 events', () => {
  it.each([0, 5000])('are right with the groups that a live pipe prints, at a wait of %d ms', async (wait) => {
    expect(await compared(recorded(asPrintedLive), wait)).toEqual({ wrong: [], unmarked: [], missing: 0 })
  })

  it.each([0, 2000])('are right with groups that were read afterwards, at %d ms', async (wait) => {
    expect(await compared(recorded(asRead), wait)).toEqual({ wrong: [], unmarked: [], missing: 0 })
  })

  it.each([
    ['groups that were read afterwards', byCpu(asRead, 0, 1)],
    ['groups printed live', byCpu(asPrintedLive, 1, 0)],
    ['task_newtask and no groups', byCpu(withNewTask, 1, 0)],
  ])('are right where the files of the CPUs stand one behind the other, with %s', async (_, recording) => {
    expect(await compared(recording, 200)).toEqual({ wrong: [], unmarked: [], missing: 0 })
  })

  it.each([0])('are right without groups where task_newtask tells of threads, at %d ms', async (wait) => {
    const { wrong, unmarked, missing } = await compared(recorded(withNewTask), wait)
    expect([wrong, unmarked, missing]).toEqual([[], [], 0])
  })

  it.each([0])('are right where exits say group_dead, at %d ms', async (wait) => {
    for (const write of [asRead, withoutGroups]) {
      const { wrong, unmarked } = await compared(recorded(withGroupDead(write)), wait)
      // A thread that had not ended when the recording did.
      expect(wrong.length).toBeLessThanOrEqual(2)
      expect(unmarked).toEqual([])
    }
  })

  it.each<[string, number, string]>([
    ['read out afterwards', 0, recorded(withoutGroups)],
    ['as a pipe prints them', 5000, recorded(withoutGroups).replace(/^#.*\n/gm, '')],
    [
      'with nothing but forks, execs and exits',
      200,
      recorded((line) => (/: op: /.test(line.text) ? undefined : withoutGroups(line))),
    ],
  ])(
    'are right but for few without anything that tells of threads, %s, at %d ms, and those say it',
    async (_, wait, recording) => {
      const { wrong, unmarked } = await compared(recording, wait)
      expect(wrong.length).toBeLessThan(0.01 * truth.length)
      expect(unmarked).toEqual([])
    },
  )

  it.each([
    ['groups printed live', asPrintedLive],
    ['groups read afterwards', asRead],
    ['task_newtask', withNewTask],
  ])('after losses say of all that are wrong that they may be, with %s', async (_, write) => {
    const { unmarked, missing } = await compared(withLosses(write), 200)
    expect(missing).toBeGreaterThan(100)
    expect(unmarked).toEqual([])
  })
})

it('what perf tells twice by default is one event each', async () => {
  const counts: Record<string, number> = {}
  for (const { type, ts } of await enriched(text('perf-default.txt'), 'perf-script', 200)) {
    // What ran already when perf began has the time 0.
    if (ts !== '0') counts[type] = (counts[type] ?? 0) + 1
  }
  expect(counts).toMatchObject({ fork: 463, thread_fork: 290, exit: 464, thread_exit: 289 })
})

it('how threads leave their CPUs tells threads from processes as task_newtask does', async () => {
  const file = new URL('../../fixtures/events/processes-6.12/switches.txt.gz', import.meta.url)
  const whole = gunzipSync(readFileSync(file)).toString('latin1')
  const told = async (text: string) =>
    (await enriched(text, 'ftrace', 200))
      .filter(({ name }) => /^sched_process_(fork|exit)$/.test(name ?? ''))
      .map(({ type, pid, tid, ts }) => [ts, type, pid, tid])
  const facts = await told(whole)
  expect(facts.filter(([, type]) => type === 'thread_exit')).toHaveLength(21)
  const withoutFlags = whole.split('\n').filter((line) => !line.includes('task_newtask'))
  expect(await told(withoutFlags.join('\n'))).toEqual(facts)
  const bare = withoutFlags.filter((line) => !line.includes('sched_switch'))
  expect(await told(bare.join('\n'))).not.toEqual(facts)
})
