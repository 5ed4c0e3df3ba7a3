// Equal stacks merged before anything is looked up, where they are recorded and without a symbol table: most stacks of a kernel
// are ones that were met before, so that what has to be sent is a fraction of what was sampled.

import { choice, count, flag, type Options, options as optionsOf, bytes as someBytes, text } from '../core/arguments.ts'
import { LimitError } from '../core/errors.ts'
import type { RawFrame } from '../stacks/frame.ts'
import { READ_OPTIONS } from './arguments.ts'
import { measureOf, type TraceEvent } from './event.ts'
import type { EventFilter } from './filter.ts'
import type { Folding } from './fold.ts'
import type { LineStack } from './format.ts'
import { inputFormat } from './formats.ts'
import { type MergedStack, mergedLine } from './input/merged.ts'
import { StretchWorker } from './stretch.ts'
import type { StretchAnswer, StretchPlan } from './stretch-plan.ts'

/** What stacks are merged for. */
export interface MergeOptions {
  /** The input format's name. */
  readonly input: string
  /** The fact that tells equal stacks apart: nothing, the process's name (the default), or that with its number. */
  readonly prefix?: Exclude<Folding['prefix'], 'thread'> | undefined
  /** Which events are wanted; default: all. */
  readonly filter?: EventFilter | undefined
  /** Events of a type that is not known are bad lines. */
  readonly strict?: boolean | undefined
  /** Bytes that it may remember beside the stacks themselves, about. Default: 64 MiB. */
  readonly memory?: number | undefined
}

const MERGE_OPTIONS: Options<MergeOptions> = {
  input: text,
  prefix: choice<'none' | 'comm' | 'comm-pid'>('none', 'comm', 'comm-pid'),
  filter: READ_OPTIONS.filter,
  strict: flag,
  memory: count,
}

const DEFAULT_MEMORY = 1 << 26
/** Nodes kept; when there are more, the merger is full. */
const MOST_NODES = 1 << 17

/** A stack, as its innermost frame and the node of all others. */
class Node {
  readonly parent: Node | undefined
  readonly frame: RawFrame | undefined
  readonly children = new Map<RawFrame, Node>()
  weight = 0n
  count = 0
  time: [bigint, bigint] | undefined

  constructor(parent: Node | undefined, frame: RawFrame | undefined) {
    this.parent = parent
    this.frame = frame
  }
}

/** The facts that equal stacks have in common beside their frames. */
interface Root extends Pick<MergedStack, 'event' | 'unit' | 'comm' | 'pid' | 'shape'> {
  readonly node: Node
  /** Where whole stacks end that were met before. Weak, as who remembers the stacks also forgets them. */
  readonly whole: WeakMap<LineStack, Node>
  readonly met: Node[]
}

/**
 * Merges the equal stacks of a stream, piece after piece of whole records, into lines of the input format `merged`. A profile
 * of those lines is that of the stream.
 */
export class StackMerger {
  readonly #plan: StretchPlan
  readonly #apart: boolean
  readonly #memory: number
  readonly #prefix: Folding['prefix']
  readonly #roots = new Map<string, Root>()
  #worker: StretchWorker | undefined
  #nodes = 0
  #stacks = 0

