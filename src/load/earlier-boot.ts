// The running kernel's symbols from the file of an earlier boot of the same build: moved to where the kernel and its modules are now.

import { setImmediate as turn } from 'node:timers/promises'
import { type Identities, moveBoot } from '../catalog/next-boot.ts'
import type { HostFacts } from '../snapshot/host-facts.ts'
import type { FactRecord, Handle } from '../snapshot/snapshot.ts'
import { type ModuleInfo, parseIdentities } from '../sources/facts.ts'
import { inSharedMemory } from '../sources/later.ts'
import { type Absence, isAbsence, type Source } from '../sources/source.ts'
import { placeTable } from '../symbols/placed.ts'
import { SymbolTable } from '../symbols/table.ts'
import { Workspace } from '../symbols/workspace.ts'
import { carryOn } from './carry-on.ts'
import { firstAnchor } from './first-lines.ts'
import { hostNow, sameModules } from './host.ts'

/** Modules asked at once what they are known by: about half a millisecond. */
const AT_ONCE = 32

/** The file of an earlier boot. */
export interface StoredBoot {
  readonly host: HostFacts
  /** Reads its symbols, and what its modules are known by as `identitiesFact` gave it. Called last: they are on their way. */
  read(): Promise<{ readonly symbols: SharedArrayBuffer; readonly identities: FactRecord | undefined }>
}

/**
 * What is certain of the running kernel; undefined where addresses are hidden from this process, or nothing is.
 * @throws NotReadableError, and what `read` throws
 */
export async function symbolsOfEarlier(
  { host: before, read }: StoredBoot,
  source: Source,
  host: HostFacts,
): Promise<Pick<Handle, 'symbols' | 'names' | 'host'> | undefined> {
  const anchor = await firstAnchor(source.openSymbols())
  if (anchor === undefined) return undefined
  const sizes = new Map(before.modules?.map(({ name, size }) => [name, size]))
  const modules = (host.modules ?? []).filter(({ name, size }) => sizes.get(name) === size)
  const now = { anchor, modules, identities: await identitiesNow(source, modules) }
  const workspace = Workspace.open()
  try {
    const { symbols, identities } = await read()
    const earlier = {
      table: new SymbolTable(symbols),
      // Of a file from before it was recorded what modules are known by, nothing but the core is certain.
      modules: identities === undefined ? [] : (before.modules ?? []),
      identities: identities instanceof Uint8Array ? parseIdentities(Buffer.from(identities)) : undefined,
    }
    const moved = moveBoot(earlier, now)
    if (moved === undefined) return undefined
    const { table, byName } = moved
    return {
      symbols: await carryOn(placeTable(workspace, table), workspace),
      names: [symbols],
      host: byName.length === 0 ? host : { ...host, placement: { missing: [], byName, unplaced: [] } },
    }
  } finally {
    workspace.release()
  }
}

/** The identities of these modules; undefined where the host tells none. */
async function identitiesNow(source: Source, modules: readonly ModuleInfo[]): Promise<Identities> {
  if (modules.length === 0) return new Map()
  if (source.identitiesNow !== undefined) return source.identitiesNow(modules.map(({ name }) => name))
  const text = await source.fact('module_identities')
  return isAbsence(text) ? undefined : parseIdentities(text)
}

/** The identities of a load's modules, for a later boot; undefined where other modules are loaded by now. */
export async function identitiesFact(
  source: Source,
  { modules = [] }: HostFacts,
): Promise<Uint8Array<SharedArrayBuffer> | Absence | undefined> {
  let text: Buffer | Absence
  if (source.identitiesNow === undefined) text = await source.fact('module_identities')
  else {
    const lines: string[] = []
    for (let at = 0; at < modules.length; at += AT_ONCE) {
      const names = modules.slice(at, at + AT_ONCE).map(({ name }) => name)
      for (const [name, { buildId = '-', srcversion = '-' }] of source.identitiesNow(names)) {
        lines.push(`${name} ${buildId} ${srcversion} - -\n`)
      }
      await turn()
    }
    text = Buffer.from(lines.join(''), 'latin1')
  }
  if (!sameModules(hostNow(source).modules, modules)) return undefined
  return isAbsence(text) ? text : inSharedMemory(text)
}
