// A profile in the processed format of the Firefox Profiler (github.com/firefox-devtools/profiler, src/types/profile.ts), in
// version 60, which all later ones read: one thread for each thread of the trace, each sample at its time.

import { type CodeKind, type Profile, type ProfileFrame, profileArgument } from '../../stacks/profile.ts'
import { profileFacts } from '../arguments.ts'
import { shown } from './markup.ts'
import type { Output, ProfileFacts } from './output.ts'

const VERSION = 60
/** The version of Gecko's own format that goes with it; no reader of processed profiles asks for it. */
const GECKO_VERSION = 31
/** Milliseconds between samples of inputs without times: an order, not a time. */
const STEP = 1

const CATEGORIES: readonly { kind: CodeKind; name: string; color: string }[] = [
  { kind: 'unknown', name: 'Other', color: 'grey' },
  { kind: 'kernel', name: 'Kernel', color: 'orange' },
  { kind: 'module', name: 'Module', color: 'green' },
  { kind: 'user', name: 'User', color: 'lightblue' },
]

/** One thread of the trace. */
interface Thread {
  readonly name: string
  readonly pid: string
  readonly tid: number
  readonly stack: (number | null)[]
  readonly time: number[]
  readonly weight: number[]
}

/** The tables that all threads share. */
class Shared {
  readonly strings: string[] = []
  readonly #stringNumbers = new Map<string, number>()
  readonly #frameNumbers = new Map<ProfileFrame, number>()
  readonly #resources = new Map<string, number>()
  readonly #stacks = new Map<string, number>()
  readonly frames = { address: [] as number[], category: [] as number[], func: [] as number[] }
  readonly funcs = { name: [] as number[], resource: [] as number[] }
  readonly resources: number[] = []
  readonly stackTable = { frame: [] as number[], prefix: [] as (number | null)[] }

  string(text: string): number {
    let number = this.#stringNumbers.get(text)
    if (number === undefined) {
      number = this.strings.push(shown(text)) - 1
      this.#stringNumbers.set(text, number)
    }
    return number
  }

  /** The stack of these frames, outermost first; null for none. */
  stack(frames: readonly ProfileFrame[]): number | null {
    let at: number | null = null
    for (const frame of frames) {
      const own = this.#frame(frame)
      const key: string = `${at} ${own}`
      let next = this.#stacks.get(key)
      if (next === undefined) {
        next = this.stackTable.frame.push(own) - 1
        this.stackTable.prefix.push(at)
        this.#stacks.set(key, next)
      }
      at = next
    }
    return at
  }

  #frame(frame: ProfileFrame): number {
    let number = this.#frameNumbers.get(frame)
    if (number === undefined) {
      const { name, kind, owner } = frame
      number = this.frames.func.push(this.funcs.name.length) - 1
      this.funcs.name.push(this.string(name))
      this.funcs.resource.push(owner === undefined ? -1 : this.#resource(owner))
      // Addresses of the format are 32 bits within a library, whose symbols would be asked for: names are here already.
      this.frames.address.push(-1)
      this.frames.category.push(
        Math.max(
          0,
          CATEGORIES.findIndex((category) => category.kind === kind),
        ),
      )
      this.#frameNumbers.set(frame, number)
    }
    return number
  }

  #resource(owner: string): number {
    let number = this.#resources.get(owner)
    if (number === undefined) {
      number = this.resources.push(this.string(owner)) - 1
      this.#resources.set(owner, number)
    }
    return number
  }
}

