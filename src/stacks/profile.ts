// A profile: which stacks were seen, how often, and what they weigh. Stacks are kept as a tree, outermost frames at its root,
// and frames once, so that profiles of parts of a stream merge by one step a node. Weights are whole numbers of 64 bits.

import { formatAddress } from '../core/address.ts'
import {
  bigint,
  type Check,
  instance,
  iterable,
  like,
  listOf,
  type Options,
  text,
  count as wholeCount,
  wrong,
} from '../core/arguments.ts'
import { LimitError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import type { Frame } from './frame.ts'

/**
 * How a frame reads in a folded stack: its name; a kernel frame without one its address; one of user space its file,
 * `[libc.so.6]`, or `[unknown]`, as stackcollapse has it, or with `userAddresses` its address too. `;` and line ends would cut it.
 */
export function foldedName(frame: Frame, kernelMark: boolean, userAddresses = false): string {
  const { symbol, address, user, owner, reason } = frame
  const inUser = user || reason === 'not_kernel'
  let name = symbol ?? '[unknown]'
  if (symbol === null && address !== undefined && (userAddresses || !inUser)) name = formatAddress(address)
  else if (symbol === null && owner !== null && owner !== '') name = fileName(owner)
  const safe = foldedWord(name)
  // A name that is nowhere in the table, and of which nothing else is known, may be of user space.
  const nobody = reason === 'unknown_name' && owner === null
  return kernelMark && !inUser && !nobody ? `${safe}_[k]` : safe
}

function fileName(file: string): string {
  return file.startsWith('[') ? file : `[${file.slice(file.lastIndexOf('/') + 1)}]`
}

/** A name without what would cut a folded stack. */
export function foldedWord(name: string): string {
  return printable(name.includes(';') ? name.replaceAll(';', ':') : name)
}

/** The code that a frame is in, as pictures colour it: the core kernel, a module (bpf programs too), user space, a name or address that nothing is known of; `process` is no code but the name in front of a stack. */
export type CodeKind = 'kernel' | 'module' | 'user' | 'unknown' | 'process'

/** A frame as profiles keep it. */
export interface ProfileFrame {
  /** As it reads in a folded stack. */
  readonly name: string
  readonly kind: CodeKind
  /** `vmlinux`, a module, `bpf`, or the file of user code; of a thread its numbers, as `PID/TID`; undefined where none is known. */
  readonly owner: string | undefined
  /** An address within the instruction; undefined where there is none, or the profile keeps names alone. */
  readonly address: bigint | undefined
}

/** The kind of code that a frame is in. */
export function codeKind({ user, reason, symbol, owner }: Frame): CodeKind {
  if (user || reason === 'not_kernel') return 'user'
  if (symbol === null) return 'unknown'
  return owner === null || owner === 'vmlinux' ? 'kernel' : 'module'
}

/** The stacks of one event, in columns that threads hand over: each node of the tree stands behind its parent. */
export interface ProfilePart {
  /** What was sampled, as the tool calls it; undefined where the input does not tell events apart. */
  readonly event: string | undefined
  /** The unit of weights, where the input says it. */
  readonly unit: string | undefined
  readonly frames: readonly ProfileFrame[]
  /** For each node one more than its parent's number; 0 for an outermost frame. */
  readonly parents: readonly number[]
  /** For each node the number of its frame. */
  readonly nodes: readonly number[]
  /** For each node what the stacks weigh that end there. */
  readonly weights: readonly bigint[]
  /** For each node how many events end there. */
  readonly counts: readonly number[]
  /** The earliest and the latest time of an event, in nanoseconds; undefined where events have none. */
  readonly time: readonly [bigint, bigint] | undefined
  /** Every event in the order of the input, where that was asked for: the number of its node, its time, its weight. */
  readonly samples: ProfileSamples | undefined
}

/** Events one by one, in columns. */
export interface ProfileSamples {
  readonly nodes: readonly number[]
  /** Nanoseconds; undefined where the input has no times. */
  readonly times: readonly (bigint | undefined)[]
  readonly weights: readonly bigint[]
}

/** An event of a profile that keeps them. */
export interface ProfileSample {
  readonly frames: readonly ProfileFrame[]
  readonly time: bigint | undefined
  readonly weight: bigint
}

/** The unit of a profile's numbers: the tool's own measure, or events. */
export type Weighing = 'measured' | 'events'

/** A stack of a profile, outermost frame first. */
export interface ProfileStack {
  readonly frames: readonly ProfileFrame[]
  readonly weight: bigint
  readonly count: number
}

/** Samples that are kept one by one. */
export const MOST_SAMPLES = 4_000_000
/** More frames than any profile has: a node and a frame make one key. */
const FRAMES = 2 ** 25
const CLOCKS = /^(?:cpu|task)-clock(?::|$)/

/** A column. Its elements are not looked at: kerndex made them, and a check of each costs as much as merging it. */
const list: Check<readonly unknown[]> = (value, name) => {
  if (!Array.isArray(value)) throw wrong(name, 'a column', value)
  return value
}
const PART = like<ProfilePart>(
  { frames: list, parents: list, nodes: list, weights: list, counts: list } as Partial<Options<ProfilePart>>,
  'a part of a profile, as a stretch of a stream gives it',
)
/** Parts of profiles, as an argument. */
export const profileParts = listOf(PART, 'parts of profiles')

/** What numbers count, as an argument; exactly in this case, as threads compare it. */
export const WEIGHING: Check<Weighing> = (value, name) => {
  if (value !== 'measured' && value !== 'events') throw wrong(name, "'measured' or 'events'", value)
  return value
}

/** Stacks and their weights. Adding is commutative, so profiles of parts of a stream merge into that of the whole. */
export class Profile {
  /** What was sampled, as the tool calls it. */
  readonly event: string | undefined
  #unit: string | undefined
  readonly #frames: ProfileFrame[] = []
  readonly #frameNumbers = new Map<string, number>()
  /** The same by object, as parts of one thread share theirs. */
  readonly #known = new WeakMap<ProfileFrame, number>()
  /** Nodes are numbered from 1; 0 is the root. */
  readonly #parents = [0]
  readonly #frameOf = [0]
  readonly #weights = [0n]
  readonly #counts = [0]
  readonly #children = new Map<number, number>()
  /** Of each node the frame and the number of the child that was met last: most have one. */
  readonly #lastFrames = [-1]
  readonly #lastChildren = [0]
  #totalWeight = 0n
  #totalCount = 0
  #time: [bigint, bigint] | undefined
  readonly #samples: { nodes: number[]; times: (bigint | undefined)[]; weights: bigint[] } = {
    nodes: [],
    times: [],
    weights: [],
  }

  constructor(event?: string, unit?: string) {
    if (event !== undefined) text(event, 'event')
    if (unit !== undefined) text(unit, 'unit')
    this.event = event
    this.#unit = unit
  }

  /** Adds a stack, outermost frame first, that `count` events saw. Of a string only its name is known. */
  add(frames: Iterable<ProfileFrame | string>, weight: bigint, count = 1): void {
    if (typeof frames !== 'object' || frames === null)
      throw wrong('frames', 'a list of frames, outermost first', frames)
    iterable('a list of frames, outermost first')(frames, 'frames')
    if (typeof weight !== 'bigint') bigint(weight, 'weight')
    if (!Number.isSafeInteger(count)) wholeCount(count, 'count')
    let node = 0
    for (const frame of frames) {
      if (typeof frame !== 'string' && typeof frame?.name !== 'string')
        throw wrong('a frame', 'a name, or { name, … }', frame)
      node = this.#child(node, this.#number(typeof frame === 'string' ? named(frame) : frame))
    }
    this.#put(node, weight, count)
  }

  /** Adds the stacks of a part of the stream. */
  merge(part: ProfilePart): void {
    const { unit, frames, parents, nodes, weights, counts, time, samples } = PART(part, 'part')
    this.#unit ??= unit
    if (time !== undefined) {
      this.#time ??= [...time]
      if (time[0] < this.#time[0]) this.#time[0] = time[0]
      if (time[1] > this.#time[1]) this.#time[1] = time[1]
    }
    const numbers = frames.map((frame) => this.#number(frame))
    const own: number[] = []
    for (let i = 0; i < nodes.length; i++) {
      const parent = parents[i]!
      const node = this.#child(parent === 0 ? 0 : own[parent - 1]!, numbers[nodes[i]!]!)
      own.push(node)
      if (counts[i]! > 0) this.#put(node, weights[i]!, counts[i]!)
    }
    if (samples === undefined) return
    const kept = this.#samples
    for (let i = 0; i < samples.nodes.length; i++) {
      kept.nodes.push(own[samples.nodes[i]!]!)
      kept.times.push(samples.times[i])
      kept.weights.push(samples.weights[i]!)
    }
    if (kept.nodes.length > MOST_SAMPLES) {
      throw new LimitError(
        `more than ${MOST_SAMPLES} samples one by one: choose fewer with --time, --comm, --pid or --event`,
      )
    }
  }

  /** The sum over all stacks. */
  total(weighing: Weighing = 'measured'): bigint {
    WEIGHING(weighing, 'weighing')
    return weighing === 'events' ? BigInt(this.#totalCount) : this.#totalWeight
  }

  /** Events in all. */
  get events(): number {
    return this.#totalCount
  }

  /**
   * The unit of the weights: as the input says; nanoseconds for perf's clocks; `samples` where each event weighs 1; `count`
   * for what any other event counts.
   */
  unit(weighing: Weighing = 'measured'): string {
    WEIGHING(weighing, 'weighing')
    if (weighing === 'events') return 'samples'
    if (this.#unit !== undefined) return this.#unit
    if (this.#totalWeight === BigInt(this.#totalCount)) return 'samples'
    return this.event !== undefined && CLOCKS.test(this.event) ? 'nanoseconds' : 'count'
  }

  /** The earliest and the latest time of an event, in nanoseconds; undefined where events have none. */
  get time(): readonly [bigint, bigint] | undefined {
    return this.#time
  }

  /** Every event in the order of the input; none where the stream was not asked to keep them. */
  *samples(): Generator<ProfileSample> {
    const paths = new Map<number, readonly ProfileFrame[]>()
    const { nodes, times, weights } = this.#samples
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i]!
      let frames = paths.get(node)
      if (frames === undefined) {
        frames = this.#path(node)
        paths.set(node, frames)
      }
      yield { frames, time: times[i], weight: weights[i]! }
    }
  }

  /** All stacks that events ended with, each parent before its children. */
  *stacks(): Generator<ProfileStack> {
    for (let node = 0; node < this.#counts.length; node++) {
      if (this.#counts[node] === 0) continue
      yield { frames: this.#path(node), weight: this.#weights[node]!, count: this.#counts[node]! }
    }
  }

  /** Stacks as text, outermost frame first and joined by `;`, in the order of their UTF-16 units, and what they weigh. */
  folded(weighing: Weighing = 'measured'): [stack: string, weight: bigint][] {
    WEIGHING(weighing, 'weighing')
    const texts = ['']
    const sums = new Map<string, bigint>()
    for (let node = 1; node < this.#counts.length; node++) {
      const { name } = this.#frames[this.#frameOf[node]!]!
      const parent = this.#parents[node]!
      const text = parent === 0 ? name : `${texts[parent]};${name}`
      texts.push(text)
      const count = this.#counts[node]!
      if (count === 0) continue
      sums.set(text, (sums.get(text) ?? 0n) + (weighing === 'events' ? BigInt(count) : this.#weights[node]!))
    }
    return [...sums].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  }

  /** The same stacks with the innermost frame first, so that callers stand above what they call; processes stay outside. */
  inverted(): Profile {
    const inverted = new Profile(this.event, this.#unit)
    for (const { frames, weight, count } of this.stacks()) {
      const first = frames[0]?.kind === 'process' ? 1 : 0
      inverted.add([...frames.slice(0, first), ...frames.slice(first).reverse()], weight, count)
    }
    return inverted
  }

  #put(node: number, weight: bigint, count: number): void {
    this.#weights[node]! += weight
    this.#counts[node]! += count
    this.#totalWeight += weight
    this.#totalCount += count
  }

  #child(parent: number, frame: number): number {
    if (this.#lastFrames[parent] === frame) return this.#lastChildren[parent]!
    const key = parent * FRAMES + frame
    let node = this.#children.get(key)
    if (node === undefined) {
      node = this.#parents.push(parent) - 1
      this.#frameOf.push(frame)
      this.#weights.push(0n)
      this.#counts.push(0)
      this.#lastFrames.push(-1)
      this.#lastChildren.push(0)
      this.#children.set(key, node)
    }
    this.#lastFrames[parent] = frame
    this.#lastChildren[parent] = node
    return node
  }

  #number(frame: ProfileFrame): number {
    let number = this.#known.get(frame)
    if (number === undefined) {
      number = this.#newNumber(frame)
      this.#known.set(frame, number)
    }
    return number
  }

  #newNumber(frame: ProfileFrame): number {
    const { name, kind, owner, address } = frame
    const key = `${kind}\n${owner ?? ''}\n${address ?? ''}\n${name}`
    let number = this.#frameNumbers.get(key)
    if (number === undefined) {
      number = this.#frames.push(frame) - 1
      this.#frameNumbers.set(key, number)
    }
    return number
  }

  #path(node: number): ProfileFrame[] {
    const frames: ProfileFrame[] = []
    for (let at = node; at !== 0; at = this.#parents[at]!) frames.push(this.#frames[this.#frameOf[at]!]!)
    return frames.reverse()
  }
}

/** The profiles of a stream, one for each event that it tells apart, in the order in which events came. */
export class Profiles {
  readonly #byEvent = new Map<string | undefined, Profile>()

  /** Adds what a stretch of the stream has. */
  merge(parts: readonly ProfilePart[]): void {
    profileParts(parts, 'parts')
    for (const part of parts) {
      let profile = this.#byEvent.get(part.event)
      if (profile === undefined) {
        profile = new Profile(part.event, part.unit)
        this.#byEvent.set(part.event, profile)
      }
      profile.merge(part)
    }
  }

  /** The events there are. */
  get all(): Profile[] {
    return [...this.#byEvent.values()]
  }
}

function named(name: string): ProfileFrame {
  return { name, kind: 'unknown', owner: undefined, address: undefined }
}
/** A profile, as an argument. */
export const profileArgument: Check<Profile> = instance(Profile, 'a Profile')
