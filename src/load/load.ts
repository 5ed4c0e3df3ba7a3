// The whole load: a source in, a handle out. Symbols and types are read side by side; what the host's small files say is
// gathered meanwhile.

import { createHash } from 'node:crypto'
import { BadFormatError } from '../core/errors.ts'
import type { HostFacts } from '../snapshot/host-facts.ts'
import { type LoadedTypes, NO_TYPES } from '../snapshot/loaded-types.ts'
import type { TypesLater } from '../snapshot/pending-types.ts'
import type { Handle } from '../snapshot/snapshot.ts'
import type { ModuleInfo } from '../sources/facts.ts'
import { type ModuleSections, parseModuleSections } from '../sources/module-sections.ts'
import { type Absence, type BtfFile, isAbsence, type Source } from '../sources/source.ts'
import type { Keep } from '../symbols/build.ts'
import type { ModuleMemory } from '../symbols/memory-range.ts'
import { filesNow, HOST_FILES, type HostBytes, type HostFile, hostOf, type ListedModules } from './host.ts'
import { inLoadOrder, laterFacts, restOf, sameSets } from './later.ts'
import type { Lender } from './lent-threads.ts'
import { Pacer } from './pacer.ts'
import { loadSymbols, type TextMemory } from './symbols.ts'
import type { LoaderThreads } from './tasks.ts'
import { Timeline } from './timeline.ts'
import { loadTypes, type TypeThreads } from './types.ts'

/** How far a load is. */
export interface LoadProgress {
  /** Bytes of kallsyms text read so far. */
  readonly bytes: number
  /** About how many there will be; 0 if that is not known. */
  readonly expected: number
}

export interface LoadOptions {
  readonly threads?: LoaderThreads | undefined
  /** Lends threads for `Loaded.rest`; without it the calling thread does that alone. */
  readonly lend?: Lender | undefined
  /** Whether to load types; 'lazy': those of vmlinux now, a module's when first asked for. Default true. */
  readonly types?: boolean | 'lazy'
  /** Be done with the symbols: the types that are to be loaded now are left for `Loaded.rest`. Default false. */
  readonly symbolsFirst?: boolean | undefined
  /** Load what the planner of probes needs as well, so that its first plan has nothing to read. */
  readonly probes?: boolean | undefined
  /** Ask the running kernel too where the sections of modules begin. */
  readonly sections?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Which symbols to keep; default all. */
  readonly keep?: Keep | undefined
  /** The modules whose types to load beside vmlinux; default all. */
  readonly modules?: ReadonlySet<string> | undefined
  /** The memory of the load before this one: parts that have not changed are taken over. */
  readonly earlier?: LoadMemory | undefined
  /** Type sets that are known from elsewhere, such as a file: those whose files are still the same are taken over. */
  readonly knownTypes?: LoadedTypes | undefined
  /** Bytes of text a chunk; the result does not depend on it. */
  readonly chunkBytes?: number | undefined
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/** The memory that a load leaves for the next one of the same source. */
export interface LoadMemory {
  readonly text: TextMemory
  readonly types: LoadedTypes
  readonly handle: Handle
  readonly listed: ListedModules | undefined
  readonly sections: SectionsMemory
}

/** Where the sections of modules begin, with a digest of the text that says so. */
interface SectionsMemory {
  readonly digest: string | undefined
  readonly starts: ReadonlyMap<string, ModuleSections>
}

/** A finished load. */
export interface Loaded {
  /** Of the new generation; that of the earlier load where nothing has changed. */
  readonly handle: Handle
  readonly memory: LoadMemory
  readonly timeline: Timeline
  /** The types that the handle lacks, and that `memory` has to be given; undefined where it lacks none. */
  readonly rest?: TypesLater | undefined
}

/**
 * Loads a source as the given generation.
 * @throws NoPermissionError if addresses are hidden or kallsyms may not be read; BadFormatError if it is another kind of
 * file; NotReadableError, LimitError,
 * WorkerFailedError, AbortedError
 */
export async function loadKernel(source: Source, generation: number, options: LoadOptions = {}): Promise<Loaded> {
  const timeline = new Timeline(options.threads?.count)
  const pacer = new Pacer(options.signal)
  const { threads, chunkBytes, onProgress, earlier, keep } = options
  pacer.check()
  const reader = source.openSymbols()
  const expected = reader.sizeHint
  const files = filesOf(source)
  const facts = files.then((read) => hostOf(source, read, earlier?.listed))
  const sections = facts.then(() => sectionsOf(source, options.sections === true, earlier?.sections))
  const symbols = loadSymbols(reader, {
    threads,
    pacer,
    timeline,
    keep,
    earlier: earlier?.text,
    facts: Promise.all([facts, sections]).then(([{ modules }, { starts }]) => {
      const isSame = modules === earlier?.listed?.modules && starts === earlier?.sections.starts
      return isSame && earlier !== undefined ? earlier.text.facts : { ranges: memoryOf(modules ?? [], starts) }
    }),
    ...(chunkBytes !== undefined && { chunkBytes }),
    ...(onProgress !== undefined && { onProgress: (bytes: number) => onProgress({ bytes, expected }) }),
  })
  const known = earlier?.types ?? options.knownTypes
  const types = listTypes(source, facts, options).then(async ({ now, later, absences }) => {
    const first = options.symbolsFirst === true
    const none = first || now.length === 0
    const sets = none ? NO_TYPES : await loadTypes(now, { threads: spareOf(threads), pacer, timeline }, known)
    return { sets, later, absences: [...absences, ...sets.absences], pending: first ? now : [] }
  })
  // All are waited for even when one fails, so that nothing is left running or unhandled.
  await Promise.allSettled([symbols, types, facts, sections])
  const [{ table, memory }, { sets, later, absences, pending }, host, { modules: text }, { missing, ...begins }] =
    await Promise.all([symbols, types, facts, files, sections])
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
    host: { ...host, absences: [...host.absences, ...missing, ...absences] },
    skipped:
      table === undefined
        ? earlier!.handle.skipped
        : { count: table.badCount, lines: table.bad, leftOut: table.leftOut },
    later: {
      facts: await laterFacts(source, options.probes === true),
      types: later,
      memory: source.memoryPath,
    },
  }
  const rest = pending.length === 0 ? undefined : restOf(pending, options.lend, timeline, known)
  const { modules } = host
  const listed = modules === undefined || !Buffer.isBuffer(text) ? undefined : { text, modules }
  return { handle, memory: { text: memory, types: sets, handle, listed, sections: begins }, timeline, rest }
}

