// Module blobs shared out over threads: a thread that is free takes the next files, reads them and walks over them. Only the calling
// thread says what is wrong with a file: others leave to it the files that they cannot use.

import { KIND_COUNT } from '../btf/kinds.ts'
import { readHeader } from '../btf/read/header.ts'
import type { BaseShape, NamedBlob } from '../btf/read/index-types.ts'
import { mostTypes, Walk, type WalkOutput } from '../btf/read/walk.ts'
import { readBtfAtOnce } from '../sources/blob.ts'

/** Files taken at once: half a millisecond's worth, so that no thread waits long for the last files of another. */
const FILES_AT_ONCE = 16
/** Types for which one thread has room: more than any kernel has. What is not used takes address space only. */
const MOST_TYPES = 1 << 22

/** Words that tell of one file, and behind them one for each kind. */
const ROW = {
  file: 0,
  offset: 1,
  length: 2,
  headerBytes: 3,
  typesStart: 4,
  typesBytes: 5,
  stringsStart: 6,
  stringsBytes: 7,
  layoutStart: 8,
  layoutBytes: 9,
  count: 10,
  named: 11,
  sorted: 12,
  kinds: 13,
  words: 13 + KIND_COUNT + 1,
} as const

/** Numbers that threads count up together: the next file to be taken, then for each helper whether it has begun. */
export class FileCounter {
  readonly words: Int32Array<SharedArrayBuffer>

  constructor(words: Int32Array<SharedArrayBuffer>) {
    this.words = words
  }

  static forHelpers(helpers: number): FileCounter {
    return new FileCounter(new Int32Array(new SharedArrayBuffer(4 * (1 + helpers))))
  }

  /** The next stretch, as the numbers of its files; empty when there is none. */
  take(files: number): { readonly from: number; readonly to: number } {
    const from = Math.min(Atomics.add(this.words, 0, FILES_AT_ONCE), files)
    return { from, to: Math.min(from + FILES_AT_ONCE, files) }
  }

  /** Leaves nothing to take. */
  end(files: number): void {
    Atomics.store(this.words, 0, files)
  }

  begin(helper: number): void {
    Atomics.store(this.words, 1 + helper, 1)
  }

  /** Whether a helper may have taken files. Once nothing is left to take, one that has not never will. */
  hasBegun(helper: number): boolean {
    return Atomics.load(this.words, 1 + helper) === 1
  }
}

/** A helper's task. */
export interface HelpTask {
  readonly paths: readonly string[]
  readonly base: BaseShape
  /** The words of the counter, and the helper's place in it. */
  readonly counter: Int32Array<SharedArrayBuffer>
  readonly helper: number
}

/** A helper's result: a row for each of its files, in numbers, because thousands of objects take long to hand over. */
export interface Helped {
  readonly rows: Uint32Array
  readonly identities: readonly string[]
  readonly blobs: SharedArrayBuffer
  readonly output: WalkOutput
}

/** Takes stretches until none is left. @throws UnsupportedError where there is no WebAssembly for the walk */
export function helpWithFiles({ paths, base, counter: words, helper }: HelpTask): Helped {
  const counter = new FileCounter(words)
  const walk = Walk.open()
  const column = () => new SharedArrayBuffer(4 * MOST_TYPES)
  const output = {
    offsets: new Uint32Array(column()),
    hashes: new Int32Array(column()),
    places: new Int32Array(column()),
  }
  const batch = walk.batch(base, output)
  const rows: number[] = []
  const identities: string[] = []
  let types = 0
  counter.begin(helper)
  for (let { from, to } = counter.take(paths.length); from < to; { from, to } = counter.take(paths.length)) {
    for (let i = from; i < to; i++) {
      try {
        const blob = readBtfAtOnce({ module: '', path: paths[i]! }, walk)
        if (blob === undefined) continue
        const { bytes, identity } = blob
        const header = readHeader(bytes, base.stringBytes > 0)
        const { headerBytes, typesStart, typesBytes, stringsStart, stringsBytes, layoutStart, layoutBytes } = header
        // A blob in the other byte order is copied for good, which the calling thread does.
        if (header.foreign || typesStart % 4 !== 0) continue
        if (types + mostTypes(typesBytes) > MOST_TYPES) continue
        batch.begin(bytes, header, types)
        while (batch.step() > 0);
        const result = batch.result()
        const place = [
          i,
          bytes.byteOffset,
          bytes.length,
          headerBytes,
          typesStart,
          typesBytes,
          stringsStart,
          stringsBytes,
          layoutStart,
          layoutBytes,
        ]
        rows.push(...place, result.count, result.named, result.sorted ? 1 : 0, ...result.kindCounts)
        identities.push(identity)
        types += result.count
      } catch {
        // The calling thread meets the same, and reports it.
      }
    }
  }
  batch.flush(types)
  return { rows: Uint32Array.from(rows), identities, blobs: walk.take(0).buffer, output }
}

/** The blobs that a helper has done, each with the number of its file and its identity. */
export function* blobsOf({ rows, identities, blobs, output }: Helped, names: (file: number) => string) {
  let from = 0
  for (let i = 0; i < identities.length; i++) {
    const row = rows.subarray(i * ROW.words, (i + 1) * ROW.words)
    const file = row[ROW.file]!
    const count = row[ROW.count]!
    const header = {
      foreign: false,
      headerBytes: row[ROW.headerBytes]!,
      typesStart: row[ROW.typesStart]!,
      typesBytes: row[ROW.typesBytes]!,
      stringsStart: row[ROW.stringsStart]!,
      stringsBytes: row[ROW.stringsBytes]!,
      layoutStart: row[ROW.layoutStart]!,
      layoutBytes: row[ROW.layoutBytes]!,
    }
    const result = {
      count,
      named: row[ROW.named]!,
      sorted: row[ROW.sorted] === 1,
      kindCounts: row.subarray(ROW.kinds),
    }
    const blob: NamedBlob = {
      name: names(file),
      bytes: new Uint8Array(blobs, row[ROW.offset]!, row[ROW.length]!),
      walked: { header, result, output, from },
    }
    from += count
    yield { file, identity: identities[i]!, blob }
  }
}
