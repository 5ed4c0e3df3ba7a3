// kallsyms from a source to the finished table: the calling thread reads in slices and parses what no other thread has
// taken; chunks are gathered in the order of the text, whoever parsed them.

import { BadFormatError, LimitError, NotReadableError } from '../core/errors.ts'
import type { ByteReader } from '../sources/reader.ts'
import type { BuildFacts } from '../symbols/assemble.ts'
import { type BuiltTable, type Keep, TableBuilder } from '../symbols/build.ts'
import { ChunkParser, type ParsedChunk } from '../symbols/parse.ts'
import type { SectionStarts } from '../symbols/pieces.ts'
import { newWorkspace } from '../symbols/wasm.ts'
import type { Pacer } from './pacer.ts'
import type { LoaderResult, LoaderTask } from './tasks.ts'
import type { Threads } from './threads.ts'
import type { Timeline } from './timeline.ts'
import { touched } from './touch.ts'

/** The loader pool. */
export type LoaderThreads = Threads<LoaderTask, LoaderResult>

/** Bytes of text in a chunk: large enough for the 20 µs a task costs, small enough to share out a kernel's 5 MB. */
export const CHUNK_BYTES = 256 * 1024

/** A typical line, address to newline, for a guess at the number of symbols. */
const TYPICAL_LINE = 45
/** Symbols for which room is made before they are seen: more than any kernel has. */
const MOST_EXPECTED = 1 << 21
/** A line beyond this ends the load: what has no newlines, such as /dev/zero, must not take memory without limit. */
const LONGEST_LINE = 16 * 1024 * 1024
/** The most text: many times what the largest kernel has. */
const MOST_TEXT = 2 ** 28
/** The most lines, the bad ones included. */
const MOST_LINES = MOST_EXPECTED
/** Lines after which a text without a single symbol is taken for something else, however long it goes on. */
const PATIENT_LINES = 1000
/** Chunks that may wait for a thread before the calling thread parses one itself. */
const MOST_WAITING = 2

const NEWLINE = 0x0a

/** What the load of the symbols needs. */
export interface SymbolLoad {
  readonly threads: LoaderThreads | undefined
  readonly pacer: Pacer
  readonly timeline: Timeline
  /** What else is known of the host; awaited only when the text has been read. */
  readonly facts: Promise<BuildFacts>
  /** Which symbols to keep; default all. */
  readonly keep?: Keep | undefined
  /** What an earlier load of the same text remembers: what has not changed since is not parsed again. */
  readonly earlier?: TextMemory | undefined
  /** Bytes of text a chunk; the result does not depend on it. */
  readonly chunkBytes?: number
  /** Called with the bytes read so far. */
  readonly onProgress?: (bytes: number) => void
}

/** What a load leaves behind for the next one: the digests of its chunks, and the builder that gathered them. */
export interface TextMemory {
  readonly chunkBytes: number
  readonly digests: readonly string[]
  readonly builder: TableBuilder
  readonly facts: BuildFacts
}

/** A finished load: the table, or undefined where nothing has changed since the earlier one. */
export interface LoadedSymbols {
  readonly table: BuiltTable | undefined
  readonly memory: TextMemory
}

/** A stretch of whole lines on its way: in `text` from 0 to `end`. */
interface Chunk {
  /** Its place in the text, counted from 0. */
  readonly number: number
  readonly text: Uint8Array<SharedArrayBuffer>
  readonly end: number
  /** What came of it, once somebody has looked: without `parsed` it is what the earlier load had in this place. */
  done: { readonly digest: string; readonly parsed: ParsedChunk | undefined } | undefined
}

/**
 * Loads the table from an open kallsyms text and closes it.
 * @throws NoPermissionError if addresses are hidden; NotReadableError if a read fails or there is nothing to read;
 * BadFormatError if it is another kind of file; LimitError if it has more than 256 MiB or 2 million lines;
 * WorkerFailedError, AbortedError
 */
export async function loadSymbols(reader: ByteReader, load: SymbolLoad): Promise<LoadedSymbols> {
  const pipeline = new Pipeline(reader, load)
  try {
    await pipeline.readAll()
    await pipeline.finishChunks()
  } finally {
    reader.close()
    await pipeline.settle()
  }
  const { timeline, pacer, earlier } = load
  const facts = await load.facts
  if (earlier !== undefined && pipeline.unchanged && sameRanges(facts, earlier.facts)) {
    return { table: undefined, memory: earlier }
  }
  const start = timeline.elapsed
  const builder = await pipeline.takeBuilder()
  const table = await pacer.drive(builder.finish(facts))
  timeline.record('merge', 'symbols', start)
  return { table, memory: { chunkBytes: pipeline.chunkBytes, digests: pipeline.digests, builder, facts } }
}

