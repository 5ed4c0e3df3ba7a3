// A snapshot: one generation of a kernel's symbols and types with what is known of the host, complete and immutable; and
// its handle, which any thread can attach.

import type { TypeSetRecord } from '../btf/index-types.ts'
import { Types } from '../btf/types.ts'
import { UsageError } from '../core/errors.ts'
import type { ModuleInfo } from '../sources/facts.ts'
import type { Absence } from '../sources/source.ts'
import type { LeftOut } from '../symbols/build.ts'
import type { BadLine } from '../symbols/parse.ts'
import { SymbolTable } from '../symbols/table.ts'

/** What is known of the host beside symbols and types. */
export interface HostFacts {
  /** Where it came from: a path, or "the running kernel". */
  readonly source: string
  readonly release: string | undefined
  readonly bootId: string | undefined
  /** The GNU build id of vmlinux, in hexadecimal. */
  readonly buildId: string | undefined
  /** The loaded modules, newest first, or undefined where the list could not be had. */
  readonly modules: readonly ModuleInfo[] | undefined
  /** What the source did not have or could not give. */
  readonly absences: readonly Absence[]
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

/** The structured-cloneable reference to a snapshot. Post it to any thread and attach it there; nothing is copied. */
export interface Handle {
  readonly kerndex: 1
  readonly generation: number
  readonly symbols: SharedArrayBuffer
  readonly types: readonly TypeSetRecord[]
  readonly host: HostFacts
  readonly skipped: SkippedLines
}

/** One generation of a kernel, as readers of any thread see it. Lookups are synchronous and wait for nothing. */
export class Snapshot {
  readonly generation: number
  readonly symbols: SymbolTable
  readonly host: HostFacts
  readonly skipped: SkippedLines
  readonly #records: readonly TypeSetRecord[]
  #types: Types | undefined

  /**
   * Attaches a handle.
   * @throws UsageError if it is none; BadFormatError, UnsupportedError if its buffers are not of this version's layout
   */
  constructor(handle: Handle) {
    if (handle?.kerndex !== 1) throw new UsageError('not a handle: pass what kernel.handle() gave, whole')
    this.generation = handle.generation
    this.symbols = new SymbolTable(handle.symbols)
    this.host = handle.host
    this.skipped = handle.skipped
    this.#records = handle.types
  }

  /** The types of vmlinux and its modules. */
  get types(): Types {
    this.#types ??= new Types(this.#records)
    return this.#types
  }

  /** The reference to hand to another thread. */
  handle(): Handle {
    return {
      kerndex: 1,
      generation: this.generation,
      symbols: this.symbols.buffer,
      types: this.#records,
      host: this.host,
      skipped: this.skipped,
    }
  }
}
