// Types from a list of a host's files, at once on the calling thread; load/types.ts does the same in turns and with helpers.

import {
  type BaseShape,
  indexTypesSteps,
  type NamedBlob,
  shapeOfSet,
  type TypeSetRecord,
} from '../btf/read/index-types.ts'
import { Walk } from '../btf/read/walk.ts'
import { errorToRecord, KerndexError } from '../core/errors.ts'
import { atOnce } from '../core/steps.ts'
import { arenaFor, btfIdentity, readBtfNow } from '../sources/blob.ts'
import type { BtfFile } from '../sources/source.ts'
import { type IndexedSets, type LoadedTypes, NO_TYPES, type TypeFailure } from './loaded-types.ts'

/** The types of a kernel without vmlinux BTF. */
export const NO_BASE: LoadedTypes = {
  ...NO_TYPES,
  absences: [{ what: 'btf/vmlinux', reason: 'not there, and module BTF means nothing without it' }],
}

/**
 * Reads and indexes the blobs, of which the first has to be vmlinux, at once on the calling thread: for a lookup that cannot wait.
 * @throws nothing that `loadTypes` would make an absence
 */
export function loadTypesNow(files: readonly BtfFile[], earlier: LoadedTypes = NO_TYPES): LoadedTypes {
  const [base, ...modules] = files
  if (base === undefined) return NO_TYPES
  if (base.module !== 'vmlinux') return NO_BASE
  const known = atOnce(unchanged(files, earlier))
  let knownBase = known.get(base.module)
  let first = NOTHING
  if (knownBase === undefined) {
    known.clear()
    first = readAndIndex([base], undefined, Walk.open())
    knownBase = first.records[0]
  }
  const fresh = modules.filter(({ module }) => !known.has(module))
  const rest = knownBase === undefined || fresh.length === 0 ? NOTHING : readAndIndex(fresh, shapeOfSet(knownBase))
  return inOrder(files, known, earlier, joined([first, rest]))
}

function readAndIndex(files: readonly BtfFile[], shape: BaseShape | undefined, walk?: Walk): IndexedSets {
  const arena = walk ?? arenaFor(files.length)
  const blobs: NamedBlob[] = []
  const identities: [string, string][] = []
  const failures: TypeFailure[] = []
  for (const file of files) {
    const { module } = file
    try {
      const { bytes, identity } = readBtfNow(file, arena)
      blobs.push({ name: module, bytes })
      identities.push([module, identity])
    } catch (error) {
      failures.push(failureOf(module, error))
    }
  }
  const indexed = atOnce(indexTypesSteps(blobs, shape, walk))
  failures.push(...indexed.failures.map(({ name, error }) => failureOf(name, error)))
  return { records: indexed.records, identities, failures }
}

/** The sets that were taken over and those that were loaded, in the order of the files. */
export function inOrder(
  files: readonly BtfFile[],
  known: ReadonlyMap<string, TypeSetRecord>,
  earlier: LoadedTypes,
  sets: IndexedSets,
): LoadedTypes {
  const order = new Map(files.map(({ module }, position) => [module, position]))
  const position = (name: string) => order.get(name) ?? 0
  const identities = new Map(sets.identities)
  for (const name of known.keys()) identities.set(name, earlier.identities.get(name) ?? '')
  return {
    records: [...known.values(), ...sets.records].sort((a, b) => position(a.name) - position(b.name)),
    identities,
    absences: [...sets.failures]
      .sort((a, b) => position(a.module) - position(b.module))
      .map(({ module, error }) => ({ what: `btf/${module}`, reason: error.message })),
  }
}

export function joined(all: readonly IndexedSets[]): IndexedSets {
  return {
    records: all.flatMap(({ records }) => records),
    identities: all.flatMap(({ identities }) => identities),
    failures: all.flatMap(({ failures }) => failures),
  }
}

export const NOTHING: IndexedSets = { records: [], identities: [], failures: [] }

/** Files that are looked at between two yields: a fraction of a millisecond. */
const LOOKED_AT = 64

/** The sets of an earlier load whose files have not been replaced since. */
export function* unchanged(
  files: readonly BtfFile[],
  earlier: LoadedTypes,
): Generator<void, Map<string, TypeSetRecord>, void> {
  const known = new Map<string, TypeSetRecord>()
  if (earlier.records.length === 0) return known
  const records = new Map(earlier.records.map((record) => [record.name, record]))
  for (const [i, file] of files.entries()) {
    if (i % LOOKED_AT === LOOKED_AT - 1) yield
    const record = records.get(file.module)
    if (record === undefined) continue
    const now = btfIdentity(file)
    if (now !== undefined && now === earlier.identities.get(file.module)) known.set(file.module, record)
  }
  return known
}

/** A failure that concerns one blob only; what concerns the whole load is thrown on. */
export function failureOf(module: string, error: unknown): TypeFailure {
  const code = error instanceof KerndexError ? error.code : undefined
  if (code === undefined || code === 'WORKER_FAILED' || code === 'ABORTED' || code === 'CLOSED') throw error
  return { module, error: errorToRecord(error) }
}
