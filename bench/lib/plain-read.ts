// The yardstick of every load: reading the same files to their ends and doing nothing with them.

import { closeSync, openSync, readSync } from 'node:fs'

/** Bytes asked for at a time; /proc and /sys give at most a page whatever is asked. */
const BUFFER_BYTES = 512 * 1024

/** Reads files one after another into one buffer and returns how many bytes they had. */
export function plainRead(files: readonly string[]): number {
  const buffer = new Uint8Array(BUFFER_BYTES)
  let total = 0
  for (const file of files) {
    const descriptor = openSync(file, 'r')
    for (;;) {
      const count = readSync(descriptor, buffer, 0, buffer.length, null)
      if (count === 0) break
      total += count
    }
    closeSync(descriptor)
  }
  return total
}
