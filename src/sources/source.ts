// A source: where a kernel's bytes come from. The live host, a capture directory and a single file look alike.

import { type ByteReader, errorCode } from './reader.ts'

/** A BTF blob that a source holds. */
export interface BtfFile {
  /** `vmlinux` or the module's name. */
  readonly module: string
  readonly path: string
  /** The bytes, where they are in memory already; `path` then only names them. */
  readonly bytes?: Uint8Array<SharedArrayBuffer>
}

/** Something that a source does not have or could not give, and why; never a reason to fail by itself. */
export interface Absence {
  readonly what: string
  readonly reason: string
}

/** The optional files of a source, by their names in a capture. */
export const FACT_FILES = [
  'taken',
  'modules',
  'module_sections',
  'module_identities',
  'notes',
  'version',
  'boot_id',
  'available_filter_functions',
  'available_filter_functions_addrs',
  'kprobes_blacklist',
  'kprobes_enabled',
  'error_injection_list',
  'lockdown',
  'config',
] as const

export type FactFile = (typeof FACT_FILES)[number]

/** The files of a host that the planner of probes reads. */
export const PROBE_FACTS = [
  'available_filter_functions',
  'available_filter_functions_addrs',
  'kprobes_blacklist',
  'kprobes_enabled',
  'error_injection_list',
  'lockdown',
  'config',
  'version',
] as const satisfies readonly FactFile[]

/** The files that tell where modules lie and identify them across boots: for snapshots that are used elsewhere. */
export const MODULE_FACTS = ['module_sections', 'module_identities'] as const satisfies readonly FactFile[]

/** Where a kernel's symbols, types and facts come from. */
export interface Source {
  readonly kind: 'live' | 'capture' | 'file'
  /** Its name in messages: a path, or "the running kernel". */
  readonly description: string
  /**
   * Opens the kallsyms text.
   * @throws NoPermissionError, NotReadableError
   */
  openSymbols(): ByteReader
  /** The BTF blobs there are, `vmlinux` first, or why there are none. A listed file may vanish before it is opened. */
  btfFiles(): Promise<readonly BtfFile[] | Absence>
  /** The bytes of an optional file, or why there are none. */
  fact(name: FactFile): Promise<Buffer | Absence>
  /** Where an optional file may be, for a thread that reads it later; the first path that can be read counts. */
  factPaths(name: FactFile): readonly string[]
  /** The file that shows the kernel's memory, if this is a running kernel. */
  readonly memoryPath?: string
}

/** Whether a source gave a reason instead of what was asked for. */
export function isAbsence(answer: object): answer is Absence {
  return 'reason' in answer && 'what' in answer
}

/** The absence that a failed read of an optional file amounts to. */
export function absenceOf(what: string, error: unknown): Absence {
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return { what, reason: 'not there' }
    case 'EACCES':
    case 'EPERM':
      return { what, reason: 'no permission to read it' }
    default:
      return { what, reason: error instanceof Error ? error.message : String(error) }
  }
}

/** The order in which a source lists its blobs: vmlinux, on which all others are split, and the modules by name. */
export function vmlinuxFirst(files: readonly BtfFile[]): BtfFile[] {
  const rank = ({ module }: BtfFile) => (module === 'vmlinux' ? 0 : 1)
  return [...files].sort((a, b) => rank(a) - rank(b) || (a.module < b.module ? -1 : 1))
}
