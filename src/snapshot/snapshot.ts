// A snapshot: one generation of a kernel's symbols and types with what is known of the host, complete and immutable; and
// its handle, which any thread can attach.

import { type BaseShape, indexTypes, shapeOfSet, type TypeSetRecord } from '../btf/read/index-types.ts'
import type { LazyModules } from '../btf/read/set-list.ts'
import { Types } from '../btf/types.ts'
import { type Check, count, instance, address as knownAddress, like, listOf, number, text } from '../core/arguments.ts'
import { UsageError } from '../core/errors.ts'
import { counted, INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { printable } from '../core/printable.ts'
import { readKernelMemory } from '../sources/kernel-memory.ts'
import { readBlobNow, readNow } from '../sources/later.ts'
import type { Absence, BtfFile, FactFile } from '../sources/source.ts'
import { SymbolTable } from '../symbols/table.ts'
import type { HostFacts, SkippedLines } from './host-facts.ts'
import { allAbsences, type PendingTypes, pendingElsewhere, type TypesPlace } from './pending-types.ts'

/** An optional file of the host: its bytes, why there are none, or where to read it when it is needed. */
export type FactRecord = Uint8Array<SharedArrayBuffer> | Absence | { readonly paths: readonly string[] }

/** The parts of a snapshot that a thread reads only when it needs them. */
export interface ReadLater {
  readonly facts: Readonly<Partial<Record<FactFile, FactRecord>>>
  /** Type blobs of modules that were left for later. */
  readonly types: readonly BtfFile[]
  /** Where the types are that no lookup of types can do without, while they are still being loaded. */
  readonly pending?: TypesPlace | undefined
  /** The file that shows the memory of the kernel, which runs. */
  readonly memory?: string | undefined
}

/** The structured-cloneable reference to a snapshot. Post it to any thread and attach it there; nothing is copied. */
export interface Handle {
  readonly kerndex: 1
  readonly generation: number
  readonly symbols: SharedArrayBuffer
  /** Where the names of its symbols are, if they are not in that buffer: tables of many hosts share them. */
  readonly names?: readonly SharedArrayBuffer[] | undefined
  readonly types: readonly TypeSetRecord[]
  readonly host: HostFacts
  readonly skipped: SkippedLines
  readonly later: ReadLater
  /** The index of who uses which type, where it has been made. */
  readonly users?: SharedArrayBuffer | undefined
}

/** @throws UsageError if something is no handle */
function checkHandle(handle: Handle): void {
  if (typeof handle !== 'object' || handle === null || handle.kerndex !== 1) {
    throw new UsageError('not a handle: pass what kernel.handle() gave, whole')
  }
  HANDLE(handle, 'the handle')
}

const HANDLE = like<Handle>(
  {
    generation: number,
    symbols: instance(SharedArrayBuffer, 'a SharedArrayBuffer'),
    types: listOf(like({}, 'a record'), 'records'),
    host: like({}, 'an object'),
    skipped: like({}, 'an object'),
    later: like({ facts: like({}, 'an object'), types: listOf(like({}, 'an object'), 'files') }, 'an object'),
  },
  'what kernel.handle() gave, whole',
)

/**
 * One generation of a kernel, as readers of any thread see it. Lookups are synchronous and wait for nothing, with one
 * exception: the first lookup of types that are still being loaded loads them itself.
 */
export class Snapshot {
  readonly generation: number
  readonly symbols: SymbolTable
  readonly skipped: SkippedLines
  readonly #host: HostFacts
  readonly #records: readonly TypeSetRecord[]
  readonly #later: ReadLater
  readonly #pending: PendingTypes | undefined
  readonly #facts = new Map<FactFile, Uint8Array | Absence>()
  readonly #users: SharedArrayBuffer | undefined
  #types: Types | undefined

  /**
   * Attaches a handle. `pending` are its types where the thread that opened the kernel is loading them; `late` brings the names of its symbols
   * where they are not there yet.
   * @throws UsageError if it is none; BadFormatError, UnsupportedError if its buffers are not of this version's layout
   */
  constructor(handle: Handle, pending?: PendingTypes, late?: () => void) {
    checkHandle(handle)
    this.generation = handle.generation
    this.symbols = new SymbolTable(handle.symbols, handle.names, late)
    this.skipped = handle.skipped
    this.#host = handle.host
    this.#records = handle.types
    this.#later = handle.later
    this.#pending = pending ?? (handle.later.pending && pendingElsewhere(handle.later.pending))
    this.#users = handle.users
  }

  /** The types of vmlinux and its modules; those that were left for later are read when they are asked for. */
  get types(): Types {
    if (this.#types === undefined) {
      this.#types = this.#openTypes()
      if (this.#users !== undefined) this.#types.adoptUsers(this.#users)
    }
    return this.#types
  }

  #openTypes(): Types {
    const pending = this.#pending
    if (pending?.answers) {
      const later = this.#lazyModules(() => pending.read())
      return new Types([], later, pending)
    }
    const records = pending?.read() ?? this.#records
    const later = this.#lazyModules(() => records)
    return new Types(records, later)
  }

  /** The facts of the host; which types are missing is among them once the others are there. */
  get host(): HostFacts {
    const missing = this.#pending?.loaded?.absences ?? []
    return missing.length === 0 ? this.#host : { ...this.#host, absences: allAbsences(this.#host.absences, missing) }
  }

  /**
   * The bytes of one of the host's optional files, or why there are none. What was not loaded with the snapshot is read
   * when it is first asked for, from where the snapshot came from; this waits for the system.
   */
  fact(name: FactFile): Uint8Array | Absence {
    text(name, 'name')
    let fact = this.#facts.get(name)
    if (fact === undefined) {
      const record = this.#later.facts[name] ?? { what: name, reason: 'not part of this snapshot' }
      fact = 'paths' in record ? readNow(name, record.paths) : record
      this.#facts.set(name, fact)
    }
    return fact
  }

  /** Bytes of the running kernel's memory, or why they cannot be had. Waits for the system. */
  memory(address: bigint, length: number): Uint8Array | Absence {
    knownAddress(address)
    count(length, 'length')
    const path = this.#later.memory
    return path === undefined
      ? { what: "the kernel's memory", reason: 'this is not the running kernel' }
      : readKernelMemory(path, address, length)
  }

  /** Modules whose types were left for later; there are none without vmlinux, on which they are split. */
  #lazyModules(read: () => readonly TypeSetRecord[]): LazyModules | undefined {
    const files = new Map(this.#later.types.map((file) => [file.module, file]))
    if (files.size === 0) return undefined
    let shape: BaseShape | undefined
    return {
      available: [...files.keys()],
      load(names) {
        const [vmlinux] = read()
        if (vmlinux === undefined) return []
        shape ??= shapeOfSet(vmlinux)
        const blobs = names.flatMap((name) => {
          const file = files.get(name)
          const bytes = file && readBlobNow(file)
          return bytes instanceof Uint8Array ? [{ name, bytes }] : []
        })
        return indexTypes(blobs, shape).records
      },
    }
  }

  /** The reference to hand to another thread. */
  handle(): Handle {
    const { facts, types, memory } = this.#later
    const loaded = this.#pending?.forHandle()
    const isPending = this.#pending !== undefined && loaded === undefined
    const users = this.#types?.usersIndex ?? this.#users
    return {
      kerndex: 1,
      generation: this.generation,
      symbols: this.symbols.buffer,
      ...(this.symbols.names !== undefined && { names: this.symbols.names }),
      types: loaded?.records ?? this.#records,
      host: this.host,
      skipped: this.skipped,
      later: { facts, types, memory, ...(isPending && { pending: this.#pending.place }) },
      ...(users !== undefined && { users }),
    }
  }

  /** Its kernel and its size; reads nothing that has not been read. */
  toJSON() {
    const { generation, symbols, host, skipped } = this
    const { source, release = null, bootId = null, buildId = null } = host
    return { generation, source, release, bootId, buildId, symbols: symbols.toJSON(), skipped: skipped.count }
  }

  toString(): string {
    const { source, release = 'of unknown release' } = this.host
    return `${printable(source)} ${printable(release)}, generation ${this.generation}, ${counted(this.symbols.size, 'symbol')}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected(this.constructor.name, () => this.toJSON(), depth, options, inspect)
  }
}

/** A snapshot, as an argument. */
export const snapshotArgument: Check<Snapshot> = instance(Snapshot, 'a snapshot, such as kernel.snapshot()')
