// The difference of two profiles: for each stack its weight before and after, as differential flame graphs take it.

import { type Profile, profileArgument, WEIGHING, type Weighing } from '../../stacks/profile.ts'
import { flameGraphHtml } from './flamegraph.ts'
import type { Output } from './output.ts'
import { flameSvg } from './svg.ts'

/** Lines `stack BEFORE AFTER` for every stack of either profile, in the order of their stacks. */
export function* diffLines(before: Profile, after: Profile, weighing: Weighing = 'measured'): Generator<string> {
  profileArgument(before, 'before')
  profileArgument(after, 'after')
  WEIGHING(weighing, 'weighing')
  const [old, now] = [new Map(before.folded(weighing)), new Map(after.folded(weighing))]
  const stacks = [...new Set([...old.keys(), ...now.keys()])]
  stacks.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  for (const stack of stacks) yield `${stack} ${old.get(stack) ?? 0n} ${now.get(stack) ?? 0n}\n`
}

export const diff: Output = {
  name: 'diff',
  what: 'stack BEFORE AFTER, of two files; a differential flame graph for --to NAME.html or NAME.svg',
  product: 'profile',
  writer: {
    inputs: 2,
    *write([before, after], facts) {
      if (after === undefined) throw new RangeError('a difference of one profile')
      const { weighing, to } = facts
      if (to?.endsWith('.html') === true) yield flameGraphHtml(after, facts, before)
      else if (to?.endsWith('.svg') === true) yield* flameSvg(after, facts, before)
      else yield* diffLines(before, after, weighing)
    },
  },
}
