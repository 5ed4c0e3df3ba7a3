// What is wrong with the content of a file says which file that is.

import { BadFormatError, LimitError, UnsupportedError } from './errors.ts'

/** Runs `read`; what it finds wrong with the content of a file says which file that is. @throws what `read` throws */
export function contentOf<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const message = `${path}: ${error.message}`
    if (error instanceof BadFormatError) throw new BadFormatError(message, { path }, { cause: error })
    if (error instanceof LimitError) throw new LimitError(message, { path }, { cause: error })
    throw error instanceof UnsupportedError ? new UnsupportedError(message, { path }) : error
  }
}
