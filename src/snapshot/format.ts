// The snapshot file's layout: a snapshot to bytes and back. Knows nothing of files: what reads and writes them is in
// read.ts and write.ts.
//
// | part of the file | holds |
// |---|---|
// | header | a block of sections (core/sections.ts): `seal`, the header's own checksum; `parts`, the length of each part;
//   `sums`, a checksum of every 64 KiB of each part; `meta`, JSON (meta.ts) |
// | part 0 | the symbol table, as it is in memory (symbols/layout.ts) |
// | parts 1, 2; 3, 4; … | for each group of type sets its index, as it is in memory (btf/read/index-layout.ts), and its blobs |
// | those behind | the small files of the host; in the cache's files the table that other boots of the kernel begin with (catalog/boot-core.ts) |
//
// Parts follow each other without gaps and have lengths that are multiples of eight, so their places follow from their
// lengths. Numbers are in the byte order of the machine that wrote them, as in the columns themselves.

import type { KindLayout } from '../btf/kinds.ts'
import { checkTypeIndex } from '../btf/read/check-index.ts'
import type { TypeSetRecord } from '../btf/read/index-types.ts'
import type { StoredIndex } from '../btf/read/stored-types.ts'
import { Types } from '../btf/types.ts'
import type { BootCore } from '../catalog/boot-core.ts'
import { checksum } from '../core/blocks.ts'
import { BadFormatError, LimitError } from '../core/errors.ts'
import { allocateSections, type Layout, readSections } from '../core/sections.ts'
import type { StoredBytes } from '../core/stored-bytes.ts'
import { type Absence, type FactFile, isAbsence } from '../sources/source.ts'
import type { HostFacts, SkippedLines } from './host-facts.ts'
import { decodeMeta, encodeMeta, type FactPlace, type SetPlace, type SnapshotMeta, type TextDigests } from './meta.ts'

export const SNAPSHOT_LAYOUT = {
  what: 'snapshot file',
  magic: 0x5053444b,
  version: 3,
  sections: ['seal', 'parts', 'sums', 'meta'],
} as const satisfies Layout<string>

/** The most bytes a header may have: the description of ten thousand modules is a tenth of it. */
const MOST_HEADER_BYTES = 1 << 24
/** The most bytes a file may have: several times all modules of the largest kernel. */
export const MOST_FILE_BYTES = 2 ** 30
/** Bytes at the start of a file that tell the header's length. */
export const PREAMBLE_BYTES = 20

/**
 * Bytes of a part that have a checksum of their own, a block; the last ones of a part may be fewer. So few, because a lookup of
 * one name reads one block of each column it looks at.
 */
export const BLOCK_BYTES = 1 << 16

/**
 * The content of each part beside the groups of types, in the order in which they lie in the file: the first before the groups, the others
 * behind them. A new part is a line here, its bytes in `encodeSnapshot`, and what makes and uses it (content.ts, load/snapshot-load.ts);
 * raise the version.
 */
export function byPart<T>(give: (part: PartName) => T): Readonly<Record<PartName, T>> {
  return { symbols: give('symbols'), facts: give('facts'), core: give('core') }
}
type PartName = 'symbols' | 'facts' | 'core'

/** The content of a snapshot file. */
export interface SnapshotContent {
  readonly symbols: SharedArrayBuffer
  readonly types: readonly TypeSetRecord[]
  /** The identities of the files that the sets came from, by module. */
  readonly identities: ReadonlyMap<string, string>
  readonly host: HostFacts
  readonly skipped: SkippedLines
  readonly text: TextDigests | undefined
  readonly facts: Readonly<Partial<Record<FactFile, Uint8Array<SharedArrayBuffer> | Absence>>>
  /** What other boots of this kernel begin with, if any shall. */
  readonly core?: BootCore | undefined
}

/** A part's place in the file, and the checksums of its blocks. */
export interface Part {
  readonly offset: number
  readonly length: number
  readonly sums: Uint32Array
}

/** The header. */
export interface SnapshotPlan extends Readonly<Record<PartName, Part>> {
  readonly meta: SnapshotMeta
  readonly groups: readonly { readonly index: Part; readonly blobs: Part }[]
  /** The length of the whole file. */
  readonly bytes: number
}

const padded = (length: number): number => Math.ceil(length / 8) * 8

