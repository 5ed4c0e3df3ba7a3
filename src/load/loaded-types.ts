// What loading types gives: apart from how they are loaded, because a load may be without them.

import type { TypeSetRecord } from '../btf/index-types.ts'
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
