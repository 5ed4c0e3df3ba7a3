// From the stacks of streams to a file: which of several events is meant, and what is known of the kernel beside them.

import { UsageError } from '../core/errors.ts'
import type { CodeMapping, Output, ProfileFacts } from '../events/output/output.ts'
import type { Snapshot } from '../load/snapshot.ts'
import { parseBuildIds } from '../sources/facts.ts'
import { isAbsence } from '../sources/source.ts'
import { Profile, type Profiles, type Weighing } from '../stacks/profile.ts'
import { note } from './output.ts'

/** How the command was asked to make a profile. */
export interface ProfileOptions {
  readonly to?: string
  readonly event?: readonly string[]
  readonly invert?: boolean
  readonly weight: Weighing
}

/**
 * The pieces of the output's file. `inputs` are the profiles of each input. Where they hold several events, the first is
 * written, and a note names the others.
 * @throws UsageError if several events were asked for
 */
export function writeProfile(
  output: Output,
  inputs: readonly Profiles[],
  files: readonly string[],
  snapshot: Snapshot,
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
    release: snapshot.host.release,
    get mappings() {
      return codeMappings(snapshot)
    },
  }
  const [first = new Profile(), ...rest] = inputs.map((input) => seen(of(input)))
  return writer.write([first, ...rest], facts)
}

/** Where the kernel's code lies, vmlinux first, with the build ids that are known. */
function codeMappings(snapshot: Snapshot): CodeMapping[] {
  const { symbols, host } = snapshot
  const place = (name: string) => symbols.named(name, { owner: 'vmlinux' })[0]?.address
  const start = place('_text') ?? place('_stext')
  const end = place('_end') ?? place('_etext')
  const mappings: CodeMapping[] = []
  if (start !== undefined && end !== undefined) mappings.push({ owner: 'vmlinux', start, end, buildId: host.buildId })
  const facts = snapshot.fact('module_identities')
  const ids = isAbsence(facts) ? new Map<string, string>() : parseBuildIds(Buffer.from(facts))
  const modules = [...(host.modules ?? [])].filter(({ address }) => address !== undefined && address !== 0n)
  modules.sort((a, b) => (a.address! < b.address! ? -1 : 1))
  modules.forEach(({ name, address, size }, i) => {
    const next = modules[i + 1]?.address
    // Since Linux 6.4 the size is that of all pieces of a module, which lie apart: a mapping ends where the next begins.
    const last = address! + BigInt(size)
    mappings.push({
      owner: name,
      start: address!,
      end: next !== undefined && next < last ? next : last,
      buildId: ids.get(name),
    })
  })
  return mappings
}
