// The loops that every symbol of a table goes through while it is built, under one name each, so that there can be a second
// implementation of them all: see wasm.ts. The plain ones stand beside what they serve.

import { countNames, enterNames, placeIds, sumCounts } from './assemble.ts'
import { digest } from './digest.ts'
import { flagIds } from './flags.ts'
import { adopt, gather } from './gather.ts'
import { ascendingUntil, countDigits, listPositions, mergeInto, scatter } from './order.ts'
import { countCells, markCells } from './pages.ts'
import { scan } from './parse.ts'
import { rehash } from './roots.ts'
import type { Workspace } from './workspace.ts'

export const plainLoops = {
  scan,
  gather,
  adopt,
  rehash,
  ascendingUntil,
  listPositions,
  countDigits,
  scatter,
  mergeInto,
  placeIds,
  countCells,
  markCells,
  flagIds,
  countNames,
  sumCounts,
  enterNames,
  digest,
}

/** The loops, whoever implements them. All arrays that they are given lie where they can reach them. */
export type SymbolLoops = Readonly<typeof plainLoops>

/** A workspace with the plain loops, and every column in a buffer of its own. */
export function plainWorkspace(): Workspace {
  return {
    loops: plainLoops,
    slice: 2_048,
    allocate: (bytes) => new Uint8Array(new SharedArrayBuffer(bytes)),
    reach: (_use, bytes) => bytes,
  }
}
