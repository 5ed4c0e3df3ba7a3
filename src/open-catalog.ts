// The catalogue as users hold it: tables of kernel and module builds in one directory, and hosts placed from their layouts.

import type { BuildSymbols } from './catalog/build-symbols.ts'
import type { Anchor } from './catalog/image.ts'
import type { HostLayout, LayoutModule } from './catalog/layout.ts'
import {
  bigint,
  choice,
  flag,
  instance,
  like,
  listOf,
  number,
  type Options,
  options as optionsOf,
  path as pathOf,
  signal,
  text,
  wrong,
} from './core/arguments.ts'
import { until } from './core/until.ts'
import { HostHistory, type PastHost } from './host-history.ts'
import { type CatalogAdded, CatalogFiles, catalogDirectory } from './load/catalog.ts'
import type { CatalogEntry } from './load/catalog-travel.ts'
import { Reader } from './reader.ts'
import { type CacheUser, thisUser } from './snapshot/cache.ts'

/** Where a catalogue is kept. */
export interface CatalogOptions {
  /** Default `$XDG_CACHE_HOME/kerndex-catalog`, or `~/.cache/kerndex-catalog`. */
  readonly directory?: string | URL | undefined
  /** The most bytes that all files together may have: after an addition, kernels that were used longest ago go. Default 1 GiB. */
  readonly maxBytes?: number | undefined
}

/** A number of bytes. */
function bytesOf(value: unknown, name: string): number {
  if (!(number(value, name) >= 0)) throw wrong(name, 'a number of bytes', value)
  return value as number // It is a number.
}

/** The options of `openCatalog`, with their checks. */
const CATALOG_OPTIONS: Options<CatalogOptions> = { directory: pathOf, maxBytes: bytesOf }

/** How to add a host's builds. */
export interface CatalogAddOptions {
  readonly signal?: AbortSignal | undefined
}

const ADD_OPTIONS: Options<CatalogAddOptions> = { signal }

/** The entries to export. */
export interface CatalogExportOptions {
  /** Kernels or modules; default all. */
  readonly buildIds?: readonly string[] | undefined
  /** Replace a file that is there. Default false. */
  readonly replace?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

const EXPORT_OPTIONS: Options<CatalogExportOptions> = { buildIds: listOf(text, 'build ids'), replace: flag, signal }

/** How to place a layout. */
export interface PlaceOptions {
  readonly signal?: AbortSignal | undefined
}

const PLACE_OPTIONS: Options<PlaceOptions> = { signal }

/** A layout, as an argument. */
export const layoutArgument = like<HostLayout>(
  {
    buildId: text,
    anchor: like<Anchor>({ name: choice('_text', '_stext'), address: bigint }, '{ name, address }'),
    modules: listOf(
      like<LayoutModule>({ name: text, state: text, bytes: number, address: bigint }, 'a module'),
      'modules',
    ),
    dynamic: listOf(text, 'lines'),
    taken: instance(Date, 'a Date'),
    monotonic: (value, name) => (value === undefined ? 0n : bigint(value, name)),
    generation: number,
  },
  'a layout, as readLayout and parseLayout give it',
)

/**
 * Opens a catalogue. A directory that is not there yet is an empty one; it is made when something is added.
 * @throws NotReadableError if no directory is named and there is no default; UsageError
 */
export async function openCatalog(options?: CatalogOptions, user: CacheUser = thisUser()): Promise<Catalog> {
  const { directory, maxBytes } = optionsOf(options, 'openCatalog', CATALOG_OPTIONS)
  return new Catalog(
    directory === undefined ? await catalogDirectory(user) : pathOf(directory, 'directory'),
    user,
    maxBytes,
  )
}

/** The files of a catalogue. */
export function filesOf(catalog: Catalog): CatalogFiles {
  return FILES.get(catalog)!
}

const FILES = new WeakMap<Catalog, CatalogFiles>()

/** Tables of kernel and module builds, valid on every host and boot. */
export class Catalog {
  readonly directory: string
  readonly #files: CatalogFiles

