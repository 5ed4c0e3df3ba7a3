// What a kernel says of its processes, by probes where it starts and ends tasks, and how the events of a recording compare with it.
// Pure.
import type { Outcome } from './outcome.ts'

/** A line of ftrace's text, taken apart. */
export interface TraceLine {
  readonly tid: number
  readonly cpu: number
  /** In nanoseconds, as kerndex prints it. */
  readonly time: string
  readonly name: string
  readonly payload: string
}

/** TASK may hold anything: the last place that looks like its end is. */
const LINE = /^\s*(?:.*)-(\d+)\s+(?:\([\s\d-]+\)\s+)?\[(\d+)\]\s+\S+\s+(\d+)\.(\d{6}): (\w+): (.*)$/s

/** The events of a trace; what a newline in a name has torn is put together. */
export function readTrace(text: string): TraceLine[] {
  const whole: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('#') && !LINE.test(line)) continue
    const before = whole.at(-1)
    if (LINE.test(line) || before === undefined) whole.push(line)
    else if (LINE.test(`${before}\n${line}`) && line !== '' && !line.startsWith('CPU:'))
      whole[whole.length - 1] = `${before}\n${line}`
  }
  return whole.flatMap((line) => {
    const [, tid, cpu, seconds, micros, name, payload] = LINE.exec(line) ?? []
    if (name === undefined || payload === undefined) return []
    return [{ tid: Number(tid), cpu: Number(cpu), time: `${BigInt(`${seconds}${micros}`)}000`, name, payload }]
  })
}

/** An image of a process: which, and the event that made it. */
interface Image {
  readonly pid: number
  readonly made: TraceLine
  readonly parent: Image | undefined
}

/** What is true of one event. */
export interface EventTruth {
  readonly line: TraceLine
  readonly scenario: string
  readonly type: 'fork' | 'thread_fork' | 'exec' | 'exit' | 'thread_exit' | 'probe'
  readonly pid: number
  readonly tid: number
  /** Undefined for processes that were there before. */
  readonly image: Image | undefined
}

/** Events that only the recording with the truth has. */
export const TRUTH_EVENTS = { woken: 'woken', ended: 'ended' } as const
const MARKER = 'tracing_mark_write'

/** What is true of each event of the recording that has the probes `woken` and `ended`, of tasks that were seen to start. */
export function truthOf(lines: readonly TraceLine[]): EventTruth[] {
  const groups = new Map<number, number>()
  const images = new Map<number, Image>()
  const truth: EventTruth[] = []
  let scenario = 'before'
  lines.forEach((line, i) => {
    const { tid, name, payload } = line
    const pid = groups.get(tid)
    const add = (type: EventTruth['type'], of: number, by: number, image: Image | undefined) => {
      truth.push({ line, scenario, type, pid: of, tid: by, image })
    }
    switch (name) {
      case MARKER: {
        scenario = payload.replace(/^scenario /, '')
        if (pid !== undefined) add('probe', pid, tid, images.get(pid))
        return
      }
      case TRUTH_EVENTS.woken: {
        groups.set(numberIn(payload, 'pid'), numberIn(payload, 'tgid'))
        return
      }
      case TRUTH_EVENTS.ended:
        return
      case 'sched_process_fork': {
        const child = numberIn(payload, 'child_pid')
        const woken = find(
          lines,
          i,
          1,
          (each) => each.name === TRUTH_EVENTS.woken && numberIn(each.payload, 'pid') === child,
        )
        if (woken === undefined) return
        const ofThread = numberIn(woken.payload, 'tgid') !== child
        // A fork is told of the process, whichever thread called it.
        if (pid !== undefined) add(ofThread ? 'thread_fork' : 'fork', pid, pid, images.get(pid))
        groups.set(child, numberIn(woken.payload, 'tgid'))
        if (!ofThread)
          images.set(child, { pid: child, made: line, parent: pid === undefined ? undefined : images.get(pid) })
        return
      }
      case 'sched_process_exec': {
        const caller = numberIn(payload, 'old_pid')
        if (!groups.has(caller) && pid === undefined) return
        if (caller !== tid) groups.delete(caller)
        groups.set(tid, tid)
        images.set(tid, { pid: tid, made: line, parent: images.get(tid)?.parent })
        add('exec', tid, tid, images.get(tid))
        return
      }
      case 'sched_process_exit': {
        if (pid === undefined) return
        const isEnd = (each: TraceLine) => each.name === TRUTH_EVENTS.ended && each.tid === tid
        const ended = find(lines, i, -1, isEnd) ?? find(lines, i, 1, isEnd)
        if (ended === undefined) return
        const last = numberIn(ended.payload, 'last') !== 0
        add(last ? 'exit' : 'thread_exit', pid, last ? pid : tid, images.get(pid))
        groups.delete(tid)
        return
      }
      default:
        if (pid !== undefined) add('probe', pid, tid, images.get(pid))
    }
  })
  return truth
}

