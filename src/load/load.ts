// The whole load: a source in, a handle out. Symbols and types are read side by side; what the host's small files say is
// gathered meanwhile.

import { release } from 'node:os'
import { BadFormatError } from '../core/errors.ts'
import { type ModuleInfo, parseBuildId, parseModules, parseRelease } from '../sources/facts.ts'
import { type Absence, type BtfFile, type FactFile, isAbsence, type Source } from '../sources/source.ts'
import type { Keep } from '../symbols/build.ts'
import type { MemoryRange } from '../symbols/regions.ts'
import { Pacer } from './pacer.ts'
import type { Handle, HostFacts } from './snapshot.ts'
import { type LoaderThreads, loadSymbols, type TextMemory } from './symbols.ts'
import { Timeline } from './timeline.ts'
import { type LoadedTypes, loadTypes, NO_TYPES } from './types.ts'

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
  /** Which symbols to keep; default all. */
  readonly keep?: Keep | undefined
  /** The modules whose types to load beside vmlinux; default all. */
  readonly modules?: ReadonlySet<string> | undefined
  /** What the load before this one remembers: what has not changed is taken over. */
  readonly earlier?: LoadMemory | undefined
  /** Bytes of text a chunk; the result does not depend on it. */
  readonly chunkBytes?: number | undefined
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** What a load leaves behind for the next one of the same source. */
export interface LoadMemory {
  readonly text: TextMemory
  readonly types: LoadedTypes
  readonly handle: Handle
}

/** A finished load. */
export interface Loaded {
  /** Of the new generation; that of the earlier load where nothing has changed. */
  readonly handle: Handle
  readonly memory: LoadMemory
  readonly timeline: Timeline
}

/**
 * Loads a source as the given generation.
 * @throws NoPermissionError if addresses are hidden or kallsyms may not be read; BadFormatError if it is another kind of
 * file; NotReadableError, LimitError,
 * WorkerFailedError, AbortedError
 */
export async function loadKernel(source: Source, generation: number, options: LoadOptions = {}): Promise<Loaded> {
  const timeline = new Timeline()
  const pacer = new Pacer(options.signal)
  const { threads, chunkBytes, onProgress, earlier, keep } = options
  pacer.check()
  const reader = source.openSymbols()
  const expected = reader.sizeHint
  const facts = gatherFacts(source)
  const symbols = loadSymbols(reader, {
    threads,
    pacer,
    timeline,
    keep,
    earlier: earlier?.text,
    facts: facts.then(({ modules }) => ({ ranges: modules === undefined ? [] : modules.flatMap(rangeOf) })),
    ...(chunkBytes !== undefined && { chunkBytes }),
    ...(onProgress !== undefined && { onProgress: (bytes: number) => onProgress({ bytes, expected }) }),
  })
  const types =
    options.types === false ? Promise.resolve(NO_TYPES) : gatherTypes(source, facts, options, pacer, timeline)
  // All are waited for even when one fails, so that nothing is left running or unhandled.
  await Promise.allSettled([symbols, types, facts])
  const [{ table, memory }, sets, host] = await Promise.all([symbols, types, facts])
  // A text that has lines but not one good line is another kind of file, not a kernel without symbols.
  if (table !== undefined && table.badCount > 0 && table.badCount === table.lines) {
    throw new BadFormatError(
      `none of the ${table.lines} lines is a symbol: ${source.description} holds no kallsyms text`,
    )
  }
  if (earlier !== undefined && table === undefined && sameSets(sets, earlier.types)) {
    return { handle: earlier.handle, memory: earlier, timeline }
  }
  const handle: Handle = {
    kerndex: 1,
    generation,
    symbols: table?.buffer ?? earlier!.handle.symbols,
    types: sets.records,
    host: { ...host, absences: [...host.absences, ...sets.absences] },
    skipped:
      table === undefined
        ? earlier!.handle.skipped
        : { count: table.badCount, lines: table.bad, leftOut: table.leftOut },
  }
  return { handle, memory: { text: memory, types: sets, handle }, timeline }
}

async function gatherTypes(
  source: Source,
  facts: Promise<HostFacts>,
  { threads, modules, earlier }: LoadOptions,
  pacer: Pacer,
  timeline: Timeline,
): Promise<LoadedTypes> {
  const files = await source.btfFiles()
  if (isAbsence(files)) return { ...NO_TYPES, absences: [files] }
  const { modules: loaded = [] } = await facts
  const wanted = inLoadOrder(files, loaded).filter(
    ({ module }) => module === 'vmlinux' || modules?.has(module) !== false,
  )
  return loadTypes(wanted, { threads, pacer, timeline }, earlier?.types)
}

/**
 * Blobs in the order in which the kernel searches them (btf_find_by_name_kind, bpf_find_btf_id): vmlinux, then modules as
 * they were loaded, which /proc/modules lists newest first. Those that it does not list come last, by name.
 */
function inLoadOrder(files: readonly BtfFile[], loaded: readonly ModuleInfo[]): BtfFile[] {
  const rank = new Map(loaded.map(({ name }, position) => [name, loaded.length - position]))
  const rankOf = ({ module }: BtfFile) => (module === 'vmlinux' ? 0 : (rank.get(module) ?? loaded.length + 1))
  return [...files].sort((a, b) => rankOf(a) - rankOf(b))
}

function sameSets(a: LoadedTypes, b: LoadedTypes): boolean {
  return a.records.length === b.records.length && a.records.every((record, i) => record === b.records[i])
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
