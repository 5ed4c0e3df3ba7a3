// A profile in pprof's format (github.com/google/pprof, proto/profile.proto), packed: what `go tool pprof`, Pyroscope, Parca and
// Grafana read. vmlinux, every module and every file of user space is a mapping; the kernel's have places and build ids.

import { gzipSync } from 'node:zlib'
import {
  Label,
  Line,
  Location,
  Mapping,
  Function as NamedFunction,
  Profile as PprofProfile,
  Sample,
  StringTable,
  ValueType,
} from 'pprof-format'
import { type Profile, type ProfileFrame, profileArgument } from '../../stacks/profile.ts'
import { profileFacts } from '../arguments.ts'
import { shown } from './markup.ts'
import type { CodeMapping, Output, ProfileFacts } from './output.ts'

/** The file's bytes. Each sample has two values: how many events, and what they weigh, where that is something else. */
export function pprofBytes(profile: Profile, facts: ProfileFacts): Uint8Array {
  profileArgument(profile, 'profile')
  profileFacts(facts, 'facts')
  const writer = new Writer(facts.mappings ?? [])
  const { strings } = writer
  const unit = profile.unit()
  const sampleType = [type(strings, 'samples', 'count')]
  const measured = unit !== 'samples'
  if (measured) sampleType.push(type(strings, profile.event ?? 'weight', unit))
  const sample: Sample[] = []
  for (const { frames, weight, count } of profile.stacks()) {
    const process = frames[0]?.kind === 'process' ? frames[0] : undefined
    const code = process === undefined ? frames : frames.slice(1)
    sample.push(
      new Sample({
        // Innermost first.
        locationId: code.map((frame) => writer.locationOf(frame)).reverse(),
        value: measured ? [count, weight] : [count],
        label: process === undefined ? [] : writer.labels(process),
      }),
    )
  }
  const [from, to] = profile.time ?? [0n, 0n]
  const { location, mapping, functions } = writer
  const made = new PprofProfile({
    ...{ sampleType, sample, mapping, location, function: functions, stringTable: strings },
    durationNanos: to - from,
    ...(measured ? { periodType: type(strings, profile.event ?? 'weight', unit), period: 1 } : {}),
    comment: [strings.dedup(shown(`kerndex: ${facts.title}`))],
    defaultSampleType: sampleType.at(facts.weighing === 'events' ? 0 : -1)!.type,
  })
  return gzipSync(made.encode())
}

function type(strings: StringTable, name: string, unit: string): ValueType {
  return new ValueType({ type: strings.dedup(shown(name)), unit: strings.dedup(unit) })
}

/** The tables of the format; ids are places in them, from 1. */
class Writer {
  readonly strings = new StringTable()
  readonly location: Location[] = []
  readonly mapping: Mapping[] = []
  readonly functions: NamedFunction[] = []
  readonly #locations = new Map<ProfileFrame, number>()
  readonly #mappings = new Map<CodeMapping, number>()
  readonly #functions = new Map<string, number>()
  /** By owner: several where it lay at several places in the time of the profile. */
  readonly #known = new Map<string, CodeMapping[]>()

  constructor(known: readonly CodeMapping[]) {
    for (const mapping of known) {
      const others = this.#known.get(mapping.owner)
      if (others === undefined) this.#known.set(mapping.owner, [mapping])
      else others.push(mapping)
    }
    // pprof takes the first mapping for the program that the profile is of.
    const [core] = known
    if (core !== undefined) this.#mapping(core)
  }

  /** The number of a frame's location, made when it is new. */
  locationOf(frame: ProfileFrame): number {
    let id = this.#locations.get(frame)
    if (id === undefined) {
      const { name, kind, owner, address } = frame
      id = this.location.push(
        new Location({
          id: this.location.length + 1,
          mappingId: owner === undefined ? 0 : this.#mapping(this.#around(owner, address)),
          address: address ?? 0n,
          // A frame without a name keeps its address alone: its reader may know more.
          line: kind === 'unknown' && address !== undefined ? [] : [this.#line(name, owner)],
        }),
      )
      this.#locations.set(frame, id)
    }
    return id
  }

  /** The process's name and numbers. */
  labels({ name, owner }: ProfileFrame): Label[] {
    const { strings } = this
    const [pid, tid] = owner?.split('/') ?? []
    const labels = [new Label({ key: strings.dedup('comm'), str: strings.dedup(shown(name)) })]
    if (pid !== undefined) labels.push(new Label({ key: strings.dedup('pid'), num: Number(pid) }))
    if (tid !== undefined) labels.push(new Label({ key: strings.dedup('tid'), num: Number(tid) }))
    return labels
  }

  #line(name: string, owner: string | undefined): Line {
    const key = `${owner ?? ''}\n${name}`
    let id = this.#functions.get(key)
    if (id === undefined) {
      const word = this.strings.dedup(shown(name))
      id = this.functions.push(new NamedFunction({ id: this.functions.length + 1, name: word, systemName: word }))
      this.#functions.set(key, id)
    }
    return new Line({ functionId: id })
  }

  /** The mapping of an owner that an address is in; where none of several is around it, one that tells no place. */
  #around(owner: string, address: bigint | undefined): CodeMapping {
    let known = this.#known.get(owner)
    if (known === undefined) {
      known = [{ owner, start: 0n, end: 0n, buildId: undefined }]
      this.#known.set(owner, known)
    }
    const found = known.find(({ start, end }) => address !== undefined && address >= start && address < end)
    if (found !== undefined || known.length === 1) return found ?? known[0]!
    const nowhere = { owner, start: 0n, end: 0n, buildId: undefined }
    known.push(nowhere)
    return nowhere
  }

  #mapping(mapping: CodeMapping): number {
    let id = this.#mappings.get(mapping)
    if (id === undefined) {
      const { owner, start, end, buildId = '' } = mapping
      id = this.mapping.push(
        new Mapping({
          id: this.mapping.length + 1,
          memoryStart: start,
          memoryLimit: end,
          filename: this.strings.dedup(shown(owner)),
          buildId: this.strings.dedup(buildId),
          hasFunctions: true,
        }),
      )
      this.#mappings.set(mapping, id)
    }
    return id
  }
}

export const pprof: Output = {
  name: 'pprof',
  what: 'a packed profile for go tool pprof, Pyroscope, Parca, Grafana; kernel code with build ids',
  product: 'profile',
  file: true,
  writer: { folding: { prefix: 'comm', addresses: true }, write: ([profile], facts) => [pprofBytes(profile, facts)] },
}
