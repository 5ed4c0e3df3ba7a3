// Snapshot files from disk: read part by part into shared memory.

import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'
import type { TypeSetRecord } from '../btf/read/index-types.ts'
import { StoredTypes } from '../btf/read/stored-types.ts'
import { BadFormatError, KerndexError, LimitError, NotReadableError } from '../core/errors.ts'
import { sharedMemory } from '../core/shared-memory.ts'
import type { StoredBytes } from '../core/stored-bytes.ts'
import { identityOf } from '../sources/identity.ts'
import { readFailure } from '../sources/reader.ts'
import { checkSymbolTable } from '../symbols/check-table.ts'
import { SymbolTable } from '../symbols/table.ts'
import {
  byPart,
  decodeHeader,
  headerLength,
  MOST_FILE_BYTES,
  type Part,
  PREAMBLE_BYTES,
  SNAPSHOT_LAYOUT,
  type SnapshotParts,
  type SnapshotPlan,
  storedIndexes,
  typeRecords,
  type Wanted,
} from './format.ts'
import { LateNames } from './late-names.ts'
import { fill, type MissingRange, PartMemory } from './part-memory.ts'
import { RangeReading, readNow } from './range-reading.ts'

/** Bytes read at the start of a file: nearly always the whole header. */
const FIRST_BYTES = 64 * 1024
/** The parts of a file that were read. */
export interface ReadParts {
  readonly parts: SnapshotParts
  readonly types: readonly TypeSetRecord[]
}

/**
 * Whether a path is a file that begins as a snapshot file does, in either byte order: not where it cannot be read, which is for whoever reads
 * it as something else to say. Waits for the system.
 */
export function isSnapshotFile(path: string): boolean {
  // A pipe is not even opened: its writer would see it closed again.
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return false
  }
  try {
    const words = Buffer.alloc(4)
    readSync(descriptor, words, 0, 4, 0)
    return words.readUInt32LE(0) === SNAPSHOT_LAYOUT.magic || words.readUInt32BE(0) === SNAPSHOT_LAYOUT.magic
  } catch {
    return false
  } finally {
    closeSync(descriptor)
  }
}

/** An open snapshot file whose header is sound. Close it. */
export class SnapshotReader {
  readonly path: string
  readonly plan: SnapshotPlan
  readonly stat: Stats
  readonly #descriptor: number
  readonly #trusted: boolean
  readonly #memory = new Map<Part, PartMemory>()
  #closed = false
  /** Names that are still to be read. */
  #holds = 0

