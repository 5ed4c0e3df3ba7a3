// The facts of a host, from its source's small files, and whether two hosts are in the same state.

import { release } from 'node:os'
import type { HostFacts } from '../snapshot/host-facts.ts'
import { type ModuleInfo, parseBuildId, parseModules, parseRelease } from '../sources/facts.ts'
import { readNow } from '../sources/later.ts'
import { type Absence, type FactFile, isAbsence, type Source } from '../sources/source.ts'

/** The files that describe the host. */
export const HOST_FILES = ['modules', 'version', 'boot_id', 'notes'] as const satisfies readonly FactFile[]

export type HostFile = (typeof HOST_FILES)[number]

/** The bytes of the files, or why there are none. */
export type HostBytes = Readonly<Partial<Record<HostFile, Buffer | Absence>>>

/** A list of modules with its text, by which it is known again: parsing thousands takes longer than reading them. */
export interface ListedModules {
  readonly text: Buffer
  readonly modules: readonly ModuleInfo[]
}

/** The facts in the files, modules that are `known` not parsed again. A missing file is recorded as an absence, never an error. */
export function hostOf(source: Source, files: HostBytes, known?: ListedModules): HostFacts {
  const absences: Absence[] = []
  const parsed = <T>(name: HostFile, parse: (bytes: Buffer) => T): T | undefined => {
    const bytes = files[name] ?? { what: name, reason: 'not there' }
    if (!isAbsence(bytes)) return parse(bytes)
    absences.push(bytes)
    return undefined
  }
  const modules = parsed('modules', (text) => (known?.text.equals(text) ? known.modules : parseModules(text)))
  const version = source.kind === 'live' ? release() : parsed('version', parseRelease)
  const bootId = parsed('boot_id', (bytes) => bytes.toString('latin1').trim())
  const buildId = parsed('notes', parseBuildId)
  absences.sort((a, b) => (a.what < b.what ? -1 : 1))
  return { source: source.description, release: version, bootId, buildId, modules, absences }
}

/** The same at once, waiting for the system: tens of microseconds on a running kernel. */
export function hostNow(source: Source): HostFacts {
  return hostOf(source, filesNow(source))
}

/** The files at once. */
export function filesNow(source: Source): HostBytes {
  const names = HOST_FILES.filter((name) => name !== 'version' || source.kind !== 'live')
  return Object.fromEntries(names.map((name) => [name, readNow(name, source.factPaths(name))]))
}

/** Whether two states of one host have the same modules, in the same order and at the same places. */
export function sameModules(a: readonly ModuleInfo[] | undefined, b: readonly ModuleInfo[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i]!
      return (
        one.name === other.name && one.size === other.size && one.state === other.state && one.address === other.address
      )
    })
  )
}
