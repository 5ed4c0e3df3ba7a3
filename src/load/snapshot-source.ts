// A snapshot file as what commands and the library open: at once where everything in it is wanted, and as a source of
// text where only some symbols are.

import { closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import type { TypeSetRecord } from '../btf/index-types.ts'
import { type BtfFile, type FactFile, isAbsence, MODULE_FACTS, PROBE_FACTS, type Source } from '../sources/source.ts'
import { kallsymsText } from '../symbols/print.ts'
import type { KernelLoad } from './cached.ts'
import type { HostFacts } from './host-facts.ts'
import { type TypesLater, typesLaterInFile } from './pending-types.ts'
import type { Handle, Snapshot } from './snapshot.ts'
import { factsOf, SNAPSHOT_LAYOUT } from './snapshot-file.ts'
import { SnapshotReader } from './snapshot-io.ts'
import { Timeline } from './timeline.ts'

/** Whether a path is a file that begins as a snapshot file does, in either byte order. Waits for the system. */
export function isSnapshotFile(path: string): boolean {
  // A pipe is not even opened: whoever writes to it would see it closed again.
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return false
  }
  try {
    const words = Buffer.alloc(4)
    readSync(descriptor, words, 0, 4, 0)
    return words.readUInt32LE(0) === SNAPSHOT_LAYOUT.magic || words.readUInt32BE(0) === SNAPSHOT_LAYOUT.magic
  } finally {
    closeSync(descriptor)
  }
}

/** Which types of a file to open, and when to read them. */
export type TypesIn = boolean | 'behind' | 'named'

/**
 * Reads a snapshot file that may come from anywhere, as the given generation. Without types none are read; those that come
 * `behind` the symbols, or are only looked up by name until they come (`named`), are the load's rest.
 * @throws NotReadableError, NoPermissionError, BadFormatError, UnsupportedError, LimitError
 */
export async function readSnapshotFile(path: string, generation: number, types: TypesIn = true): Promise<KernelLoad> {
  const timeline = new Timeline()
  const reader = new SnapshotReader(path)
  let rest: TypesLater | undefined
  try {
    const { meta } = reader.plan
    const { parts, types: records } = await reader.read({ symbols: true, groups: () => types === true, facts: true })
    const handle: Handle = {
      kerndex: 1,
      generation,
      symbols: parts.symbols!, // Asked for.
      types: records,
      host: hostOf(path, meta.host),
      skipped: meta.skipped,
      later: { facts: factsOf(reader.plan, parts.facts!), types: [] }, // Asked for.
    }
    timeline.record('read', 'snapshot', 0)
    const comeLater = typeof types === 'string' && meta.groups.length > 0
    if (comeLater) rest = typesLaterInFile(reader, types === 'named')
    return { handle, memory: undefined, timeline, rest }
  } finally {
    if (rest === undefined) reader.close()
  }
}

function hostOf(path: string, host: HostFacts): HostFacts {
  return { ...host, source: `${path}, a snapshot of ${host.source}` }
}

/** The types in a snapshot file, and what is known of the host. @throws as `readSnapshotFile` */
export async function readSnapshotTypes(path: string): Promise<{ types: readonly TypeSetRecord[]; host: HostFacts }> {
  const reader = new SnapshotReader(path)
  try {
    const { types } = await reader.read({ symbols: false, groups: () => true, facts: false })
    return { types, host: hostOf(path, reader.plan.meta.host) }
  } finally {
    reader.close()
  }
}

/** A snapshot as a source: its symbols as text again, its blobs and files as they were. */
export function snapshotSource(snapshot: Snapshot): Source {
  const { host, symbols } = snapshot
  const texts: Readonly<Partial<Record<FactFile, string | undefined>>> = {
    modules: host.modules
      ?.map(({ name, size, state, address }) => `${name} ${size} 0 - ${state} 0x${address.toString(16)}\n`)
      .join(''),
    version: host.release && `Linux version ${host.release} `,
    boot_id: host.bootId,
  }
  return {
    kind: 'capture',
    description: host.source,
    openSymbols() {
      const pieces = kallsymsText(symbols, symbols.addressDigits)
      let rest: Uint8Array = new Uint8Array(0)
      return {
        sizeHint: 0,
        identity: host.source,
        read(target) {
          while (rest.length === 0) {
            const piece = pieces.next()
            if (piece.done === true) return 0
            rest = piece.value
          }
          const count = Math.min(rest.length, target.length)
          target.set(rest.subarray(0, count))
          rest = rest.subarray(count)
          return count
        },
        close() {},
      }
    },
    async btfFiles() {
      return snapshot.handle().types.map(({ name, blob, blobOffset, blobLength }): BtfFile => {
        return { module: name, path: name, bytes: new Uint8Array(blob, blobOffset, blobLength) }
      })
    },
    factPaths: () => [],
    async fact(name) {
      if (name === 'notes' && host.buildId !== undefined) return buildIdNote(host.buildId)
      const isStored = ([...PROBE_FACTS, ...MODULE_FACTS] as readonly FactFile[]).includes(name)
      const known = isStored ? snapshot.fact(name) : undefined
      if (known !== undefined && !isAbsence(known)) return Buffer.from(known)
      const text = texts[name]
      return text === undefined ? (known ?? { what: name, reason: 'not part of this snapshot' }) : Buffer.from(text)
    },
  }
}

/** A build id as /sys/kernel/notes has it. */
function buildIdNote(hex: string): Buffer {
  const id = Buffer.from(hex, 'hex')
  const head = Buffer.alloc(16)
  head.writeUInt32LE(4, 0)
  head.writeUInt32LE(id.length, 4)
  head.writeUInt32LE(3, 8)
  head.write('GNU\0', 12, 'latin1')
  return Buffer.concat([head, id])
}