/** The threads that types may have: one is left to the symbols, which would wait for it otherwise. */
function spareOf(threads: LoaderThreads | undefined): TypeThreads | undefined {
  return threads && { count: threads.count - 1, run: (task) => threads.run(task) }
}

/** The type files that are loaded now, those that are left until they are asked for, and why there are none. */
async function listTypes(
  source: Source,
  facts: Promise<HostFacts>,
  { modules, types = true }: LoadOptions,
): Promise<{ now: readonly BtfFile[]; later: readonly BtfFile[]; absences: readonly Absence[] }> {
  if (types === false) return { now: [], later: [], absences: [] }
  const files = await source.btfFiles()
  if (isAbsence(files)) return { now: [], later: [], absences: [files] }
  const { modules: loaded = [] } = await facts
  const wanted = inLoadOrder(files, loaded).filter(
    ({ module }) => module === 'vmlinux' || modules?.has(module) !== false,
  )
  const now = types === 'lazy' ? wanted.filter(({ module }) => module === 'vmlinux') : wanted
  return { now, later: wanted.filter((file) => !now.includes(file)), absences: [] }
}

/** Reads the small files that describe the host. What is not there is recorded, never an error. */
async function filesOf(source: Source): Promise<HostBytes> {
  // The kernel has them ready; a capture's may be packed, or on a slow disk.
  if (source.kind === 'live') return filesNow(source)
  const read = async (name: HostFile) => [name, await source.fact(name)] as const
  return Object.fromEntries(await Promise.all(HOST_FILES.map(read)))
}

const NO_SECTIONS: SectionsMemory = { digest: undefined, starts: new Map() }

/**
 * Where the sections of modules begin. The running kernel has a file for each of them, which take longer than its kallsyms
 * (docs/symbols.md), so that it is asked only if that is `wanted`; what it then does not give is missing.
 */
async function sectionsOf(
  source: Source,
  wanted: boolean,
  known: SectionsMemory | undefined,
): Promise<SectionsMemory & { readonly missing: readonly Absence[] }> {
  if (source.kind === 'live' && !wanted) return { ...NO_SECTIONS, missing: [] }
  const text = await source.fact('module_sections')
  if (isAbsence(text)) return { ...NO_SECTIONS, missing: wanted ? [text] : [] }
  // A tenth of what it takes to parse a text of thousands of modules, and 32 bytes instead of megabytes.
  const digest = createHash('sha256').update(text).digest('hex')
  return { digest, starts: known?.digest === digest ? known.starts : parseModuleSections(text), missing: [] }
}

/** The memory of a module in /proc/modules. What is known already is not written down once more: there are thousands of modules. */
class ListedMemory implements ModuleMemory {
  readonly #module: ModuleInfo
  readonly sections: ModuleSections | undefined

  constructor(module: ModuleInfo, sections: ModuleSections | undefined) {
    this.#module = module
    this.sections = sections
  }

  get owner(): string {
    return this.#module.name
  }

  get start(): bigint {
    return this.#module.address
  }

  get end(): bigint {
    const { address, size } = this.#module
    return address === 0n ? 0n : address + BigInt(size)
  }

  get loading(): boolean {
    return this.#module.state === 'Loading'
  }
}

/** The facts about modules' memory; none where addresses are hidden. */
function memoryOf(modules: readonly ModuleInfo[], sections: ReadonlyMap<string, ModuleSections>): ModuleMemory[] {
  const memory: ModuleMemory[] = modules.map((module) => new ListedMemory(module, sections.get(module.name)))
  if (sections.size === 0) return memory
  const names = new Set(modules.map(({ name }) => name))
  for (const [owner, own] of sections) {
    if (!names.has(owner)) memory.push({ owner, start: 0n, end: 0n, sections: own })
  }
  return memory
}