/** The bytes of a snapshot's file, in order; those after the first are the snapshot's own memory, not copies. */
export function* encodeSnapshot(content: SnapshotContent): Generator<void, Uint8Array[], void> {
  const inGroups: Uint8Array[][] = []
  const groups: SetPlace[][] = []
  const ranks = new Map(content.types.map(({ name }, rank) => [name, rank]))
  const sound = new Set(new Types(content.types).sets.map(({ name }) => name))
  for (const records of byIndex(content.types)) {
    const blobs: Uint8Array[] = []
    let at = 0
    groups.push(
      records.map(({ name, blob, blobOffset, blobLength, indexOffset, base }) => {
        blobs.push(...filled(new Uint8Array(blob, blobOffset, blobLength)))
        const rank = ranks.get(name) ?? 0
        const place = {
          name,
          rank,
          blobOffset: at,
          blobLength,
          indexOffset,
          base,
          identity: content.identities.get(name),
          sound: sound.has(name),
        }
        at += padded(blobLength)
        return place
      }),
    )
    inGroups.push([new Uint8Array(records[0]!.index)], blobs)
  }
  const facts: FactPlace[] = []
  const factBytes: Uint8Array[] = []
  let factsAt = 0
  for (const [name, fact] of Object.entries(content.facts)) {
    const what = name as FactFile // A key of that record.
    if (isAbsence(fact)) facts.push({ what, reason: fact.reason })
    else {
      facts.push({ what, offset: factsAt, length: fact.length })
      factBytes.push(...filled(fact))
      factsAt += padded(fact.length)
    }
  }
  const own: Readonly<Record<PartName, Uint8Array[]>> = {
    symbols: [new Uint8Array(content.symbols)],
    facts: factBytes,
    core: content.core === undefined ? [] : [new Uint8Array(content.core.symbols)],
  }
  const [first, ...behind] = Object.values(byPart((part) => own[part]))
  const parts = [first!, ...inGroups, ...behind]
  const { host, skipped, text, core } = content
  const meta = encodeMeta({ host, skipped, text, groups, facts, anchors: core?.anchors ?? [] })
  const lengths = parts.map((pieces) => pieces.reduce((sum, { length }) => sum + length, 0))
  const sums: number[] = []
  for (const pieces of parts) {
    for (const sum of checksums(pieces)) {
      sums.push(sum)
      yield
    }
  }
  const { buffer, sections } = allocateSections(SNAPSHOT_LAYOUT, {
    seal: 4,
    parts: lengths.length * 4,
    sums: sums.length * 4,
    meta: meta.length,
  })
  const bytes = lengths.reduce((sum, length) => sum + length, buffer.byteLength)
  if (bytes > MOST_FILE_BYTES || buffer.byteLength > MOST_HEADER_BYTES) {
    throw new LimitError(`snapshot file: ${bytes} bytes; the limit is ${MOST_FILE_BYTES}`)
  }
  new Uint32Array(buffer, sections.parts.offset, lengths.length).set(lengths)
  new Uint32Array(buffer, sections.sums.offset, sums.length).set(sums)
  const header = new Uint8Array(buffer)
  header.set(meta, sections.meta.offset)
  new Uint32Array(buffer, sections.seal.offset, 1)[0] = checksum(header)
  return [header, ...parts.flat()]
}

/** The checksums of the blocks of a part. */
function* checksums(pieces: readonly Uint8Array[]): Generator<number, void, void> {
  const block = new Uint8Array(BLOCK_BYTES)
  let filled = 0
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const bytes = piece.subarray(at, at + BLOCK_BYTES - filled)
      block.set(bytes, filled)
      at += bytes.length
      filled += bytes.length
      if (filled < BLOCK_BYTES) continue
      yield checksum(block)
      filled = 0
    }
  }
  if (filled > 0) yield checksum(block.subarray(0, filled))
}

/** Bytes, and the zeroes that fill them up to a multiple of eight. */
function filled(bytes: Uint8Array): Uint8Array[] {
  const rest = padded(bytes.length) - bytes.length
  return rest === 0 ? [bytes] : [bytes, new Uint8Array(rest)]
}

/** Sets by the index they are in, in the order of their rows. */
function byIndex(records: readonly TypeSetRecord[]): TypeSetRecord[][] {
  const groups = new Map<SharedArrayBuffer, TypeSetRecord[]>()
  for (const record of records) {
    const group = groups.get(record.index)
    if (group === undefined) groups.set(record.index, [record])
    else group.push(record)
  }
  return [...groups.values()].map((group) => group.sort((a, b) => a.indexOffset - b.indexOffset))
}

/**
 * The header's length, from the first bytes of a file.
 * @throws BadFormatError if that is no snapshot file; UnsupportedError for another version or byte order
 */
export function headerLength(preamble: Uint8Array): number {
  const words = new Uint32Array(preamble.slice(0, PREAMBLE_BYTES).buffer)
  const length = words[4] ?? 0
  // Another byte order or version is told apart by `readSections`, for which any sound length will do.
  const sound = words[0] === SNAPSHOT_LAYOUT.magic && length % 8 === 0 && length <= MOST_HEADER_BYTES
  return sound ? Math.max(length, 64) : 64
}

