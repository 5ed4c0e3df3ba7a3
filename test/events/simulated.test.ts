// Workloads of a simulated kernel, recorded in each of the ways people record: what is not right has to say so.

import { describe, expect, it } from 'vitest'
import { Enricher } from '../../src/events/enrich.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import {
  clockSet,
  ftraceLines,
  type Happened,
  lossy,
  type Recorder,
  simulate,
  type Workload,
} from '../processes/simulator.ts'
import { run, snapshotOfText } from './samples.ts'

const NAMES = ['wl', 'sh', 'my prog', '=> f+0x1', '(sd-pam)', 'a=b pid=7', 'x-1 [000]', 'naïve', 'kworker/0:1']

interface Seen {
  readonly type: string
  readonly name?: string
  readonly ts?: string
  readonly pid?: number
  readonly tid?: number
  readonly process?: { readonly exec_id?: string } | null
  readonly parent?: { readonly exec_id?: string } | null
  readonly incomplete?: readonly string[]
}

async function enriched(text: string, waitMs: number, input = 'ftrace'): Promise<Seen[]> {
  const snapshot = await snapshotOfText('ffffffff81000000 T _stext\nffffffff81000100 T a\nffffffff81000200 T _etext\n')
  const enricher = new Enricher(new ProcessCache(), {
    wait: { waitNs: BigInt(waitMs) * 1_000_000n, most: 16_384 },
    generation: 1,
    output: 'ndjson',
  })
  const written: Uint8Array[] = []
  for (const { parts } of await run(Buffer.from(text), snapshot, 'parts', { input })) {
    if (parts !== undefined) written.push(enricher.push(parts))
  }
  written.push(enricher.end())
  const lines = Buffer.concat(written).toString().trim().split('\n')
  return lines.map((line): Seen => JSON.parse(line))
}

const image = (process: Seen['process']): string => {
  if (!process?.exec_id) return ''
  const [, start, pid] = Buffer.from(process.exec_id, 'base64').toString().split(':')
  return `${pid} ${start}`
}

interface Verdict {
  readonly wrong: string[]
  readonly unmarked: string[]
}

async function judged(happened: readonly Happened[], lines: readonly string[], waitMs: number, input?: string) {
  const seen = new Map<string, Seen>()
  for (const one of await enriched(`${lines.join('\n')}\n`, waitMs, input))
    if (one.name !== 'task_newtask') seen.set(`${one.ts} ${one.name}`, one)
  const verdict: Verdict = { wrong: [], unmarked: [] }
  for (const { ts, name, truth, payload } of happened) {
    const one = seen.get(`${ts} ${name}`)
    const bad: string[] = []
    if (one === undefined) bad.push('missing')
    else {
      const type = ['fork', 'thread_fork', 'exec', 'exit', 'thread_exit'].includes(one.type) ? one.type : 'probe'
      if (type !== truth.type) bad.push(`type ${one.type} for ${truth.type}`)
      if (one.pid !== truth.pid) bad.push(`pid ${one.pid} for ${truth.pid}`)
      if (one.tid !== truth.tid) bad.push(`tid ${one.tid} for ${truth.tid}`)
      if (image(one.process) !== truth.image) bad.push(`image ${image(one.process)} for ${truth.image}`)
      if (truth.parent !== undefined && image(one.parent) !== truth.parent)
        bad.push(`parent ${image(one.parent)} for ${truth.parent}`)
    }
    if (bad.length === 0) continue
    const text = `${ts} ${name} ${payload}: ${bad.join(', ')}`
    verdict.wrong.push(text)
    if (one?.incomplete === undefined) verdict.unmarked.push(text)
  }
  return verdict
}

const workload = (seed: number, given: Partial<Workload> = {}): Workload => ({
  ...{ seed, events: 700, pidMax: 60, threads: 35, cloneParent: 4, leaderFirst: 20, names: NAMES },
  ...given,
})

/** Workloads of each kind. */
const SEEDS = process.env.KERNDEX_LONG === undefined ? 3 : 60

/** What is done to a recording. */
interface Spoiling {
  /** It was read out of the recorder's buffer as a whole. */
  readonly readOut?: boolean
  readonly lose?: boolean
  /** In the middle the clock is set by so many nanoseconds. */
  readonly setBy?: bigint
}

/** Shares of all events of several workloads: wrong ones, and wrong ones that do not say that they may be. */
async function shares(
  recorder: Recorder,
  waitMs: number,
  given: Partial<Workload>,
  { readOut = false, lose = false, setBy = 0n }: Spoiling = {},
) {
  let all = 0
  const wrong: string[] = []
  const unmarked: string[] = []
  for (let seed = 1; seed <= SEEDS; seed++) {
    const happened = clockSet(simulate(workload(seed, given)), setBy)
    const whole = { happened, lines: ftraceLines(happened, recorder) }
    const kept = lose ? lossy(whole, seed) : whole
    if (readOut) kept.lines.unshift('# tracer: nop', '#')
    const verdict = await judged(kept.happened, kept.lines, waitMs)
    all += kept.happened.length
    wrong.push(...verdict.wrong)
    unmarked.push(...verdict.unmarked)
  }
  return { wrong: wrong.length / all, unmarked: unmarked.length / all, first: unmarked.slice(0, 3) }
}

