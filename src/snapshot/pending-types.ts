// Types that come after the symbols: loaded in slices by the kernel object, or at once by a lookup that cannot wait. The load that is
// done first decides; there is one outcome.

import { resolve } from 'node:path'
import type { TypeSetRecord } from '../btf/read/index-types.ts'
import type { EarlyTypes, UnreadTypes } from '../btf/read/set-list.ts'
import type { FoundType, StoredTypes } from '../btf/read/stored-types.ts'
import type { Type } from '../btf/read/type.ts'
import { BadFormatError } from '../core/errors.ts'
import { checkAborted } from '../core/until.ts'
import { identityOf } from '../sources/identity.ts'
import type { Absence, BtfFile } from '../sources/source.ts'
import { type LoadedTypes, NO_TYPES } from './loaded-types.ts'
import { SnapshotReader } from './read.ts'
import { loadTypesNow } from './types-now.ts'

/** Where types are that have not been loaded, as a handle tells another thread. */
export type TypesPlace =
  | { readonly files: readonly BtfFile[] }
  | { readonly snapshot: string; readonly identity: string }

/** How types are loaded after the symbols. */
export interface TypesLater {
  readonly place: TypesPlace
  /** In slices, beside everything else. */
  load(signal: AbortSignal): Promise<LoadedTypes>
  /** At once, on this thread. */
  now(): LoadedTypes
  /** Answers before they are loaded, where there are any. */
  readonly early?: EarlyTypes | undefined
  /** Whether the kernel was opened with all of its parts, so that a handle has to have the types. */
  readonly promised?: boolean | undefined
  /** Called once, with what was loaded either way. */
  readonly loaded?: ((types: LoadedTypes) => void) | undefined
}

/** One snapshot's types while they may be missing: a collection asks it until they are there, and then takes what it gives. */
export class PendingTypes implements UnreadTypes {
  readonly #later: TypesLater
  /** Stops what loads in slices. */
  #stop: AbortController | undefined
  #loaded: LoadedTypes | undefined

  constructor(later: TypesLater) {
    this.#later = later
  }

  get place(): TypesPlace {
    return this.#later.place
  }

  /** The types, if they are there. */
  get loaded(): LoadedTypes | undefined {
    return this.#loaded
  }

  /** The types, loaded now if they are not there; what loads them in slices stops. @throws as the loader */
  now(): LoadedTypes {
    return this.#loaded ?? this.#settle(this.#later.now())
  }

  find(query: string, hash: number): readonly FoundType[] | undefined {
    return this.#early?.find(query, hash)
  }

  get(module: string, id: number): Type | undefined {
    return this.#early?.get(module, id)
  }

  read(): readonly TypeSetRecord[] {
    return this.now().records
  }

  /** Whether it can answer before the types are there. */
  get answers(): boolean {
    return this.#early !== undefined
  }

  /** The source of answers as long as the types are not there, if there is one. */
  get #early(): EarlyTypes | undefined {
    return this.#loaded === undefined ? this.#later.early : undefined
  }

  /** The types if a handle has to have them, or if they are there. @throws as the loader */
  forHandle(): LoadedTypes | undefined {
    return this.#later.promised === true ? this.now() : this.#loaded
  }

  /** Loads the types in slices. @throws as the loader, unless they have been loaded at once meanwhile */
  async load(signal: AbortSignal): Promise<LoadedTypes> {
    this.#stop = new AbortController()
    // The loader still has to let go of what it holds.
    if (this.#loaded !== undefined) this.#stop.abort()
    try {
      const loaded = await this.#later.load(AbortSignal.any([signal, this.#stop.signal]))
      return this.#loaded ?? this.#settle(loaded)
    } catch (error) {
      if (this.#loaded !== undefined) return this.#loaded
      throw error
    }
  }

  #settle(loaded: LoadedTypes): LoadedTypes {
    this.#loaded = loaded
    this.#stop?.abort()
    this.#later.loaded?.(loaded)
    return loaded
  }
}

/** Types that another thread put off, and that only a lookup in this one will load. */
export function pendingElsewhere(place: TypesPlace): PendingTypes {
  const now = () => ('files' in place ? loadTypesNow(place.files) : typesOfFile(place.snapshot, place.identity))
  return new PendingTypes({ place, now, load: async () => now() })
}

/**
 * How the types of a snapshot file are loaded later: those sets that are wanted. The open file is read, whatever becomes of
 * its name; it is closed when they have been loaded in slices.
 */
export function typesLaterInFile(
  reader: SnapshotReader,
  promised: boolean,
  wanted?: (name: string) => boolean,
): TypesLater {
  const path = resolve(reader.path)
  const identity = identityOf(reader.stat)
  let known: StoredTypes | undefined
  // Every question would have the whole file read again.
  let damage: BadFormatError | undefined
  const remembered = (error: unknown) => {
    if (error instanceof BadFormatError) damage = error
    return error
  }
  const stored = () => {
    // Its descriptor may be another file's by now.
    if (reader.closed) return undefined
    known ??= reader.stored(wanted)
    return known
  }
  return {
    promised,
    early: { find: (query, hash) => stored()?.find(query, hash), get: (module, id) => stored()?.get(module, id) },
    place: { snapshot: path, identity },
    now() {
      if (damage !== undefined) throw damage
      try {
        return reader.closed ? typesOfFile(path, identity) : inFile(reader.readNow(ONLY_TYPES).types)
      } catch (error) {
        throw remembered(error)
      }
    },
    async load(signal) {
      try {
        checkAborted(signal, 'the load')
        return inFile((await reader.read(ONLY_TYPES)).types)
      } catch (error) {
        throw remembered(error)
      } finally {
        reader.close()
      }
    },
  }
}

const ONLY_TYPES = { symbols: false, groups: () => true, facts: false }

const inFile = (records: LoadedTypes['records']): LoadedTypes => ({ ...NO_TYPES, records })

/** @throws NotReadableError, BadFormatError, UnsupportedError; also if it is another file by now */
function typesOfFile(path: string, identity: string): LoadedTypes {
  const reader = new SnapshotReader(path)
  try {
    reader.checkIdentity(identity)
    return inFile(reader.readNow(ONLY_TYPES).types)
  } finally {
    reader.close()
  }
}

/** The absences of a host and of its types, each once. */
export function allAbsences(host: readonly Absence[], types: readonly Absence[]): readonly Absence[] {
  const known = new Set(host.map(({ what }) => what))
  const others = types.filter(({ what }) => !known.has(what))
  return others.length === 0 ? host : [...host, ...others]
}
