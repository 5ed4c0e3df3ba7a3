// Layout files: what is written of a host so that a catalogue can be placed on it, and read again elsewhere. Only their owner may read them.

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { machine } from 'node:os'
import { decodeLayout, encodeLayout, type HostLayout, hasName, layoutOf } from '../catalog/layout.ts'
import { isPacked } from '../catalog/packed.ts'
import {
  bytes as bytesOf,
  flag,
  type Options,
  options as optionsOf,
  path as pathOf,
  signal,
  whole,
} from '../core/arguments.ts'
import { contentOf } from '../core/content.ts'
import { BadFormatError, KerndexError, LimitError, NoPermissionError, NotReadableError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import { until } from '../core/until.ts'
import { isRecording } from '../sources/perf-data.ts'
import { readProfileMappings } from '../sources/pprof.ts'
import { readFailure } from '../sources/reader.ts'
import { type Absence, isAbsence } from '../sources/source.ts'
import { parseTaken } from '../sources/taken.ts'
import { writeFileSafely } from '../sources/write-file.ts'
import { anySource, readHost, readPlaces } from './host-reading.ts'
import { profiledLayout, recordedLayout } from './recorded-layout.ts'

export interface LayoutOptions {
  /** undefined: the running kernel; else a capture, a snapshot file, a perf.data file, or a pprof profile. */
  readonly from?: string | URL | undefined
  /** The number of this layout among those of its boot. Default 1. */
  readonly generation?: number | undefined
  /** Replace what is there. Default false. */
  readonly replace?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

const LAYOUT_OPTIONS: Options<LayoutOptions> = { from: pathOf, generation: whole(0, 2 ** 32), replace: flag, signal }

/** What was written. */
export interface LayoutSummary {
  readonly path: string
  readonly bytes: number
  readonly layout: HostLayout
  /** Things that the host did not have or could not give. */
  readonly absences: readonly Absence[]
}

/** The most bytes that a layout's file may have. */
const MOST_LAYOUT_BYTES = 1 << 24

const RECORDED: readonly Absence[] = [
  { what: 'module_sections', reason: 'a recording has none' },
  { what: 'kallsyms', reason: 'a recording has no symbols of bpf programs, trampolines and kprobe slots' },
]

const WITHOUT_TIME: Absence = {
  what: 'taken',
  reason: 'it does not say when it was taken: the time of its file stands for that',
}

/** Where a host has its kernel and modules. @throws as `writeLayout` */
async function takeLayout(options: LayoutOptions): Promise<{ layout: HostLayout; absences: readonly Absence[] }> {
  const { generation = 1, signal: end } = options
  const from = options.from === undefined ? undefined : pathOf(options.from, 'from')
  if (from !== undefined && isRecording(from)) {
    return { layout: await recordedLayout(from, generation), absences: RECORDED }
  }
  const profile = from === undefined ? undefined : readProfileMappings(from)
  if (from !== undefined && profile !== undefined) {
    return { layout: profiledLayout(from, profile, generation), absences: RECORDED }
  }
  const source = await anySource(from, end)
  const { told, facts, absences } = await readHost(source)
  const moment = await source.fact('taken')
  const known = isAbsence(moment) ? undefined : parseTaken(moment)
  const file = from === undefined ? undefined : statSync(from, { throwIfNoEntry: false })
  const { anchor, dynamic } = await readPlaces(source, end)
  const layout = layoutOf({
    buildId: told.kernel,
    bootId: facts.bootId,
    release: told.release,
    architecture: source.kind === 'live' ? machine() : undefined,
    anchor,
    modules: told.modules,
    sections: told.sections,
    identities: told.identities,
    dynamic,
    taken: known === undefined ? (file?.mtime ?? new Date()) : new Date(Number(known.real / 1_000_000n)),
    monotonic: known?.monotonic,
    generation,
  })
  const strange = told.modules.flatMap((module): Absence[] => {
    return hasName(module)
      ? []
      : [{ what: printable(module.name), reason: 'no module has such a name: it is left out' }]
  })
  return { layout, absences: [...absences, ...(known === undefined ? [WITHOUT_TIME] : []), ...strange] }
}

/**
 * Writes where a host has its kernel and its modules: with a catalogue that has their builds, this is the host's table. Reads the small
 * files of the host, and of its kallsyms the beginning and the lines of what the kernel made as it ran. The file tells the kernel's
 * slide: only its owner may read it.
 * @throws UsageError if there is such a file and `replace` is not set; NoPermissionError if addresses are hidden; NotReadableError if
 * the kernel has no build id, or cannot be read; BadFormatError, LimitError, AbortedError
 */
export async function writeLayout(path: string | URL, options?: LayoutOptions): Promise<LayoutSummary> {
  const file = pathOf(path, 'path')
  const given = optionsOf(options, 'writeLayout', LAYOUT_OPTIONS)
  const { replace = false, signal: end } = given
  return until(
    (async () => {
      const { layout, absences } = await takeLayout(given)
      const bytes = encodeLayout(layout)
      checkWhole(bytes, given.from)
      await writeFileSafely(file, bytes, { secret: true, special: 'refuse', replace, signal: end })
      return { path: file, bytes: bytes.length, layout, absences }
    })(),
    end,
    'the layout',
  )
}

/** A host may tell what no layout can hold. @throws BadFormatError, before anything is written that could not be read */
function checkWhole(bytes: Buffer, from: LayoutOptions['from']): void {
  try {
    decodeLayout(bytes)
  } catch (error) {
    if (!(error instanceof KerndexError)) throw error
    const host = from === undefined ? 'the running kernel' : String(from)
    throw new BadFormatError(`${host} tells what no layout can hold: ${error.message}`, {}, { cause: error })
  }
}

/** Whether a path is a file that begins as a layout does. Waits for the system. @throws NoPermissionError if it may not be read */
export function isLayoutFile(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  try {
    return isPacked('layout', readStart(path, 64))
  } catch (error) {
    // It may be one, and everything else that could be said of it would mislead.
    if (error instanceof NoPermissionError) throw error
    return false
  }
}

/**
 * Reads a layout file. Waits for the system.
 * @throws NotReadableError, NoPermissionError; BadFormatError, UnsupportedError, LimitError if it is no layout of this version
 */
export function readLayout(from: string | URL): HostLayout {
  const path = pathOf(from, 'path')
  return contentOf(path, () => decodeLayout(readStart(path, MOST_LAYOUT_BYTES)))
}

/**
 * The layout that a layout file's bytes hold.
 * @throws BadFormatError, UnsupportedError, LimitError if they are no layout of this version
 */
export function parseLayout(given: Uint8Array): HostLayout {
  return decodeLayout(bytesOf(given, 'bytes'))
}

/** The beginning of a regular file. @throws NotReadableError, LimitError */
function readStart(path: string, most: number): Buffer {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw readFailure(path, error)
  }
  try {
    const found = fstatSync(descriptor)
    if (!found.isFile()) throw new NotReadableError(`${path} is no file`, { path })
    if (most >= MOST_LAYOUT_BYTES && found.size > most) {
      throw new LimitError(`${path} has ${found.size} bytes: a layout has at most ${most}`, { path })
    }
    const bytes = Buffer.alloc(Math.min(most, found.size))
    let filled = 0
    for (let got = -1; got !== 0 && filled < bytes.length; filled += got) {
      got = readSync(descriptor, bytes, filled, bytes.length - filled, filled)
    }
    return bytes.subarray(0, filled)
  } catch (error) {
    throw readFailure(path, error)
  } finally {
    closeSync(descriptor)
  }
}