  /** @throws UsageError if no input format has this name */
  constructor(given: MergeOptions) {
    const options = optionsOf(given, 'StackMerger', MERGE_OPTIONS)
    const { input, prefix = 'comm', filter = {}, strict = false, memory = DEFAULT_MEMORY } = options
    this.#apart = inputFormat(input).apart ?? false
    this.#memory = memory
    this.#prefix = prefix
    this.#plan = {
      input,
      product: 'stacks',
      mode: 'return',
      rebase: undefined,
      trust: 'weigh',
      states: [],
      generation: 0,
      folding: { kernelMark: false, prefix, addresses: true, samples: false },
      filter,
      strict,
      passthrough: false,
    }
  }

  /** Different stacks that wait to be taken. */
  get stacks(): number {
    return this.#stacks
  }

  /** Whether so much waits that it should be taken before more is added. */
  get full(): boolean {
    return this.#nodes > MOST_NODES
  }

  /** Adds the stacks of a piece. @throws UsageError if the format has no stacks */
  add(piece: Uint8Array): StretchAnswer {
    someBytes(piece, 'piece')
    this.#worker ??= new StretchWorker(undefined, this.#plan, (event, frames, stack) => this.#put(event, frames, stack))
    const answer = this.#worker.run(piece)
    if (this.#worker.memory > this.#memory) this.#worker = undefined
    return answer
  }

  /**
   * The stacks since the last call, as lines, in pieces of at most so many bytes; the merger begins anew.
   * @throws LimitError if a single stack takes more
   */
  *take(mostBytes: number): Generator<Uint8Array> {
    count(mostBytes, 'mostBytes')
    const lines: Buffer[] = []
    let length = 0
    for (const stack of this.#taken()) {
      const line = Buffer.from(mergedLine(stack))
      if (line.length > mostBytes) {
        throw new LimitError(
          `a stack of ${stack.frames.length} frames takes ${line.length} bytes, more than ${mostBytes}`,
        )
      }
      if (length + line.length > mostBytes) {
        yield Buffer.concat(lines.splice(0))
        length = 0
      }
      lines.push(line)
      length += line.length
    }
    if (length > 0) yield Buffer.concat(lines)
  }

  *#taken(): Generator<MergedStack> {
    const roots = [...this.#roots.values()]
    this.#roots.clear()
    this.#nodes = 0
    this.#stacks = 0
    for (const { event, unit, comm, pid, shape, met } of roots) {
      for (const leaf of met) {
        const frames: RawFrame[] = []
        for (let at: Node | undefined = leaf; at?.frame !== undefined; at = at.parent) frames.push(at.frame)
        yield { count: leaf.count, weight: leaf.weight, event, unit, comm, pid, time: leaf.time, shape, frames }
      }
    }
  }

  #put(event: TraceEvent, frames: readonly RawFrame[], stack: LineStack | undefined): void {
    // As in profiles: addresses that were merely found on the stack are no calls.
    if (!frames.some(({ reliable }) => reliable)) return
    const root = this.#root(event)
    let node = stack && root.whole.get(stack)
    if (node === undefined) {
      node = this.#leaf(root.node, frames)
      if (stack !== undefined) root.whole.set(stack, node)
    }
    if (node.count === 0) {
      root.met.push(node)
      this.#stacks++
    }
    node.count += event.count
    node.weight += event.weight
    const { ts, lastTs = ts } = event
    if (ts === undefined || lastTs === undefined) return
    if (node.time === undefined) node.time = [ts, lastTs]
    if (ts < node.time[0]) node.time[0] = ts
    if (lastTs > node.time[1]) node.time[1] = lastTs
  }

  /** The node of a stack below a root, made as far as it was not met before. */
  #leaf(root: Node, frames: readonly RawFrame[]): Node {
    let node = root
    for (let i = frames.length - 1; i >= 0; i--) {
      const frame = frames[i]!
      let child = node.children.get(frame)
      if (child === undefined) {
        child = new Node(node, frame)
        node.children.set(frame, child)
        this.#nodes++
      }
      node = child
    }
    return node
  }

  #root(given: TraceEvent): Root {
    const event = this.#apart ? measureOf(given) : undefined
    const comm = this.#prefix === 'none' ? undefined : given.comm
    const pid = this.#prefix === 'comm-pid' ? (given.pid ?? given.tid) : undefined
    const { unit, shape } = given
    const key = `${event ?? ''}\n${unit ?? ''}\n${comm ?? ''}\n${pid ?? ''}\n${shape}`
    let root = this.#roots.get(key)
    if (root === undefined) {
      root = { event, unit, comm, pid, shape, node: new Node(undefined, undefined), whole: new WeakMap(), met: [] }
      this.#roots.set(key, root)
      this.#nodes++
    }
    return root
  }
}
