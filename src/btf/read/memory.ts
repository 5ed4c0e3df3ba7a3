// Memory that loops over types run in: where an array lies in it, and what is said where there is no more of it.

import { LimitError } from '../../core/errors.ts'

/** Where an array lies in the memory that loops run over. */
export const address = (array: { readonly byteOffset: number }): number => array.byteOffset

/** Runs what cuts memory. @throws LimitError where there is no more of it */
export function within<T>(cut: () => T): T {
  try {
    return cut()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new LimitError(
      'BTF: these types need more memory than there is in one WebAssembly memory (4 GiB)',
      undefined,
      {
        cause: error,
      },
    )
  }
}