function sameRanges({ ranges: a = [] }: BuildFacts, { ranges: b = [] }: BuildFacts): boolean {
  return (
    a.length === b.length &&
    a.every(({ owner, start, end, loading, sections }, i) => {
      const other = b[i]!
      const isSame = owner === other.owner && start === other.start && end === other.end && loading === other.loading
      return isSame && sameSections(sections, other.sections)
    })
  )
}

function sameSections(a: SectionStarts | undefined, b: SectionStarts | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.low.length === b.low.length &&
    a.low.every((low, i) => low === b.low[i] && a.high[i] === b.high[i] && a.names[a.name[i]!] === b.names[b.name[i]!])
  )
}

class Pipeline {
  readonly digests: string[] = []
  readonly chunkBytes: number
  /** Begun at once, or when it is certain that something has changed. */
  #builder: TableBuilder | undefined
  readonly #reader: ByteReader
  readonly #load: SymbolLoad
  readonly #earlier: TextMemory | undefined
  #queued = 0
  /** Lines that were parsed, and the symbols in them. */
  #lines = 0
  #symbols = 0
  readonly #workspace = newWorkspace(touched)
  readonly #parser = new ChunkParser(this.#workspace)
  /** All chunks that have not been gathered, in the order of the text. */
  readonly #chunks: Chunk[] = []
  /** Those of them that nobody has begun to parse. */
  readonly #waiting: Chunk[] = []
  readonly #running = new Set<Promise<void>>()
  readonly #free: Uint8Array<SharedArrayBuffer>[] = []
  #failure: { readonly error: unknown } | undefined

  constructor(reader: ByteReader, load: SymbolLoad) {
    this.#reader = reader
    this.#load = load
    this.chunkBytes = load.chunkBytes ?? CHUNK_BYTES
    // Chunks can only be recognised where they are cut as before.
    this.#earlier = load.earlier?.chunkBytes === this.chunkBytes ? load.earlier : undefined
    if (this.#earlier === undefined) this.#builder = this.#begin()
  }

  /** Whether every chunk is as it was in the earlier load, and none is missing. */
  get unchanged(): boolean {
    return this.#builder === undefined && this.digests.length === this.#earlier?.digests.length
  }

  /** The builder with everything gathered in it. */
  async takeBuilder(): Promise<TableBuilder> {
    return this.#builder ?? this.#beginWith(this.digests.length)
  }

  /** Starts a builder, whose memory is touched while the text is read. */
  #begin(): TableBuilder {
    const { sizeHint } = this.#reader
    // A file's size is only what it claims: a sparse file of terabytes gets no columns to match.
    const guess = Math.min(Math.ceil(sizeHint / TYPICAL_LINE), MOST_EXPECTED)
    const expected = this.#earlier?.builder.count ?? (sizeHint > 0 ? guess : undefined)
    return new TableBuilder(this.#workspace, expected, this.#load.keep)
  }

  /** Starts a builder with the first `same` stretches, which are as the earlier load left them. */
  async #beginWith(same: number): Promise<TableBuilder> {
    const builder = this.#begin()
    for (let i = 0; i < same && this.#earlier !== undefined; i++) {
      await this.#load.pacer.drive(builder.appendFrom(this.#earlier.builder, i))
    }
    return builder
  }

