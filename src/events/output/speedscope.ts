// A profile in speedscope's file format (https://www.speedscope.app/file-format-schema.json): frames once, then each
// stack as their numbers, outermost first, with its weight.

import type { Profile } from '../../stacks/profile.ts'

/** The whole file. Weights become JSON numbers, as the format wants; those beyond 2^53 lose their last digits there. */
export function speedscopeJson(profile: Profile, name: string): string {
  const frames = new Map<string, number>()
  const samples: number[][] = []
  const weights: number[] = []
  let total = 0n
  for (const [stack, weight] of profile.sorted()) {
    const numbers: number[] = []
    for (const frame of stack.split(';')) {
      let number = frames.get(frame)
      if (number === undefined) {
        number = frames.size
        frames.set(frame, number)
      }
      numbers.push(number)
    }
    samples.push(numbers)
    weights.push(Number(weight))
    total += weight
  }
  return JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    shared: { frames: Array.from(frames.keys(), (frame) => ({ name: frame })) },
    profiles: [{ type: 'sampled', name, unit: 'none', startValue: 0, endValue: Number(total), samples, weights }],
    name,
    exporter: 'kerndex',
    activeProfileIndex: 0,
  })
}
