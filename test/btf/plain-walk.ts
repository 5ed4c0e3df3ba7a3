// What an index holds of a type set, worked out step by step from the format's description (Documentation/bpf/btf.rst): a model to hold
// the compiled walk to. It shares no table with it.
import { hashByteString } from '../../src/btf/read/names.ts'

/** What is below a set: how many ids, and all names one behind the other. */
export interface PlainBase {
  readonly typeCount: number
  readonly strings: Buffer
}

export const NOTHING_BELOW: PlainBase = { typeCount: 1, strings: Buffer.alloc(0) }

export interface PlainWalk {
  /** By type: position in words from the start of the blob, hash of the name (0 without one), kind and name in one word. */
  readonly offsets: number[]
  readonly hashes: number[]
  readonly places: number[]
  readonly named: number
  /** By kind; the last counts those that are not known. */
  readonly kindCounts: number[]
  readonly sorted: boolean
  readonly strings: Buffer
}

interface Shape {
  /** Words behind the record. */
  readonly fixed: number
  readonly each: number
  /** Words, from the record on, that are ids of types, and that are names. */
  readonly types: number[]
  readonly names: number[]
}

function shapeOf(kind: number, vlen: number, layout: Buffer | undefined): Shape | string {
  const every = (from: number, step: number) => Array.from({ length: vlen }, (_, i) => from + step * i)
  switch (kind) {
    case 1: // INT
      return { fixed: 1, each: 0, types: [], names: [] }
    case 2: // PTR, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, TYPE_TAG
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
    case 18:
      return { fixed: 0, each: 0, types: [2], names: [] }
    case 3: // ARRAY
      return { fixed: 3, each: 0, types: [3, 4], names: [] }
    case 4: // STRUCT, UNION
    case 5:
      return { fixed: 0, each: 3, types: every(4, 3), names: every(3, 3) }
    case 6: // ENUM
      return { fixed: 0, each: 2, types: [], names: every(3, 2) }
    case 7: // FWD, FLOAT
    case 16:
      return { fixed: 0, each: 0, types: [], names: [] }
    case 13: // FUNC_PROTO
      return { fixed: 0, each: 2, types: [2, ...every(4, 2)], names: every(3, 2) }
    case 14: // VAR, DECL_TAG
    case 17:
      return { fixed: 1, each: 0, types: [2], names: [] }
    case 15: // DATASEC
      return { fixed: 0, each: 3, types: every(3, 3), names: [] }
    case 19: // ENUM64
      return { fixed: 0, each: 3, types: [], names: every(3, 3) }
  }
  const [fixed, each] = kind > 0 && layout ? [layout[4 * kind], layout[4 * kind + 1]] : []
  if (fixed === undefined || each === undefined || fixed % 4 !== 0 || each % 4 !== 0) {
    return kind === 0 ? 'Invalid kind:0' : `Invalid kind:${kind}: newer than kerndex, and no layout gives its size`
  }
  return { fixed: fixed / 4, each: each / 4, types: [], names: [] }
}

const NAMES =
  'VOID INT PTR ARRAY STRUCT UNION ENUM FWD TYPEDEF VOLATILE CONST RESTRICT FUNC FUNC_PROTO VAR DATASEC FLOAT DECL_TAG TYPE_TAG ENUM64'.split(
    ' ',
  )

const REFERENCE: Readonly<Record<number, (position: number) => string>> = {
  3: (position) => (position === 0 ? 'elem' : 'index'),
  4: () => 'member',
  5: () => 'member',
  13: (position) => (position === 0 ? 'return type' : `arg#${position}`),
}

