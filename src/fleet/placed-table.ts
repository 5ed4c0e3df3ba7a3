// A table as a catalogue has it: the builds, which travel once for all hosts, and the layout of one host, some thirty kilobytes.

import { like, bytes as someBytes } from '../core/arguments.ts'
import { BadFormatError } from '../core/errors.ts'
import { contentKey, isContentKey } from './job.ts'
import type { Store } from './store.ts'

/** The pieces of a host's table. */
export interface PlacedTable {
  /** The content key of an archive with the entries of the host's kernel and modules, as `Catalog#export` writes it. */
  readonly builds: string
  /** The bytes of the host's layout file. */
  readonly layout: Uint8Array
}

const PLACED = like<PlacedTable>({ builds: contentKey, layout: someBytes }, '{ builds, layout }')

/** How it begins, and nothing else that is stored. */
const BEGINNING = Buffer.from('{"kerndex":1,"placed":')
/** Bytes that are enough to tell what something is. */
const BEGINNING_BYTES = BEGINNING.length

/** Its bytes, whose key is the table's. */
export function encodePlaced(table: PlacedTable): Uint8Array {
  const { builds, layout } = PLACED(table, 'table')
  const base64 = Buffer.from(layout.buffer, layout.byteOffset, layout.byteLength).toString('base64')
  return Buffer.concat([BEGINNING, Buffer.from(`${JSON.stringify({ builds, layout: base64 })}}`)])
}

/** Whether bytes begin as a placed table does. */
export function isPlaced(bytes: Uint8Array): boolean {
  return Buffer.compare(BEGINNING, bytes.subarray(0, BEGINNING_BYTES)) === 0
}

/** @throws BadFormatError if the bytes are no placed table */
export function decodePlaced(bytes: Uint8Array): PlacedTable {
  let record: { readonly placed?: { readonly builds?: unknown; readonly layout?: unknown } } | null
  try {
    record = JSON.parse(Buffer.from(bytes).toString()) as typeof record // Every member is looked at.
  } catch (cause) {
    throw new BadFormatError('the record of a placed table is no JSON', {}, { cause })
  }
  const { builds, layout } = record?.placed ?? {}
  if (typeof builds !== 'string' || !isContentKey(builds) || typeof layout !== 'string')
    throw new BadFormatError('the record of a placed table names no builds, or has no layout')
  return { builds, layout: Buffer.from(layout, 'base64') }
}

/** The key of the builds that a stored table needs beside itself; undefined where it needs none, or is not there. */
export async function buildsOf(store: Store, table: string): Promise<string | undefined> {
  if (!(await store.has(table))) return undefined
  const pieces: Uint8Array[] = []
  for await (const piece of await store.get(table)) {
    // A snapshot is told by its first bytes, and the rest of its megabytes is left where it is.
    if (pieces.length === 0 && !isPlaced(piece)) return undefined
    pieces.push(piece)
  }
  return decodePlaced(Buffer.concat(pieces)).builds
}
