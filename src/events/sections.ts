// Recordings that come in parts: the files of a kernel's CPUs one behind the other, each in the order of its times, which all
// begin anew. What is at hand as a whole is held while it is of one CPU, so that the parts can be put together by their times.

/** Events of one CPU that are held until another's part shows; more go on as they are. */
export const MOST_OF_ONE_CPU = 65_536

/** Whether to hold an event with the others that are held, or to let those go before it. */
export type Verdict = 'hold' | 'release' | 'pass'

/** Tells the parts of one recording, CPU by CPU, from events of all CPUs in one order. */
export class Sections {
  /** CPUs whose parts are held, the present one last. */
  #cpus: (number | undefined)[] = []
  #holding = false
  #held = 0
  #newest = 0n

  /** What follows is at hand as a whole, and may be the part of one CPU. */
  begin(): void {
    if (this.#holding) return
    this.#holding = true
    this.#cpus = []
    this.#held = 0
  }

  /**
   * Judges the next event; `begins`: a header or a file begins with it. After `release` it is judged again: it may begin
   * another recording.
   */
  judge(cpu: number | undefined, ts: bigint | undefined, begins: boolean): Verdict {
    if (!this.#holding) return 'pass'
    const cpus = this.#cpus
    const last = cpus.length - 1
    // An event without a CPU belongs to the part that it stands in.
    if (cpu !== undefined && cpu !== cpus[last] && cpus.length > 0) {
      const isPart = !cpus.includes(cpu) && (begins || (ts !== undefined && ts < this.#newest))
      if (!isPart) return this.end()
      cpus.push(cpu)
      this.#newest = 0n
    } else if (cpus.length === 0 && cpu !== undefined) {
      cpus.push(cpu)
      this.#newest = 0n
    }
    if (++this.#held > MOST_OF_ONE_CPU) return this.end()
    if (ts !== undefined && ts > this.#newest) this.#newest = ts
    return 'hold'
  }

  /** Nothing is held any more. */
  end(): Verdict {
    this.#holding = false
    return 'release'
  }
}
