// What a load leaves for later: types, and files that are read when they are asked for.

import { inSharedMemory } from '../core/shared-memory.ts'
import type { LoadedTypes } from '../snapshot/loaded-types.ts'
import type { TypesLater } from '../snapshot/pending-types.ts'
import type { FactRecord, ReadLater } from '../snapshot/snapshot.ts'
import { loadTypesNow } from '../snapshot/types-now.ts'
import type { ModuleInfo } from '../sources/facts.ts'
import { type BtfFile, type FactFile, isAbsence, MODULE_FACTS, PROBE_FACTS, type Source } from '../sources/source.ts'
import type { Lender } from './lent-threads.ts'
import { Pacer } from './pacer.ts'
import { Timeline } from './timeline.ts'
import { loadTypes } from './types.ts'

/** How files are loaded later, with threads that are lent for it. */
export function restOf(
  files: readonly BtfFile[],
  lend: Lender = (work) => work(undefined),
  timeline = new Timeline(),
  known?: LoadedTypes,
): TypesLater {
  return {
    place: { files },
    async load(signal) {
      const pacer = new Pacer(signal)
      pacer.check()
      return lend((threads) => loadTypes(files, { threads, pacer, timeline }, known))
    },
    now: () => loadTypesNow(files, known),
  }
}

/** The files that plans of probes and snapshots are made from: in shared memory, if `now` what plans need, or where to find them. */
export async function laterFacts(source: Source, now: boolean): Promise<ReadLater['facts']> {
  const facts: Partial<Record<FactFile, FactRecord>> = {}
  const read = async (name: FactFile) => {
    const fact = await source.fact(name)
    facts[name] = isAbsence(fact) ? fact : inSharedMemory(fact)
  }
  const reading: Promise<void>[] = []
  for (const name of [...PROBE_FACTS, ...MODULE_FACTS]) {
    const paths = source.factPaths(name)
    const wanted = now && (PROBE_FACTS as readonly FactFile[]).includes(name)
    if (paths.length > 0 && !wanted) facts[name] = { paths }
    else reading.push(read(name))
  }
  await Promise.all(reading)
  return facts
}

/**
 * Blobs in the order in which the kernel searches them (btf_find_by_name_kind, bpf_find_btf_id): vmlinux, then modules as
 * they were loaded, which /proc/modules lists newest first. Those that it does not list come last, by name.
 */
export function inLoadOrder(files: readonly BtfFile[], loaded: readonly ModuleInfo[]): BtfFile[] {
  const rank = new Map(loaded.map(({ name }, position) => [name, loaded.length - position]))
  const rankOf = ({ module }: BtfFile) => (module === 'vmlinux' ? 0 : (rank.get(module) ?? loaded.length + 1))
  const ranked = files.map((file) => ({ file, rank: rankOf(file) }))
  return ranked.sort((a, b) => a.rank - b.rank).map(({ file }) => file)
}

export function sameSets(a: LoadedTypes, b: LoadedTypes): boolean {
  return a.records.length === b.records.length && a.records.every((record, i) => record === b.records[i])
}
