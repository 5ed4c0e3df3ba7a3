// Bodies that are held in memory have to come at a least rate: a slower sender gives its place to others.

import { HttpError } from './http-error.ts'
import type { Limits } from './limits.ts'

/**
 * The same pieces, as long as the caller keeps up: it may keep the server waiting for `bodyMs`, and wins time back by each byte at
 * `bodyRate`, never more than that. Time that the server takes for itself between pieces does not count. `now` is in milliseconds.
 * @throws HttpError 408 once that time is used up
 */
export async function* fastEnough<T extends Uint8Array>(
  pieces: AsyncIterable<T>,
  { bodyMs, bodyRate }: Pick<Limits, 'bodyMs' | 'bodyRate'>,
  now: () => number = () => performance.now(),
): AsyncGenerator<T> {
  const iterator = pieces[Symbol.asyncIterator]()
  let left = bodyMs
  try {
    for (;;) {
      const begun = now()
      const { done, value } = await within(iterator.next(), left)
      if (done === true) return
      left -= now() - begun
      if (left <= 0) throw tooSlow()
      left = Math.min(bodyMs, left + (value.length / bodyRate) * 1000)
      yield value
    }
  } finally {
    // It may still wait for a piece that never comes.
    iterator.return?.().catch(() => {})
  }
}

const tooSlow = () => new HttpError(408, 'the body comes too slowly: send it again, faster', { Connection: 'close' })

/** What a promise gives within so many milliseconds. @throws HttpError 408 */
async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow()), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
