// The facts of the host that a snapshot was made on, and the lines of its text that are no symbols.

import type { Placement } from '../catalog/place.ts'
import type { ModuleInfo } from '../sources/facts.ts'
import type { Absence } from '../sources/source.ts'
import type { BadLine } from '../symbols/parse.ts'
import type { LeftOut } from '../symbols/remembered.ts'

/** The facts of a host beside symbols and types. */
export interface HostFacts {
  /** Where it came from: a path, or "the running kernel". */
  readonly source: string
  readonly release: string | undefined
  readonly bootId: string | undefined
  /** The GNU build id of vmlinux, in hexadecimal. */
  readonly buildId: string | undefined
  /** The loaded modules, newest first, or undefined where the list could not be had. */
  readonly modules: readonly ModuleInfo[] | undefined
  /** Things that the source did not have or could not give. */
  readonly absences: readonly Absence[]
  /** Which parts a catalogue could place and which not, where the host was put together from one. */
  readonly placement?: Placement | undefined
}

/** Lines of the kallsyms text that are not in the table. */
export interface SkippedLines {
  /** How many are no symbol lines. */
  readonly count: number
  /** The first of those. */
  readonly lines: readonly BadLine[]
  /** How many symbols were left out because the caller asked for others. */
  readonly leftOut: LeftOut
}
