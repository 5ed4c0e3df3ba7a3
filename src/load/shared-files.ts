// Module blobs shared out over threads: whoever is free takes the next stretch of files, reads it and walks over it. Only the
// calling thread says what is wrong with a file: others leave to it what they cannot use.

import { CompiledWalk } from '../btf/compiled-walk.ts'
import { KIND_COUNT } from '../btf/format.ts'
import { readHeader } from '../btf/header.ts'
import type { BaseShape, NamedBlob } from '../btf/index-types.ts'
import { mostTypes, type WalkOutput } from '../btf/walk.ts'
import { readBtfAtOnce } from '../sources/blob.ts'

/** Files taken at once: half a millisecond's worth, so that nobody waits long for another's last ones. */
const STRETCH = 16
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
  count: 8,
  named: 9,
  sorted: 10,
  kinds: 11,
  words: 11 + KIND_COUNT + 1,
} as const

/** Numbers that threads count up together: the next file that nobody has taken, then for each helper whether it has begun. */
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
    const from = Math.min(Atomics.add(this.words, 0, STRETCH), files)
    return { from, to: Math.min(from + STRETCH, files) }
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

/** What a helper is asked to do. */
export interface HelpTask {
  readonly paths: readonly string[]
  readonly base: BaseShape
  /** The words of the counter, and the helper's place in it. */
  readonly counter: Int32Array<SharedArrayBuffer>
  readonly helper: number
}

/** What a helper has done: a row for each of its files, in numbers, because thousands of objects take long to hand over. */
export interface Helped {
  readonly rows: Uint32Array
  readonly identities: readonly string[]
  readonly blobs: SharedArrayBuffer
  readonly output: WalkOutput
}

/** Takes stretches until none is left. undefined where the compiled walk cannot run, and the calling thread does it all. */
export function helpWithFiles({ paths, base, counter: words, helper }: HelpTask): Helped | undefined {
  const counter = new FileCounter(words)
  const walk = CompiledWalk.open()
  const column = () => new SharedArrayBuffer(4 * MOST_TYPES)
  const output = {
    offsets: new Uint32Array(column()),
    hashes: new Int32Array(column()),
    places: new Int32Array(column()),
  }
  const batch = walk?.batch(base, output)
  if (walk === undefined || batch === undefined) return undefined
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
        const { headerBytes, typesStart, typesBytes, stringsStart, stringsBytes } = header
        if (types + mostTypes(typesBytes) > MOST_TYPES || !batch.begin(bytes, header, types)) continue
        let left = batch.step()
        while (left > 0) left = batch.step()
        const result = left === 0 ? batch.result() : undefined
        if (result === undefined) continue
        const place = [
          i,
          bytes.byteOffset,
          bytes.length,
          headerBytes,
          typesStart,
          typesBytes,
          stringsStart,
          stringsBytes,
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
      layoutStart: 0,
      layoutBytes: 0,
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
