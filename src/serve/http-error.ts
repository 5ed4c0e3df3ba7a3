// A request that is answered with a status of its own: what was wrong with it, in words that say what to do.

/** Thrown where a request cannot be answered; the server makes an answer of it. */
export class HttpError extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.headers = headers
  }
}

export const badRequest = (message: string): HttpError => new HttpError(400, message)
export const notFound = (message: string): HttpError => new HttpError(404, message)

/** Beyond a bound that the caller can keep to by sending less. What is still on its way is not read. */
export const tooLarge = (message: string): HttpError => new HttpError(413, message, { Connection: 'close' })

/** Too much of the caller's kind at once: the same request may come again in a moment. */
export const tooMany = (message: string): HttpError => new HttpError(429, message, { 'Retry-After': '1' })

/** The server as a whole has no room, or is ending. */
export const unavailable = (message: string): HttpError => new HttpError(503, message, { 'Retry-After': '2' })
