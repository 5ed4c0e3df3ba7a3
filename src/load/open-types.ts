// Types alone, without symbols: what lookups of types need, and all that an unprivileged reader may have.

import { type BaseShape, indexTypes, type NamedBlob, readShape } from '../btf/read/index-types.ts'
import { TypeSet } from '../btf/read/type-set.ts'
import { relocateDistilled } from '../btf/relocate/distilled.ts'
import { Types } from '../btf/types.ts'
import { threadsThatFit } from '../core/address-space.ts'
import {
  signal as checkSignal,
  listOf,
  nameText,
  type Options,
  options as optionsOf,
  path as pathOf,
  whole,
} from '../core/arguments.ts'
import { NotFoundError, NotReadableError } from '../core/errors.ts'
import { until } from '../core/until.ts'
import { isSnapshotFile } from '../snapshot/read.ts'
import { isArchive } from '../sources/archive.ts'
import { findBtfFile, readBtfFile } from '../sources/btf-file.ts'
import { openSource } from '../sources/open.ts'
import { type Absence, isAbsence } from '../sources/source.ts'
import { isLayoutFile } from './layout-file.ts'
import { lendThreads } from './lent-threads.ts'
import { Pacer } from './pacer.ts'
import { readSnapshotTypes } from './snapshot-load.ts'
import { MOST_THREADS } from './threads.ts'
import { Timeline } from './timeline.ts'
import { loadTypes, poolPays } from './types.ts'

export interface OpenTypesOptions {
  /**
   * undefined: the running kernel; else a capture directory or archive, a snapshot file, or a file with BTF (raw or ELF)
   * that stands for vmlinux.
   */
  readonly from?: string | URL | undefined
  /** Only these modules, with vmlinux; undefined: all. */
  readonly modules?: readonly string[] | undefined
  /** The most loader threads that may be started; there are none where the calling thread alone is done sooner. Default 0. */
  readonly threads?: number | undefined
  readonly signal?: AbortSignal | undefined
}

const OPEN_TYPES_OPTIONS: Options<OpenTypesOptions> = {
  from: pathOf,
  modules: listOf(nameText, 'names'),
  threads: whole(0, MOST_THREADS),
  signal: checkSignal,
}

/** Opened types, and what could not be read of them. */
export interface OpenedTypes {
  readonly types: Types
  readonly absences: readonly Absence[]
  /** The files that were opened, by module. */
  readonly opened: readonly string[]
}

/**
 * Reads and indexes a kernel's types.
 * @throws NotReadableError if there are none; NotFoundError for a module that is not there; AbortedError.
 */
export async function openTypes(options: OpenTypesOptions | string | URL = {}): Promise<OpenedTypes> {
  const given = typeof options === 'string' || options instanceof URL ? { from: options } : options
  const checked = optionsOf(given, 'openTypes', OPEN_TYPES_OPTIONS)
  const { modules, threads = 0, signal } = checked
  const from = checked.from === undefined ? undefined : pathOf(checked.from, 'from')
  return until(open({ from, modules, threads, signal }), signal, 'the load')
}

async function open({
  from,
  modules,
  threads = 0,
  signal,
}: OpenTypesOptions & { readonly from: string | undefined }): Promise<OpenedTypes> {
  if (from !== undefined && isSnapshotFile(from)) return openSnapshotTypes(from, modules)
  if (from !== undefined && isLayoutFile(from)) {
    throw new NotReadableError(
      `${from}: no types: a layout tells only where things lie, and a catalogue holds symbols; give a capture or a snapshot file of such a host`,
    )
  }
  const file = from === undefined || isArchive(from) ? undefined : await findBtfFile(from, signal)
  if (file) return { types: new Types([indexOne('vmlinux', file.btf)]), absences: [], opened: ['vmlinux'] }
  const source = await openSource(from, signal)
  const listed = await source.btfFiles()
  if (isAbsence(listed)) throw new NotReadableError(`${source.description}: no types: ${listed.what}: ${listed.reason}`)
  const wanted = modules && new Set(['vmlinux', ...modules])
  for (const name of wanted ?? []) {
    if (!listed.some(({ module }) => module === name)) {
      throw new NotFoundError(`${source.description}: no types of ${name}: it is not loaded, or was built without BTF`)
    }
  }
  const files = wanted ? listed.filter(({ module }) => wanted.has(module)) : listed
  const count = poolPays(files.length) ? threadsThatFit(threads) : 0
  const { records, absences } = await lendThreads(count, (lent) =>
    loadTypes(files, { threads: lent, pacer: new Pacer(signal), timeline: new Timeline() }),
  )
  if (records.length === 0) {
    const why = absences.map(({ what, reason }) => `${what}: ${reason}`).join('; ')
    throw new NotReadableError(`${source.description}: no types: ${why}`)
  }
  return { types: new Types(records), absences, opened: files.map(({ module }) => module) }
}