/** The whole file. Times are milliseconds from the first sample on; weights beyond 2^53 lose their last digits in JSON. */
export function firefoxJson(profile: Profile, facts: ProfileFacts): string {
  profileArgument(profile, 'profile')
  const { title, weighing, release } = profileFacts(facts, 'facts')
  const shared = new Shared()
  const threads = new Map<ProfileFrame | undefined, Thread>()
  const unit = profile.unit(weighing)
  const start = profile.time?.[0] ?? 0n
  let last = 0
  for (const { frames, time, weight } of profile.samples()) {
    const process = frames[0]?.kind === 'process' ? frames[0] : undefined
    let thread = threads.get(process)
    if (thread === undefined) {
      const [pid = '0', tid = '0'] = process?.owner?.split('/') ?? []
      thread = { name: process?.name || title, pid, tid: Number(tid), stack: [], time: [], weight: [] }
      threads.set(process, thread)
    }
    last = time === undefined ? last + STEP : Number(time - start) / 1e6
    thread.stack.push(shared.stack(process === undefined ? frames : frames.slice(1)))
    thread.time.push(last)
    thread.weight.push(weighing === 'events' ? 1 : inFormat(weight, unit))
  }
  const { stackTable, frames, funcs, resources, strings } = shared
  const count = frames.func.length
  const none = <T>(value: T, length = count): T[] => new Array<T>(length).fill(value)
  return JSON.stringify({
    meta: {
      interval: STEP,
      startTime: 0,
      processType: 0,
      categories: CATEGORIES.map(({ name, color }) => ({ name, color, subcategories: ['Other'] })),
      product: title,
      stackwalk: 1,
      version: GECKO_VERSION,
      preprocessedProfileVersion: VERSION,
      symbolicated: true,
      symbolicationNotSupported: true,
      usesOnlyOneStackType: true,
      sourceCodeIsNotOnSearchfox: true,
      importedFrom: 'kerndex',
      markerSchema: [],
      ...(release === undefined ? {} : { oscpu: `Linux ${shown(release)}` }),
    },
    libs: [],
    shared: {
      stackTable: { ...stackTable, length: stackTable.frame.length },
      frameTable: {
        ...frames,
        inlineDepth: none(0),
        subcategory: none(0),
        nativeSymbol: none(null),
        innerWindowID: none(0),
        line: none(null),
        column: none(null),
        length: count,
      },
      funcTable: {
        ...funcs,
        isJS: none(false),
        relevantForJS: none(false),
        source: none(null),
        lineNumber: none(null),
        columnNumber: none(null),
        length: count,
      },
      resourceTable: {
        lib: none(null, resources.length),
        name: resources,
        host: none(null, resources.length),
        type: none(1, resources.length),
        length: resources.length,
      },
      nativeSymbols: { libIndex: [], address: [], name: [], functionSize: [], length: 0 },
      sources: { uuid: [], filename: [], length: 0 },
      stringArray: strings,
    },
    threads: Array.from(threads.values(), (thread) => threadTable(thread, unit)),
  })
}

/** The format knows samples, milliseconds and bytes; what any other event counts, it shows as samples. */
function inFormat(weight: bigint, unit: string): number {
  return unit === 'nanoseconds' ? Number(weight) / 1e6 : Number(weight)
}

function threadTable({ name, pid, tid, stack, time, weight }: Thread, unit: string) {
  // Per-CPU buffers are printed one behind the other; the format wants the samples of a thread in the order of their times.
  const order = time.map((_, i) => i).sort((a, b) => time[a]! - time[b]!)
  const inOrder = <T>(column: readonly T[]): T[] => order.map((i) => column[i]!)
  return {
    processType: 'default',
    processStartupTime: 0,
    processShutdownTime: null,
    registerTime: 0,
    unregisterTime: null,
    pausedRanges: [],
    name: shown(name),
    isMainThread: String(tid) === pid,
    processName: shown(name),
    pid,
    tid,
    samples: {
      stack: inOrder(stack),
      time: inOrder(time),
      weight: inOrder(weight),
      weightType: unit === 'nanoseconds' ? 'tracing-ms' : unit === 'bytes' ? 'bytes' : 'samples',
      length: stack.length,
    },
    markers: { data: [], name: [], startTime: [], endTime: [], phase: [], category: [], length: 0 },
  }
}

export const firefox: Output = {
  name: 'firefox',
  what: 'a file for the Firefox Profiler: threads, each sample at its time',
  product: 'profile',
  writer: { folding: { prefix: 'thread', samples: true }, write: ([profile], facts) => [firefoxJson(profile, facts)] },
}
