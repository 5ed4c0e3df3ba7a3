// Stacks of one stream folded and summed up. They are kept as a tree, outermost frames at its root, so that a stack that was
// met before costs a step a frame, and what a profile keeps of a frame is made once.

import type { Frame } from '../stacks/frame.ts'
import { codeKind, foldedName, foldedWord, type ProfileFrame, type ProfilePart } from '../stacks/profile.ts'
import { measureOf, type TraceEvent } from './event.ts'
import type { LineStack } from './format.ts'

/** How stacks are folded. */
export interface Folding {
  /** Mark kernel frames with `_[k]`. */
  readonly kernelMark: boolean
  /** Name user frames without a symbol by their addresses, instead of by their file. Default no. */
  readonly userAddresses?: boolean | undefined
  /** What the outermost frame is: the process's name where it is known, that with its number, the thread with its numbers as its owner, or nothing. */
  readonly prefix: 'none' | 'comm' | 'comm-pid' | 'thread'
  /** Keep frames at different addresses apart. Else frames of one name and owner are one. */
  readonly addresses: boolean
  /** Keep every event with its time, too. */
  readonly samples: boolean
}

/** Nodes kept; when there are more, the tree begins anew, which bounds memory without bookkeeping. */
const MOST_NODES = 1 << 17

/** A frame as a profile keeps it, wherever in the tree it stands. */
interface KeptFrame {
  readonly frame: ProfileFrame
  /** The last part of a profile that has it, and its number there. */
  part: number
  number: number
}

/** A stack, as its innermost frame and the node of all others. */
class Node {
  readonly parent: Node | undefined
  readonly kept: KeptFrame | undefined
  weight = 0n
  count = 0
  /** The last part of a profile that has it, and its number there. */
  part = -1
  number = 0
  readonly #children = new Map<Frame, Node>()
  /** The child that was met last: idle machines do one thing over and over. */
  #frame: Frame | undefined
  #child: Node | undefined
  /** Of a root: where whole stacks end that were met before. Weak, as who remembers the stacks also forgets them. */
  readonly whole = new WeakMap<LineStack, Node>()

  constructor(parent: Node | undefined, kept: KeptFrame | undefined) {
    this.parent = parent
    this.kept = kept
  }

  childOf(frame: Frame): Node | undefined {
    if (frame === this.#frame) return this.#child
    const child = this.#children.get(frame)
    if (child !== undefined) {
      this.#frame = frame
      this.#child = child
    }
    return child
  }

  add(frame: Frame, child: Node): void {
    this.#children.set(frame, child)
  }
}

/** The stacks of one event name. */
interface Tree {
  readonly event: string | undefined
  readonly unit: string | undefined
  readonly roots: Map<string, Node>
  /** The stacks that the present stretch has met. */
  met: Node[]
  time: [bigint, bigint] | undefined
  /** Its events one by one. */
  samples: { leaves: Node[]; times: (bigint | undefined)[]; weights: bigint[] } | undefined
}

/** Folds stacks, stretch after stretch. */
export class StackFolder {
  readonly #folding: Folding
  readonly #byEvent: boolean
  readonly #trees = new Map<string | undefined, Tree>()
  readonly #kept = new WeakMap<Frame, KeptFrame>()
  #nodes = 0
  /** Parts handed out so far. */
  #parts = 0

  /** `byEvent`: events of different names measure different things, and make a profile each. */
  constructor(folding: Folding, byEvent: boolean) {
    this.#folding = folding
    this.#byEvent = byEvent
  }

  /** Nodes that are remembered. */
  get nodes(): number {
    return this.#nodes
  }

  /** Adds an event's stack, innermost frame first. `stack` stands for the same frames each time, if it is given. */
  add(event: TraceEvent, frames: readonly Frame[], stack?: LineStack): void {
    const tree = this.#tree(event)
    const root = this.#root(tree, event)
    let node = stack && root.whole.get(stack)
    if (node === undefined) {
      // Addresses that were merely found on the stack are no calls.
      if (!frames.some(({ reliable }) => reliable)) return
      node = this.#leaf(root, frames)
      if (stack !== undefined) {
        root.whole.set(stack, node)
        this.#nodes++
      }
    }
    if (node.count === 0) tree.met.push(node)
    node.weight += event.weight
    node.count += event.count
    const { ts, lastTs = ts, weight } = event
    if (ts !== undefined && lastTs !== undefined) {
      if (tree.time === undefined) tree.time = [ts, lastTs]
      if (lastTs > tree.time[1]) tree.time[1] = lastTs
      if (ts < tree.time[0]) tree.time[0] = ts
    }
    if (this.#folding.samples) {
      tree.samples ??= { leaves: [], times: [], weights: [] }
      tree.samples.leaves.push(node)
      tree.samples.times.push(ts)
      tree.samples.weights.push(weight)
    }
  }

