// Names of the running kernel for shells to complete, from the snapshot in the cache: nothing else is fast enough for a key.

import { KerndexError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import { openKernel } from '../open-kernel.ts'
import { ASKED_KINDS } from '../probes/kinds.ts'
import type { Reader } from '../reader.ts'
import { openCache } from '../snapshot/cache.ts'
import type { NameKind } from './complete.ts'

/** Names that a shell is given: more are too many to read. */
const MOST_NAMES = 200

/** The names that begin so, with the part in front that the word has already; none where there is no snapshot. */
export async function knownNames(kind: NameKind, begun: string): Promise<string[]> {
  if (kind === 'spec' && !begun.includes(':'))
    return ASKED_KINDS.map((each) => `${each}:`).filter((each) => each.startsWith(begun))
  const path = await newestSnapshot()
  if (path === undefined) return []
  try {
    const kernel = await openKernel({ from: path, threads: 0 })
    try {
      return [...new Set(namesOf(kernel.snapshot(), kind, begun))].filter((name) => printable(name) === name)
    } finally {
      await kernel.close()
    }
  } catch (error) {
    // A shell that completes nothing is no failure.
    if (error instanceof KerndexError) return []
    throw error
  }
}

function namesOf(snapshot: Reader, kind: NameKind, begun: string): string[] {
  const { symbols } = snapshot
  if (kind === 'module') return symbols.owners.filter((owner) => owner.startsWith(begun))
  const colon = begun.lastIndexOf(':')
  const front = begun.slice(0, colon + 1)
  const name = begun.slice(colon + 1)
  // A glob is no beginning of a name; nor is nothing.
  if (/[*?[\]]/.test(begun) || name === '') return []
  const module = (kind === 'spec' ? front.split(':')[1] : front.split(':')[0]) || undefined
  const found: string[] = []
  if (kind === 'type') {
    for (const set of snapshot.types.sets) {
      if (module !== undefined && set.name !== module) continue
      for (let id = set.firstId; id < set.endId && found.length < MOST_NAMES; id++) {
        if (set.nameStartsWith(id, name) && set.kindOf(id) !== 'FUNC') found.push(front + set.nameOf(id))
      }
    }
    return found
  }
  for (const symbol of symbols.matching(`${name}*`, { owner: module })) {
    if (kind !== 'symbol' && !/^[tTwW]$/.test(symbol.type)) continue
    if (found.push(front + symbol.name) >= MOST_NAMES) break
  }
  return found
}

/** The file of the cache that was used last and can be; the running kernel's, unless it was booted anew. */
async function newestSnapshot(): Promise<string | undefined> {
  try {
    const entries = await (await openCache({})).list()
    return entries.find(({ problem }) => problem === undefined)?.path
  } catch (error) {
    if (error instanceof KerndexError) return undefined
    throw error
  }
}
