// The whole load: a source in, a handle out. Symbols and types are read side by side; what the host's small files say is
// gathered meanwhile.

import { release } from 'node:os'
import { type ModuleInfo, parseBuildId, parseModules, parseRelease } from '../sources/facts.ts'
import { type Absence, type FactFile, isAbsence, type Source } from '../sources/source.ts'
import type { MemoryRange } from '../symbols/regions.ts'
import { Pacer } from './pacer.ts'
import type { Handle, HostFacts } from './snapshot.ts'
import { type LoaderThreads, loadSymbols } from './symbols.ts'
import { Timeline } from './timeline.ts'
import { loadTypes } from './types.ts'

/** How far a load is. */
export interface LoadProgress {
  /** Bytes of kallsyms text read so far. */
  readonly bytes: number
  /** About how many there will be; 0 if that is not known. */
  readonly expected: number
}

export interface LoadOptions {
  readonly threads?: LoaderThreads | undefined
  /** Whether to load types; default true. */
  readonly types?: boolean
  readonly signal?: AbortSignal | undefined
  /** Bytes of text a chunk; the result does not depend on it. */
  readonly chunkBytes?: number
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/**
 * Loads a source.
 * @throws NoPermissionError if addresses are hidden or kallsyms may not be read; NotReadableError, LimitError,
 * WorkerFailedError, AbortedError
 */
export async function loadKernel(
  source: Source,
  generation: number,
  options: LoadOptions = {},
): Promise<{ handle: Handle; timeline: Timeline }> {
  const timeline = new Timeline()
  const pacer = new Pacer(options.signal)
  const { threads, chunkBytes, onProgress } = options
  pacer.check()
  const reader = source.openSymbols()
  const expected = reader.sizeHint
  const facts = gatherFacts(source)
  const types =
    options.types === false
      ? Promise.resolve({ records: [], absences: [] })
      : source
          .btfFiles()
          .then((files) =>
            isAbsence(files) ? { records: [], absences: [files] } : loadTypes(files, { threads, pacer, timeline }),
          )
  const table = loadSymbols(reader, {
    threads,
    pacer,
    timeline,
    facts: facts.then(({ modules }) => ({ ranges: modules === undefined ? [] : modules.flatMap(rangeOf) })),
    ...(chunkBytes !== undefined && { chunkBytes }),
    ...(onProgress !== undefined && { onProgress: (bytes: number) => onProgress({ bytes, expected }) }),
  })
  // Both are waited for even when one fails, so that nothing is left running or unhandled.
  const [symbols, sets, host] = await Promise.allSettled([table, types, facts])
  if (symbols.status === 'rejected') throw symbols.reason
  if (sets.status === 'rejected') throw sets.reason
  if (host.status === 'rejected') throw host.reason
  const { buffer, badCount, bad } = symbols.value
  const handle: Handle = {
    kerndex: 1,
    generation,
    symbols: buffer,
    types: sets.value.records,
    host: { ...host.value, absences: [...host.value.absences, ...sets.value.absences] },
    skipped: { count: badCount, lines: bad },
  }
  return { handle, timeline }
}

/** Reads the small files that describe the host. What is not there is recorded, never an error. */
async function gatherFacts(source: Source): Promise<HostFacts> {
  const absences: Absence[] = []
  const read = async <T>(name: FactFile, parse: (bytes: Buffer) => T): Promise<T | undefined> => {
    const fact = await source.fact(name)
    if (!isAbsence(fact)) return parse(fact)
    absences.push(fact)
    return undefined
  }
  const [modules, version, bootId, buildId] = await Promise.all([
    read('modules', parseModules),
    source.kind === 'live' ? release() : read('version', parseRelease),
    read('boot_id', (bytes) => bytes.toString('latin1').trim()),
    read('notes', parseBuildId),
  ])
  absences.sort((a, b) => (a.what < b.what ? -1 : 1))
  return { source: source.description, release: version, bootId, buildId, modules, absences }
}

/** A module's memory as /proc/modules gives it; nothing where addresses are hidden. */
function rangeOf({ name, address, size }: ModuleInfo): MemoryRange[] {
  return address === 0n ? [] : [{ owner: name, start: address, end: address + BigInt(size) }]
}
