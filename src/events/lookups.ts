// What stacks of a stream are looked up in: one table, or where the host is known over time, the table of each stack's time.

import { StackResolver } from '../stacks/resolve.ts'
import { stateAt } from '../stacks/states.ts'
import { SymbolTable } from '../symbols/table.ts'
import { AddressWriter } from './bulk-addresses.ts'
import type { StretchPlan, StretchState } from './stretch-plan.ts'

/** Chooses who looks a stack up. Remembers frames, and nothing else. */
export class Lookups {
  readonly addresses: AddressWriter
  /** For stacks of no known time. */
  readonly #resolver: StackResolver
  readonly #states: readonly StretchState[]
  readonly #byState: readonly StackResolver[]

  constructor(symbols: SymbolTable, { mode, rebase, trust, generation, states }: StretchPlan) {
    const options = { mode, rebase, trust }
    const tables = states.map(({ table, lent }) => new SymbolTable(table, lent))
    this.addresses = new AddressWriter(symbols, generation)
    this.#states = states
    this.#byState = tables.map((table, i) => {
      return new StackResolver(table, { ...options, otherTimes: tables.filter((_, other) => other !== i) })
    })
    this.#resolver = new StackResolver(symbols, { ...options, otherTimes: tables, anyTime: true })
  }

  /** Who looks up the stacks of a time. */
  at(time: bigint | undefined): StackResolver {
    const state = this.#states.length === 0 ? undefined : stateAt(this.#states, time)
    return state === undefined ? this.#resolver : this.#byState[state]! // A state for each.
  }

  /** Frames that are remembered. */
  get remembered(): number {
    return this.#byState.reduce((sum, { remembered }) => sum + remembered, this.#resolver.remembered)
  }
}
