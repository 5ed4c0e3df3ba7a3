// perf.data beside its text: which kernel and modules the recording is of, held against those of the symbols.

import { UnsupportedError, UsageError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import { adviceFor } from '../events/formats.ts'
import { fileOf } from '../events/input/dso.ts'
import type { Kernel } from '../kernel.ts'
import { parseBuildIds } from '../sources/facts.ts'
import { isRecording, type PerfHeader, readPerfHeader } from '../sources/perf-data.ts'
import { note } from './output.ts'

/** Modules that are named; the others are counted. */
const MOST_NAMED = 8

/**
 * The files without those that are perf.data; of these is said whether the symbols are of the kernel that they were recorded on.
 * @throws UsageError if they are not; UnsupportedError, with what to do, if there is no other file
 */
export async function withoutRecordings(files: readonly string[], kernel: Kernel): Promise<string[]> {
  const rest = files.filter((file) => file === '-' || !isRecording(file))
  for (const file of files) {
    if (rest.includes(file)) continue
    const verdict = verdictOn(await readPerfHeader(file), kernel)
    if (rest.length === 0)
      throw new UnsupportedError(`${file}: ${adviceFor('PERFILE2')}. ${verdict.text}`, { path: file })
    if (verdict.other) throw new UsageError(`${file}: ${verdict.text}: give --from a capture of that kernel`)
    note(`${file}: ${verdict.text}`)
  }
  return rest
}

function verdictOn({ release, buildId, files }: PerfHeader, kernel: Kernel): { text: string; other: boolean } {
  const snapshot = kernel.snapshot()
  const { host } = snapshot
  const of = `the recording is of kernel ${printable(release ?? 'of an unknown release')}, build id ${buildId ?? 'unknown'}`
  if (buildId !== undefined && host.buildId !== undefined) {
    if (buildId !== host.buildId) return { text: `${of}, the symbols are of build id ${host.buildId}`, other: true }
    return { text: `${of}, as the symbols are${ofModules(files, snapshot.fact('module_identities'))}`, other: false }
  }
  if (release !== undefined && host.release !== undefined && host.release !== release) {
    return { text: `${of}, the symbols are of ${printable(host.release)}`, other: true }
  }
  if (buildId === undefined) return { text: `${of}: it tells no build id to compare the symbols with`, other: false }
  return { text: `${of}; the symbols have no build id to compare it with`, other: false }
}

/** What is said of modules whose build ids are known on both sides. */
function ofModules(files: ReadonlyMap<string, string>, identities: unknown): string {
  if (!(identities instanceof Uint8Array)) return ''
  const known = parseBuildIds(Buffer.from(identities.buffer, identities.byteOffset, identities.byteLength))
  const others: string[] = []
  for (const [file, id] of files) {
    const { owner = '' } = fileOf(file, undefined)
    const own = known.get(owner)
    if (own !== undefined && own !== id) others.push(printable(owner))
  }
  if (others.length === 0) return ''
  const more = others.length > MOST_NAMED ? ` and ${others.length - MOST_NAMED} more` : ''
  return `; of another build are the modules ${others.slice(0, MOST_NAMED).join(', ')}${more}`
}
