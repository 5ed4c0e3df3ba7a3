// Writes the raw capture of a host: its files as they are, in a directory or an archive, for use elsewhere.

import { existsSync, lstatSync, readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { callback, flag, type Options, options as optionsOf, path as pathOf, signal } from '../core/arguments.ts'
import { NoPermissionError, NotReadableError, UsageError } from '../core/errors.ts'
import { checkAborted, until } from '../core/until.ts'
import { isSnapshotFile } from '../snapshot/read.ts'
import { isArchive } from '../sources/archive.ts'
import { readBtf } from '../sources/blob.ts'
import { openSource } from '../sources/open.ts'
import { type Absence, absenceOf, FACT_FILES, isAbsence, type Source } from '../sources/source.ts'
import { readRegularFile } from '../sources/whole-file.ts'
import { writeArchive } from '../sources/write-archive.ts'
import { writeFolder } from '../sources/write-file.ts'
import { showsAddresses } from './first-lines.ts'
import { refuseOwn } from './own-files.ts'

export interface CaptureOptions {
  /** undefined: the running kernel; else a capture to be written anew, such as a directory as an archive. */
  readonly from?: string | URL | undefined
  /** Replace what is there. */
  readonly replace?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with every file that has been read, and how many there are if that is known. */
  readonly onFile?: ((name: string, done: number, expected: number) => void) | undefined
}

const CAPTURE_OPTIONS: Options<CaptureOptions> = { from: pathOf, replace: flag, signal, onFile: callback }

/** What was written. */
export interface CaptureSummary {
  readonly path: string
  readonly files: readonly { readonly name: string; readonly bytes: number }[]
  /** Things that the host did not have or could not give. */
  readonly absences: readonly Absence[]
  /** Modules came or went in every attempt: the files may be of several moments. */
  readonly unsettled: boolean
}

/** Attempts to read everything while no module comes or goes. */
const ATTEMPTS = 3
/** Bytes of text read at a time. */
const PIECE_BYTES = 1 << 20
/** The names that belong to captures; only they are replaced. */
const OURS: ReadonlySet<string> = new Set(
  ['kallsyms', 'btf', 'enabled_functions', 'kprobes_list', ...FACT_FILES].flatMap((name) => [name, `${name}.gz`]),
)

/** Files of the running kernel that tell what is traced at the moment. */
const LIVE_EXTRAS: Readonly<Record<string, readonly string[]>> = {
  enabled_functions: ['/sys/kernel/tracing/enabled_functions', '/sys/kernel/debug/tracing/enabled_functions'],
  kprobes_list: ['/sys/kernel/debug/kprobes/list'],
}

/**
 * Writes a capture to a directory, or to an archive if the path ends in `.tar.gz` or `.tgz`. Only its owner may read it.
 * Whatever is at the path stays until the capture is whole.
 * @throws UsageError if something is there already, or with `replace` something that is no capture; NoPermissionError if
 * addresses are hidden; NotReadableError; AbortedError
 */
export async function writeCapture(to: string | URL, given?: CaptureOptions): Promise<CaptureSummary> {
  const path = pathOf(to, 'path')
  const options = optionsOf(given, 'writeCapture', CAPTURE_OPTIONS)
  return until(write(path, options), options.signal, 'the capture')
}

/** What may be captured, where nothing running is. */
const NEEDED = 'another capture, or nothing for the running kernel'

async function write(path: string, options: CaptureOptions): Promise<CaptureSummary> {
  if (path.endsWith('.tar')) throw new UsageError(`${path}: archives are written packed; name it .tar.gz`)
  checkTarget(path, options.replace === true)
  const from = options.from === undefined ? undefined : pathOf(options.from, 'from')
  if (from !== undefined) refuseOwn(from, NEEDED)
  if (from !== undefined && isSnapshotFile(from))
    throw new NotReadableError(`${from} is a snapshot file, which does not have the kernel's own files: give ${NEEDED}`)
  const source = await openSource(from, options.signal)
  if (!(await showsAddresses(source.openSymbols()))) {
    throw new NoPermissionError(
      `${source.description}: addresses are hidden from this user: it takes root, and kptr_restrict below 2`,
    )
  }
  let gathered = await gather(source, options)
  for (let attempt = 1; attempt < ATTEMPTS && gathered.unsettled; attempt++) gathered = await gather(source, options)
  checkAborted(options.signal, 'the capture')
  const { files, absences, unsettled } = gathered
  if (isArchive(path)) {
    const content = Array.from(files, ([name, bytes]) => ({ name, mode: 0o600, content: bytes }))
    await writeArchive(path, content, { ...options, secret: true, what: 'the capture' })
  } else await writeFolder(path, (folder) => writeFiles(folder, files, options.signal))
  return { path, files: [...files].map(([name, { length }]) => ({ name, bytes: length })), absences, unsettled }
}

/** @throws UsageError if what is at the path must not be replaced */
function checkTarget(path: string, mayReplace: boolean): void {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there === undefined) {
    if (!existsSync(dirname(path))) throw new UsageError(`${path}: there is no directory ${dirname(path)}`)
    return
  }
  if (!mayReplace) throw new UsageError(`${path} exists: it is not replaced without --force (in the library: replace)`)
  if (isArchive(path)) {
    if (!there.isFile()) throw new UsageError(`${path} is no regular file: it is not replaced`)
    return
  }
  if (!there.isDirectory()) throw new UsageError(`${path} is no directory: it is not replaced`)
  const other = readdirSync(path).find((name) => !OURS.has(name))
  if (other !== undefined)
    throw new UsageError(`${path} holds ${other}, which is not part of a capture: it is not replaced`)
}

