// From the stacks of streams to a file: which of several events is meant, and what is known of the kernel beside them.

import { UsageError } from '../core/errors.ts'
import { codeMappings } from '../events/code-mappings.ts'
import type { Output, ProfileFacts } from '../events/output/output.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { Profile, type Profiles, type Weighing } from '../stacks/profile.ts'
import { note } from './output.ts'

/** How the command was asked to make a profile. */
export interface ProfileOptions {
  readonly to?: string | undefined
  readonly event?: readonly string[] | undefined
  readonly invert?: boolean | undefined
  readonly weight: Weighing
}

/**
 * The pieces of the output's file. `inputs` are the profiles of each input, `hosts` the kernel, and the same at other times. Where inputs
 * hold several events, the first is written, and a note names the others.
 * @throws UsageError if several events were asked for
 */
export function writeProfile(
  output: Output,
  inputs: readonly Profiles[],
  files: readonly string[],
  hosts: readonly [Snapshot, ...Snapshot[]],
  options: ProfileOptions,
): Iterable<string | Uint8Array> {
  const { writer } = output
  if (writer === undefined) return []
  const events = new Set(inputs.flatMap((input) => input.all.map(({ event }) => event)))
  const [chosen, ...others] = events
  if (others.length > 0) {
    if (options.event !== undefined) throw new UsageError('a profile is of one event: give --event once')
    const names = others.map((event) => event ?? 'unnamed').join(', ')
    note(`the profile is of ${chosen ?? 'the unnamed event'} alone; --event chooses another: ${names}`)
  }
  const of = (input: Profiles) => input.all.find(({ event }) => event === chosen) ?? new Profile(chosen)
  const seen = options.invert === true ? (profile: Profile) => profile.inverted() : (profile: Profile) => profile
  const facts: ProfileFacts = {
    title: files.length === 0 ? 'kernel stacks' : files.join(', '),
    to: options.to,
    weighing: options.weight,
    release: hosts[0].host.release,
    get mappings() {
      return codeMappings(hosts)
    },
  }
  const [first = new Profile(), ...rest] = inputs.map((input) => seen(of(input)))
  return writer.write([first, ...rest], facts)
}
