// The names of a table's symbols while they are still in the file: three quarters of a table, which a lookup by address does not look at. They
// are read in pieces behind the opening, or at once by the first question about a name.

import type { PartMemory } from './part-memory.ts'

/** The names of one table, which several may ask for at once: a check in pieces, and whoever looks one up. */
export class LateNames {
  readonly #memory: PartMemory
  readonly #release: () => void
  #there = false
  #failure: unknown
  #released = false

  /** Of memory whose other bytes are there. `release` lets go of the file. */
  constructor(memory: PartMemory, release: () => void) {
    this.#memory = memory
    this.#release = release
  }

  /** Reads them in pieces of about a millisecond. @throws BadFormatError, NotReadableError if the file is damaged, and so once more */
  *bring(): Generator<void, void, void> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#there) return
    try {
      for (const _ of this.#memory.bring()) {
        yield
        // Meanwhile somebody else may have read them all, and closed the file.
        if (this.#failure !== undefined) throw this.#failure
        if (this.#there) return
      }
      this.#there = true
      this.close()
    } catch (error) {
      this.#failure = error
      this.close()
      throw error
    }
  }

  /** Reads them at once, if they are not there. @throws as `bring` */
  readonly now = (): void => {
    for (const _ of this.bring());
  }

  /** Lets go of the file: what has not been read will not be. */
  close(): void {
    if (this.#released) return
    this.#released = true
    this.#release()
  }
}