/** Reads a header of `headerLength` bytes. @throws BadFormatError, UnsupportedError */
export function decodeHeader(block: SharedArrayBuffer): SnapshotPlan {
  const sections = readSections(SNAPSHOT_LAYOUT, block)
  const bad = (what: string) => new BadFormatError(`snapshot file: ${what}`)
  if (sections.seal.length !== 4) throw bad('it has no seal')
  const header = new Uint8Array(block)
  const seal = new Uint32Array(block, sections.seal.offset, 1)
  const sealed = seal[0]
  seal[0] = 0
  if (checksum(header) !== sealed) throw bad('its header is damaged (wrong checksum)')
  const lengths = new Uint32Array(block, sections.parts.offset, sections.parts.length >>> 2)
  const sums = new Uint32Array(block, sections.sums.offset, sections.sums.length >>> 2)
  const parts: Part[] = []
  let offset = block.byteLength
  let summed = 0
  for (const length of lengths) {
    if (length % 8 !== 0) throw bad('a part has an odd length')
    const own = Math.ceil(length / BLOCK_BYTES)
    parts.push({ offset, length, sums: sums.subarray(summed, summed + own) })
    offset += length
    summed += own
  }
  if (summed !== sums.length) throw bad(`it has ${sums.length} checksums, its parts ${summed}`)
  const meta = decodeMeta(header.subarray(sections.meta.offset, sections.meta.offset + sections.meta.length))
  const inGroups = 2 * meta.groups.length
  // Each part that the table asks for is the next one; behind the first lie the groups.
  let next = 0
  const own = byPart(() => {
    const part = parts[next]
    next += next === 0 ? 1 + inGroups : 1
    return part
  })
  if (next !== parts.length) throw bad(`it has ${parts.length} parts, its description ${next}`)
  const groups = meta.groups.map((_, i) => ({ index: parts[1 + 2 * i]!, blobs: parts[2 + 2 * i]! }))
  return { meta, ...byPart((part) => own[part]!), groups, bytes: offset }
}

/** The bytes of those parts of a file that were read; a group that was not is left out. */
export interface SnapshotParts extends Readonly<Record<PartName, SharedArrayBuffer | undefined>> {
  readonly groups: readonly ({ readonly index: SharedArrayBuffer; readonly blobs: SharedArrayBuffer } | undefined)[]
}

/** Which parts of a file are wanted. */
export interface Wanted extends Partial<Readonly<Record<PartName, boolean>>> {
  /** Whether to read a group of type sets. */
  readonly groups: (number: number) => boolean
}

/**
 * The type sets of the groups that were read; what is not trusted is checked.
 * @throws BadFormatError, UnsupportedError if one is damaged or leads outside of its bytes
 */
export function typeRecords(plan: SnapshotPlan, groups: SnapshotParts['groups'], trusted: boolean): TypeSetRecord[] {
  const records: TypeSetRecord[] = []
  const ranks = new Map<string, number>()
  let layout: KindLayout | undefined
  plan.meta.groups.forEach((sets, i) => {
    const group = groups[i]
    if (group === undefined) return
    const own = sets.map((set) => {
      if (ranks.has(set.name)) throw new BadFormatError(`snapshot file: two sets of types are called ${set.name}`)
      ranks.set(set.name, set.rank)
      return recordOf(set, group.index, group.blobs)
    })
    const described = trusted ? undefined : checkTypeIndex(group.index, own, layout)
    layout ??= described
    records.push(...own)
  })
  const rankOf = ({ name }: TypeSetRecord) => ranks.get(name) ?? 0
  return records.sort((a, b) => rankOf(a) - rankOf(b))
}

/** The same sets where they are stored, for those whose names are wanted. */
export function storedIndexes(
  { meta }: SnapshotPlan,
  groups: readonly { readonly index: StoredBytes; readonly blobs: StoredBytes }[],
  wanted: (name: string) => boolean,
): StoredIndex[] {
  return meta.groups.map((sets, i) => {
    const { index, blobs } = groups[i]!
    return {
      index,
      blobs,
      sets: sets.map((set) => ({
        record: recordOf(set, index.buffer, blobs.buffer),
        rank: wanted(set.name) ? set.rank : undefined,
        sound: set.sound,
      })),
    }
  })
}

function recordOf(set: SetPlace, index: SharedArrayBuffer, blob: SharedArrayBuffer): TypeSetRecord {
  const { name, blobOffset, blobLength, indexOffset, base } = set
  return { name, blob, blobOffset, blobLength, index, indexOffset, ...(base !== undefined && { base }) }
}

/** The small files of the host. @throws BadFormatError if one lies outside of its part */
export function factsOf(plan: SnapshotPlan, part: SharedArrayBuffer): SnapshotContent['facts'] {
  return Object.fromEntries(
    plan.meta.facts.map((fact) => {
      if ('reason' in fact) return [fact.what, fact]
      if (fact.offset + fact.length > part.byteLength) {
        throw new BadFormatError(`snapshot file: ${fact.what} lies outside of its part`)
      }
      return [fact.what, new Uint8Array(part, fact.offset, fact.length)]
    }),
  )
}

/** The identities that the file gives of its sets' files. */
export function identitiesOf({ groups }: SnapshotMeta): Map<string, string> {
  const identities = new Map<string, string>()
  for (const { name, identity } of groups.flat()) if (identity !== undefined) identities.set(name, identity)
  return identities
}
