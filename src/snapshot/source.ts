// A snapshot as a source of text, blobs and small files, for loads that keep only some symbols.

import { formatModules } from '../sources/facts.ts'
import { type BtfFile, type FactFile, isAbsence, MODULE_FACTS, PROBE_FACTS, type Source } from '../sources/source.ts'
import { kallsymsText } from '../symbols/print.ts'
import type { Snapshot } from './snapshot.ts'

/** A snapshot as a source: its symbols as text again, its blobs and files as they were. */
export function snapshotSource(snapshot: Snapshot): Source {
  const { host, symbols } = snapshot
  const texts: Readonly<Partial<Record<FactFile, string | undefined>>> = {
    modules: host.modules && formatModules(host.modules),
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
