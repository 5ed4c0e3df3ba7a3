// Probe planning over a kernel, as users call it.

import { type SuffixCensus, takeCensus } from './census.ts'
import { ProbeContext, type ProbeSource } from './context.ts'
import { makePlan, type PlanOptions, type ProbePlan } from './plan.ts'

/** Plans probes. Reads nothing of the host before the first plan, and then only what that plan needs. */
export class Probes {
  readonly #source: ProbeSource
  #context: ProbeContext | undefined

  constructor(source: ProbeSource) {
    this.#source = source
  }

  /**
   * Where and how the functions that specifications name can be probed, or why not. A specification is
   * `kprobe|kretprobe|fentry|fexit|fmod_ret|entry|return:[module:]function[+offset]` with globs, or an address.
   * @throws SpecError, with the column, if a specification cannot be read
   */
  plan(specs: string | readonly string[], options: PlanOptions = {}): ProbePlan {
    return makePlan(this.#kernel, typeof specs === 'string' ? [specs] : specs, options)
  }

  /** Does now what the first plan would do before anything else: reads the host's files and indexes them. */
  prepare(): void {
    this.#kernel.prepare()
  }

  /** How many functions have which compiler suffix, with and without BTF of their base name. */
  suffixes(): SuffixCensus {
    return takeCensus(this.#kernel)
  }

  get #kernel(): ProbeContext {
    this.#context ??= new ProbeContext(this.#source)
    return this.#context
  }
}
