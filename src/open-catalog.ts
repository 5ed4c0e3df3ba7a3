// The catalogue as users hold it: tables of kernel and module builds in one directory, and hosts placed from their layouts.

import type { BuildSymbols } from './catalog/build-symbols.ts'
import type { HostLayout, LayoutModule } from './catalog/layout.ts'
import type { Anchor } from './catalog/split.ts'
import {
  bigint,
  choice,
  like,
  listOf,
  number,
  type Options,
  options as optionsOf,
  path as pathOf,
  signal,
  text,
} from './core/arguments.ts'
import { until } from './core/until.ts'
import { type CacheUser, thisUser } from './load/cache.ts'
import { type CatalogAdded, type CatalogEntry, CatalogFiles, catalogDirectory } from './load/catalog.ts'
import { Reader } from './reader.ts'

/** Where a catalogue is kept. */
export interface CatalogOptions {
  /** Default `$XDG_CACHE_HOME/kerndex-catalog`, or `~/.cache/kerndex-catalog`. */
  readonly directory?: string | URL | undefined
}

/** What `openCatalog` takes. */
const CATALOG_OPTIONS: Options<CatalogOptions> = { directory: pathOf }

/** How to add a host's builds. */
export interface CatalogAddOptions {
  readonly signal?: AbortSignal | undefined
}

const ADD_OPTIONS: Options<CatalogAddOptions> = { signal }

/** How to place a layout. */
export interface PlaceOptions {
  readonly signal?: AbortSignal | undefined
}

const PLACE_OPTIONS: Options<PlaceOptions> = { signal }

/** A layout, as an argument. */
const layoutArgument = like<HostLayout>(
  {
    buildId: text,
    anchor: like<Anchor>({ name: choice('_text', '_stext'), address: bigint }, '{ name, address }'),
    modules: listOf(
      like<LayoutModule>({ name: text, state: text, bytes: number, address: bigint }, 'a module'),
      'modules',
    ),
    dynamic: listOf(text, 'lines'),
    generation: number,
  },
  'a layout, as readLayout and parseLayout give it',
)

/**
 * Opens a catalogue. A directory that is not there yet is an empty one; it is made when something is added.
 * @throws NotReadableError if no directory is named and there is no default; UsageError
 */
export async function openCatalog(options?: CatalogOptions, user: CacheUser = thisUser()): Promise<Catalog> {
  const { directory } = optionsOf(options, 'openCatalog', CATALOG_OPTIONS)
  return new Catalog(directory === undefined ? await catalogDirectory(user) : pathOf(directory, 'directory'), user)
}

/** Tables of kernel and module builds, valid on every host and boot. */
export class Catalog {
  readonly directory: string
  readonly #files: CatalogFiles

  /** Use `openCatalog`. */
  constructor(directory: string, user: CacheUser) {
    this.directory = directory
    this.#files = new CatalogFiles(directory, user)
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
}
