// Compressed bytes: gzip, xz and zstd, told by how they begin and unpacked piece by piece. What unpacks xz and zstd is
// loaded when the first such file is met.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { BadFormatError, KerndexError, LimitError, NotReadableError, UnsupportedError } from '../core/errors.ts'

export type Packing = 'gzip' | 'xz' | 'zstd'

/** Bytes that tell how a file is packed. */
export const PACKING_BYTES = 6

/** Takes the unpacked bytes in order. What it throws ends the unpacking at once: that is how output is bounded. */
export type Sink = (piece: Uint8Array) => void

/** How a file that begins with these bytes is packed; `undefined` if it is not. */
export function packingOf(start: Uint8Array): Packing | undefined {
  const begins = (...magic: number[]): boolean => magic.every((byte, i) => start[i] === byte)
  if (begins(0x1f, 0x8b)) return 'gzip'
  if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)) return 'xz'
  return begins(0x28, 0xb5, 0x2f, 0xfd) ? 'zstd' : undefined
}

/**
 * Unpacks a file's bytes into a sink. `most` is the largest output that may be set memory aside for.
 * @throws NotReadableError if they are damaged or cut off; LimitError; UnsupportedError for zstd in several frames
 * or of unknown size; typed errors of the pieces and of the sink as they are.
 */
export async function unpack(
  path: string,
  packing: Packing,
  pieces: AsyncIterable<Uint8Array>,
  sink: Sink,
  most: number,
): Promise<void> {
  let refusal: unknown
  const guarded: Sink = (piece) => {
    try {
      sink(piece)
    } catch (error) {
      refusal = error
      throw error
    }
  }
  try {
    await choose(packing)(pieces, guarded, most)
  } catch (error) {
    // Streams that are torn down report that they were, and not always why.
    if (refusal !== undefined) throw refusal
    if (error instanceof KerndexError && error.place.path !== undefined) throw error
    const message = `${path} cannot be unpacked as ${packing}: ${error instanceof Error ? error.message : String(error)}`
    if (error instanceof LimitError) throw new LimitError(message, { path })
    if (error instanceof UnsupportedError) throw new UnsupportedError(message, { path })
    throw new NotReadableError(message, { path }, { cause: error })
  }
}

type Unpacker = (pieces: AsyncIterable<Uint8Array>, sink: Sink, most: number) => Promise<void>

function choose(packing: Packing): Unpacker {
  if (packing === 'gzip') return unpackGzip
  return packing === 'xz' ? unpackXz : unpackZstd
}

function unpackGzip(pieces: AsyncIterable<Uint8Array>, sink: Sink): Promise<void> {
  return pipeline(Readable.from(pieces), zlib.createGunzip(), async (unpacked: AsyncIterable<Buffer>) => {
    for await (const piece of unpacked) sink(piece)
  })
}

async function unpackXz(pieces: AsyncIterable<Uint8Array>, sink: Sink): Promise<void> {
  const { default: xz } = await import('xz-decompress')
  // Leaving the loop early cancels the stream, which others that unpack would otherwise wait for.
  for await (const piece of new xz.XzReadableStream(ReadableStream.from(pieces))) sink(piece)
}

type UnpackZstd = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>

/** Node's own zstd, which came with 22.15; the types are those of the oldest Node that is supported. */
const { zstdDecompress } = zlib as { zstdDecompress?: typeof zlib.gunzip }
const nodeUnpacksZstd: UnpackZstd | undefined = zstdDecompress && promisify(zstdDecompress)

/**
 * Unpacks the one frame that the zstd tool makes of a file, whose header tells its size. Streams of others are left: Node
 * ends without a word where they are cut off, and fzstd takes work and memory out of proportion to their size.
 */
async function unpackZstd(pieces: AsyncIterable<Uint8Array>, sink: Sink, most: number): Promise<void> {
  const packed: Uint8Array[] = []
  let length = 0
  for await (const piece of pieces) {
    length += piece.length
    if (length > most) throw new LimitError(`more than ${most} bytes, packed`)
    packed.push(piece)
  }
  const bytes = Buffer.concat(packed)
  const size = soleFrameSize(bytes)
  if (size > most) throw new LimitError(`${size} bytes, unpacked; the limit is ${most}`)
  const unpacked = nodeUnpacksZstd
    ? await nodeUnpacksZstd(bytes, { maxOutputLength: Math.max(size, 1) })
    : (await import('fzstd')).decompress(bytes)
  if (unpacked.length !== size) {
    throw new BadFormatError(`a zstd frame of ${size} bytes holds ${unpacked.length}: it is damaged`)
  }
  sink(unpacked)
}

