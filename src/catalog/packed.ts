// How the catalogue's entries and layouts are stored: a line of plain text that names the content, then the content, compressed. Bytes
// in, bytes out; the size of what is unpacked is bounded.

import { brotliCompressSync, brotliDecompressSync, constants, crc32 } from 'node:zlib'
import { BadFormatError, LimitError, UnsupportedError } from '../core/errors.ts'

/** The kinds of content that may be stored. */
export type PackedKind = 'entry' | 'layout'

const VERSION = { entry: 1, layout: 2 } as const
const MAGIC = 'kerndex '
/** Bytes in which the first line ends. */
const HEAD_BYTES = 64
/** The most bytes of text: several times the largest kernel's symbols. */
const MOST_TEXT = 1 << 27
/** A layout of hundreds of modules fits into 32 kB so; entries are a tenth larger than they could be, and written ten times as fast. */
const QUALITY = { entry: 6, layout: 10 } as const
/** A text of more is not waited for. */
const SMALL = 1 << 20

/** Whether bytes begin as what is stored does. */
export function isPacked(kind: PackedKind, bytes: Uint8Array): boolean {
  const magic = `${MAGIC}${kind} `
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(magic.length, bytes.length)).toString('latin1') === magic
}

/** The bytes that are stored for a text. */
export function pack(kind: PackedKind, text: Buffer): Buffer {
  const packed = brotliCompressSync(text, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: text.length < SMALL ? QUALITY[kind] : QUALITY.entry,
      [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
      [constants.BROTLI_PARAM_LGWIN]: 22,
    },
  })
  const head = `${MAGIC}${kind} ${VERSION[kind]} ${text.length} ${crc32(text).toString(16).padStart(8, '0')}\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), packed])
}

/**
 * The text of what was stored.
 * @throws BadFormatError if it is something else or damaged; UnsupportedError for another version; LimitError
 */
export function unpack(kind: PackedKind, bytes: Uint8Array, most = MOST_TEXT): Buffer {
  const what = kind === 'entry' ? 'catalogue entry' : 'layout'
  if (!isPacked(kind, bytes)) throw new BadFormatError(`${what}: wrong first line; these bytes are something else`)
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const head = all.toString('latin1', 0, Math.min(HEAD_BYTES, all.length))
  const end = head.indexOf('\n')
  const [version = '', length = '', sum = ''] = head.slice(MAGIC.length + kind.length + 1, Math.max(0, end)).split(' ')
  if (end < 0 || !/^\d{1,10}$/.test(length)) throw new BadFormatError(`${what}: its first line is damaged`)
  if (version !== String(VERSION[kind])) {
    throw new UnsupportedError(`${what}: version ${version}, this kerndex reads version ${VERSION[kind]}`)
  }
  if (Number(length) > most) throw new LimitError(`${what}: ${length} bytes of text; the limit is ${most}`)
  let text: Buffer
  try {
    text = brotliDecompressSync(all.subarray(end + 1), { maxOutputLength: Math.max(1, Number(length)) })
  } catch (error) {
    throw new BadFormatError(`${what}: it is cut or damaged`, {}, { cause: error })
  }
  if (text.length !== Number(length) || crc32(text).toString(16).padStart(8, '0') !== sum) {
    throw new BadFormatError(`${what}: it is damaged (wrong checksum)`)
  }
  return text
}
