// Reading a slow file on a thread of its own. The kernel makes up the text of kallsyms while it is read, which takes longer
// than everything that is done with it; meanwhile the calling thread can work. A thread takes as long to start as half of
// the text does to read, so the calling thread begins, and hands the open file over once the other one is up.

import { Worker } from 'node:worker_threads'
import { AHEAD, type AheadNews, type AheadStart, RING_BYTES, TURN } from './ahead.ts'
import { type ByteReader, readFailure } from './reader.ts'

/** Lets a thread take over the reading of an open file; `first` reads until then, and closes it. */
export function readAhead(path: string, descriptor: number, first: ByteReader, worker: URL): ByteReader {
  const words = new Int32Array(new SharedArrayBuffer(AHEAD.words * 4))
  const ring = new Uint8Array(new SharedArrayBuffer(RING_BYTES))
  const start: AheadStart = { descriptor, words, ring }
  let thread: Worker
  try {
    thread = new Worker(worker, { workerData: start, stdin: false, stdout: false, stderr: false, env: {} })
  } catch {
    // No threads are allowed here (Node's permission model), or no more of them: this one reads as it would have without.
    return first
  }
  let failure: Error | undefined
  let wake: (() => void) | undefined
  const end = (error: Error) => {
    failure ??= error
    Atomics.store(words, AHEAD.ended, 1)
    wake?.()
  }
  thread.on('message', ({ error }: AheadNews) => {
    if (error !== undefined) end(Object.assign(new Error(error.message), { code: error.code }))
    wake?.()
  })
  thread.on('error', end)
  thread.on('exit', () => {
    if (Atomics.load(words, AHEAD.ended) === 0) end(new Error('the reading thread ended'))
  })
  // The load waits for it, not the process.
  thread.unref()

  /** Copies what is in the ring to the start of `target`. */
  const take = (target: Uint8Array): number => {
    const taken = Atomics.load(words, AHEAD.taken)
    const there = (Atomics.load(words, AHEAD.put) - taken) | 0
    const count = Math.min(there, target.length)
    const from = taken & (RING_BYTES - 1)
    const straight = Math.min(count, RING_BYTES - from)
    target.set(ring.subarray(from, from + straight))
    target.set(ring.subarray(0, count - straight), straight)
    Atomics.store(words, AHEAD.taken, (taken + count) | 0)
    Atomics.notify(words, AHEAD.taken)
    return count
  }

  const wait = async (target: Uint8Array): Promise<number> => {
    thread.ref()
    try {
      for (;;) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve
        })
        Atomics.store(words, AHEAD.waiting, 1)
        const ended = Atomics.load(words, AHEAD.ended) === 1
        const count = take(target)
        if (count > 0) return count
        if (failure !== undefined) throw readFailure(path, failure)
        if (ended) return 0
        await woken
      }
    } finally {
      Atomics.store(words, AHEAD.waiting, 0)
      wake = undefined
      thread.unref()
    }
  }

  return {
    sizeHint: first.sizeHint,
    identity: first.identity,
    read(target) {
      const turn = Atomics.load(words, AHEAD.turn)
      // A thread that ends before it has taken over leaves the file where it is.
      if (turn === TURN.caller || (turn === TURN.ready && failure !== undefined)) return first.read(target)
      if (turn === TURN.ready) {
        Atomics.store(words, AHEAD.turn, TURN.thread)
        Atomics.notify(words, AHEAD.turn)
      }
      const count = take(target)
      return count > 0 ? count : wait(target)
    },
    close() {
      Atomics.store(words, AHEAD.turn, TURN.stop)
      Atomics.notify(words, AHEAD.turn)
      Atomics.notify(words, AHEAD.taken)
      // The file is closed only when nobody can be reading it any more.
      thread.terminate().then(
        () => first.close(),
        () => first.close(),
      )
    },
  }
}
