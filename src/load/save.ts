// Snapshot files that people keep and carry around: written from a loaded kernel, described without being loaded.

import { flag, type Options, options as optionsOf, path as pathOf, signal } from '../core/arguments.ts'
import { until } from '../core/until.ts'
import { wholeContent } from '../snapshot/content.ts'
import { SNAPSHOT_LAYOUT } from '../snapshot/format.ts'
import type { HostFacts } from '../snapshot/host-facts.ts'
import { SnapshotReader } from '../snapshot/read.ts'
import { Snapshot, snapshotArgument } from '../snapshot/snapshot.ts'
import { snapshotSource } from '../snapshot/source.ts'
import { writeSnapshot } from '../snapshot/write.ts'
import { withOwnNames } from '../symbols/own-names.ts'
import { SymbolTable } from '../symbols/table.ts'
import { loadKernel } from './load.ts'

/** The description of a snapshot file. */
export interface SnapshotInfo {
  readonly path: string
  readonly bytes: number
  /** Of the file's layout. */
  readonly version: number
  readonly written: Date
  readonly host: HostFacts
  readonly symbolBytes: number
  /** The sets of types in it, vmlinux first. */
  readonly types: readonly string[]
  /** The host's small files in it, by name, with their lengths in bytes. */
  readonly facts: Readonly<Record<string, number>>
}

/** How to save a snapshot. */
export interface SaveOptions {
  /** Replace a file that is there. Default false. */
  readonly replace?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

const SAVE_OPTIONS: Options<SaveOptions> = { replace: flag, signal }

/**
 * Writes a snapshot with all its types, and what plans of probes need, to a file that only its owner may read. Returns the
 * file's length in bytes. What is no regular file, such as a device or a link, is never replaced.
 * @throws UsageError if there is such a file and `replace` is not set; NotReadableError, NoPermissionError; LimitError;
 * AbortedError
 */
export async function saveSnapshot(snapshot: Snapshot, path: string | URL, options?: SaveOptions): Promise<number> {
  snapshotArgument(snapshot, 'snapshot')
  const file = pathOf(path, 'path')
  const { replace = false, signal } = optionsOf(options, 'saveSnapshot', SAVE_OPTIONS)
  const write = async () => writeSnapshot(file, wholeContent(await named(snapshot)), { replace, signal })
  return until(write(), signal, 'the writing')
}

/** The same snapshot with names of its own, which one that was placed by a catalogue has not. */
async function named(snapshot: Snapshot): Promise<Snapshot> {
  const { symbols } = snapshot
  if (symbols.names === undefined) return snapshot
  const { names: _, ...handle } = snapshot.handle()
  const loaded = await loadKernel(snapshotSource(snapshot), snapshot.generation, { types: false })
  return new Snapshot({ ...handle, symbols: withOwnNames(symbols, new SymbolTable(loaded.handle.symbols)) })
}

/**
 * Reads the header of a snapshot file.
 * @throws NotReadableError, NoPermissionError, BadFormatError, UnsupportedError, LimitError
 */
export function snapshotInfo(from: string | URL): SnapshotInfo {
  const path = pathOf(from, 'path')
  const reader = new SnapshotReader(path)
  reader.close()
  const { plan, stat } = reader
  const { groups, facts, host } = plan.meta
  const sets = groups.flat().sort((a, b) => a.rank - b.rank)
  return {
    path,
    bytes: plan.bytes,
    version: SNAPSHOT_LAYOUT.version,
    written: stat.mtime,
    host,
    symbolBytes: plan.symbols.length,
    types: sets.map(({ name }) => name),
    facts: Object.fromEntries(facts.flatMap((fact) => ('reason' in fact ? [] : [[fact.what, fact.length]]))),
  }
}
