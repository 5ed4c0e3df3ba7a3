// BTF blobs → a type index in shared memory. Pure: a loader thread calls it for vmlinux alone, or for a batch of modules.
import { BadFormatError, KerndexError, LimitError } from '../../core/errors.ts'
import { allocateSections } from '../../core/sections.ts'
import { atOnce } from '../../core/steps.ts'
import { KIND_COUNT } from '../kinds.ts'
import { type BtfHeader, normalizeBlob, readHeader, readLayout } from './header.ts'
import {
  bucketBits,
  ENTRY_WORDS,
  FLAG_FOREIGN,
  FLAG_SORTED,
  HEAD_BUCKET_BITS,
  HEAD_ORDINAL_BITS,
  HEAD_SET_COUNT,
  HEAD_SORTED,
  HEAD_TYPE_COUNT,
  HEAD_WORDS,
  INDEX_LAYOUT,
  ROW_FIRST_ID,
  ROW_FIRST_ORDINAL,
  ROW_FLAGS,
  ROW_KIND_COUNTS,
  ROW_LAYOUT_BYTES,
  ROW_LAYOUT_START,
  ROW_NAMED,
  ROW_STRING_BASE,
  ROW_STRINGS_BYTES,
  ROW_STRINGS_START,
  ROW_TYPE_COUNT,
  ROW_TYPES_BYTES,
  ROW_TYPES_START,
  ROW_WORDS,
} from './index-layout.ts'
import { BatchNames } from './name-index-write.ts'
import { countTypes, mostTypes, NO_BASE, Walk, type WalkBase, type WalkOutput, type WalkResult } from './walk.ts'

/**
 * All that a split set needs to know of the sets below it, as sums over all of them: how many ids they use (void
 * included) and how long their strings are; and where those strings lie, because a split set's names may lie in them.
 * Structured-cloneable.
 */
export type BaseShape = WalkBase

/** A BTF blob to be indexed. */
export interface NamedBlob {
  /** `vmlinux`, or the module's name. */
  readonly name: string
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** The result of a walk over it that is done already. */
  readonly walked?: Walked | undefined
}

/** The result of the walk over a sound blob; its types stand in an output from a position on. */
export interface Walked {
  readonly header: BtfHeader
  readonly result: WalkResult
  readonly output: WalkOutput
  readonly from: number
}

/**
 * One type set in shared memory: where its blob is, and its row in a type index. Structured-cloneable; several sets may
 * share one blob arena and one index buffer.
 */
export interface TypeSetRecord {
  readonly name: string
  readonly blob: SharedArrayBuffer
  readonly blobOffset: number
  readonly blobLength: number
  readonly index: SharedArrayBuffer
  /** Byte offset of the set's row in `index`. */
  readonly indexOffset: number
  /** Name of the set this one is split on, if that is another than the first base set of the collection. */
  readonly base?: string
}

/** A blob that could not be indexed. */
export interface IndexFailure {
  readonly name: string
  readonly error: KerndexError
}

/** The index of a batch of blobs, and the blobs that are not in it. */
export interface IndexedTypes {
  readonly records: TypeSetRecord[]
  readonly failures: IndexFailure[]
}

/** Words of small blobs that share a step, and how many of them do, however small they are. */
const STEP_WORDS = 1 << 14
const STEP_BLOBS = 64

/**
 * The shape that sets split on this blob need. Only the header and the sizes of the types are looked at, so that
 * modules can be indexed side by side with vmlinux; errors in the types themselves are found by `indexTypes`.
 * @throws BadFormatError or UnsupportedError if the header is not that of BTF.
 */
export function readShape(blob: Uint8Array<SharedArrayBuffer>, base: BaseShape = NO_BASE): BaseShape {
  const normal = normalizeBlob(blob, readHeader(blob, base.stringBytes > 0))
  const { typesStart, typesBytes, stringsStart, stringsBytes } = normal.header
  const bytes = normal.blob
  const layout = readLayout(bytes, normal.header) ?? base.layout
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
  const count = countTypes(words, typesStart >>> 2, (typesStart + typesBytes) >>> 2, layout)
  return {
    typeCount: base.typeCount + count,
    stringBytes: base.stringBytes + stringsBytes,
    strings: [...base.strings, { buffer: bytes.buffer, offset: bytes.byteOffset + stringsStart, length: stringsBytes }],
    ...(layout && { layout }),
  }
}

