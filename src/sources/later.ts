// Files of a source that are read only when they are needed: by path, at once, on the thread that asks. A handle takes their paths to
// other threads.

import { gunzipSync } from 'node:zlib'
import { inSharedMemory } from '../core/shared-memory.ts'
import { errorCode } from './reader.ts'
import { type Absence, absenceOf, type BtfFile } from './source.ts'
import { gatherNow, SYS_MODULE } from './sys-modules.ts'
import { readRegularFileNow } from './whole-file.ts'

/** Most bytes that a packed file may grow to: a list of every function of the largest kernel is a tenth of it. */
const MOST_BYTES = 2 ** 28

/** The bytes of the first path that can be read, a `.gz` unpacked; or why there are none. Waits for the system. */
export function readNow(what: string, paths: readonly string[]): Buffer | Absence {
  const gathered = paths[0] === SYS_MODULE ? gatherNow(what) : undefined
  if (gathered !== undefined) return gathered
  let failure: unknown = Object.assign(new Error('there is no such file'), { code: 'ENOENT' })
  for (const path of paths) {
    try {
      const bytes = readRegularFileNow(path)
      return path.endsWith('.gz') ? gunzipSync(bytes, { maxOutputLength: MOST_BYTES }) : bytes
    } catch (error) {
      // That a file may not be read says more than that another is not there.
      if (errorCode(failure) === 'ENOENT') failure = error
    }
  }
  return absenceOf(what, failure)
}

/** A type blob in shared memory, or why there is none. Waits for the system. */
export function readBlobNow({ module, path, bytes: known }: BtfFile): Uint8Array<SharedArrayBuffer> | Absence {
  if (known !== undefined) return known
  const bytes = readNow(`btf/${module}`, [path])
  return Buffer.isBuffer(bytes) ? inSharedMemory(bytes) : bytes
}
