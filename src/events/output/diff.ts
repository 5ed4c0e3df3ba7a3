// The difference of two profiles: for each stack its weight before and after, as differential flame graphs take it.

import type { Profile } from '../../stacks/profile.ts'

/** Lines `stack BEFORE AFTER` for every stack of either profile, in the order of their stacks. */
export function* diffLines(before: Profile, after: Profile): Generator<string> {
  const stacks = [...new Set([...before.weights.keys(), ...after.weights.keys()])]
  stacks.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  for (const stack of stacks) {
    yield `${stack} ${before.weights.get(stack) ?? 0n} ${after.weights.get(stack) ?? 0n}\n`
  }
}