/** Of a hundred events, where neither task_newtask nor a column tells of those that do not end. */
const SWITCHES = 0.1
const FEW_NUMBERS = { pidMax: 60 }
const MANY_NUMBERS = { pidMax: 100_000, cloneParent: 0 }

describe('what task_newtask says is right, whatever else there is', () => {
  it.each<[Recorder['column'], number]>([
    ['none', 0],
    ['live', 200],
    ['as read', 5000],
  ])('with the column: %s, at a wait of %d ms', async (column, wait) => {
    const readOut = column === 'as read'
    expect(await shares({ column, newTask: true }, wait, FEW_NUMBERS, { readOut })).toMatchObject({ wrong: 0 })
  })

  it('where names have newlines', async () => {
    const names = ['new\nline', 'tail\n', '\nhead', 'a\n\nb', 'x\n=> y', 'sh']
    expect(await shares({ column: 'none', newTask: true }, 0, { ...FEW_NUMBERS, names })).toMatchObject({ wrong: 0 })
  })
})

it('how threads leave their CPUs tells threads from processes, but for what lives on', async () => {
  const { wrong, unmarked, first } = await shares({ column: 'none', switches: true }, 200, MANY_NUMBERS)
  expect([unmarked, first]).toEqual([0, []])
  expect(wrong).toBeLessThan(SWITCHES)
})

describe('what is wrong says that it may be', () => {
  it.each([0, 200, 5000])(
    'with groups printed live, where threads are silent longer than one waits (%d ms)',
    async (wait) => {
      const { wrong, unmarked, first } = await shares({ column: 'live' }, wait, { ...FEW_NUMBERS, cloneParent: 0 })
      expect([unmarked, first]).toEqual([0, []])
      expect(wrong).toBeLessThan(0.01)
    },
  )

  it.each<[string, Recorder, number]>([
    ['nothing', { column: 'none' }, 0],
    ['group_dead', { column: 'none', groupDead: true }, 0.001],
    ['groups read afterwards', { column: 'as read' }, 0],
  ])('with %s', async (_, recorder, most) => {
    const { unmarked } = await shares(recorder, 200, MANY_NUMBERS, { readOut: recorder.column === 'as read' })
    expect(unmarked).toBeLessThanOrEqual(most)
  })

  it.each<[string, Recorder, number]>([
    ['nothing', { column: 'none' }, 0.005],
    ['group_dead', { column: 'none', groupDead: true }, 0.005],
    ['groups read afterwards', { column: 'as read' }, 0.005],
    ['groups read afterwards and group_dead', { column: 'as read', groupDead: true }, 0.02],
  ])('with %s, but for few, where sixty numbers are used again at once', async (_, recorder, most) => {
    const given = { ...FEW_NUMBERS, cloneParent: 0 }
    const { unmarked } = await shares(recorder, 200, given, { readOut: recorder.column === 'as read' })
    expect(unmarked).toBeLessThan(most)
  })

  it.each<[string, Recorder, Partial<Workload>]>([
    ['groups printed live', { column: 'live' }, FEW_NUMBERS],
    ['task_newtask', { column: 'none', newTask: true }, FEW_NUMBERS],
    ['nothing', { column: 'none' }, MANY_NUMBERS],
  ])('after losses, with %s', async (_, recorder, given) => {
    const { unmarked, first } = await shares(recorder, 200, { ...given, cloneParent: 0 }, { lose: true })
    expect([unmarked, first]).toEqual([0, []])
  })

  it.each([0, 200, 5000])('where the clock goes back by half a second, at a wait of %d ms', async (wait) => {
    const given = { ...FEW_NUMBERS, cloneParent: 0 }
    const spoiling = { setBy: -500_000_000n }
    expect(await shares({ column: 'none', newTask: true }, wait, given, spoiling)).toMatchObject({ wrong: 0 })
    const { wrong, unmarked, first } = await shares({ column: 'live' }, wait, given, spoiling)
    expect([unmarked, first]).toEqual([0, []])
    expect(wrong).toBeLessThan(0.03)
  })

  it('where the clock goes forward', async () => {
    const given = { ...FEW_NUMBERS, cloneParent: 0 }
    const { unmarked, first } = await shares({ column: 'live' }, 200, given, { setBy: 5_000_000_000_000n })
    expect([unmarked, first]).toEqual([0, []])
  })
})

it('says of a recording that begins on an earlier time what may be of the one before', async () => {
  const given = { ...FEW_NUMBERS, cloneParent: 0 }
  const first = simulate(workload(1, given))
  const second = simulate(workload(2, given))
  const recorder: Recorder = { column: 'live' }
  const both = [...ftraceLines(first, recorder), ...ftraceLines(second, recorder)]
  const verdict = await judged(second, both, 200)
  expect(verdict.unmarked).toEqual([])
})
