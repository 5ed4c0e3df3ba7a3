// The symbols of a snapshot file so far as the answers to a few questions look at them.

import { bringAnswers } from '../symbols/stored-answers.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { SnapshotReader } from './read.ts'

/**
 * A table that can be asked what is at these addresses, and nothing else; undefined where all of it has to be read for that, or
 * where more is to be said of the file than its answers.
 * @throws as `SnapshotReader.read`
 */
export function symbolsAround(path: string, addresses: readonly bigint[]): SymbolTable | undefined {
  const reader = new SnapshotReader(path)
  try {
    if (reader.plan.meta.host.placement !== undefined) return undefined
    return reader.symbolsIf((stored) => bringAnswers(stored, addresses))
  } finally {
    reader.close()
  }
}
