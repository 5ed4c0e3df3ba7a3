// Whether programs fork processes or threads, as far as a recording has shown: what they do again after the same steps is the same again.

/** Programs of which is remembered what they fork, how many of their forks count, and how many it takes to tell. */
const MOST_KINDS = 1024
const HABIT = 16
const LEAST_HABIT = 4
/** Where that is not known: what does not say what it is, is more often a process. */
const UNKNOWN_ODDS = 0.3

/** Whether programs fork processes or threads. */
export class Habits {
  readonly #counts = new Map<string, { threads: number; all: number }>()

  /** Notes what a program forked after certain steps. */
  add(program: string, steps: string, isThread: boolean): void {
    this.#note(program, isThread)
    this.#note(steps + program, isThread)
  }

  /** How many threads such a program forked for each process, after the same steps or, where those are not known, at all. */
  odds(program: string, steps: string): number {
    return this.#known(steps + program) ?? this.#known(program) ?? UNKNOWN_ODDS
  }

  #note(kind: string, isThread: boolean): void {
    let counts = this.#counts.get(kind)
    if (counts === undefined) {
      counts = { threads: 0, all: 0 }
      if (this.#counts.size >= MOST_KINDS) this.#counts.clear()
      this.#counts.set(kind, counts)
    }
    if (counts.all === HABIT) {
      counts.all /= 2
      counts.threads /= 2
    }
    counts.all++
    if (isThread) counts.threads++
  }

  #known(kind: string): number | undefined {
    const { threads, all } = this.#counts.get(kind) ?? { threads: 0, all: 0 }
    return all < LEAST_HABIT ? undefined : (threads + 0.5) / (all - threads + 0.5)
  }
}
