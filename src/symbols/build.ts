// Stretches of text, or symbols from elsewhere, on their way to a table: room for what the loops find in each, what is kept and what
// is left out. Deterministic: the bytes of the table depend on the text alone, not on how it was cut or who read it.

import { encodeName } from '../core/bytes.ts'
import { LimitError } from '../core/errors.ts'
import { type Assembled, assemble, type BuildFacts } from './assemble.ts'
import type { MarkerAddress } from './claims.ts'
import {
  BUILD_HASHES,
  BUILD_KEEP_DATA,
  BUILD_KEEP_OWNERS,
  BUILD_KNOWN,
  BUILD_STRETCH_COUNT,
  BUILD_STRETCHES,
  DIGEST_BYTES,
  LISTED_BAD_LINES,
  MARKER_BYTES,
  MOST_MARKERS,
  PARTS,
  RECORD_SHIFT,
  RUN_FIRST,
  RUN_LENGTH,
  RUN_NAME,
  RUN_NUMBER,
  STRETCH_ANY,
  STRETCH_BAD,
  STRETCH_BAD_COUNT,
  STRETCH_BYTES,
  STRETCH_COUNT,
  STRETCH_DIGEST,
  STRETCH_END,
  STRETCH_FILLED,
  STRETCH_FROM,
  STRETCH_KEPT,
  STRETCH_LEFT_DATA,
  STRETCH_LEFT_OWNERS,
  STRETCH_LENGTH,
  STRETCH_LINES,
  STRETCH_MARKERS,
  STRETCH_OWN,
  STRETCH_RECALLED,
  STRETCH_RECORDS,
  STRETCH_RUN_COUNT,
  STRETCH_RUNS,
  STRETCH_SAME,
  STRETCH_SCANNED,
  STRETCH_SEEN,
  STRETCH_STREAMS,
  STRETCH_TEXT,
  STRETCH_WORK,
} from './constants.ts'
import { keptStretches, openEarlier, ownRoots } from './keep.ts'
import { nameSet } from './loop-tables.ts'
import { BAD_LINE_REASONS, type BadLine } from './parse.ts'
import type { LeftOut, RememberedText, Segment } from './remembered.ts'
import type { Plan, Workspace } from './workspace.ts'

/** The name of the owner of symbols that belong to no module. */
export const CORE_OWNER = 'vmlinux'
/** Owners are numbered in 16 bits. */
export const MOST_OWNERS = 65_536

const NEWLINE = 0x0a

/** A finished table and what the text held beside it. */
export interface BuiltTable {
  readonly buffer: SharedArrayBuffer
  readonly lines: number
  readonly badCount: number
  /** The first bad lines, up to LISTED_BAD_LINES, with their numbers in the whole text. */
  readonly bad: readonly BadLine[]
  readonly leftOut: LeftOut
  /** What a later load needs to take stretches over. */
  readonly remembered: RememberedText
}

/** Which symbols a table keeps. What is left out is counted. */
export interface Keep {
  /** Keep data symbols (types b d r, any case) only if their name is among these; undefined keeps all. */
  readonly data?: ReadonlySet<string> | undefined
  /** Keep the symbols of these owners and of the core kernel only; undefined keeps all. */
  readonly owners?: ReadonlySet<string> | undefined
}

/** Symbols that come as columns, in the order of the table's source: at most MOST_SYMBOLS at once. */
export interface SymbolChunk {
  readonly count: number
  readonly high: Uint32Array
  readonly low: Uint32Array
  /** The type's code, with LABEL set where the symbol never answers an address. */
  readonly kind: Uint8Array
  /** The prefix of the name, where its root begins in the source, its length and its hash. */
  readonly prefix: Uint8Array
  readonly rootStart: Uint32Array
  readonly rootLength: Uint16Array
  readonly rootHash: Uint32Array
  readonly owner: Uint16Array
  /** Names of the owners, as bytes in latin1; index 0 is `''`, the core. */
  readonly owners: readonly string[]
}

/** Bytes of names of owners and streams of roots that a byte of text can lead to, at most: see assembly/scan.ts. */
const WORK_BYTES = 4
/** Room behind them. */
const SLACK = 1024
/** The bytes that a line with a symbol takes at least. */
export const LEAST_LINE = 6
const ROW_BYTES = STRETCH_BYTES + MOST_MARKERS * MARKER_BYTES + PARTS * 12

