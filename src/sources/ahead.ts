// What the two threads of a read-ahead share, and the reading thread's side of it: see read-ahead.ts.

import { readSync } from 'node:fs'

/** The words that both threads share. */
export const AHEAD = {
  /** Whose turn it is to read: see TURN. */
  turn: 0,
  /** Bytes put into the ring, and taken out of it; both only grow, and wrap together after 4 GiB. */
  put: 1,
  taken: 2,
  /** 1 while the calling thread waits for bytes. */
  waiting: 3,
  /** 1 when the file has ended or failed. */
  ended: 4,
  words: 5,
} as const

/** `caller`: the calling thread reads; `ready`: so it does, but the other one is up; `thread`: the other one reads; `stop`. */
export const TURN = { caller: 0, ready: 1, thread: 2, stop: 3 } as const

/** Bytes that may be read ahead. A power of two. */
export const RING_BYTES = 1 << 21

/** What the reading thread is given. */
export interface AheadStart {
  readonly descriptor: number
  readonly words: Int32Array<SharedArrayBuffer>
  readonly ring: Uint8Array<SharedArrayBuffer>
}

/** What it says: that there are bytes, or the end; or why it could read no further. */
export interface AheadNews {
  readonly error?: { readonly message: string; readonly code: string | undefined }
}

/** Bytes that have to be there before the calling thread is woken for them. */
const WORTH_WAKING = 64 * 1024
/** Bytes asked for at once; a made-up file gives a page or so. */
const READ_BYTES = 64 * 1024

/** Waits for its turn, then reads the file to its end into the ring. */
export function runAhead({ descriptor, words, ring }: AheadStart, tell: (news: AheadNews) => void): void {
  if (Atomics.compareExchange(words, AHEAD.turn, TURN.caller, TURN.ready) !== TURN.caller) return
  Atomics.wait(words, AHEAD.turn, TURN.ready)
  try {
    while (Atomics.load(words, AHEAD.turn) === TURN.thread) {
      const put = Atomics.load(words, AHEAD.put)
      const taken = Atomics.load(words, AHEAD.taken)
      const used = (put - taken) | 0
      if (used >= WORTH_WAKING && Atomics.compareExchange(words, AHEAD.waiting, 1, 0) === 1) tell({})
      if (used === RING_BYTES) {
        Atomics.wait(words, AHEAD.taken, taken)
        continue
      }
      const from = put & (RING_BYTES - 1)
      const room = Math.min(RING_BYTES - used, RING_BYTES - from, READ_BYTES)
      const count = readSync(descriptor, ring, from, room, null)
      if (count === 0) break
      Atomics.store(words, AHEAD.put, (put + count) | 0)
    }
    Atomics.store(words, AHEAD.ended, 1)
    tell({})
  } catch (error) {
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
    tell({ error: { message: error instanceof Error ? error.message : String(error), code } })
  }
}
