// A snapshot with everything that is built on one: what `attachKernel` gives in any thread.

import { Snapshot } from './load/snapshot.ts'
import { Probes } from './probes/probes.ts'

/** An attached snapshot: symbols, types and probes of one generation. */
export class Reader extends Snapshot {
  #probes: Probes | undefined

  /** Plans probes over this snapshot. */
  get probes(): Probes {
    this.#probes ??= new Probes(this)
    return this.#probes
  }
}
