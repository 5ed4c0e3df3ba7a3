// kallsyms from a source to the finished table: the calling thread reads the text into the memory that all threads share. Each stretch
// of text is scanned by a thread that is free, and further steps are shared out in the same way.

import { availableParallelism } from 'node:os'
import { BadFormatError, LimitError, NotReadableError } from '../core/errors.ts'
import type { ByteReader } from '../sources/reader.ts'
import type { BuildFacts } from '../symbols/assemble.ts'
import { type BuiltTable, type Keep, LEAST_LINE, TableBuilder } from '../symbols/build.ts'
import { MOST_SYMBOLS } from '../symbols/constants.ts'
import { sameModules } from '../symbols/regions.ts'
import type { RememberedText } from '../symbols/remembered.ts'
import { Workspace } from '../symbols/workspace.ts'
import { Crew } from './crew.ts'
import type { Pacer } from './pacer.ts'
import type { LoaderThreads } from './tasks.ts'
import type { Timeline } from './timeline.ts'

/** Bytes of text in a chunk: large enough for the 20 µs a task costs, small enough to share out a kernel's 5 MB. */
export const CHUNK_BYTES = 256 * 1024

/** So many bytes of text never hold more symbols than a stretch may have. */
const MOST_CHUNK_BYTES = LEAST_LINE * MOST_SYMBOLS

/** A line beyond this ends the load: what has no newlines, such as /dev/zero, must not take memory without limit. */
const LONGEST_LINE = 16 * 1024 * 1024
/** The most text: many times what the largest kernel has. */
const MOST_TEXT = 2 ** 28
/** The most lines, the bad ones included. */
const MOST_LINES = 1 << 21
/** Lines after which a text without a single symbol is taken for something else, however long it goes on. */
const PATIENT_LINES = 1000
/** Stretches that are not as in an earlier load after which threads are worth their start. */
const MANY_FRESH = 8
/** Buffers of text beside one for each thread. */
const MORE_BUFFERS = 2

const NEWLINE = 0x0a

/** The input of a load of symbols. */
export interface SymbolLoad {
  readonly threads: LoaderThreads | undefined
  readonly pacer: Pacer
  readonly timeline: Timeline
  /** Further facts of the host; awaited only when the text has been read. */
  readonly facts: Promise<BuildFacts>
  /** Which symbols to keep; default all. */
  readonly keep?: Keep | undefined
  /** The memory of an earlier load of the same text: stretches that have not changed since are not parsed again. */
  readonly earlier?: TextMemory | undefined
  /** Bytes of text a chunk; the result does not depend on it. */
  readonly chunkBytes?: number
  /** Called with the bytes read so far. */
  readonly onProgress?: (bytes: number) => void
}

/** What a load leaves behind for the next one: the digests of its chunks, and what was gathered of them. */
export interface TextMemory {
  readonly chunkBytes: number
  readonly digests: readonly string[]
  readonly remembered: RememberedText
  readonly facts: BuildFacts
}

/** A finished load: the table, or undefined where nothing has changed since the earlier one. */
export interface LoadedSymbols {
  readonly table: BuiltTable | undefined
  readonly memory: TextMemory
}

/**
 * Loads the table from an open kallsyms text and closes it.
 * @throws NoPermissionError if addresses are hidden; NotReadableError if a read fails or there is nothing to read;
 * BadFormatError if it is another kind of file; LimitError if it has more than 256 MiB or 2 million lines;
 * WorkerFailedError, AbortedError
 */
