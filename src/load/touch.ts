// Fresh memory, made ready beside the calling thread. The first write to a page of memory has the kernel find and clear it,
// which takes microseconds a page: for a table's columns, as long as parsing the text. A read of /dev/zero writes zeros over
// zeros, on one of the threads that Node keeps for files.

import { closeSync, openSync, readv, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Touching } from '../symbols/workspace.ts'

/** Memory below this is touched sooner than asked for; above this, the size is probably a wrong guess. */
const WORTH_WHILE = 1 << 20
const MOST = 64 << 20
/** Milliseconds after which arrays are given up: Node's threads for files may all be held by reads that have nothing to read. */
const PATIENCE = 25
/** The numbers of /dev/zero, 1 and 5 (Documentation/admin-guide/devices.txt), as `stat` gives them. */
const ZERO_DEVICE = 0x105

/** Has arrays that are still all zeros touched; undefined where there is no other core or no /dev/zero. */
export function touched(arrays: readonly Uint8Array[]): Touching | undefined {
  const bytes = arrays.reduce((sum, { length }) => sum + length, 0)
  if (bytes < WORTH_WHILE || bytes > MOST || availableParallelism() === 1) return undefined
  const zeros = openZeros()
  if (zeros === undefined) return undefined
  let givenUp = false
  const over = new Promise<void>((resolve) => {
    const giveUp = () => {
      givenUp = true
      resolve()
    }
    // A turn later, in case that it is over and only this thread was too busy to be told.
    let waiting: NodeJS.Immediate | undefined
    const timer = setTimeout(() => {
      waiting = setImmediate(giveUp)
    }, PATIENCE)
    // Whatever comes of it, the memory holds zeros afterwards.
    readv(zeros, arrays, null, () => {
      clearTimeout(timer)
      clearImmediate(waiting)
      closeSync(zeros)
      resolve()
    })
  })
  return {
    over,
    get givenUp() {
      return givenUp
    },
  }
}

function openZeros(): number | undefined {
  const path = '/dev/zero'
  try {
    return statSync(path).rdev === ZERO_DEVICE ? openSync(path, 'r') : undefined
  } catch {
    return undefined
  }
}