/** The shape that sets split on this one need, which is split on nothing: what `readShape` gives, without a walk. */
export function shapeOfSet({ blob, blobOffset, blobLength, index, indexOffset }: TypeSetRecord): BaseShape {
  const row = new Uint32Array(index, indexOffset, ROW_WORDS)
  const length = row[ROW_STRINGS_BYTES]!
  const layout = readLayout(new Uint8Array(blob, blobOffset, blobLength), {
    layoutStart: row[ROW_LAYOUT_START]!,
    layoutBytes: row[ROW_LAYOUT_BYTES]!,
  })
  return {
    typeCount: 1 + row[ROW_TYPE_COUNT]!,
    stringBytes: length,
    strings: [{ buffer: blob, offset: blobOffset + row[ROW_STRINGS_START]!, length }],
    ...(layout && { layout }),
  }
}

/**
 * Indexes blobs that are all split on the same base, or on nothing. A blob that is damaged ends up in `failures`; the
 * others are not affected. The name index spans all sets of one call, so few large batches answer faster than many
 * small ones. A blob in foreign byte order, or at an address that is no multiple of four, is copied for good.
 */
export function indexTypes(blobs: readonly NamedBlob[], base?: BaseShape): IndexedTypes {
  return atOnce(indexTypesSteps(blobs, base))
}

/** The result of the walk over one blob. */
interface IndexedBlob {
  readonly name: string
  readonly blob: Uint8Array<SharedArrayBuffer>
  readonly header: BtfHeader
  readonly walk: WalkResult
  readonly firstOrdinal: number
}

/**
 * The same as `indexTypes`, yielding between pieces of a fraction of a millisecond, for a thread that must stay responsive.
 * @param walk the memory in which blobs lie; without one, or where they lie elsewhere, they are copied while they are walked over
 */
export function* indexTypesSteps(
  blobs: readonly NamedBlob[],
  base: BaseShape = NO_BASE,
  walk?: Walk,
): Generator<void, IndexedTypes, void> {
  if (walk !== undefined) return yield* indexOver(walk, blobs, base)
  const borrowed = Walk.borrow()
  try {
    return yield* indexOver(borrowed, blobs, base)
  } finally {
    borrowed.release()
  }
}

