// The content of a snapshot file, taken from a loaded kernel.

import { indexTypes, readShape, type TypeSetRecord } from '../btf/read/index-types.ts'
import { viewIndex } from '../btf/read/name-index.ts'
import type { BootCore } from '../catalog/boot-core.ts'
import { inSharedMemory } from '../core/shared-memory.ts'
import { isAbsence, MODULE_FACTS, PROBE_FACTS } from '../sources/source.ts'
import type { SnapshotContent } from './format.ts'
import type { TextDigests } from './meta.ts'
import type { Handle, Snapshot } from './snapshot.ts'

/** What the cache keeps of a load. What the running kernel's own files say is read from them again. */
export function cachedContent(
  handle: Handle,
  identities: ReadonlyMap<string, string>,
  text: TextDigests | undefined,
  core: BootCore | undefined,
): SnapshotContent {
  const { symbols, types, host, skipped } = handle
  return { symbols, types: inWholeIndexes(types), identities, host, skipped, text, facts: {}, core }
}

/** Everything that a snapshot knows, with all its types and the files that plans of probes need, to be used elsewhere. */
export function wholeContent(snapshot: Snapshot): SnapshotContent {
  const { symbols, types, host, skipped } = snapshot
  // Asking for the sets reads those that were left for later.
  const names = new Set(types.sets.map(({ name }) => name))
  const records = types.records.filter(({ name }) => names.has(name))
  const facts = [...PROBE_FACTS, ...MODULE_FACTS].map((name) => {
    const fact = snapshot.fact(name)
    return [name, isAbsence(fact) ? fact : inSharedMemory(fact)]
  })
  return {
    symbols: symbols.buffer,
    types: inWholeIndexes(records),
    identities: new Map(),
    host,
    skipped,
    text: undefined,
    facts: Object.fromEntries(facts),
  }
}

/** The same sets, with an index of their own wherever the one they are in has others that are not wanted any more. */
function inWholeIndexes(records: readonly TypeSetRecord[]): TypeSetRecord[] {
  const counts = new Map<SharedArrayBuffer, number>()
  for (const { index } of records) counts.set(index, (counts.get(index) ?? 0) + 1)
  const partial = records.filter(({ index }) => counts.get(index) !== viewIndex(index).setCount)
  const [vmlinux] = records
  if (partial.length === 0 || vmlinux === undefined) return [...records]
  const bytesOf = ({ blob, blobOffset, blobLength }: TypeSetRecord) => new Uint8Array(blob, blobOffset, blobLength)
  const blobs = partial
    .filter((record) => record !== vmlinux)
    .map((record) => ({ name: record.name, bytes: bytesOf(record) }))
  const renewed = new Map(
    [
      ...(partial.includes(vmlinux) ? indexTypes([{ name: vmlinux.name, bytes: bytesOf(vmlinux) }]).records : []),
      ...(blobs.length > 0 ? indexTypes(blobs, readShape(bytesOf(vmlinux))).records : []),
    ].map((record) => [record.name, record]),
  )
  return records.map((record) => renewed.get(record.name) ?? record)
}
