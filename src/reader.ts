// A snapshot with everything that is built on one: what `attachKernel` gives in any thread.

import { Probes } from './probes/probes.ts'
import { Snapshot } from './snapshot/snapshot.ts'
import { Stacks } from './stacks/stacks.ts'

/** An attached snapshot: symbols, types, probes and stacks of one generation. */
export class Reader extends Snapshot {
  #probes: Probes | undefined
  #stacks: Stacks | undefined

  /** Plans probes over this snapshot. */
  get probes(): Probes {
    this.#probes ??= new Probes(this)
    return this.#probes
  }

  /** Looks up many stacks at once. */
  get stacks(): Stacks {
    this.#stacks ??= new Stacks(this.symbols)
    return this.#stacks
  }
}
