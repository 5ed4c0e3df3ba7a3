// Builds of a catalogue, for callers who know no host: addresses relative to a build, by its build id or its debug id.

import type { BuildSymbols } from '../catalog/build-symbols.ts'
import { setBounded } from '../core/bounded-map.ts'
import type { Catalog } from '../open-catalog.ts'
import { debugIdOf } from './debug-id.ts'
import { notFound } from './http-error.ts'

/** Milliseconds for which the list of a catalogue's entries is believed. */
const LIST_MS = 30_000

/** Files of symbols that are kept: megabytes each. */
const MOST_FILES = 8

/** The builds of a catalogue; none without a catalogue. */
export class Builds {
  readonly #catalog: Catalog | undefined
  #list: { readonly until: number; readonly byDebugId: Promise<ReadonlyMap<string, string>> } | undefined

  /** Files that were asked for last: clients come in crowds. */
  readonly #files = new Map<string, Uint8Array>()

  constructor(catalog: Catalog | undefined) {
    this.#catalog = catalog
  }

  /** A build by its GNU build id. */
  async ofBuildId(buildId: string): Promise<BuildSymbols | undefined> {
    return /^[0-9a-f]{2,128}$/i.test(buildId) ? this.#catalog?.build(buildId.toLowerCase()) : undefined
  }

  /** A build by its debug id, in capital letters. */
  async ofDebugId(debugId: string): Promise<BuildSymbols | undefined> {
    const buildId = (await this.#known()).get(debugId)
    return buildId === undefined ? undefined : this.ofBuildId(buildId)
  }

  /** Symbols of a build as an ELF file with its build id, as debuginfod's clients fetch it. @throws HttpError 404 */
  async elf(buildId: string): Promise<Uint8Array> {
    const key = buildId.toLowerCase()
    let file = this.#files.get(key)
    if (file === undefined) {
      file = (await this.ofBuildId(key))?.elf()
      if (file === undefined) throw notFound(`the catalogue has no build ${key}`)
    }
    setBounded(this.#files, key, file, MOST_FILES)
    return file
  }

  #known(): Promise<ReadonlyMap<string, string>> {
    const now = performance.now()
    if (this.#list === undefined || this.#list.until < now) {
      this.#list = { until: now + LIST_MS, byDebugId: this.#read() }
      this.#list.byDebugId.catch(() => {})
    }
    return this.#list.byDebugId
  }

  async #read(): Promise<ReadonlyMap<string, string>> {
    const entries = (await this.#catalog?.list()) ?? []
    return new Map(entries.flatMap(({ buildId }) => (buildId === undefined ? [] : [[debugIdOf(buildId), buildId]])))
  }
}
