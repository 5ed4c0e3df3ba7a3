// Folded stacks: one a line, outermost frame first, joined by `;`, and the weight behind a space.

import type { Profile } from '../../stacks/profile.ts'

/** The lines of a profile, in the order of their stacks. */
export function* foldedLines(profile: Profile): Generator<string> {
  for (const [stack, weight] of profile.sorted()) yield `${stack} ${weight}\n`
}