function* indexOver(memory: Walk, blobs: readonly NamedBlob[], base: BaseShape): Generator<void, IndexedTypes, void> {
  const failures: IndexFailure[] = []
  const opened: { name: string; blob: Uint8Array<SharedArrayBuffer>; header: BtfHeader; walked?: Walked }[] = []
  let typesBytes = 0
  for (const { name, bytes, walked } of blobs) {
    if (walked !== undefined) {
      opened.push({ name, blob: bytes, header: walked.header, walked })
      typesBytes += walked.header.typesBytes
      continue
    }
    try {
      const normal = normalizeBlob(bytes, readHeader(bytes, base.stringBytes > 0))
      opened.push({ name, blob: normal.blob, header: normal.header })
      typesBytes += normal.header.typesBytes
    } catch (error) {
      failures.push({ name, error: placed(name, error) })
    }
    if ((opened.length + failures.length) % STEP_BLOBS === 0) yield
  }

  const sets: IndexedBlob[] = []
  let count = 0
  let named = 0
  let pending = 0
  const names = new BatchNames(mostTypes(typesBytes))
  const batch = memory.batch(base, names.output)
  for (const { name, blob, header, walked } of opened) {
    try {
      let result: WalkResult
      if (walked !== undefined) {
        result = walked.result
        batch.adopt(walked.output, walked.from, count, result.count)
      } else {
        batch.begin(blob, header, count)
        while (batch.step() > 0) yield
        result = batch.result()
      }
      sets.push({ name, blob, header, walk: result, firstOrdinal: count })
      count += result.count
      named += result.named
    } catch (error) {
      failures.push({ name, error: placed(name, error) })
    }
    pending += Math.min(header.typesBytes / 4, STEP_WORDS) + STEP_WORDS / STEP_BLOBS
    if (pending >= STEP_WORDS) {
      pending = 0
      yield
    }
  }
  batch.flush(count)
  const { output } = names

  // A single set that is sorted needs no index of its own: its names are found by binary search.
  const sorted = sets.length === 1 && sets[0]!.walk.sorted
  const entryCount = sorted ? 0 : named
  const bits = { bucket: bucketBits(entryCount), ordinal: 32 - Math.clz32(Math.max(count - 1, 1)) }
  const { buffer, sections } = allocateSections(INDEX_LAYOUT, {
    head: HEAD_WORDS * 4,
    sets: sets.length * ROW_WORDS * 4,
    offsets: count * 4,
    buckets: sorted ? 0 : ((1 << bits.bucket) + 1) * 4,
    entries: entryCount * ENTRY_WORDS * 4,
  })
  const view = (section: { offset: number; length: number }): Uint32Array =>
    new Uint32Array(buffer, section.offset, section.length / 4)
  const head = view(sections.head)
  head[HEAD_SET_COUNT] = sets.length
  head[HEAD_TYPE_COUNT] = count
  head[HEAD_BUCKET_BITS] = bits.bucket
  head[HEAD_ORDINAL_BITS] = bits.ordinal
  head[HEAD_SORTED] = sorted ? 1 : 0
  yield
  view(sections.offsets).set(output.offsets.subarray(0, count))
  yield
  const rows = view(sections.sets)
  const records: TypeSetRecord[] = []
  for (const [i, set] of sets.entries()) {
    writeRow(rows.subarray(i * ROW_WORDS, (i + 1) * ROW_WORDS), set, base)
    records.push({
      name: set.name,
      blob: set.blob.buffer,
      blobOffset: set.blob.byteOffset,
      blobLength: set.blob.length,
      index: buffer,
      indexOffset: sections.sets.offset + i * ROW_WORDS * 4,
    })
    if (i % STEP_BLOBS === STEP_BLOBS - 1) yield
  }
  if (!sorted) {
    const signed = ({ offset, length }: { offset: number; length: number }) =>
      new Int32Array(buffer, offset, length / 4)
    const [buckets, entries] = [signed(sections.buckets), signed(sections.entries)]
    yield* names.writeNames(count, bits, buckets, entries)
  }
  names.release()
  memory.weigh()
  return { records, failures }
}

function writeRow(row: Uint32Array, set: IndexedBlob, base: BaseShape): void {
  const { header, walk } = set
  row[ROW_FIRST_ID] = base.typeCount
  row[ROW_TYPE_COUNT] = walk.count
  row[ROW_STRING_BASE] = base.stringBytes
  row[ROW_STRINGS_START] = header.stringsStart
  row[ROW_STRINGS_BYTES] = header.stringsBytes
  row[ROW_FIRST_ORDINAL] = set.firstOrdinal
  row[ROW_NAMED] = walk.named
  row[ROW_FLAGS] = (header.foreign ? FLAG_FOREIGN : 0) | (walk.sorted ? FLAG_SORTED : 0)
  row[ROW_TYPES_START] = header.typesStart
  row[ROW_TYPES_BYTES] = header.typesBytes
  row[ROW_LAYOUT_START] = header.layoutStart
  row[ROW_LAYOUT_BYTES] = header.layoutBytes
  row.set(walk.kindCounts, ROW_KIND_COUNTS)
  if (walk.kindCounts.length !== KIND_COUNT + 1) throw new LimitError('type index: the row has no room for its kinds')
}

/** A failure as a typed error that names the blob. */
function placed(name: string, error: unknown): KerndexError {
  if (error instanceof KerndexError) {
    const kind = error.constructor as new (
      message: string,
      place: KerndexError['place'],
      options: ErrorOptions,
    ) => KerndexError
    return new kind(`${name}: ${error.message}`, { ...error.place, path: name }, { cause: error })
  }
  return new BadFormatError(`${name}: ${String(error)}`, { path: name }, { cause: error })
}
