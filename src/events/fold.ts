// Stacks of one stream folded and summed up. They are kept as a tree, outermost frames at its root, so that a stack that was
// met before costs a step a frame, and its text is made once.

import type { Frame } from '../stacks/frame.ts'
import { foldedName } from '../stacks/profile.ts'
import type { TraceEvent } from './event.ts'
import type { LineStack } from './format.ts'

/** How stacks are folded. */
export interface Folding {
  /** Mark kernel frames with `_[k]`. */
  readonly kernelMark: boolean
  /** What the outermost frame is: the process's name, with its number, or nothing. */
  readonly prefix: 'none' | 'comm' | 'comm-pid'
  /** What a stack weighs: what the tool measured (a period, a count), or 1 for each event. */
  readonly weight: 'measured' | 'events'
}

/** Nodes kept; when there are more, the tree begins anew, which bounds memory without bookkeeping. */
const MOST_NODES = 1 << 17

/** A stack, as its innermost frame and the node of all others. */
class Node {
  readonly text: string
  weight = 0n
  /** Whether the present stretch has it. */
  met = false
  readonly #children = new Map<Frame, Node>()
  /** The child that was met last: idle machines do one thing over and over. */
  #frame: Frame | undefined
  #child: Node | undefined
  /** Of a root: where whole stacks end that were met before. Weak, as who remembers the stacks also forgets them. */
  readonly whole = new WeakMap<LineStack, Node>()

  constructor(text: string) {
    this.text = text
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

/** Folds stacks, stretch after stretch. */
export class StackFolder {
  readonly #folding: Folding
  readonly #roots = new Map<string, Node>()
  #nodes = 0
  /** The stacks that the present stretch has met. */
  #met: Node[] = []

  constructor(folding: Folding) {
    this.#folding = folding
  }

  /** Adds an event's stack, innermost frame first. `stack` stands for the same frames each time, if it is given. */
  add(event: TraceEvent, frames: readonly Frame[], stack?: LineStack): void {
    if (frames.length === 0) return
    const root = this.#root(event)
    let node = stack && root.whole.get(stack)
    if (node === undefined) {
      node = this.#leaf(root, frames)
      if (stack !== undefined) {
        root.whole.set(stack, node)
        this.#nodes++
      }
    }
    if (!node.met) {
      node.met = true
      this.#met.push(node)
    }
    node.weight += this.#folding.weight === 'events' ? 1n : event.weight
  }

  /** The node of a stack below a root, made as far as it was not met before. */
  #leaf(root: Node, frames: readonly Frame[]): Node {
    const { kernelMark } = this.#folding
    let node = root
    for (let i = frames.length - 1; i >= 0; i--) {
      const frame = frames[i]!
      let child = node.childOf(frame)
      if (child === undefined) {
        const name = foldedName(frame, kernelMark)
        child = new Node(node.text === '' ? name : `${node.text};${name}`)
        node.add(frame, child)
        this.#nodes++
      }
      node = child
    }
    return node
  }

  /** The stacks since the last call and what they weigh; the next stretch begins at nothing. */
  take(): [stack: string, weight: bigint][] {
    const stacks = this.#met.map((node): [string, bigint] => [node.text, node.weight])
    for (const node of this.#met) {
      node.weight = 0n
      node.met = false
    }
    this.#met = []
    if (this.#nodes > MOST_NODES) {
      this.#roots.clear()
      this.#nodes = 0
    }
    return stacks
  }

  #root({ comm, pid, tid }: TraceEvent): Node {
    const { prefix } = this.#folding
    let name = ''
    if (prefix !== 'none') {
      name = (comm ?? '[unknown]').replaceAll(';', ':')
      if (prefix === 'comm-pid') name += `-${pid ?? tid ?? '?'}`
    }
    let root = this.#roots.get(name)
    if (root === undefined) {
      root = new Node(name)
      this.#roots.set(name, root)
    }
    return root
  }
}
