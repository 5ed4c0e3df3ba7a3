// The facts in the first lines of a kallsyms text: whether addresses are shown, and where the kernel's image begins.

import { ANCHORS, type Anchor } from '../catalog/image.ts'
import type { ByteReader } from '../sources/reader.ts'

/** Bytes that show whether addresses are hidden: more than all the per-cpu symbols that are truly at zero take. */
const SHOWN_BYTES = 4096
/** Bytes in which the image begins: behind a few hundred per-cpu symbols. */
const MOST_BYTES = 65_536

/** A line of one of ANCHORS. */
const BEGIN = /^([0-9a-f]{1,16}) [A-Za-z] (_text|_stext)$/m

/**
 * Whether the first lines of a text have an address that is not zero: a reader who may not see addresses sees none.
 * Closes the reader.
 * @throws NotReadableError
 */
export async function showsAddresses(reader: ByteReader): Promise<boolean> {
  try {
    const text = Buffer.alloc(SHOWN_BYTES)
    const count = await reader.read(text)
    return /^0*[1-9a-f][0-9a-f]* /m.test(text.toString('latin1', 0, count))
  } finally {
    reader.close()
  }
}

/**
 * The first symbol with which the image begins; undefined where the first lines have none, or where addresses are hidden. Closes the
 * reader.
 * @throws NotReadableError
 */
export async function firstAnchor(reader: ByteReader): Promise<Anchor | undefined> {
  try {
    const text = Buffer.alloc(MOST_BYTES)
    for (let filled = 0, before = 0; filled < text.length; before = filled) {
      const got = reader.read(text.subarray(filled))
      const count = typeof got === 'number' ? got : await got
      if (count === 0) return undefined
      filled += count
      // A line may be cut between two reads.
      const from = Math.max(0, text.lastIndexOf(0x0a, before - 1) + 1)
      const [, digits, found] = BEGIN.exec(text.toString('latin1', before === 0 ? 0 : from, filled)) ?? []
      const name = ANCHORS.find((anchor) => anchor === found)
      if (name === undefined) continue
      const address = BigInt(`0x${digits}`)
      return address === 0n ? undefined : { name, address }
    }
    return undefined
  } finally {
    reader.close()
  }
}