/**
 * Takes stretches of the text in their order: `addText`, then the step `scan` for its number, and so on; `finish` makes the table.
 * No stretch may be added while a step is under way that is not one of the stretches'.
 */
export class TableBuilder {
  readonly workspace: Workspace
  readonly #owners: string[]
  readonly #ownerNumbers: Map<string, number>
  readonly #segments: Segment[] = []
  #room = 1024
  #count = 0
  /** The earlier text, and by the numbers of stretches those of its segments that are kept. */
  #earlier: RememberedText | undefined
  readonly #kept = new Map<number, number>()
  /** By the numbers that owners had in the earlier text those that they have; 0 where none has been given yet. */
  #renumbered = new Uint16Array(0)

  /** `coreOwner`: the owner of symbols whose chunk names none. */
  constructor(workspace: Workspace, keep: Keep = {}, coreOwner = CORE_OWNER) {
    this.workspace = workspace
    this.#owners = [coreOwner]
    this.#ownerNumbers = new Map([[coreOwner, 0]])
    workspace.set(BUILD_STRETCHES, workspace.room(4 * this.#room))
    workspace.set(BUILD_STRETCH_COUNT, 0)
    const { data, owners } = keep
    const set = (names: ReadonlySet<string> | undefined) =>
      names === undefined ? 0 : nameSet(workspace, Array.from(names, encodeName))
    workspace.set(BUILD_KEEP_DATA, set(data))
    workspace.set(BUILD_KEEP_OWNERS, set(owners))
  }

  /** How many stretches there are. */
  get stretches(): number {
    return this.#count
  }

  /** Has stretches recognised whose digests, in hexadecimal, are among these: they are not scanned. */
  know(digests: readonly string[]): void {
    const { workspace } = this
    workspace.set(
      BUILD_KNOWN,
      nameSet(
        workspace,
        digests.map((digest) => Buffer.from(digest, 'hex')),
      ),
    )
  }

  /**
   * Makes room for what the step `scan` finds in whole lines, which lie in the workspace with room for a newline behind them, and
   * returns the stretch's number.
   */
  addText(text: Uint8Array): number {
    const { workspace } = this
    const { length } = text
    // The loops rely on a newline behind every line.
    if (text[length - 1] !== NEWLINE) workspace.bytes(text.byteOffset + length, 1)[0] = NEWLINE
    // Counting takes as long as recognising what is known: there is room then for any lines, most of which is taken back.
    const knows = workspace.get(BUILD_KNOWN) !== 0
    const lines = knows ? length : workspace.loops.countLines(text.byteOffset, length) + 1
    const number = this.#add(Math.min(lines, Math.ceil(length / LEAST_LINE)), lines, length * WORK_BYTES)
    this.#set(number, STRETCH_TEXT, text.byteOffset)
    this.#set(number, STRETCH_LENGTH, length)
    return number
  }

  /** The place among the known digests of a stretch's that was scanned; -1 if it is new. */
  knownAs(number: number): number {
    return this.#get(number, STRETCH_SAME) - 1
  }

  /** Whether a stretch's text is not needed any more. */
  isScanned(number: number): boolean {
    return Atomics.load(this.workspace.words, (this.#row(number) + STRETCH_SCANNED) >>> 2) === 1
  }

  /** The lines of a stretch that was scanned, and whether any is a symbol. */
  linesOf(number: number): { readonly lines: number; readonly any: boolean } {
    return { lines: this.#get(number, STRETCH_LINES), any: this.#get(number, STRETCH_ANY) === 1 }
  }

  digestOf(number: number): string {
    return Buffer.from(this.workspace.bytes(this.#row(number) + STRETCH_DIGEST, DIGEST_BYTES)).toString('hex')
  }

  /** Takes back the room that the last stretch has not needed, once it was scanned. */
  trim(number: number): void {
    if (number === this.#count - 1) this.workspace.memory.trim(this.#get(number, STRETCH_END))
  }

  /** Notes what was found in the next stretch: once it was scanned, and known ones were taken over where there are any. */
  note(): void {
    const number = this.#segments.length
    const from = this.#segments.at(-1)?.to ?? 0
    const kept = this.#kept.get(number)
    this.#set(number, STRETCH_FROM, from)
    this.#segments.push(kept === undefined ? this.#segmentOf(number, from) : this.#segmentKept(kept, from))
  }

  /**
   * The plan by which stretches that are known, by the digests of an earlier text's segments, are taken over: as its table has them
   * where they are in the order that they had, else with new records.
   */
  *takeOver(earlier: RememberedText): Plan<void> {
    this.#earlier = earlier
    this.#renumbered = new Uint16Array(earlier.owners.length)
    const { segments } = earlier
    const known = Array.from({ length: this.#count }, (_, number) => this.knownAs(number))
    if (known.every((segment) => segment < 0)) return
    openEarlier(this.workspace, earlier)
    const count = known.reduce((sum, segment, number) => {
      return sum + (segment < 0 ? this.#get(number, STRETCH_COUNT) : segments[segment]!.to - segments[segment]!.from)
    }, 0)
    const kept = keptStretches(known, count, earlier)
    for (let number = 0; number < this.#count; number++) {
      const segment = known[number]!
      if (segment < 0) continue
      if (kept.has(number)) this.#keep(number, earlier, segment)
      else {
        this.#recall(number, earlier, segments[segment]!)
        yield { step: 'recall', from: number, to: number + 1 }
      }
    }
  }

  /** Leaves a stretch as the earlier table has it. */
  #keep(number: number, earlier: RememberedText, segment: number): void {
    const { from, to } = earlier.segments[segment]!
    this.#kept.set(number, segment)
    this.#set(number, STRETCH_KEPT, to - from)
    this.#set(number, STRETCH_RECALLED, from)
    this.#set(number, STRETCH_OWN, this.workspace.copy(ownRoots(earlier.roots, segment)))
    this.#set(number, STRETCH_END, 0)
  }

  /** Makes a stretch one of an earlier text, for the step `recall`. */
  #recall(number: number, earlier: RememberedText, segment: Segment): void {
    const { workspace } = this
    const count = segment.to - segment.from
    this.#make(number, count, segment.bad.length, segment.bytes * WORK_BYTES)
    this.#set(number, STRETCH_LENGTH, segment.bytes)
    this.#set(number, STRETCH_COUNT, count)
    this.#set(number, STRETCH_RECALLED, segment.from)
    this.#set(number, STRETCH_LINES, segment.lines)
    this.#set(number, STRETCH_BAD_COUNT, segment.badCount)
    this.#set(number, STRETCH_LEFT_DATA, segment.leftOut.data)
    this.#set(number, STRETCH_LEFT_OWNERS, segment.leftOut.owners)
    this.#set(number, STRETCH_SEEN, segment.seen)
    this.#set(number, STRETCH_ANY, segment.any ? 1 : 0)
    const { words } = workspace
    words.set(
      segment.bad.flatMap(({ line, reason }) => [line, BAD_LINE_REASONS.indexOf(reason)]),
      this.#get(number, STRETCH_BAD) >>> 2,
    )
    segment.markers.forEach((marker, i) => {
      const at = (this.#get(number, STRETCH_MARKERS) + i * MARKER_BYTES) >>> 2
      words.set(marker === undefined ? [0, 0, 0] : [1, marker.high, marker.low], at)
    })
    const runs: Run[] = []
    for (let i = 0; i < segment.runs.length; i += 2) {
      const owner = segment.runs[i + 1]!
      runs.push({ first: segment.runs[i]!, name: owner === 0 ? '' : earlier.owners[owner]! })
    }
    this.#writeRuns(number, runs)
  }

  /** Adds a stretch of symbols, for the step `shareOut`, to be done before the next is added; `source` is what names are in. */
  addChunk(chunk: SymbolChunk, source: Uint8Array): number {
    const { workspace } = this
    const { count, high, low, kind, prefix, rootStart, rootLength, rootHash, owner, owners } = chunk
    let bytes = 0
    const runs: Run[] = []
    for (let i = 0; i < count; i++) {
      bytes += rootLength[i]!
      if (i === 0 || owner[i] !== owner[i - 1]) runs.push({ first: i, name: owners[owner[i]!]! })
    }
    const names = runs.reduce((sum, { name }) => sum + name.length + RUN_NAME + 4, 0)
    const number = this.#add(count, 0, bytes + 12 * count + names)
    const text = workspace.room(bytes + SLACK)
    const { words } = workspace
    const hashes = workspace.get(BUILD_HASHES) >>> 2
    const records = this.#get(number, STRETCH_RECORDS) >>> 2
    let at = text
    for (let i = 0; i < count; i++) {
      const record = records + (i << (RECORD_SHIFT - 2))
      words[record] = low[i]!
      words[record + 1] = high[i]!
      words[record + 2] = at
      words[record + 3] = kind[i]! | (prefix[i]! << 8) | (rootLength[i]! << 16)
      words[hashes + i] = rootHash[i]!
      const start = rootStart[i]!
      workspace.bytes(at, rootLength[i]!).set(source.subarray(start, start + rootLength[i]!))
      at += rootLength[i]!
    }
    this.#set(number, STRETCH_COUNT, count)
    this.#set(number, STRETCH_ANY, count > 0 ? 1 : 0)
    this.#writeRuns(number, runs)
    return number
  }

  /**
   * The plan by which the table is made of the stretches. Nothing can be added afterwards.
   * @throws NoPermissionError if there are symbols, without sizes of their own, and every address is zero; LimitError if there are
   * more owners, or longer names in all, than a table can number.
   */
  *finish(facts: BuildFacts = {}): Plan<BuiltTable> {
    const { workspace } = this
    workspace.set(BUILD_STRETCH_COUNT, this.#count)
    while (this.#segments.length < this.#count) {
      this.note()
      if (this.#segments.length % 16 === 0) yield
    }
    const position = this.#segments.at(-1)?.to ?? 0
    // Owners of memory are owners also where no symbol of theirs is in the table.
    for (const { owner } of facts.extents?.ranges ?? []) this.#ownerNumber(owner)
    const bad: BadLine[] = []
    const total = { lines: 0, badCount: 0, data: 0, owners: 0 }
    const markers: (MarkerAddress | undefined)[] = []
    for (const segment of this.#segments) {
      for (const { line, reason } of segment.bad) {
        if (bad.length < LISTED_BAD_LINES) bad.push({ line: total.lines + line, reason })
      }
      segment.markers.forEach((marker, i) => {
        markers[i] ??= marker
      })
      total.lines += segment.lines
      total.badCount += segment.badCount
      total.data += segment.leftOut.data
      total.owners += segment.leftOut.owners
    }
    const assembled: Assembled = yield* assemble(workspace, {
      count: position,
      stretches: this.#count,
      row: (number) => this.#row(number),
      owners: this.#owners,
      ownerNumbers: this.#ownerNumbers,
      markers,
      lines: total.lines,
      badCount: total.badCount,
      allZero: this.#segments.some(({ any }) => any) && this.#segments.every(({ seen }) => seen === 0),
      facts,
      kept:
        this.#kept.size === 0 || this.#earlier === undefined
          ? undefined
          : {
              earlier: this.#earlier,
              segments: this.#kept,
              ownerNumbers: Uint16Array.from(this.#earlier.owners, (owner) => this.#ownerNumbers.get(owner) ?? 0),
            },
    })
    const { buffer, ids, roots, regions } = assembled
    return {
      buffer,
      lines: total.lines,
      badCount: total.badCount,
      bad,
      leftOut: { data: total.data, owners: total.owners },
      remembered: { table: buffer, ids, owners: this.#owners, roots, regions, segments: this.#segments },
    }
  }

  /** The earlier text's segment at its new place; gives its owners their numbers. */
  #segmentKept(number: number, from: number): Segment {
    const { owners, segments } = this.#earlier!
    const segment = segments[number]!
    const runs = segment.runs.slice()
    for (let i = 1; i < runs.length; i += 2) {
      const owner = runs[i]!
      if (owner !== 0) runs[i] = this.#renumbered[owner] ||= this.#ownerNumber(owners[owner]!)
    }
    return { ...segment, from, to: from + segment.to - segment.from, runs }
  }

  /** What was found in a stretch; gives its owners their numbers. */
  #segmentOf(number: number, from: number): Segment {
    const { workspace } = this
    const { words } = workspace
    const count = this.#get(number, STRETCH_COUNT)
    const runs: number[] = []
    let run = this.#get(number, STRETCH_RUNS)
    let before = -1
    for (let i = this.#get(number, STRETCH_RUN_COUNT); i > 0; i--) {
      const length = words[(run + RUN_LENGTH) >>> 2]!
      if (words[(run + RUN_NUMBER) >>> 2] === 0) {
        const name = Buffer.from(words.buffer, run + RUN_NAME, length).toString('latin1')
        const owner = length === 0 ? 0 : this.#ownerNumber(name)
        words[(run + RUN_NUMBER) >>> 2] = owner
        if (owner !== before) runs.push(words[(run + RUN_FIRST) >>> 2]!, owner)
        before = owner
      }
      run += RUN_NAME + ((length + 3) & ~3)
    }
    const listed = Math.min(LISTED_BAD_LINES, this.#get(number, STRETCH_BAD_COUNT))
    const list = this.#get(number, STRETCH_BAD) >>> 2
    const marker = this.#get(number, STRETCH_MARKERS) >>> 2
    return {
      from,
      to: from + count,
      bytes: this.#get(number, STRETCH_LENGTH),
      lines: this.#get(number, STRETCH_LINES),
      badCount: this.#get(number, STRETCH_BAD_COUNT),
      bad: Array.from({ length: listed }, (_, i) => ({
        line: words[list + 2 * i]!,
        reason: BAD_LINE_REASONS[words[list + 2 * i + 1]!]!,
      })),
      runs: Uint32Array.from(runs),
      leftOut: { data: this.#get(number, STRETCH_LEFT_DATA), owners: this.#get(number, STRETCH_LEFT_OWNERS) },
      markers: Array.from({ length: MOST_MARKERS }, (_, i) => {
        const at = marker + 3 * i
        return words[at] === 1 ? { high: words[at + 1]!, low: words[at + 2]! } : undefined
      }),
      any: this.#get(number, STRETCH_ANY) === 1,
      seen: this.#get(number, STRETCH_SEEN),
    }
  }

  #ownerNumber(owner: string): number {
    const known = this.#ownerNumbers.get(owner)
    if (known !== undefined) return known
    const number = this.#owners.length
    if (number === MOST_OWNERS) {
      throw new LimitError(
        `more than ${MOST_OWNERS} owners (modules, sections): [${owner}] cannot be numbered in 16 bits`,
      )
    }
    this.#owners.push(owner)
    this.#ownerNumbers.set(owner, number)
    return number
  }

  /** A new stretch with room for so many records, bad lines, and bytes of owners' names and roots. */
  #add(records: number, bad: number, work: number): number {
    const { workspace } = this
    const number = this.#count++
    if (number === this.#room) {
      const wider = workspace.room(8 * this.#room)
      workspace.words.copyWithin(
        wider >>> 2,
        workspace.get(BUILD_STRETCHES) >>> 2,
        (workspace.get(BUILD_STRETCHES) >>> 2) + number,
      )
      workspace.set(BUILD_STRETCHES, wider)
      this.#room *= 2
    }
    const row = workspace.room(ROW_BYTES)
    workspace.words.fill(0, row >>> 2, (row + ROW_BYTES) >>> 2)
    workspace.words[(workspace.get(BUILD_STRETCHES) >>> 2) + number] = row
    this.#set(number, STRETCH_MARKERS, row + STRETCH_BYTES)
    this.#set(number, STRETCH_STREAMS, row + STRETCH_BYTES + MOST_MARKERS * MARKER_BYTES)
    this.#set(number, STRETCH_FILLED, row + ROW_BYTES - PARTS * 4)
    this.#set(number, STRETCH_END, row + ROW_BYTES)
    this.#make(number, records, bad, work)
    return number
  }

  #make(number: number, records: number, bad: number, work: number): void {
    const { workspace } = this
    this.#set(number, STRETCH_BAD, workspace.room(8 * Math.min(bad, LISTED_BAD_LINES)))
    this.#set(number, STRETCH_RECORDS, workspace.room(records << RECORD_SHIFT))
    const runs = workspace.room(work + SLACK)
    this.#set(number, STRETCH_WORK, runs)
    this.#set(number, STRETCH_RUNS, runs)
  }

  #writeRuns(number: number, runs: readonly Run[]): void {
    const { workspace } = this
    const { words } = workspace
    let at = this.#get(number, STRETCH_RUNS)
    this.#set(number, STRETCH_RUN_COUNT, runs.length)
    for (const { first, name } of runs) {
      words.set([first, name.length, 0], at >>> 2)
      workspace.bytes(at + RUN_NAME, name.length).set(Buffer.from(name, 'latin1'))
      at += RUN_NAME + ((name.length + 3) & ~3)
    }
  }

  #row(number: number): number {
    const { workspace } = this
    return workspace.words[(workspace.get(BUILD_STRETCHES) >>> 2) + number]!
  }

  #get(number: number, field: number): number {
    return this.workspace.words[(this.#row(number) + field) >>> 2]!
  }

  #set(number: number, field: number, value: number): void {
    this.workspace.words[(this.#row(number) + field) >>> 2] = value
  }
}

/** A run of symbols with one owner; the core has no name. */
interface Run {
  readonly first: number
  readonly name: string
}
