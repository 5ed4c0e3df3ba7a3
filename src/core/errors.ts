// Every failure kerndex reports: one class per kind, each with a stable `code`, the place and what the user can do.

/** The stable codes; programs may switch on them. */
export type ErrorCode =
  | 'NO_PERMISSION'
  | 'NOT_READABLE'
  | 'NOT_WRITABLE'
  | 'NOT_FOUND'
  | 'AMBIGUOUS'
  | 'BAD_FORMAT'
  | 'UNSUPPORTED'
  | 'LIMIT'
  | 'WORKER_FAILED'
  | 'CLOSED'
  | 'ABORTED'
  | 'USAGE'

/** Where in an input a failure was found. Every field is optional: only what is known is given. */
export interface ErrorPlace {
  readonly path?: string
  /** 1-based line number. */
  readonly line?: number
  /** Offset in bytes from the start of the input. */
  readonly byteOffset?: number
  /** BTF type id. */
  readonly typeId?: number
}

/** Base of all errors thrown by kerndex. */
export class KerndexError extends Error {
  readonly code: ErrorCode
  readonly place: ErrorPlace

  constructor(code: ErrorCode, message: string, place: ErrorPlace = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.place = place
    this.name = new.target.name
  }
}

/** The kernel hides what was asked for: addresses that are all zero, or a file that this user may not read. */
export class NoPermissionError extends KerndexError {
  constructor(message: string, place?: ErrorPlace, options?: ErrorOptions) {
    super('NO_PERMISSION', message, place, options)
  }
}

/** A source cannot be read at all: missing, not the kind of file expected, or the read failed half way. */
export class NotReadableError extends KerndexError {
  constructor(message: string, place?: ErrorPlace, options?: ErrorOptions) {
    super('NOT_READABLE', message, place, options)
  }
}

/** A file cannot be written: no such directory, no right to, no room. */
export class NotWritableError extends KerndexError {
  constructor(message: string, place?: ErrorPlace, options?: ErrorOptions) {
    super('NOT_WRITABLE', message, place, options)
  }
}

/** A `require…` lookup found nothing. Lookups that may miss return `undefined` or an empty list instead. */
export class NotFoundError extends KerndexError {
  constructor(message: string) {
    super('NOT_FOUND', message)
  }
}

/** A `require…` lookup found several answers; `candidates` says which. */
export class AmbiguousError<Candidate = unknown> extends KerndexError {
  readonly candidates: readonly Candidate[]

  constructor(message: string, candidates: readonly Candidate[]) {
    super('AMBIGUOUS', message)
    this.candidates = candidates
  }
}

/** Bytes that are not what their format demands. */
export class BadFormatError extends KerndexError {
  constructor(message: string, place?: ErrorPlace, options?: ErrorOptions) {
    super('BAD_FORMAT', message, place, options)
  }
}

/** A well-formed input of a kind or version that kerndex does not know. */
export class UnsupportedError extends KerndexError {
  constructor(message: string, place?: ErrorPlace) {
    super('UNSUPPORTED', message, place)
  }
}

/** An input that exceeds a documented limit, such as more owners than an owner index can number. */
export class LimitError extends KerndexError {
  constructor(message: string, place?: ErrorPlace, options?: ErrorOptions) {
    super('LIMIT', message, place, options)
  }
}

/** A loader or query thread died or could not be started. */
export class WorkerFailedError extends KerndexError {
  constructor(message: string, options?: ErrorOptions) {
    super('WORKER_FAILED', message, {}, options)
  }
}

/** The object was closed before the call. */
export class ClosedError extends KerndexError {
  constructor(message: string, options?: ErrorOptions) {
    super('CLOSED', message, {}, options)
  }
}

/** The caller's AbortSignal ended the work; `cause` is the signal's reason. */
export class AbortedError extends KerndexError {
  constructor(message: string, options?: ErrorOptions) {
    super('ABORTED', message, {}, options)
  }
}

/** An argument that can never be right, whatever the kernel. */
export class UsageError extends KerndexError {
  constructor(message: string) {
    super('USAGE', message)
  }
}

/** An error as it crosses to another thread: structured clone would drop its class and its code. */
export interface ErrorRecord {
  readonly code: ErrorCode | undefined
  readonly name: string
  readonly message: string
  readonly place: ErrorPlace
  readonly stack: string | undefined
}

/** Turns anything thrown into a record that survives structured clone. */
export function errorToRecord(error: unknown): ErrorRecord {
  if (error instanceof KerndexError) {
    return { code: error.code, name: error.name, message: error.message, place: error.place, stack: error.stack }
  }
  if (error instanceof Error) {
    return { code: undefined, name: error.name, message: error.message, place: {}, stack: error.stack }
  }
  return { code: undefined, name: 'Error', message: wordsOf(error), place: {}, stack: undefined }
}

/** Anything as text, even an object that cannot be made one. */
function wordsOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'something that has no text'
  }
}

/** Rebuilds the error a record was made of; what was not a kerndex error comes back as `WORKER_FAILED`. */
export function errorFromRecord(record: ErrorRecord): KerndexError {
  if (typeof record !== 'object' || record === null) throw new UsageError('not a record: pass what errorToRecord gave')
  const { code, message, place } = record
  switch (code) {
    case 'NO_PERMISSION':
      return new NoPermissionError(message, place)
    case 'NOT_READABLE':
      return new NotReadableError(message, place)
    case 'NOT_WRITABLE':
      return new NotWritableError(message, place)
    case 'NOT_FOUND':
      return new NotFoundError(message)
    case 'AMBIGUOUS':
      return new AmbiguousError(message, [])
    case 'BAD_FORMAT':
      return new BadFormatError(message, place)
    case 'UNSUPPORTED':
      return new UnsupportedError(message, place)
    case 'LIMIT':
      return new LimitError(message, place)
    case 'CLOSED':
      return new ClosedError(message)
    case 'ABORTED':
      return new AbortedError(message)
    case 'USAGE':
      return new UsageError(message)
    default: {
      const cause = new Error(message)
      cause.name = record.name
      if (record.stack !== undefined) cause.stack = record.stack
      return new WorkerFailedError(`a thread failed: ${record.name}: ${message}`, { cause })
    }
  }
}