/** The types in a snapshot file, all of them or those of some modules. @throws as `openTypes` */
async function openSnapshotTypes(path: string, modules: readonly string[] | undefined): Promise<OpenedTypes> {
  const { types, host } = await readSnapshotTypes(path)
  if (types.length === 0) throw new NotReadableError(`${path}: the snapshot was made without types`)
  const missing = modules?.find((module) => !types.some(({ name }) => name === module))
  if (missing !== undefined) {
    throw new NotFoundError(`${host.source}: no types of ${missing}: it was not loaded, or was built without BTF`)
  }
  const wanted = types.filter(({ name }) => name === 'vmlinux' || modules?.includes(name) !== false)
  const absences = host.absences.filter(({ what }) => what.startsWith('btf'))
  return { types: new Types(wanted), absences, opened: wanted.map(({ name }) => name) }
}

/** A set from a file, on a base from another file or on the distilled base that a module's file brings along. */
export interface OpenedFile {
  readonly set: TypeSet
  readonly bytes: Uint8Array<SharedArrayBuffer>
  readonly base: { readonly set: TypeSet; readonly shape: BaseShape } | undefined
  /** It is a BPF object. */
  readonly object: boolean
}

export interface OpenTypeFileOptions {
  /** Ends the waiting for a file that is a pipe. */
  readonly signal?: AbortSignal | undefined
}

const OPEN_TYPE_FILE_OPTIONS: Options<OpenTypeFileOptions> = { signal: checkSignal }

/**
 * Opens the types in one file. With a base, a module that has a distilled one is moved onto the base.
 * @throws NotReadableError, NoPermissionError, BadFormatError, UnsupportedError, NotFoundError, AbortedError
 */
export async function openTypeFile(
  file: string | URL,
  baseFile?: string | URL,
  given?: OpenTypeFileOptions,
): Promise<OpenedFile> {
  const { signal } = optionsOf(given, 'openTypeFile', OPEN_TYPE_FILE_OPTIONS)
  const path = pathOf(file, 'path')
  const basePath = baseFile === undefined ? undefined : pathOf(baseFile, 'basePath')
  const read = await readTypeFile(path, basePath, signal)
  const record = indexOne(path, read.bytes, read.base?.shape)
  return { set: new TypeSet(record, read.base?.set), ...read }
}

/** The bytes of a file's types and their base, not indexed yet. @throws as `openTypeFile`, for the base. */
export async function readTypeFile(
  path: string,
  basePath?: string,
  signal?: AbortSignal,
): Promise<Omit<OpenedFile, 'set'>> {
  const file = await readBtfFile(path, signal)
  if (basePath === undefined) {
    const { distilledBase } = file
    const own = distilledBase && openBase('.BTF.base', distilledBase)
    return { bytes: file.btf, base: own, object: file.object ?? false }
  }
  const base = openBase(basePath, (await readBtfFile(basePath, signal)).btf)
  const bytes = file.distilledBase ? relocateDistilled(file.btf, file.distilledBase, base.set) : file.btf
  return { bytes, base, object: file.object ?? false }
}

function openBase(name: string, bytes: Uint8Array<SharedArrayBuffer>): { set: TypeSet; shape: BaseShape } {
  return { set: new TypeSet(indexOne(name, bytes)), shape: readShape(bytes) }
}

function indexOne(name: string, bytes: NamedBlob['bytes'], shape?: BaseShape) {
  const { records, failures } = indexTypes([{ name, bytes }], shape)
  if (failures[0]) throw failures[0].error
  return records[0]!
}
