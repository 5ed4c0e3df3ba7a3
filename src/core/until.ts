// Work and waiting that end where a signal aborts.

import { AbortedError } from './errors.ts'

/** Ends work at one of its steps. `what` is what the error says was aborted. @throws AbortedError, whose `cause` is the signal's reason */
export function checkAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) throw new AbortedError(`${what} was aborted`, { cause: signal.reason })
}

/**
 * What a promise gives, unless a signal aborts first: then this fails at once, and what goes on behind it is the caller's to end.
 * `what` is what the error says was aborted; `failure` makes another error of it.
 * @throws AbortedError, whose `cause` is the signal's reason
 */
export async function until<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  what: string,
  failure: (reason: unknown) => Error = (reason) => new AbortedError(`${what} was aborted`, { cause: reason }),
): Promise<T> {
  if (signal === undefined) return promise
  // Once this has failed, the promise is not awaited any more: its own failure must not count as unhandled.
  promise.catch(() => {})
  if (signal.aborted) throw failure(signal.reason)
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(failure(signal.reason))
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