/** Everything a capture consists of, in memory. */
async function gather(source: Source, { signal, onFile }: CaptureOptions) {
  const files = new Map<string, Uint8Array>()
  const absences: Absence[] = []
  const blobs = await source.btfFiles()
  const expected = 1 + FACT_FILES.length + (isAbsence(blobs) ? 0 : blobs.length)
  let done = 0
  const add = (name: string, bytes: Uint8Array | Absence): void => {
    checkAborted(signal, 'the capture')
    if (isAbsence(bytes)) absences.push(bytes)
    else files.set(name, bytes)
    onFile?.(name, ++done, expected)
  }
  const before = await source.fact('modules')
  add('kallsyms', await readText(source, signal))
  for (const name of FACT_FILES) add(name, name === 'modules' ? before : await source.fact(name))
  if (source.kind === 'live') {
    for (const [name, paths] of Object.entries(LIVE_EXTRAS)) {
      const bytes = await firstOf(name, paths)
      if (!isAbsence(bytes)) files.set(name, bytes)
    }
  }
  if (isAbsence(blobs)) absences.push(blobs)
  else {
    for (const blob of blobs) {
      const name = `btf/${blob.module}`
      add(
        name,
        await readBtf(blob).then(
          ({ bytes }) => bytes,
          (error: unknown) => absenceOf(name, error),
        ),
      )
    }
  }
  const after = await source.fact('modules')
  const settled = isAbsence(before) ? isAbsence(after) : !isAbsence(after) && places(before) === places(after)
  return { files, absences, unsettled: !settled }
}

/** The fields of /proc/modules that do not change with mere use: all but how often each module is used, and by which. */
function places(modules: Buffer): string {
  return modules.toString('latin1').replace(/^(\S+ \d+) \S+ \S+/gm, '$1')
}

async function readText(source: Source, signal: AbortSignal | undefined): Promise<Buffer> {
  const reader = source.openSymbols()
  try {
    const pieces: Buffer[] = []
    let piece = Buffer.allocUnsafe(PIECE_BYTES)
    let filled = 0
    for (;;) {
      checkAborted(signal, 'the capture')
      const count = await reader.read(piece.subarray(filled))
      if (count === 0) break
      filled += count
      if (filled < piece.length) continue
      pieces.push(piece)
      piece = Buffer.allocUnsafe(PIECE_BYTES)
      filled = 0
    }
    return Buffer.concat([...pieces, piece.subarray(0, filled)])
  } finally {
    reader.close()
  }
}

async function firstOf(what: string, paths: readonly string[]): Promise<Buffer | Absence> {
  let failure: unknown
  for (const path of paths) {
    try {
      return await readRegularFile(path)
    } catch (error) {
      failure = error
    }
  }
  return absenceOf(what, failure)
}

async function writeFiles(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ([...files.keys()].some((name) => name.startsWith('btf/'))) await mkdir(join(folder, 'btf'), { mode: 0o700 })
  for (const [name, bytes] of files) {
    checkAborted(signal, 'the capture')
    await writeFile(join(folder, name), bytes, { mode: 0o600, flag: 'wx' })
  }
}
