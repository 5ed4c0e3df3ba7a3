// Reads the compressed fixtures of the BTF tests, and builds type sets from them.
import { readdirSync, readFileSync } from 'node:fs'
import { indexTypes, readShape, type TypeSetRecord } from '../../src/btf/read/index-types.ts'
import { TypeSet } from '../../src/btf/read/type-set.ts'
import { Types } from '../../src/btf/types.ts'
import { fixtureBytes } from '../fixtures.ts'

const root = new URL('../../fixtures/btf/', import.meta.url)

/** The bytes of a fixture; `.br` is added to the path. */
export function fixture(path: string): Buffer {
  return fixtureBytes(`btf/${path}.br`)
}

/** A small fixture that is stored as it is. */
export function plainFixture(path: string): Buffer {
  return readFileSync(new URL(path, root))
}

export function shared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

/** A fixture's blob in shared memory. */
export const blob = (path: string): Uint8Array<SharedArrayBuffer> => shared(fixture(`${path}.btf`))

/** Names of the modules that have fixtures. */
export const MODULES: readonly string[] = readdirSync(new URL('deb61/mod/', root))
  .filter((file) => file.endsWith('.btf.br'))
  .map((file) => file.slice(0, -'.btf.br'.length))

/** One set from one blob; throws the failure if it cannot be indexed. */
export function oneSet(name: string, bytes: Uint8Array<SharedArrayBuffer>, base?: TypeSet): TypeSet {
  return new TypeSet(oneRecord(name, bytes, base), base)
}

export function oneRecord(name: string, bytes: Uint8Array<SharedArrayBuffer>, base?: TypeSet): TypeSetRecord {
  const { records, failures } = indexTypes([{ name, bytes }], base && shapeOf(base))
  if (failures[0]) throw failures[0].error
  return records[0]!
}

/** The shape of a set, read from its blob as the loader does. */
export function shapeOf(set: TypeSet): ReturnType<typeof readShape> {
  const { blob: buffer, blobOffset, blobLength } = set.record
  return readShape(new Uint8Array(buffer, blobOffset, blobLength), set.base && shapeOf(set.base))
}

let kernel: Types | undefined

/** vmlinux and the modules of the Debian fixtures. */
export function debian(): Types {
  if (kernel) return kernel
  const vmlinux = blob('deb61/vmlinux')
  const modules = MODULES.map((name) => ({ name, bytes: blob(`deb61/mod/${name}`) }))
  const first = indexTypes([{ name: 'vmlinux', bytes: vmlinux }])
  const others = indexTypes(modules, readShape(vmlinux))
  const failure = first.failures[0] ?? others.failures[0]
  if (failure) throw failure.error
  kernel = new Types([...first.records, ...others.records])
  return kernel
}

/** Rewrites a blob with a 24-byte header in the other byte order. */
export function swapWords(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy.subarray(0, 2).swap16()
  copy.subarray(4, 24 + bytes.readUInt32LE(12)).swap32()
  return copy
}
