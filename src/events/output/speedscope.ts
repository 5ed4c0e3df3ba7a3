// A profile in speedscope's file format (https://www.speedscope.app/file-format-schema.json): frames once, then each
// stack as their numbers, outermost first, with its weight.

import { type Profile, type ProfileFrame, profileArgument } from '../../stacks/profile.ts'
import { profileFacts } from '../arguments.ts'
import type { Output, ProfileFacts } from './output.ts'

/** Units that the format has a name for; weights of any other are plain numbers. */
const UNITS: ReadonlySet<string> = new Set(['nanoseconds', 'bytes'])

/** The whole file. Weights become JSON numbers, as the format wants; those beyond 2^53 lose their last digits there. */
export function speedscopeJson(profile: Profile, facts: ProfileFacts): string {
  profileArgument(profile, 'profile')
  const { title, weighing } = profileFacts(facts, 'facts')
  const numbers = new Map<ProfileFrame, number>()
  const frames: { name: string; file?: string }[] = []
  const samples: number[][] = []
  const weights: number[] = []
  for (const { frames: stack, weight, count } of profile.stacks()) {
    samples.push(
      stack.map((frame) => {
        let number = numbers.get(frame)
        if (number === undefined) {
          const { name, owner } = frame
          number = frames.push(owner === undefined ? { name } : { name, file: owner }) - 1
          numbers.set(frame, number)
        }
        return number
      }),
    )
    weights.push(weighing === 'events' ? count : Number(weight))
  }
  const name = profile.event === undefined ? title : `${title}: ${profile.event}`
  const own = profile.unit(weighing)
  const unit = UNITS.has(own) ? own : 'none'
  const endValue = Number(profile.total(weighing))
  return JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    shared: { frames },
    profiles: [{ type: 'sampled', name, unit, startValue: 0, endValue, samples, weights }],
    name,
    exporter: 'kerndex',
    activeProfileIndex: 0,
  })
}

export const speedscope: Output = {
  name: 'speedscope',
  what: 'a file for speedscope',
  product: 'profile',
  writer: { write: ([profile], facts) => [speedscopeJson(profile, facts)] },
}