  /**
   * Opens a file and reads its header. With `trust`, which says of a file's owner and mode why it must not be used, links
   * are refused, and content that has the right checksum is taken for what this user wrote; without, it is checked.
   * @throws NotReadableError, NoPermissionError; BadFormatError, UnsupportedError, LimitError if it is damaged or not of
   * this version
   */
  constructor(path: string, trust?: (stat: Stats) => string | undefined) {
    this.path = path
    this.#trusted = trust !== undefined
    try {
      // Without O_NONBLOCK a pipe of that name would hold the thread for ever.
      const flags = constants.O_RDONLY | constants.O_NONBLOCK | (trust === undefined ? 0 : constants.O_NOFOLLOW)
      this.#descriptor = openSync(path, flags)
    } catch (error) {
      throw readFailure(path, error)
    }
    try {
      this.stat = fstatSync(this.#descriptor)
      if (!this.stat.isFile()) throw new NotReadableError(`${path} is not a regular file`, { path })
      const reason = trust?.(this.stat)
      if (reason !== undefined) throw new NotReadableError(`${path} is not used: ${reason}`, { path })
      this.plan = this.#readHeader()
    } catch (error) {
      closeSync(this.#descriptor)
      throw placed(path, error)
    }
  }

  #readHeader(): SnapshotPlan {
    const { path } = this
    const { size } = this.stat
    if (size > MOST_FILE_BYTES)
      throw new LimitError(`${path} has ${size} bytes; the limit is ${MOST_FILE_BYTES}`, { path })
    const first = new Uint8Array(Math.min(FIRST_BYTES, size))
    fill(this.#descriptor, first, 0)
    if (first.length < PREAMBLE_BYTES)
      throw new BadFormatError(`${path}: ${size} bytes are too few for a snapshot file`)
    const length = headerLength(first)
    if (length > size) throw new BadFormatError(`${path} is cut: its header alone has ${length} bytes`)
    const block = sharedMemory(length)
    const header = new Uint8Array(block)
    header.set(first.subarray(0, length))
    if (length > first.length) fill(this.#descriptor, header.subarray(first.length), first.length)
    const plan = decodeHeader(block)
    if (plan.bytes !== size) throw new BadFormatError(`${path} has ${size} bytes, its header says ${plan.bytes}`)
    return plan
  }

  /**
   * Reads the parts that are wanted and checks them: their checksums, and unless the file is trusted also everything in
   * them that a lookup would follow.
   * @throws BadFormatError, UnsupportedError if a part is damaged or of another layout; NotReadableError
   */
  read(wanted: Wanted): Promise<ReadParts> {
    return this.begin(wanted)()
  }

  /** The same as `read`, at once, on this thread. @throws as `read` */
  readNow(wanted: Wanted): ReadParts {
    const { parts, ranges } = this.#room(wanted)
    try {
      readNow(this.#descriptor, ranges)
      return this.#checked(parts)
    } catch (error) {
      throw placed(this.path, error)
    }
  }

  /**
   * Begins to read on another thread, and gives the function that does the rest. Most of a read is the first touch of its
   * memory, which two cores do in half the time; the caller may do something else before. The function has to be called.
   * @throws as `read`, when the function is called
   */
  begin(wanted: Wanted): () => Promise<ReadParts> {
    const { parts, ranges } = this.#room(wanted)
    // Another thread writes into this memory. A lookup that comes before it has been checked reads the file into memory of its own.
    this.#memory.clear()
    const reading = new RangeReading(this.#descriptor, ranges)
    const finish = async () => {
      try {
        await reading.finish()
        return this.#checked(parts)
      } catch (error) {
        throw placed(this.path, error)
      }
    }
    let finished: Promise<ReadParts> | undefined
    return () => {
      finished ??= finish()
      return finished
    }
  }

  /**
   * The sets that are wanted, to be asked before they are read: only what an answer needs is read for it, and not read again
   * with the rest.
   */
  stored(wanted: (name: string) => boolean = () => true): StoredTypes {
    const { plan } = this
    const groups = plan.groups.map(({ index, blobs }) => ({ index: this.#of(index), blobs: this.#of(blobs) }))
    return new StoredTypes(storedIndexes(plan, groups, wanted))
  }

  /**
   * The symbols before all of them are read, if `bring` has what will be asked of them.
   * @throws as `read`
   */
  symbolsIf(bring: (stored: StoredBytes) => boolean): SymbolTable | undefined {
    const memory = this.#of(this.plan.symbols)
    try {
      return bring(memory) ? new SymbolTable(memory.buffer) : undefined
    } catch (error) {
      throw placed(this.path, error)
    }
  }

  /**
   * The symbols of a trusted file but for their names: `bring` has in memory what is looked at otherwise. The file stays open until they are there.
   * @throws as `read`
   */
  symbolsWithoutNames(
    part: 'symbols' | 'core',
    bring: (stored: StoredBytes) => void,
  ): { readonly symbols: SharedArrayBuffer; readonly names: LateNames } {
    const memory = this.#of(this.plan[part])
    try {
      bring(memory)
    } catch (error) {
      throw placed(this.path, error)
    }
    this.#holds++
    const release = () => {
      this.#holds--
      this.#closeUnused()
    }
    return { symbols: memory.buffer, names: new LateNames(memory, release) }
  }

  /** The memory of a part. */
  #of(part: Part): PartMemory {
    let memory = this.#memory.get(part)
    if (memory === undefined) {
      memory = new PartMemory(this.#descriptor, part, (error) => placed(this.path, error))
      this.#memory.set(part, memory)
    }
    return memory
  }

  /** Memory for the parts that are wanted, and what is missing of them, in the order in which it lies in the file. */
  #room(wanted: Wanted): { parts: SnapshotParts; ranges: readonly MissingRange[] } {
    const { plan } = this
    const ranges: MissingRange[] = []
    const add = (part: Part): SharedArrayBuffer => {
      const memory = this.#of(part)
      ranges.push(...memory.missing())
      return memory.buffer
    }
    const own = byPart((name) => (wanted[name] === true ? add(plan[name]) : undefined))
    const groups = plan.groups.map(({ index, blobs }, i) =>
      wanted.groups(i) ? { index: add(index), blobs: add(blobs) } : undefined,
    )
    return { parts: { ...own, groups }, ranges: ranges.sort((a, b) => a.position - b.position) }
  }

  /** The parts, checked. */
  #checked(parts: SnapshotParts): ReadParts {
    if (parts.symbols !== undefined && !this.#trusted) checkSymbolTable(parts.symbols)
    return { parts, types: typeRecords(this.plan, parts.groups, this.#trusted) }
  }

  /** @throws NotReadableError if the file is not the one that had this identity (see ByteReader) */
  checkIdentity(identity: string): void {
    if (identityOf(this.stat) === identity) return
    const { path } = this
    throw new NotReadableError(`${path} was replaced before its types were read; open it anew`, { path })
  }

  /** Whether nothing more can be read. */
  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#closeUnused()
  }

  #closeUnused(): void {
    if (!this.#closed || this.#holds > 0) return
    // At once: a thread of the system's, in a process that has none yet, costs more than the call.
    closeSync(this.#descriptor)
  }
}

/** A failure with the file's name in front, whatever found it. */
function placed(path: string, error: unknown): unknown {
  if (!(error instanceof KerndexError)) return readFailure(path, error)
  if (error.place.path === path) return error
  const kind = error.constructor as new (message: string, place: KerndexError['place']) => KerndexError
  return new kind(`${path}: ${error.message}`, { ...error.place, path })
}