  /** The node of a stack below a root, made as far as it was not met before. */
  #leaf(root: Node, frames: readonly Frame[]): Node {
    let node = root
    for (let i = frames.length - 1; i >= 0; i--) {
      const frame = frames[i]!
      if (!frame.reliable) continue
      let child = node.childOf(frame)
      if (child === undefined) {
        child = new Node(node, this.#keep(frame))
        node.add(frame, child)
        this.#nodes++
      }
      node = child
    }
    return node
  }

  #keep(frame: Frame): KeptFrame {
    let kept = this.#kept.get(frame)
    if (kept === undefined) {
      const { kernelMark, addresses, userAddresses } = this.#folding
      kept = keptFrame({
        name: foldedName(frame, kernelMark, userAddresses),
        kind: codeKind(frame),
        // What lay there at another time alone is nowhere now.
        owner: frame.reason === 'stale_layout' ? undefined : (frame.owner ?? undefined),
        address: addresses ? calledAt(frame) : undefined,
      })
      this.#kept.set(frame, kept)
    }
    return kept
  }

  /** The stacks since the last call, a part for each event; the next stretch begins at nothing. */
  take(): ProfilePart[] {
    const parts: ProfilePart[] = []
    for (const tree of this.#trees.values()) {
      if (tree.met.length > 0) parts.push(this.#part(tree))
      tree.met = []
      tree.time = undefined
      tree.samples = undefined
    }
    if (this.#nodes > MOST_NODES) {
      this.#trees.clear()
      this.#nodes = 0
    }
    return parts
  }

  #part({ event, unit, met, time, samples: kept }: Tree): ProfilePart {
    this.#parts++
    const frames: ProfileFrame[] = []
    const parents: number[] = []
    const nodes: number[] = []
    const weights: bigint[] = []
    const counts: number[] = []
    /** The nodes above a stack that the part does not have yet, innermost first. */
    const path: Node[] = []
    for (const leaf of met) {
      for (let at: Node | undefined = leaf; at?.kept !== undefined && at.part !== this.#parts; at = at.parent) {
        path.push(at)
      }
      while (path.length > 0) {
        const node = path.pop()!
        const kept = node.kept!
        if (kept.part !== this.#parts) {
          kept.part = this.#parts
          kept.number = frames.push(kept.frame) - 1
        }
        const { parent } = node
        parents.push(parent?.kept === undefined ? 0 : parent.number + 1)
        node.part = this.#parts
        node.number = nodes.push(kept.number) - 1
        weights.push(node.weight)
        counts.push(node.count)
      }
    }
    for (const leaf of met) {
      weights[leaf.number] = leaf.weight
      counts[leaf.number] = leaf.count
      leaf.weight = 0n
      leaf.count = 0
    }
    const samples = kept && {
      nodes: kept.leaves.map(({ number }) => number),
      times: kept.times,
      weights: kept.weights,
    }
    return { event, unit, frames, parents, nodes, weights, counts, time, samples }
  }

  #tree(given: TraceEvent): Tree {
    const event = this.#byEvent ? measureOf(given) : undefined
    let tree = this.#trees.get(event)
    if (tree === undefined) {
      tree = { event, unit: given.unit, roots: new Map(), met: [], time: undefined, samples: undefined }
      this.#trees.set(event, tree)
    }
    return tree
  }

  #root(tree: Tree, { comm, pid, tid }: TraceEvent): Node {
    const { prefix } = this.#folding
    const owner = prefix === 'thread' ? `${pid ?? tid ?? 0}/${tid ?? pid ?? 0}` : undefined
    const number = prefix === 'comm-pid' ? (pid ?? tid) : undefined
    let key = prefix === 'none' ? '' : (comm ?? '')
    if (owner !== undefined || number !== undefined) key += `\n${owner ?? number}`
    let root = tree.roots.get(key)
    if (root === undefined) {
      let name = prefix === 'none' ? '' : foldedWord(comm ?? '')
      if (number !== undefined) name = `${name === '' ? '[unknown]' : name}-${number}`
      const kept = keptFrame({ name, kind: 'process', owner, address: undefined })
      root = new Node(undefined, name === '' && owner === undefined ? undefined : kept)
      tree.roots.set(key, root)
      this.#nodes++
    }
    return root
  }
}

function keptFrame(frame: ProfileFrame): KeptFrame {
  return { frame, part: -1, number: 0 }
}

/** An address within the instruction: a return address lies behind its call. */
function calledAt({ address, pc }: Frame): bigint | undefined {
  return address === undefined || pc ? address : address - 1n
}
