// The small things in a snapshot file, as JSON: what is known of the host, which type sets there are, what was skipped.
// What comes back is checked field by field, because a file can say anything.

import { ANCHORS, type Anchor } from '../catalog/image.ts'
import type { MissingModule, Placement } from '../catalog/place.ts'
import { BadFormatError } from '../core/errors.ts'
import { formatModules, type ModuleInfo, parseModules } from '../sources/facts.ts'
import { type Absence, FACT_FILES, type FactFile } from '../sources/source.ts'
import type { BadLine } from '../symbols/parse.ts'
import type { HostFacts, SkippedLines } from './host-facts.ts'

/** A type set's place: its blob's in the group's blobs, its row's in the group's index. */
export interface SetPlace {
  readonly name: string
  /** Its place in the kernel's order of all sets. */
  readonly rank: number
  readonly blobOffset: number
  readonly blobLength: number
  readonly indexOffset: number
  readonly base: string | undefined
  /** Tells on the same boot of the same host whether the file it came from is still the same. */
  readonly identity: string | undefined
  /** Whether it was found to fit the set it is split on. */
  readonly sound: boolean
}

/** How a text is recognised when it is read again: the digests of its chunks. */
export interface TextDigests {
  readonly chunkBytes: number
  readonly digests: readonly string[]
}

/** An optional file of the host: its place in the facts, or why there is none. */
export type FactPlace = Absence | { readonly what: FactFile; readonly offset: number; readonly length: number }

/** Everything of a snapshot but its large columns. */
export interface SnapshotMeta {
  readonly host: HostFacts
  readonly skipped: SkippedLines
  readonly text: TextDigests | undefined
  /** Sets by group: those of one index. */
  readonly groups: readonly (readonly SetPlace[])[]
  readonly facts: readonly FactPlace[]
  /** Where the kernel's image begins in the table for other boots; none where the file has no such table. */
  readonly anchors: readonly Anchor[]
}

const REASONS: ReadonlySet<string> = new Set(['blank', 'address', 'type', 'name', 'owner'])
const FACTS: ReadonlySet<string> = new Set(FACT_FILES)

/** The JSON text of the small things, in UTF-8. Addresses are hexadecimal strings. */
export function encodeMeta(meta: SnapshotMeta): Buffer {
  const { modules, ...host } = meta.host
  const anchors = meta.anchors.map(({ name, address }) => [name, address.toString(16)])
  return Buffer.from(
    JSON.stringify({
      ...meta,
      host: { ...host, modules: modules && formatModules(modules) },
      anchors,
    }),
  )
}

/** @throws BadFormatError for anything that is not what `encodeMeta` writes */
export function decodeMeta(bytes: Uint8Array): SnapshotMeta {
  let json: unknown
  try {
    json = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  } catch (error) {
    throw new BadFormatError('snapshot file: its description is no JSON', {}, { cause: error })
  }
  const meta = record(json, 'description')
  const host = record(meta.host, 'host')
  const skipped = record(meta.skipped, 'skipped')
  const leftOut = record(skipped.leftOut, 'leftOut')
  const text = meta.text === undefined ? undefined : record(meta.text, 'text')
  return {
    host: {
      source: string(host.source, 'source'),
      release: optional(host.release, 'release'),
      bootId: optional(host.bootId, 'bootId'),
      buildId: optional(host.buildId, 'buildId'),
      modules: host.modules === undefined ? undefined : modulesOf(host.modules),
      absences: list(host.absences, 'absences').map(absenceOf),
      ...(host.placement !== undefined && { placement: placementOf(host.placement) }),
    },
    skipped: {
      count: whole(skipped.count, 'count'),
      lines: list(skipped.lines, 'lines').map(badLineOf),
      leftOut: { data: whole(leftOut.data, 'data'), owners: whole(leftOut.owners, 'owners') },
    },
    text: text && {
      chunkBytes: whole(text.chunkBytes, 'chunkBytes'),
      digests: list(text.digests, 'digests').map((digest) => string(digest, 'digest')),
    },
    groups: list(meta.groups, 'groups').map((sets) => list(sets, 'sets').map(setOf)),
    facts: list(meta.facts, 'facts').map(factOf),
    anchors: list(meta.anchors, 'anchors').map(anchorOf),
  }
}

