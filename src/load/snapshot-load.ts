// A snapshot file as a load: its symbols at once, its types with them, behind them or when they are asked for.

import type { TypeSetRecord } from '../btf/read/index-types.ts'
import { factsOf } from '../snapshot/format.ts'
import type { HostFacts } from '../snapshot/host-facts.ts'
import { type TypesLater, typesLaterInFile } from '../snapshot/pending-types.ts'
import { SnapshotReader } from '../snapshot/read.ts'
import type { Handle } from '../snapshot/snapshot.ts'
import type { KernelLoad } from './cached-file.ts'
import { Timeline } from './timeline.ts'

/** Which types of a file to open, and when to read them. */
export type TypesIn = boolean | 'behind' | 'named'

/**
 * Reads a snapshot file that may come from anywhere, as the given generation. Without types none are read; those that come
 * `behind` the symbols, or are only looked up by name until they come (`named`), are the load's rest.
 * @throws NotReadableError, NoPermissionError, BadFormatError, UnsupportedError, LimitError
 */
export async function readSnapshotFile(path: string, generation: number, types: TypesIn = true): Promise<KernelLoad> {
  const timeline = new Timeline()
  const reader = new SnapshotReader(path)
  let rest: TypesLater | undefined
  try {
    const { meta } = reader.plan
    const { parts, types: records } = await reader.read({ symbols: true, groups: () => types === true, facts: true })
    const handle: Handle = {
      kerndex: 1,
      generation,
      symbols: parts.symbols!, // Asked for.
      types: records,
      host: hostOf(path, meta.host),
      skipped: meta.skipped,
      later: { facts: factsOf(reader.plan, parts.facts!), types: [] }, // Asked for.
    }
    timeline.record('read', 'snapshot', 0)
    const comeLater = typeof types === 'string' && meta.groups.length > 0
    if (comeLater) rest = typesLaterInFile(reader, types === 'named')
    return { handle, memory: undefined, timeline, rest }
  } finally {
    if (rest === undefined) reader.close()
  }
}

function hostOf(path: string, host: HostFacts): HostFacts {
  return { ...host, source: `${path}, a snapshot of ${host.source}` }
}

/** The types in a snapshot file, and what is known of the host. @throws as `readSnapshotFile` */
export async function readSnapshotTypes(path: string): Promise<{ types: readonly TypeSetRecord[]; host: HostFacts }> {
  const reader = new SnapshotReader(path)
  try {
    const { types } = await reader.read({ symbols: false, groups: () => true, facts: false })
    return { types, host: hostOf(path, reader.plan.meta.host) }
  } finally {
    reader.close()
  }
}
