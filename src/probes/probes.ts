// Probe planning over a kernel, as users call it.

import { listOf, options as optionsOf, text } from '../core/arguments.ts'
import { INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { atOnce } from '../core/steps.ts'
import { type SuffixCensus, takeCensus } from './census.ts'
import { ProbeContext, type ProbeSource } from './context.ts'
import { makePlan, PLAN_OPTIONS, type PlanOptions, type ProbePlan } from './plan.ts'

const SPECS = listOf(text, 'specifications')

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
  plan(specs: string | readonly string[], options?: PlanOptions): ProbePlan {
    const list = typeof specs === 'string' ? [specs] : SPECS(specs, 'specs')
    return makePlan(this.#kernel, list, optionsOf(options, 'plan', PLAN_OPTIONS))
  }

  /** Does now what the first plan would do before anything else: reads the host's files and indexes them. */
  prepare(): void {
    atOnce(this.preparation())
  }

  /** The same step by step, a few milliseconds each, between which others can have their turn. */
  preparation(): Generator<void, void, void> {
    return this.#kernel.prepare()
  }

  /** How many functions have which compiler suffix, with and without BTF of their base name. */
  suffixes(): SuffixCensus {
    return takeCensus(this.#kernel)
  }

  get #kernel(): ProbeContext {
    this.#context ??= new ProbeContext(this.#source)
    return this.#context
  }

  toJSON(): Record<string, never> {
    return {}
  }

  toString(): string {
    return 'probes of a kernel: plan(specs) says where they can be attached'
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('Probes', () => this.toJSON(), depth, options, inspect)
  }
}