function wrong(what: string): BadFormatError {
  return new BadFormatError(`snapshot file: its description has no such ${what}`)
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(what)
  return value as Record<string, unknown> // An object's own fields, each of which is looked at before it is used.
}

function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw wrong(what)
  return value
}

function string(value: unknown, what: string): string {
  if (typeof value !== 'string') throw wrong(what)
  return value
}

function optional(value: unknown, what: string): string | undefined {
  return value === undefined ? undefined : string(value, what)
}

function whole(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw wrong(what)
  return value
}

function addressOf(value: unknown): bigint {
  const digits = string(value, 'address')
  if (!/^[0-9a-f]{1,16}$/.test(digits)) throw wrong('address')
  return BigInt(`0x${digits}`)
}

function modulesOf(value: unknown): ModuleInfo[] {
  const text = string(value, 'modules')
  const modules = parseModules(text)
  if (formatModules(modules) !== text) throw wrong('modules')
  return modules
}

/** A reason why a catalogue does not give a module. */
const WHY: ReadonlySet<string> = new Set<MissingModule['why']>(['unknown', 'other build', 'no place'])

function placementOf(value: unknown): Placement {
  const { missing, byName, unplaced } = record(value, 'placement')
  return {
    missing: list(missing, 'missing').map((each): MissingModule => {
      const { name, buildId, srcversion, why } = record(each, 'missing module')
      if (!WHY.has(string(why, 'reason'))) throw wrong('reason')
      return {
        name: string(name, 'name'),
        buildId: optional(buildId, 'build id'),
        srcversion: optional(srcversion, 'srcversion'),
        why: why as MissingModule['why'], // One of WHY.
      }
    }),
    byName: list(byName, 'names').map((name) => string(name, 'name')),
    unplaced: list(unplaced, 'unplaced').map((each) => {
      const { owner, name, type } = record(each, 'symbol')
      return { owner: string(owner, 'owner'), name: string(name, 'name'), type: string(type, 'type') }
    }),
  }
}

function anchorOf(value: unknown): Anchor {
  const [given, address] = list(value, 'anchor')
  const name = ANCHORS.find((anchor) => anchor === given)
  if (name === undefined) throw wrong('anchor')
  return { name, address: addressOf(address) }
}

function absenceOf(value: unknown): Absence {
  const { what, reason } = record(value, 'absence')
  return { what: string(what, 'what'), reason: string(reason, 'reason') }
}

function badLineOf(value: unknown): BadLine {
  const { line, reason } = record(value, 'line')
  if (!REASONS.has(string(reason, 'reason'))) throw wrong('reason')
  return { line: whole(line, 'line'), reason: reason as BadLine['reason'] } // One of REASONS.
}

function setOf(value: unknown): SetPlace {
  const set = record(value, 'set')
  return {
    name: string(set.name, 'name'),
    rank: whole(set.rank, 'rank'),
    blobOffset: whole(set.blobOffset, 'blobOffset'),
    blobLength: whole(set.blobLength, 'blobLength'),
    indexOffset: whole(set.indexOffset, 'indexOffset'),
    base: optional(set.base, 'base'),
    identity: optional(set.identity, 'identity'),
    sound: set.sound === true,
  }
}

function factOf(value: unknown): FactPlace {
  const fact = record(value, 'fact')
  const what = string(fact.what, 'what')
  if (!FACTS.has(what)) throw wrong(`fact ${what}`)
  if (fact.reason !== undefined) return { what, reason: string(fact.reason, 'reason') }
  // One of FACTS.
  return { what: what as FactFile, offset: whole(fact.offset, 'offset'), length: whole(fact.length, 'length') }
}
