// Fresh memory, made ready beside the calling thread. The first write to a page of memory has the kernel find and clear it,
// which takes microseconds a page: for a table's columns, as long as parsing the text. A read of /dev/zero writes zeros over
// zeros, on one of the threads that Node keeps for files.

import { closeSync, openSync, readv, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Room } from '../sources/blob.ts'
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

/** Bytes that are touched at once for files, while as many are filled. */
const PIECE = 4 << 20

/** A room for many files, whose memory is touched ahead of them, piece by piece. Nobody waits: what is not touched yet is fresh. */
export class TouchedRoom implements Room {
  readonly #whole: Room
  #piece = new Uint8Array(new SharedArrayBuffer(0))
  #used = 0
  /** The piece that was touched last; undefined until that is over. */
  #next: Uint8Array<SharedArrayBuffer> | undefined

  constructor(whole: Room) {
    this.#whole = whole
    this.#prepare()
  }

  take(bytes: number): Uint8Array<SharedArrayBuffer> {
    const room = Math.ceil(bytes / 8) * 8
    if (this.#used + room > this.#piece.length && this.#next !== undefined) {
      this.#piece = this.#next
      this.#used = 0
      this.#prepare()
    }
    if (this.#used + room > this.#piece.length) return this.#whole.take(bytes)
    const start = this.#used
    this.#used += room
    return this.#piece.subarray(start, start + bytes)
  }

  #prepare(): void {
    this.#next = undefined
    const piece = this.#whole.take(PIECE)
    const touching = touched([piece])
    void touching?.over.then(() => {
      if (!touching.givenUp) this.#next = piece
    })
  }
}
