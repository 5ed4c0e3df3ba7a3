// The compiled walk against a model that works through the format's description: the same index for what is sound, the same words for
// what is not.
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { readHeader } from '../../src/btf/read/header.ts'
import { INDEX_LAYOUT } from '../../src/btf/read/index-layout.ts'
import { type IndexedTypes, indexTypesSteps, readShape, shapeOfSet } from '../../src/btf/read/index-types.ts'
import { Walk } from '../../src/btf/read/walk.ts'
import { readSections } from '../../src/core/sections.ts'
import { fixture, MODULES, oneRecord, plainFixture, shared, swapWords } from './fixtures.ts'
import { mutate } from './mutate.ts'
import { NOTHING_BELOW, type PlainBase, type PlainWalk, plainIndex, plainWalk } from './plain-walk.ts'

const MUTANTS = process.env.KERNDEX_LONG ? 50_000 : 1_500

interface Base extends PlainBase {
  readonly bytes: Uint8Array
}

function baseOf(bytes: Buffer): Base {
  const { count, strings } = { count: plainWalk(bytes, NOTHING_BELOW).offsets.length, strings: stringsOf(bytes) }
  return { bytes, typeCount: 1 + count, strings }
}

function stringsOf(bytes: Buffer): Buffer {
  const { stringsStart, stringsBytes } = readHeader(bytes, false)
  return bytes.subarray(stringsStart, stringsStart + stringsBytes)
}

/** Where blobs and their base lie: in the walk's own memory, as they do where one thread loads all, or elsewhere. */
type Place = 'near' | 'far'