/** Lines looked at around one for what belongs to it. */
const AROUND = 2000

function find(lines: readonly TraceLine[], from: number, step: 1 | -1, fits: (line: TraceLine) => boolean) {
  for (let i = 1; i <= AROUND; i++) {
    const line = lines[from + i * step]
    if (line === undefined) return undefined
    if (fits(line)) return line
  }
  return undefined
}

/** The last number of a name: what is before it may be part of a task's name. */
function numberIn(payload: string, field: string): number {
  return Number([...payload.matchAll(new RegExp(`\\b${field}=(\\d+)`, 'g'))].at(-1)?.[1])
}

/** Nanoseconds between the times that two recordings give one event: each takes the clock for itself, one after the other. */
const APART = 500_000_000n

/**
 * The lines of another recording of the same events, by the truth's line: each CPU has them in one order, and may have lost some.
 * Numbers are used again, and then lines come again that differ in their times alone.
 */
export function alignTraces(truth: readonly TraceLine[], other: readonly TraceLine[]): Map<TraceLine, TraceLine> {
  const found = new Map<TraceLine, TraceLine>()
  const keyOf = ({ tid, name, payload }: TraceLine) => `${tid} ${name} ${payload}`
  for (const cpu of new Set(other.map((line) => line.cpu))) {
    const wanted = truth.filter((line) => line.cpu === cpu)
    let at = 0
    for (const line of other.filter((each) => each.cpu === cpu)) {
      const time = BigInt(line.time)
      const until = wanted.findIndex((each, i) => i >= at && BigInt(each.time) > time + APART)
      const near = wanted.slice(at, until < 0 ? undefined : until)
      const next = near.findIndex((each) => BigInt(each.time) >= time - APART && keyOf(each) === keyOf(line))
      if (next < 0) continue
      found.set(near[next]!, line)
      at += next + 1
    }
  }
  return found
}

/** What the command prints of an event, as far as it is compared. */
export interface PrintedEvent {
  readonly type: string
  readonly name?: string
  readonly ts?: string
  readonly cpu?: number
  readonly pid?: number
  readonly tid?: number
  readonly process?: { readonly exec_id?: string } | null
  readonly parent?: { readonly exec_id?: string } | null
  readonly incomplete?: readonly string[]
}

/** How the events that were printed of a recording compare with the truth. */
export function* compareEvents(
  check: string,
  truth: readonly EventTruth[],
  aligned: ReadonlyMap<TraceLine, TraceLine>,
  printed: readonly PrintedEvent[],
): Generator<Outcome> {
  const byPlace = new Map<string, PrintedEvent[]>()
  for (const event of printed) {
    const key = `${event.ts} ${event.cpu} ${event.name}`
    const same = byPlace.get(key)
    if (same === undefined) byPlace.set(key, [event])
    else same.push(event)
  }
  for (const { line, scenario, type, pid, tid, image } of truth) {
    const recorded = aligned.get(line)
    // It was lost: nothing is to be printed of it.
    if (recorded === undefined) continue
    const event = byPlace.get(`${recorded.time} ${recorded.cpu} ${recorded.name}`)?.shift()
    const wrong: string[] = []
    const isNot = (what: string, is: unknown, right: unknown) => {
      if (is !== right) wrong.push(`${what} ${is} for ${right}`)
    }
    if (event === undefined) wrong.push('missing')
    else {
      isNot('type', type === 'probe' && !/_|fork|exec|exit/.test(event.type) ? 'probe' : event.type, type)
      isNot('pid', event.pid, pid)
      isNot('tid', event.tid, tid)
      const made = image === undefined ? undefined : aligned.get(image.made)
      if (image !== undefined && made !== undefined) {
        isNot('image', idOf(event.process), `${made.time}:${image.pid}`)
        const before = image.parent === undefined ? undefined : aligned.get(image.parent.made)
        if (before !== undefined && wrong.length === 0)
          isNot('parent', idOf(event.parent), `${before.time}:${image.parent!.pid}`)
      }
    }
    const marked = (event?.incomplete?.length ?? 0) > 0
    const kerndex =
      wrong.length === 0 ? 'right' : marked ? 'wrong, marked incomplete' : `wrong ${wrong[0]!.split(' ')[0]}`
    const subject = `${recorded.time} [${recorded.cpu}] ${recorded.tid} ${recorded.name} ${recorded.payload}: ${wrong.join(', ')}`
    yield { check, class: scenario, kernel: type, kerndex, wrong: wrong.length > 0, subject }
  }
}

/** `START:PID` of an image. */
function idOf(process: PrintedEvent['process']): string | undefined {
  const id = process?.exec_id
  if (id === undefined) return undefined
  return Buffer.from(id, 'base64').toString('utf8').split(':').slice(-2).join(':')
}
