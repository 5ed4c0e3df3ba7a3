// A pprof profile as a server hands it to pprof: kernel addresses get mappings of their own, one for vmlinux and for each module,
// with start and build id, so that pprof asks for their names and profiles of several boots merge.

import { gunzipSync, gzipSync } from 'node:zlib'
import { type Location, Mapping, Profile } from 'pprof-format'
import { codeMappings } from '../events/code-mappings.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { HIDDEN_OWNER } from '../symbols/table.ts'
import { HttpError } from './http-error.ts'

/** Bytes that a packed profile may unpack to. */
const MOST_UNPACKED = 1 << 27

/**
 * The same profile, packed, with kernel addresses in kernel mappings. Locations that have names keep them.
 * @throws HttpError 422 if it is no profile
 */
export function forRemoteSymbols(bytes: Buffer, snapshot: Snapshot): Buffer {
  const profile = decoded(bytes)
  const known = codeMappings([snapshot])
  const { stringTable: strings } = profile
  const made = new Map<string, number>()
  const mappings: Mapping[] = []
  const kept = new Map<number, number>()
  const mappingFor = (owner: string): number => {
    let id = made.get(owner)
    if (id === undefined) {
      const { start = 0n, end = 0n, buildId = '' } = known.find((one) => one.owner === owner) ?? {}
      const [filename, build] = [strings.dedup(owner), strings.dedup(buildId)]
      id = mappings.push(
        new Mapping({ id: mappings.length + 1, memoryStart: start, memoryLimit: end, filename, buildId: build }),
      )
      made.set(owner, id)
    }
    return id
  }
  // pprof takes the first mapping for the program that the profile is of.
  mappingFor('vmlinux')
  const before = new Map(profile.mapping.map((mapping) => [Number(mapping.id), mapping]))
  for (const location of profile.location) {
    const owner = location.line.length === 0 ? ownerOf(location, snapshot) : undefined
    if (owner !== undefined) {
      location.mappingId = mappingFor(owner)
      continue
    }
    const number = Number(location.mappingId)
    const old = before.get(number)
    if (old === undefined) continue
    let id = kept.get(number)
    if (id === undefined) {
      id = mappings.push(new Mapping({ ...old, id: mappings.length + 1 }))
      kept.set(number, id)
    }
    location.mappingId = id
  }
  profile.mapping = mappings
  return gzipSync(profile.encode())
}

/** The owner of a kernel address; undefined for user space, and for memory of no known owner. */
function ownerOf(location: Location, { symbols }: Snapshot): string | undefined {
  const address = BigInt.asUintN(64, BigInt(location.address))
  if (address === 0n || symbols.at(address) === undefined) return undefined
  const owner = symbols.ownerAt(address)
  return owner === HIDDEN_OWNER ? undefined : owner
}

function decoded(bytes: Buffer): Profile {
  try {
    const packed = bytes[0] === 0x1f && bytes[1] === 0x8b
    return Profile.decode(packed ? gunzipSync(bytes, { maxOutputLength: MOST_UNPACKED }) : bytes)
  } catch (error) {
    throw new HttpError(422, `it is no pprof profile: ${error instanceof Error ? error.message : String(error)}`)
  }
}