export async function loadSymbols(reader: ByteReader, load: SymbolLoad): Promise<LoadedSymbols> {
  const { threads, pacer, timeline } = load
  let workspace: Workspace
  try {
    workspace = Workspace.open(1 + (threads?.count ?? 0), threads?.takeMemory())
  } catch (error) {
    reader.close()
    throw error
  }
  const crew = new Crew(workspace, threads, availableParallelism(), pacer, timeline)
  const text = new TextLoad(reader, load, workspace, crew)
  try {
    try {
      await text.readAll()
      await crew.settle()
      text.check()
    } finally {
      reader.close()
    }
    const facts = await load.facts
    const { earlier } = load
    const isSame = facts === earlier?.facts || sameModules(facts.ranges ?? [], earlier?.facts.ranges ?? [])
    if (earlier !== undefined && text.unchanged && isSame) {
      return { table: undefined, memory: earlier }
    }
    if (text.earlier !== undefined) await crew.carryOut(text.builder.takeOver(text.earlier.remembered))
    const table = await crew.carryOut(text.builder.finish(facts))
    const { chunkBytes, digests } = text
    return { table, memory: { chunkBytes, digests, remembered: table.remembered, facts } }
  } finally {
    await crew.end()
    if (!text.isReading) giveBackTo(threads, workspace)
  }
}

/** Threads that know the memory have the next load work in it. */
function giveBackTo(threads: LoaderThreads | undefined, workspace: Workspace): void {
  const { memory } = workspace
  memory.reset()
  if (threads?.keepMemory(memory) !== true) workspace.release()
}

/** A text on its way: it is cut into stretches of whole lines, which are scanned while more is read. */
class TextLoad {
  readonly builder: TableBuilder
  /** Whether a read is under way, which may write into the memory even when nobody waits for it any more. */
  isReading = false
  readonly chunkBytes: number
  readonly earlier: TextMemory | undefined
  readonly #reader: ByteReader
  readonly #load: SymbolLoad
  readonly #workspace: Workspace
  readonly #crew: Crew
  /** Buffers that hold a stretch, with its number, until it is scanned. */
  readonly #busy: { readonly number: number; readonly text: Uint8Array<SharedArrayBuffer> }[] = []
  readonly #free: Uint8Array<SharedArrayBuffer>[] = []
  /** Stretches that were checked, the lines in them, and whether any is a symbol. */
  #checked = 0
  #lines = 0
  #any = false
  /** Stretches that the calling thread has scanned because they were not as before. */
  #fresh = 0

  constructor(reader: ByteReader, load: SymbolLoad, workspace: Workspace, crew: Crew) {
    this.#reader = reader
    this.#load = load
    this.#workspace = workspace
    this.#crew = crew
    this.chunkBytes = Math.min(load.chunkBytes ?? CHUNK_BYTES, MOST_CHUNK_BYTES)
    // Stretches can only be recognised where they are cut as before.
    this.earlier = load.earlier?.chunkBytes === this.chunkBytes ? load.earlier : undefined
    this.builder = new TableBuilder(workspace, load.keep)
    if (this.earlier !== undefined) this.builder.know(this.earlier.digests)
  }

  /** Whether every stretch is as it was in the earlier load, and none is missing. */
  get unchanged(): boolean {
    const { stretches } = this.builder
    if (stretches !== this.earlier?.digests.length) return false
    for (let number = 0; number < stretches; number++) {
      if (this.builder.digestOf(number) !== this.earlier.digests[number]) return false
    }
    return true
  }

  get digests(): string[] {
    return Array.from({ length: this.builder.stretches }, (_, number) => this.builder.digestOf(number))
  }

