// The differences between two snapshots of a host as a whole: its kernel, modules, symbols and types.

import type { TypeSetRecord } from '../btf/read/index-types.ts'
import { type Difference, differenceOf } from './changes.ts'
import type { HostFacts } from './host-facts.ts'
import { type Snapshot, snapshotArgument } from './snapshot.ts'

/** Names that only the first or only the second has, and those whose content differs. */
export interface NameDifference {
  readonly gone: readonly string[]
  readonly fresh: readonly string[]
  readonly changed: readonly string[]
}

/** Where two snapshots differ. */
export interface SnapshotDifference {
  /** Whether there is no difference at all. */
  readonly same: boolean
  /** The facts of the hosts that differ: release, build id, boot id. */
  readonly host: readonly {
    readonly what: 'release' | 'buildId' | 'bootId'
    readonly before: string | undefined
    readonly after: string | undefined
  }[]
  readonly symbols: Difference['symbols']
  readonly owners: Difference['owners']
  /** Modules by name; changed are those that lie elsewhere or have another size. */
  readonly modules: NameDifference
  /** Type sets by name; changed are those whose BTF is not the same bytes. */
  readonly types: NameDifference
}

/** Compares two snapshots; reads the types of both that were left for later. */
export function compareSnapshots(before: Snapshot, after: Snapshot): SnapshotDifference {
  snapshotArgument(before, 'before')
  snapshotArgument(after, 'after')
  const { symbols, owners } = differenceOf(before.symbols, after.symbols)
  const host = (['release', 'buildId', 'bootId'] as const)
    .map((what) => ({ what, before: before.host[what], after: after.host[what] }))
    .filter((fact) => fact.before !== fact.after)
  const modules = compareNames(modulesOf(before.host), modulesOf(after.host), (a, b) => a === b)
  const types = compareNames(blobsOf(before), blobsOf(after), (a, b) => a.equals(b))
  const lists = [host, symbols.gone, symbols.fresh, owners.gone, owners.fresh]
  const names = [modules, types].flatMap(({ gone, fresh, changed }) => [gone, fresh, changed])
  const same = [...lists, ...names].every((list) => list.length === 0)
  return { same, host, symbols, owners, modules, types }
}

function compareNames<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  equal: (a: T, b: T) => boolean,
): NameDifference {
  const gone: string[] = []
  const changed: string[] = []
  for (const [name, value] of before) {
    const other = after.get(name)
    if (other === undefined) gone.push(name)
    else if (!equal(value, other)) changed.push(name)
  }
  return { gone, fresh: [...after.keys()].filter((name) => !before.has(name)), changed }
}

function modulesOf({ modules }: HostFacts): Map<string, string> {
  return new Map(modules?.map(({ name, size, address }) => [name, `${address} ${size}`]))
}

function blobsOf({ types }: Snapshot): Map<string, Buffer> {
  const bytes = ({ blob, blobOffset, blobLength }: TypeSetRecord) => Buffer.from(blob, blobOffset, blobLength)
  return new Map(types.sets.map(({ name, record }) => [name, bytes(record)]))
}