/** Most bytes that a block unpacks to (RFC 8878, 3.1.1.2.4). */
const MOST_BLOCK_BYTES = 128 * 1024

/** The unpacked size that a frame's header tells (RFC 8878, 3.1.1), once its blocks are seen to fill the bytes. */
function soleFrameSize(bytes: Buffer): number {
  const cut = (): never => {
    throw new BadFormatError('a zstd frame is cut off')
  }
  const flags = bytes[4] ?? cut()
  const single = (flags >> 5) & 1
  const sizeBytes = [single, 2, 4, 8][flags >> 6]!
  const at = 6 - single + [0, 1, 2, 4][flags & 3]!
  if (at + sizeBytes > bytes.length) cut()
  if (sizeBytes === 0) throw new UnsupportedError('its zstd frame does not tell its size; unpack it first (unzstd)')
  const size =
    sizeBytes === 8 ? Number(bytes.readBigUInt64LE(at)) : bytes.readUIntLE(at, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
  let blocks = 0
  let end = at + sizeBytes
  for (let last = false; !last; blocks++) {
    if (end + 3 > bytes.length) cut()
    const header = bytes.readUIntLE(end, 3)
    last = (header & 1) === 1
    // A run of one byte has its length where the others have theirs, and takes one byte.
    end += 3 + (((header >> 1) & 3) === 1 ? 1 : header >> 3)
  }
  if ((flags & 4) !== 0) end += 4
  if (end > bytes.length) cut()
  if (end < bytes.length) throw new UnsupportedError('it has more than one zstd frame; unpack it first (unzstd)')
  if (size > blocks * MOST_BLOCK_BYTES) throw new BadFormatError(`${blocks} zstd blocks cannot hold ${size} bytes`)
  return size
}

/** The most that a zstd frame may unpack to in a stream: it is unpacked as a whole. */
const MOST_ZSTD = 1 << 28

/**
 * A stream's bytes, unpacked piece by piece where its first bytes say that they are packed, and as they are else.
 * @throws as `unpack`
 */
export async function* unpackedStream(name: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const pieces = bytes[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  try {
    for (let length = 0; length < PACKING_BYTES; ) {
      const { value, done } = await pieces.next()
      if (done === true) break
      first.push(value)
      length += value.length
      // What waits for more bytes than it has may be a live stream of text; what is packed begins with its magic.
      if (packingStarts(first) === false) break
    }
    const start = Buffer.concat(first)
    const packing = packingOf(start)
    const whole = (async function* () {
      if (start.length > 0) yield start
      for (;;) {
        const { value, done } = await pieces.next()
        if (done === true) return
        yield value
      }
    })()
    if (packing === undefined) yield* whole
    else yield* unpackedPieces(name, packing, whole)
  } finally {
    await pieces.return?.()
  }
}

/** false where bytes that are there already cannot begin what is packed. */
function packingStarts(first: readonly Uint8Array[]): boolean {
  const byte = first.find(({ length }) => length > 0)?.[0]
  return byte === undefined || byte === 0x1f || byte === 0xfd || byte === 0x28
}

async function* unpackedPieces(
  name: string,
  packing: Packing,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (packing === 'gzip') {
      const source = Readable.from(pieces)
      const unpacker = zlib.createGunzip()
      source.on('error', (error) => unpacker.destroy(error))
      yield* source.pipe(unpacker)
    } else if (packing === 'xz') {
      const { default: xz } = await import('xz-decompress')
      yield* new xz.XzReadableStream(ReadableStream.from(pieces))
    } else {
      const unpacked: Uint8Array[] = []
      await unpackZstd(pieces, (piece) => unpacked.push(piece), MOST_ZSTD)
      yield* unpacked
    }
  } catch (error) {
    if (error instanceof NotReadableError) throw error
    const message = `${name} cannot be unpacked as ${packing}: ${error instanceof Error ? error.message : String(error)}`
    if (error instanceof LimitError) throw new LimitError(message, { path: name })
    if (error instanceof UnsupportedError) throw new UnsupportedError(message, { path: name })
    throw new NotReadableError(message, { path: name }, { cause: error })
  }
}
