// The threads of a process that are known to live. Most processes have but their leader: a Set for each would take more memory than
// all else that is kept of an image.

/** A set of numbers, the leader's among them while it lives. */
export class LivingThreads {
  readonly #pid: number
  #leader = true
  #others: Set<number> | undefined

  constructor(pid: number) {
    this.#pid = pid
  }

  get size(): number {
    return (this.#leader ? 1 : 0) + (this.#others?.size ?? 0)
  }

  has(tid: number): boolean {
    return tid === this.#pid ? this.#leader : this.#others?.has(tid) === true
  }

  add(tid: number): void {
    if (tid === this.#pid) this.#leader = true
    else if (this.#others === undefined) this.#others = new Set([tid])
    else this.#others.add(tid)
  }

  delete(tid: number): void {
    if (tid === this.#pid) this.#leader = false
    else if (this.#others?.delete(tid) === true && this.#others.size === 0) this.#others = undefined
  }

  clear(): void {
    this.#leader = false
    this.#others = undefined
  }

  /** Those that are no leader. */
  others(): Iterable<number> {
    return this.#others ?? NONE
  }
}

const NONE: readonly number[] = []