  /** Reads the text to its end, cutting it into chunks behind newlines. */
  async readAll(): Promise<void> {
    const { timeline, pacer, onProgress } = this.#load
    let text = this.#buffer(this.chunkBytes)
    let filled = 0
    let total = 0
    let start = timeline.elapsed
    for (;;) {
      if (filled === text.length) {
        timeline.record('read', 'kallsyms', start)
        const cut = text.lastIndexOf(NEWLINE) + 1
        if (cut === 0 && text.length > LONGEST_LINE) {
          throw new LimitError(`a line of more than ${LONGEST_LINE} bytes: this is no kallsyms text`)
        }
        const next = this.#buffer(Math.max(this.chunkBytes, cut === 0 ? text.length * 2 : 0))
        next.set(text.subarray(cut, filled))
        if (cut > 0) this.#queue(text, cut)
        filled -= cut
        text = next
        await this.#help(MOST_WAITING)
        start = timeline.elapsed
      }
      const got = this.#reader.read(text.subarray(filled))
      const count = typeof got === 'number' ? got : await pacer.waitFor(got)
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
    if (filled > 0) this.#queue(text, filled)
    onProgress?.(total)
  }

  /** Parses and gathers whatever is left. */
  async finishChunks(): Promise<void> {
    while (this.#chunks.length > 0) {
      await this.#help(0)
      if (this.#chunks.length > 0 && this.#chunks[0]?.done === undefined) await Promise.race(this.#running)
      if (this.#failure !== undefined) throw this.#failure.error
    }
  }

  /** Waits for the threads that still work on a chunk, so that nothing runs on behind a failure. */
  async settle(): Promise<void> {
    await Promise.all(this.#running)
  }

  #queue(text: Uint8Array<SharedArrayBuffer>, end: number): void {
    const chunk: Chunk = { number: this.#queued++, text, end, done: undefined }
    this.#chunks.push(chunk)
    this.#waiting.push(chunk)
  }

  /** Hands chunks to idle threads, parses here while more than `most` wait, and gathers what is ready. */
  async #help(most: number): Promise<void> {
    this.#handOut()
    await this.#gather()
    while (this.#waiting.length > (this.#threadsReady ? most : 0)) {
      const chunk = this.#waiting.shift()!
      await this.#parseHere(chunk)
      this.#handOut()
      await this.#gather()
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  get #threadsReady(): boolean {
    return (this.#load.threads?.ready ?? 0) > 0
  }

  #handOut(): void {
    const { threads, timeline } = this.#load
    if (threads === undefined) return
    // One chunk more than threads, so that none is idle while this thread reads.
    while (this.#waiting.length > 0 && this.#running.size < threads.ready + 1 && threads.ready > 0) {
      const chunk = this.#waiting.shift()!
      const done = threads
        .run({ do: 'parse', text: chunk.text.subarray(0, chunk.end), known: this.#earlier?.digests[chunk.number] })
        .then((result) => {
          timeline.adopt(result.spans)
          if (result.did === 'parse') chunk.done = { digest: result.digest, parsed: result.chunk }
        })
        .catch((error: unknown) => {
          this.#failure ??= { error }
        })
        .finally(() => this.#running.delete(done))
      this.#running.add(done)
    }
  }

  async #parseHere(chunk: Chunk): Promise<void> {
    const { pacer, timeline } = this.#load
    const digest = this.#workspace.loops.digest(chunk.text.subarray(0, chunk.end))
    if (digest === this.#earlier?.digests[chunk.number]) {
      chunk.done = { digest, parsed: undefined }
      return
    }
    let start = timeline.elapsed
    for (let position = 0; position < chunk.end; ) {
      position = this.#parser.parse(chunk.text, position, chunk.end, this.#workspace.slice)
      if (!pacer.due) continue
      timeline.record('parse', 'kallsyms', start)
      await pacer.pause()
      start = timeline.elapsed
    }
    // What is next in the text is gathered before the parser is used again, and need not be copied.
    const parsed = this.#chunks[0] === chunk ? this.#parser.lend() : this.#parser.take()
    chunk.done = { digest, parsed }
    timeline.record('parse', 'kallsyms', start)
  }

  /** Gathers the parsed chunks that are next in the order of the text, and frees their buffers. */
  async #gather(): Promise<void> {
    const { pacer, timeline } = this.#load
    for (;;) {
      const chunk = this.#chunks[0]
      if (chunk?.done === undefined) return
      this.#chunks.shift()
      const { digest, parsed } = chunk.done
      if (parsed !== undefined) this.#count(parsed)
      if (parsed !== undefined) this.#builder ??= await this.#beginWith(chunk.number)
      this.digests.push(digest)
      if (this.#builder !== undefined) {
        const start = timeline.elapsed
        const steps =
          parsed === undefined && this.#earlier !== undefined
            ? this.#builder.appendFrom(this.#earlier.builder, chunk.number)
            : this.#builder.append(parsed!, chunk.text)
        await pacer.drive(steps)
        timeline.record('gather', 'kallsyms', start)
      }
      if (chunk.text.length === this.chunkBytes) this.#free.push(chunk.text)
    }
  }

  /** @throws BadFormatError, LimitError for what no kernel writes, before it has filled the memory */
  #count({ lines, count }: ParsedChunk): void {
    this.#lines += lines
    this.#symbols += count
    if (this.#symbols === 0 && this.#lines >= PATIENT_LINES) {
      throw new BadFormatError(`none of the first ${this.#lines} lines is a symbol: this is no kallsyms text`)
    }
    if (this.#lines > MOST_LINES) throw new LimitError(`more than ${MOST_LINES} lines: no kernel has as many symbols`)
  }

  #buffer(bytes: number): Uint8Array<SharedArrayBuffer> {
    const free = bytes === this.chunkBytes ? this.#free.pop() : undefined
    return free ?? this.#workspace.allocate(bytes)
  }
}
