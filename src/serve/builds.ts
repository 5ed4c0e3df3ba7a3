// Builds of a catalogue, for callers who know no host: addresses relative to a build, by its build id or its debug id.

import type { BuildSymbols } from '../catalog/build-symbols.ts'
import type { Catalog } from '../open-catalog.ts'
import { debugIdOf } from './debug-id.ts'

/** Milliseconds for which the list of a catalogue's entries is believed. */
const LIST_MS = 30_000

/** What a catalogue has; nothing without one. */
export class Builds {
  readonly #catalog: Catalog | undefined
  #list: { readonly until: number; readonly byDebugId: Promise<ReadonlyMap<string, string>> } | undefined

  constructor(catalog: Catalog | undefined) {
    this.#catalog = catalog
  }

  get isThere(): boolean {
    return this.#catalog !== undefined
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