function indexed(blobs: readonly Uint8Array[], place: Place, base?: Base): IndexedTypes {
  const walk = place === 'near' ? Walk.open() : undefined
  const put = (bytes: Uint8Array) => {
    const room = walk?.take(bytes.length) ?? new Uint8Array(new SharedArrayBuffer(bytes.length))
    room.set(bytes)
    return room
  }
  const shape = base && readShape(put(base.bytes))
  const steps = indexTypesSteps(
    blobs.map((bytes, i) => ({ name: `m${i}`, bytes: put(bytes) })),
    shape,
    walk,
  )
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** What the model makes of a blob: what it holds, or what is wrong; undefined for what the header alone decides. */
function expected(bytes: Buffer, base: PlainBase): PlainWalk | string | undefined {
  try {
    if (readHeader(bytes, base.strings.length > 0).foreign) return undefined
  } catch {
    return undefined
  }
  try {
    return plainWalk(bytes, base)
  } catch (error) {
    return (error as Error).message
  }
}

/** How many of the blobs are sound, having compared all with the model. */
function agreed(blobs: readonly Buffer[], base?: Base, places: readonly Place[] = ['near', 'far']): number {
  const judged = blobs.flatMap((bytes) => {
    const outcome = expected(bytes, base ?? NOTHING_BELOW)
    return outcome === undefined ? [] : [{ bytes, outcome }]
  })
  const sound = judged.flatMap(({ outcome }) => (typeof outcome === 'string' ? [] : [outcome]))
  let ofAll: ReturnType<typeof plainIndex> | undefined
  for (const place of places) {
    const { records, failures } = indexed(
      judged.map(({ bytes }) => bytes),
      place,
      base,
    )
    const wrong = judged.flatMap(({ outcome }, i) => (typeof outcome === 'string' ? [`m${i}: ${outcome}`] : []))
    const said = failures.map(({ error }) => error.message)
    expect(said.map((message) => message.replace(/(wrong base).*/, '$1'))).toEqual(wrong)
    expect(records.map(({ name }) => name)).toEqual(
      judged.flatMap(({ outcome }, i) => (typeof outcome === 'string' ? [] : [`m${i}`])),
    )
    if (records.length === 0) continue
    const index = records[0]!.index
    const sections = readSections(INDEX_LAYOUT, index)
    const words = ({ offset, length }: { offset: number; length: number }) => new Uint32Array(index, offset, length / 4)
    const rows = words(sections.sets)
    const rowWords = rows.length / records.length
    const same = (actual: Uint32Array, model: number[]) =>
      Buffer.compare(bytesOf(actual), bytesOf(Uint32Array.from(model))) === 0
    expect(
      same(
        words(sections.offsets),
        sound.flatMap(({ offsets }) => offsets),
      ),
    ).toBe(true)
    for (const [i, set] of sound.entries()) {
      const row = rows.subarray(i * rowWords, (i + 1) * rowWords)
      expect([row[1], row[6]]).toEqual([set.offsets.length, set.named])
      expect((row[7]! & 2) !== 0).toBe(set.sorted)
      expect([...row.subarray(12, 12 + 21)]).toEqual(set.kindCounts)
    }
    if (sound.length === 1 && sound[0]!.sorted) {
      expect(sections.entries.length).toBe(0)
      continue
    }
    ofAll ??= plainIndex(sound)
    const { buckets, entries } = ofAll
    expect(same(words(sections.buckets), buckets)).toBe(true)
    expect(same(words(sections.entries), entries)).toBe(true)
  }
  return sound.length
}

const bytesOf = (words: Uint32Array) => Buffer.from(words.buffer, words.byteOffset, words.byteLength)

const vmlinux = fixture('deb61/vmlinux.btf')
const modules = MODULES.map((name) => fixture(`deb61/mod/${name}.btf`))
const tests: { file: string }[] = JSON.parse(plainFixture('kernel-raw-tests/index.json').toString())
const small = tests.map(({ file }) => plainFixture(`kernel-raw-tests/${file}`))

describe('the walk', () => {
  test('over vmlinux', () => {
    expect(agreed([vmlinux])).toBe(1)
  })

  test("over the kernel's own test blobs", () => {
    let sound = 0
    for (const bytes of small) sound += agreed([bytes])
    // Most of them are refused only by the kernel's own rules, at which the structural walk does not look.
    expect(sound).toBeGreaterThan(tests.length / 4)
  })

  test('over damaged blobs', () => {
    const next = seededRandom(20_261_121)
    let sound = 0
    for (let i = 0; i < MUTANTS; i += 50) {
      sound += agreed(Array.from({ length: 50 }, () => mutate(small[next(small.length)]!, next)))
    }
    expect(sound).toBeGreaterThan(0)
    expect(sound).toBeLessThan(MUTANTS)
  })

  test('over a damaged vmlinux', () => {
    const next = seededRandom(7)
    for (let i = 0; i < (process.env.KERNDEX_LONG ? 500 : 4); i++) agreed([mutate(vmlinux, next)], undefined, ['near'])
  })

  test('over kinds that only a layout section describes', () => {
    const next = seededRandom(71)
    let sound = 0
    for (let i = 0; i < 300; i++) sound += agreed([withNewKinds(next)])
    expect(sound).toBeGreaterThan(50)
    expect(sound).toBeLessThan(300)
  })
})

/** A blob with a layout section that describes some kinds above those known, and types of them. */
function withNewKinds(next: (below: number) => number): Buffer {
  const kinds = 20 + next(6)
  const layout = Buffer.from(
    Array.from({ length: 4 * kinds }, (_, i) => (i % 4 > 1 ? 0 : next(4) * (next(9) === 0 ? 3 : 4))),
  )
  const words: number[] = []
  for (let i = 0; i < 1 + next(5); i++) {
    const kind = 18 + next(kinds - 16)
    const vlen = next(3)
    words.push(next(3), ((kind << 24) | vlen) >>> 0, next(4))
    const size =
      kind < 20 ? [0, 3 * vlen][kind - 18]! : (layout[4 * kind] ?? 0) / 4 + (vlen * (layout[4 * kind + 1] ?? 0)) / 4
    for (let word = 0; word < size; word++) words.push(next(3))
  }
  const types = Buffer.alloc(4 * words.length)
  for (const [i, word] of words.entries()) types.writeUInt32LE(word, 4 * i)
  const strings = Buffer.from('\0a\0')
  const header = Buffer.alloc(32)
  header.writeUInt16LE(0xeb9f, 0)
  header[2] = 1
  const fields = [32, 0, types.length, types.length + layout.length, strings.length, types.length, layout.length]
  for (const [i, value] of fields.entries()) header.writeUInt32LE(value, 4 + 4 * i)
  return Buffer.concat([header, types, layout, strings])
}

describe('the walk over modules', () => {
  const right = baseOf(vmlinux)

  test('on their base, alone and together', () => {
    expect(agreed(modules, right)).toBe(modules.length)
    for (const bytes of modules) expect(agreed([bytes], right, ['near'])).toBe(1)
  })

  test('says of each what is wrong with it, among others that are right', () => {
    const cut = modules[0]!.subarray(0, 100)
    const strange = Buffer.from(modules[1]!)
    strange.writeUInt32LE(0x7fffffff, 24 + 8)
    expect(
      agreed(
        modules.flatMap((bytes, i) => [bytes, [cut, strange][i % 2]!]),
        right,
      ),
    ).toBe(modules.length)
    const { records, failures } = indexed([cut, modules[0]!, strange], 'near', right)
    expect(records.map(({ name }) => name)).toEqual(['m1'])
    expect(failures.map(({ name }) => name)).toEqual(['m0', 'm2'])
  })

  test('in the other byte order', () => {
    const [usual, swapped] = [modules[2]!, swapWords(modules[2]!)].map(
      (bytes) => indexed([bytes], 'near', right).records[0]!,
    )
    const typesOf = ({ index }: { index: SharedArrayBuffer }) => {
      const { entries } = readSections(INDEX_LAYOUT, index)
      return Buffer.from(index, entries.offset, entries.length)
    }
    expect(typesOf(swapped!).equals(typesOf(usual!))).toBe(true)
  })

  test('sees a wrong base', () => {
    const other = Buffer.from(vmlinux)
    const names = other.subarray(24 + other.readUInt32LE(16) + 1)
    names.set(Buffer.from(names.toString('latin1').split('\0').slice(0, -1).reverse().join('\0')))
    // cast_common takes no name from its base.
    expect(agreed(modules, baseOf(other))).toBe(1)
  })

  test('over sets on sets on sets', () => {
    const [first, second] = [modules[0]!, modules[1]!]
    const middle = plainWalk(first, right)
    const walk = Walk.open()
    const put = (bytes: Uint8Array) => {
      const room = walk.take(bytes.length)
      room.set(bytes)
      return room
    }
    const shape = readShape(put(first), readShape(put(vmlinux)))
    expect(shape.typeCount).toBe(right.typeCount + middle.offsets.length)
    const below = { typeCount: shape.typeCount, strings: middle.strings }
    const outcome = expected(second, below)
    const steps = indexTypesSteps([{ name: 'm', bytes: put(second) }], shape, walk)
    let step = steps.next()
    while (!step.done) step = steps.next()
    // A module's names do not fit a base that is longer than its own: what matters is that both say the same.
    const said = step.value.failures.map(({ error }) =>
      error.message.replace(/^m: /, '').replace(/(wrong base).*/, '$1'),
    )
    expect(said).toEqual(typeof outcome === 'string' ? [outcome] : [])
  })

  test('over damaged modules', () => {
    const next = seededRandom(411)
    let sound = 0
    let blobs = 0
    const few = modules.filter((bytes) => bytes.length < 100_000)
    for (let i = 0; i < MUTANTS / 100; i++) {
      const damaged = Array.from({ length: 12 }, () => {
        const bytes = few[next(few.length)]!
        return next(5) === 0 ? bytes : mutate(bytes, next)
      })
      blobs += damaged.length
      sound += agreed(damaged, right, ['near'])
    }
    expect(sound).toBeGreaterThan(blobs / 5)
    expect(sound).toBeLessThan(blobs)
  })

  test('a set tells the same shape as its blob', () => {
    expect(shapeOfSet(oneRecord('vmlinux', shared(vmlinux)))).toMatchObject({
      typeCount: right.typeCount,
      stringBytes: right.strings.length,
    })
    const swapped = shapeOfSet(oneRecord('vmlinux', shared(swapWords(vmlinux))))
    expect(swapped.typeCount).toBe(right.typeCount)
    const [{ buffer, offset, length }] = swapped.strings as [ReturnType<typeof readShape>['strings'][number]]
    expect(Buffer.from(buffer, offset, length).equals(right.strings)).toBe(true)
  })
})
