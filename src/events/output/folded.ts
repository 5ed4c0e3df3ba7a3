// Folded stacks: one a line, outermost frame first, joined by `;`, and the weight behind a space.

import { type Profile, profileArgument, WEIGHING, type Weighing } from '../../stacks/profile.ts'
import type { Output } from './output.ts'

/** The lines of a profile, in the order of their stacks. */
export function* foldedLines(profile: Profile, weighing: Weighing = 'measured'): Generator<string> {
  profileArgument(profile, 'profile')
  WEIGHING(weighing, 'weighing')
  for (const [stack, weight] of profile.folded(weighing)) yield `${stack} ${weight}\n`
}

export const folded: Output = {
  name: 'folded',
  what: 'stacks and their weights, one a line, as flame graph tools take them',
  product: 'profile',
  writer: { write: ([profile], { weighing }) => foldedLines(profile, weighing) },
}
