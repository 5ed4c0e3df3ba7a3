// How much address space this process may have (`ulimit -v`). V8 ends the process where it finds none for itself, so that who
// reserves much of it has to know beforehand.

import { readFileSync } from 'node:fs'

const GIGABYTE = 2 ** 30
/** The most that the calling thread with its memory reserves, and each other thread. */
const CALLER = 3 * GIGABYTE
const THREAD = GIGABYTE

let known: number | undefined

/** Bytes of address space that this process may have; Infinity where there is no limit, or none that can be read. */
export function addressSpace(): number {
  known ??= readLimit()
  return known
}

/** So many threads as there is address space for: V8 reserves some for each, and ends the process where there is none. */
export function threadsThatFit(threads: number): number {
  return Math.max(0, Math.min(threads, Math.floor((addressSpace() - CALLER) / THREAD)))
}

function readLimit(): number {
  let limits: string
  try {
    limits = readFileSync('/proc/self/limits', 'latin1')
  } catch {
    // Another system, or one that hides it.
    return Number.POSITIVE_INFINITY
  }
  const row = limits.split('\n').find((line) => line.startsWith('Max address space '))
  const bytes = Number(row?.slice('Max address space '.length).trim().split(' ', 1)[0])
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : Number.POSITIVE_INFINITY
}
