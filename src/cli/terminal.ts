// Whether people look at stdout and stderr, and how wide their terminal is. Node tells that of its streams, whose code takes long to
// read: they are asked only about what can be a terminal.

import { fstatSync, type Stats } from 'node:fs'

type Output = 'stdout' | 'stderr'

const DESCRIPTORS: Readonly<Record<Output, number>> = { stdout: 1, stderr: 2 }
/** The major number of /dev/null and its like. */
const MEMORY_DEVICES = 1

/** Whether that is a device without anybody behind it. */
export function isPlainDevice(found: Stats): boolean {
  return found.isCharacterDevice() && found.rdev >>> 8 === MEMORY_DEVICES
}

/** Whether that is a terminal. */
export function isTerminal(output: Output): boolean {
  try {
    const found = fstatSync(DESCRIPTORS[output])
    return found.isCharacterDevice() && !isPlainDevice(found) && process[output].isTTY === true
  } catch {
    return false
  }
}

/** Columns of the terminal; undefined where there is none, or where it does not know. */
export function columnsOf(output: Output): number | undefined {
  return isTerminal(output) ? process[output].columns || undefined : undefined
}