  /** Reads the text to its end, cutting it into stretches behind newlines. */
  async readAll(): Promise<void> {
    const { timeline, pacer, onProgress } = this.#load
    let text = await this.#buffer(this.chunkBytes)
    let filled = 0
    let total = 0
    let start = timeline.elapsed
    for (;;) {
      if (filled === text.length) {
        timeline.record('read', 'kallsyms', start)
        this.#summon()
        // A line longer than a buffer is a stretch by itself: nothing else bounds how many symbols one may have.
        const cut =
          text.length > this.chunkBytes
            ? text.indexOf(NEWLINE, this.chunkBytes) + 1
            : this.#workspace.loops.cutOf(text.byteOffset, text.length)
        if (cut === 0 && text.length > LONGEST_LINE) {
          throw new LimitError(`a line of more than ${LONGEST_LINE} bytes: this is no kallsyms text`)
        }
        const rest = filled - cut
        const next = await this.#buffer(cut === 0 ? text.length * 2 : Math.max(this.chunkBytes, rest + 1))
        next.set(text.subarray(cut, filled))
        if (cut > 0) await this.#queue(text, cut)
        filled = rest
        text = next
        start = timeline.elapsed
      }
      const got = this.#reader.read(text.subarray(filled))
      this.isReading = typeof got !== 'number'
      const count = typeof got === 'number' ? got : await pacer.waitFor(got)
      this.isReading = false
      if (count === 0) break
      filled += count
      total += count
      if (total > MOST_TEXT) throw new LimitError(`more than ${MOST_TEXT} bytes: no kernel has as many symbols`)
      if (pacer.due) {
        onProgress?.(total)
        timeline.record('read', 'kallsyms', start)
        await pacer.pause()
        start = timeline.elapsed
      }
    }
    timeline.record('read', 'kallsyms', start)
    if (total === 0)
      throw new NotReadableError('kallsyms is empty: the system hides it from this process, or it was never written')
    if (filled > 0) await this.#queue(text, filled)
    onProgress?.(total)
  }

  /** Calls threads once the text is longer than a buffer: a shorter one is done before a thread has begun. */
  #summon(): void {
    // A text that has hardly changed is done before threads have started.
    if (this.earlier === undefined || this.#load.threads?.awake === true) this.#crew.summon()
  }

  /** Has a stretch scanned: at once where there are no other threads. */
  async #queue(text: Uint8Array<SharedArrayBuffer>, end: number): Promise<void> {
    const { builder } = this
    const number = builder.addText(text.subarray(0, end))
    const step = this.earlier === undefined ? 'scan' : 'rescan'
    this.#crew.add({ step, from: number, to: number + 1 })
    this.#busy.push({ number, text })
    if (!this.#crew.alone) return
    await this.#crew.settle()
    builder.trim(number)
    if (builder.knownAs(number) < 0 && ++this.#fresh === MANY_FRESH) this.#crew.summon()
  }

  /** Looks at the stretches that were scanned. @throws BadFormatError, LimitError for what no kernel writes, before it fills the memory */
  check(): void {
    const { builder } = this
    for (; this.#checked < builder.stretches && builder.isScanned(this.#checked); this.#checked++) {
      // A stretch that an earlier load has scanned needs no second look.
      if (builder.knownAs(this.#checked) >= 0) this.#any = true
      const { lines, any } = builder.linesOf(this.#checked)
      this.#lines += lines
      this.#any ||= any
      if (this.earlier === undefined) builder.note()
    }
    if (!this.#any && this.#lines >= PATIENT_LINES) {
      throw new BadFormatError(`none of the first ${this.#lines} lines is a symbol: this is no kallsyms text`)
    }
    if (this.#lines > MOST_LINES) throw new LimitError(`more than ${MOST_LINES} lines: no kernel has as many symbols`)
  }

  /** A buffer with room for a newline behind it: one whose stretch was scanned, or a new one. */
  async #buffer(bytes: number): Promise<Uint8Array<SharedArrayBuffer>> {
    const most = MORE_BUFFERS + (this.#load.threads?.count ?? 0)
    this.check()
    for (;;) {
      for (let i = this.#busy.length - 1; i >= 0; i--) {
        const { number, text } = this.#busy[i]!
        if (!this.builder.isScanned(number)) continue
        this.#busy.splice(i, 1)
        if (text.length === this.chunkBytes) this.#free.push(text)
      }
      const free = bytes === this.chunkBytes ? this.#free.pop() : undefined
      if (free !== undefined) return free
      if (bytes !== this.chunkBytes || this.#busy.length < most) break
      await this.#crew.settle(most - 1)
    }
    const address = this.#workspace.room(bytes + 1)
    return this.#workspace.bytes(address, bytes)
  }
}