  /** Use `openCatalog`. */
  constructor(directory: string, user: CacheUser, maxBytes?: number) {
    this.directory = directory
    this.#files = new CatalogFiles(directory, user, maxBytes)
    FILES.set(this, this.#files)
  }

  /**
   * Adds the builds of a host: a capture, a snapshot file, or without `from` the running kernel. What is there already stays.
   * @throws BadFormatError if an entry of the same build says something else, naming the symbol: nothing is added then;
   * NotReadableError if the host tells no build id; NoPermissionError if addresses are hidden; LimitError, AbortedError
   */
  async add(from?: string | URL, options?: CatalogAddOptions): Promise<CatalogAdded> {
    const path = from === undefined ? undefined : pathOf(from, 'from')
    const { signal } = optionsOf(options, 'add', ADD_OPTIONS)
    return until(this.#files.add(path, signal), signal, 'the adding')
  }

  /**
   * Writes entries to an archive, which any catalogue imports: those of these builds, of a kernel with all its modules, or all. Returns
   * what was written.
   * @throws NotFoundError if the catalogue lacks one, or has none at all; UsageError if there is such a file and `replace` is not set, or its name does not
   * end in .tar.gz; NotReadableError, AbortedError
   */
  async export(to: string | URL, options?: CatalogExportOptions): Promise<CatalogEntry[]> {
    const path = pathOf(to, 'to')
    const { buildIds, replace = false, signal } = optionsOf(options, 'export', EXPORT_OPTIONS)
    const ids = buildIds?.map((id) => id.toLowerCase())
    return until(this.#files.exportTo(path, ids, replace, signal), signal, 'the export')
  }

  /**
   * Adds the entries of an archive that `export` wrote, or of another catalogue's directory.
   * @throws BadFormatError as `add`, and if one is damaged; NotReadableError, UnsupportedError, LimitError, AbortedError
   */
  async import(from: string | URL, options?: CatalogAddOptions): Promise<Pick<CatalogAdded, 'added' | 'known'>> {
    const path = pathOf(from, 'from')
    const { signal } = optionsOf(options, 'import', ADD_OPTIONS)
    return until(this.#files.importFrom(path, signal), signal, 'the import')
  }

  /**
   * Removes a kernel build with all of its modules, or a module's build. Returns what was removed.
   * @throws NotFoundError if there is none; NotReadableError if it cannot be removed
   */
  async remove(buildId: string): Promise<CatalogEntry[]> {
    return this.#files.remove(text(buildId, 'buildId').toLowerCase())
  }

  /**
   * Removes the kernels that were used longest ago until all files together have so many bytes at most. Returns the build ids.
   * @throws NotReadableError if one cannot be removed
   */
  async prune(maxBytes: number): Promise<string[]> {
    return this.#files.prune(bytesOf(maxBytes, 'maxBytes'))
  }

  /** Every entry. @throws NotReadableError if the directory is not to be trusted */
  async list(): Promise<CatalogEntry[]> {
    return this.#files.list()
  }

  /**
   * The symbols of one build, of a kernel or of a module, by its GNU build id in hexadecimal: for addresses relative to it. Undefined
   * where the catalogue does not have it.
   * @throws NotReadableError, LimitError, AbortedError
   */
  async build(buildId: string, options?: PlaceOptions): Promise<BuildSymbols | undefined> {
    const wanted = text(buildId, 'buildId').toLowerCase()
    const { signal } = optionsOf(options, 'build', PLACE_OPTIONS)
    return until(this.#files.build(wanted, signal), signal, 'the look-up')
  }

  /**
   * The host of a layout: its symbols at their places. Hosts of one kernel build share what is large. Nothing has to be closed.
   * What could not be placed stands in `host.placement`.
   * @throws NotFoundError if the catalogue does not have the layout's kernel build; NotReadableError, LimitError, AbortedError
   */
  async place(layout: HostLayout, options?: PlaceOptions): Promise<Reader> {
    const given = layoutArgument(layout, 'layout')
    const { signal } = optionsOf(options, 'place', PLACE_OPTIONS)
    const handle = await until(this.#files.place(given, 'a layout', given.generation, signal), signal, 'the placing')
    return new Reader(handle)
  }

  /**
   * One boot of a host over time, from a layout for each state of its modules: addresses are answered by the layout of their time.
   * @throws as `place`; UsageError if there is no layout, or they are of several boots
   */
  async placeAll(layouts: readonly HostLayout[], options?: PlaceOptions): Promise<HostHistory> {
    const given = listOf(layoutArgument, 'layouts')(layouts, 'layouts')
    const states: PastHost[] = []
    for (const layout of given) {
      const { taken, monotonic } = layout
      states.push({ taken, monotonic, host: await this.place(layout, options) })
    }
    return new HostHistory(states)
  }
}
