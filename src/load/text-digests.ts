// Recognises a kallsyms text that was read before: by the digests of its chunks, without parsing it.

import type { TextDigests } from '../snapshot/meta.ts'
import type { ByteReader } from '../sources/reader.ts'
import { DIGEST_BYTES } from '../symbols/constants.ts'
import { Workspace } from '../symbols/workspace.ts'
import type { Pacer } from './pacer.ts'

/**
 * Reads a text to its end, or to the first chunk that differs, and tells whether it is the same. Chunks are cut as the
 * load cuts them. Closes the reader.
 * @throws NotReadableError if a read fails; AbortedError
 */
export async function isSameText(reader: ByteReader, known: TextDigests, pacer: Pacer): Promise<boolean> {
  const { digests, chunkBytes } = known
  const workspace = Workspace.open()
  // A read that was given up may still write into the memory.
  let isReading = false
  try {
    const sum = workspace.room(DIGEST_BYTES)
    const text = workspace.bytes(workspace.room(chunkBytes), chunkBytes)
    const digestOf = ({ byteOffset, length }: Uint8Array) => {
      workspace.loops.digest(byteOffset, length, sum)
      return Buffer.from(workspace.bytes(sum, DIGEST_BYTES)).toString('hex')
    }
    let filled = 0
    let chunk = 0
    for (;;) {
      if (filled === text.length) {
        const cut = workspace.loops.cutOf(text.byteOffset, text.length)
        // A line longer than a chunk: no kernel has one, and a load cuts it elsewhere.
        if (cut === 0 || digestOf(text.subarray(0, cut)) !== digests[chunk++]) return false
        text.copyWithin(0, cut)
        filled -= cut
      }
      const got = reader.read(text.subarray(filled))
      isReading = typeof got !== 'number'
      const count = typeof got === 'number' ? got : await pacer.waitFor(got)
      isReading = false
      if (count === 0) break
      filled += count
      if (pacer.due) await pacer.pause()
    }
    if (filled > 0 && digestOf(text.subarray(0, filled)) !== digests[chunk++]) return false
    return chunk === digests.length
  } finally {
    if (!isReading) workspace.release()
    reader.close()
  }
}
