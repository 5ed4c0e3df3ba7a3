// Types that were loaded. Apart from the loading, because a load may be without types.

import type { TypeSetRecord } from '../btf/read/index-types.ts'
import type { ErrorRecord } from '../core/errors.ts'
import type { Absence } from '../sources/source.ts'

/** The indexed sets, vmlinux first, and the blobs that could not be read or indexed. */
export interface LoadedTypes {
  readonly records: readonly TypeSetRecord[]
  /** The identities of the files that the sets come from, by module. */
  readonly identities: ReadonlyMap<string, string>
  readonly absences: readonly Absence[]
}

/** No types at all. */
export const NO_TYPES: LoadedTypes = { records: [], identities: new Map(), absences: [] }

/** A blob that could not be read or indexed, and why. */
export interface TypeFailure {
  readonly module: string
  readonly error: ErrorRecord
}

/** Sets of some files, read and indexed. */
export interface IndexedSets {
  readonly records: readonly TypeSetRecord[]
  /** The identities of the files that were read, by module. */
  readonly identities: readonly (readonly [module: string, identity: string])[]
  readonly failures: readonly TypeFailure[]
}
