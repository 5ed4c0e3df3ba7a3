// Files that kerndex writes, named where the source of a host is meant: what they are, and where they belong.

import { closeSync, constants, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BOOK_LAYOUT } from '../catalog/book.ts'
import { BUILD_ID } from '../catalog/json.ts'
import { isPacked } from '../catalog/packed.ts'
import { NotReadableError } from '../core/errors.ts'

const START_BYTES = 32
const ELSEWHERE =
  'which knows builds and no host: name the catalogue with --catalog, beside a layout; `kerndex catalog import` takes it in'

/**
 * Refuses a catalogue, a file of one, and, where `needed` says what is needed instead, a layout; anything else is for the source that it is.
 * @throws NotReadableError that says what the path is, and what is needed
 */
export function refuseOwn(path: string, needed?: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory() === true && isCatalog(path))
    throw new NotReadableError(`${path} is a catalogue, ${ELSEWHERE}`, { path })
  if (found?.isFile() !== true) return
  const start = startOf(path)
  const isBook = start.length >= 4 && new Uint32Array(start.slice(0, 4).buffer)[0] === BOOK_LAYOUT.magic
  if (isBook || isPacked('entry', start))
    throw new NotReadableError(`${path} is a file of a catalogue, ${ELSEWHERE}`, { path })
  if (needed !== undefined && isPacked('layout', start)) {
    throw new NotReadableError(`${path} is a layout, which tells only where a host has its builds: give ${needed}`, {
      path,
    })
  }
}

/** Whether a directory has the folder of a kernel in it, and no capture. */
function isCatalog(path: string): boolean {
  try {
    if (['kallsyms', 'kallsyms.gz'].some((name) => existsSync(join(path, name)))) return false
    const kernel = readdirSync(path).find((name) => BUILD_ID.test(name))
    return kernel !== undefined && readdirSync(join(path, kernel)).some((name) => name.endsWith('.entry'))
  } catch {
    // Whoever reads it says why it cannot be read.
    return false
  }
}

function startOf(path: string): Uint8Array {
  const start = new Uint8Array(START_BYTES)
  try {
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      return start.subarray(0, readSync(descriptor, start, 0, START_BYTES, 0))
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return start.subarray(0, 0)
  }
}
