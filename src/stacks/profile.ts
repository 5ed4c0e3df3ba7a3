// A profile: how often each stack was seen. Stacks are folded, outermost frame first; weights are whole numbers of 64 bits.

import { formatAddress } from '../core/address.ts'
import type { Frame } from './frame.ts'

/** How a frame reads in a folded stack: its name, or its address where it has none. `;` and line ends would cut it. */
export function foldedName(frame: Frame, kernelMark: boolean): string {
  const { symbol, address, user } = frame
  const name = symbol ?? (address === undefined ? '[unknown]' : formatAddress(address))
  const safe = /[;\n\r]/.test(name) ? name.replaceAll(';', ':').replaceAll(/[\r\n]/g, ' ') : name
  return kernelMark && !user && frame.reason !== 'not_kernel' ? `${safe}_[k]` : safe
}

/** Stacks and their weights. Adding is commutative, so profiles of parts of a stream merge into that of the whole. */
export class Profile {
  readonly weights = new Map<string, bigint>()

  add(stack: string, weight: bigint): void {
    this.weights.set(stack, (this.weights.get(stack) ?? 0n) + weight)
  }

  merge(stacks: Iterable<readonly [string, bigint]>): void {
    for (const [stack, weight] of stacks) this.add(stack, weight)
  }

  get total(): bigint {
    let total = 0n
    for (const weight of this.weights.values()) total += weight
    return total
  }

  /** All stacks in the order of their UTF-16 units, which depends on nothing but the stacks. */
  sorted(): [stack: string, weight: bigint][] {
    return [...this.weights].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  }
}