/** Works through a blob with a sound header in this machine's byte order. @throws Error with what is wrong */
export function plainWalk(blob: Uint8Array, base: PlainBase): PlainWalk {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.length)
  const header = bytes.readUInt32LE(4)
  const start = header + bytes.readUInt32LE(8)
  const end = start + bytes.readUInt32LE(12)
  /** Bytes by which types are moved so that they stand at a multiple of four. */
  const moved = (4 - (start % 4)) % 4
  if ((end - start) % 4 !== 0) throw new Error(`BTF: the type section's length ${end - start} is not a multiple of 4`)
  const strings = bytes.subarray(
    header + bytes.readUInt32LE(16),
    header + bytes.readUInt32LE(16) + bytes.readUInt32LE(20),
  )
  const layoutBytes = header >= 32 ? bytes.readUInt32LE(28) : 0
  const layoutAt = layoutBytes > 0 ? header + bytes.readUInt32LE(24) : 0
  const layout = layoutBytes > 0 ? bytes.subarray(layoutAt, layoutAt + layoutBytes) : undefined
  const limit = base.strings.length + strings.length
  const all = Buffer.concat([base.strings, strings])
  const textAt = (name: number) => all.subarray(name, all.indexOf(0, name)).toString('latin1')

  const found: PlainWalk & { named: number; sorted: boolean } = {
    offsets: [],
    hashes: [],
    places: [],
    named: 0,
    kindCounts: new Array<number>(21).fill(0),
    sorted: true,
    strings: all,
  }
  const taken: number[] = []
  const elementNames: number[][] = []
  const references: { id: number; kind: number; refs: number[] }[] = []
  let previous: string | undefined
  for (let at = start; at < end; ) {
    const id = base.typeCount + found.offsets.length
    const fail = (kind: string, message: string): never => {
      throw new Error(`[${id}] ${kind} ${message}`)
    }
    if (at + 12 > end) {
      const there = at + 8 <= 4 * Math.floor(bytes.length / 4)
      const kind = there ? (bytes.readUInt32LE(at + 4) >>> 24) & 0x7f : -1
      fail(there ? (NAMES[kind] ?? 'UNKNOWN') : 'type', 'the record is cut short by the end of the section')
    }
    const word = (i: number) => bytes.readUInt32LE(at + 4 * i)
    const kind = (word(1) >>> 24) & 0x7f
    const vlen = word(1) & 0xffffff
    const length = () => {
      const empty = shapeOf(kind, 0, layout)
      if (typeof empty === 'string') throw new Error(`[${id}] ${empty}`)
      return 12 + 4 * (empty.fixed + vlen * empty.each)
    }
    if (at + length() > end) fail(NAMES[kind] ?? 'UNKNOWN', `needs ${length()} bytes, ${end - at} are left`)
    const shape = shapeOf(kind, vlen, layout) as Shape
    const bad = (name: number) => name !== 0 && name >= limit
    if (bad(word(0))) fail(NAMES[kind] ?? 'UNKNOWN', `Invalid name_offset:${word(0)}`)
    for (const [i, place] of shape.names.entries()) {
      if (!bad(word(place))) continue
      if (kind === 13) fail('FUNC_PROTO', `Invalid arg#${i + 1}`)
      fail(NAMES[kind]!, `Invalid ${kind === 6 || kind === 19 ? 'enumerator' : 'member'} name_offset:${word(place)}`)
    }
    found.offsets.push((at + moved) / 4)
    found.kindCounts[Math.min(kind, 20)]!++
    references.push({ id, kind, refs: shape.types.map(word) })
    elementNames.push(shape.names.map(word))
    const name = word(0)
    if (name === 0) {
      found.hashes.push(0)
      found.places.push(0)
      if (found.named > 0) found.sorted = false
    } else {
      const text = textAt(name)
      found.named++
      found.hashes.push(hashByteString(text))
      found.places.push(name < 1 << 24 ? ((kind << 24) | name) >>> 0 : 0xffffffff)
      if (previous !== undefined && previous > text) found.sorted = false
      previous = text
      if (name < base.strings.length) taken.push(name)
    }
    at += length()
  }
  const ids = base.typeCount + found.offsets.length
  for (const { id, kind, refs } of references) {
    for (const [position, ref] of refs.entries()) {
      if (ref < ids) continue
      const what = REFERENCE[kind]?.(position) ?? 'type_id'
      throw new Error(`[${id}] ${NAMES[kind]} Invalid ${what}: type_id ${ref}, ids end at ${ids - 1}`)
    }
  }
  // Names of members and the like count where types have too few from the base, type by type until they are enough.
  for (const names of elementNames) {
    if (taken.length < 32) taken.push(...names.filter((name) => name !== 0 && name < base.strings.length))
  }
  const inside = taken.filter((name) => all[name - 1] !== 0).length
  if (inside * 2 > taken.length) throw new Error('BTF: wrong base')
  return found
}

/** Buckets and entries of the name index over sets, by the description in index-layout.ts. */
export function plainIndex(sets: readonly PlainWalk[]): { readonly buckets: number[]; readonly entries: number[] } {
  const hashes = sets.flatMap((set) => set.hashes)
  const places = sets.flatMap((set) => set.places)
  const named = hashes.flatMap((hash, ordinal) => (hash === 0 ? [] : [{ hash: hash >>> 0, ordinal }]))
  const bucketBits = named.length <= 3 ? 0 : Math.round(Math.log2(named.length / 3))
  const bitsFor = (number: number) => (number === 0 ? 0 : Math.floor(Math.log2(number)) + 1)
  const ordinalBits = bitsFor(Math.max(hashes.length - 1, 1))
  const startBits = bitsFor(named.length)
  const buckets: number[] = []
  const entries: number[] = []
  const byBucket = Array.from({ length: 2 ** bucketBits }, () => [] as typeof named)
  for (const each of named) byBucket[Math.floor(each.hash / 2 ** (32 - bucketBits))]!.push(each)
  for (const members of byBucket) {
    let word = entries.length / 2
    for (const { hash, ordinal } of members) {
      const width = 32 - startBits
      const filter = width === 0 ? 0 : 2 ** (31 - Math.floor(((hash % 65536) * width) / 65536))
      word = (word | filter) >>> 0
      entries.push(((hash << ordinalBits) >>> 0) + ordinal, places[ordinal]!)
    }
    buckets.push(word)
  }
  return { buckets: [...buckets, named.length], entries }
}
