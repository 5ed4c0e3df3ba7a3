// The compiled walk against the plain one: the same index to the last byte where it vouches for a blob, and it never vouches
// for one that the plain walk refuses.
import { describe, expect, test } from 'vitest'
import { CompiledWalk } from '../../src/btf/compiled-walk.ts'
import { type IndexedTypes, indexTypesSteps, readShape, shapeOfSet } from '../../src/btf/index-types.ts'
import { fixture, MODULES, oneRecord, plainFixture, shared, swapWords } from './fixtures.ts'
import { mutate, random } from './mutate.ts'

const MUTANTS = process.env.KERNDEX_LONG ? 50_000 : 1_500

function run(steps: Generator<void, IndexedTypes, void>): IndexedTypes {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

interface Outcome {
  readonly index: Buffer
  /** The modules in the index, and what was said of each of the others. */
  readonly sets: readonly string[]
  readonly failures: readonly string[]
  readonly vouched: number
}

/** What indexing blobs on one base gives, and how many of them the compiled walk vouched for. */
function indexed(blobs: readonly Uint8Array[], compiled: boolean, base?: Base): Outcome {
  const walk = compiled ? CompiledWalk.open() : undefined
  if (compiled && walk === undefined) throw new Error('no WebAssembly with threads and vectors here')
  const named = blobs.map((bytes, i) => {
    const room = walk?.take(bytes.length) ?? new Uint8Array(new SharedArrayBuffer(bytes.length))
    room.set(bytes)
    return { name: `m${i}`, bytes: room }
  })
  let vouched = 0
  if (walk !== undefined) {
    const open = walk.batch.bind(walk)
    walk.batch = (...given) => {
      const batch = open(...given)
      if (batch === undefined) throw new Error('no batch')
      const plain = batch.result.bind(batch)
      batch.result = () => {
        const result = plain()
        if (result !== undefined) vouched++
        return result
      }
      return batch
    }
  }
  // The base's names lie in the walk's memory, as they do where one thread loads all, or elsewhere.
  let shape = base?.shape
  if (walk !== undefined && base?.near === true) {
    const room = walk.take(base.bytes.length)
    room.set(base.bytes)
    shape = readShape(room)
  }
  const { records, failures } = run(indexTypesSteps(named, shape, walk))
  return {
    index: records[0] ? Buffer.from(new Uint8Array(records[0].index)) : Buffer.alloc(0),
    sets: records.map(({ name }) => name),
    failures: failures.map(({ error }) => error.message),
    vouched,
  }
}

interface Base {
  readonly bytes: Uint8Array
  readonly shape: ReturnType<typeof readShape>
  readonly near: boolean
}

const baseOf = (bytes: Uint8Array, near: boolean): Base => ({ bytes, shape: readShape(shared(bytes)), near })

/** How many of the blobs the compiled walk vouched for, having made the same of all of them as the plain one. */
function agreed(blobs: readonly Uint8Array[], base?: Base): number {
  const plain = indexed(blobs, false, base)
  const compiled = indexed(blobs, true, base)
  expect(compiled.failures).toEqual(plain.failures)
  expect(compiled.sets).toEqual(plain.sets)
  expect(compiled.index.equals(plain.index)).toBe(true)
  expect(compiled.vouched).toBeLessThanOrEqual(plain.sets.length)
  return compiled.vouched
}

const sameBothWays = (bytes: Uint8Array): boolean => agreed([bytes]) === 1

const vmlinux = fixture('deb61/vmlinux.btf')

describe('the compiled walk', () => {
  test('vouches for vmlinux, and indexes it as the plain walk does', () => {
    expect(sameBothWays(vmlinux)).toBe(true)
  })

  const tests: { file: string }[] = JSON.parse(plainFixture('kernel-raw-tests/index.json').toString())
  test("agrees on the kernel's own test blobs", () => {
    let vouched = 0
    for (const { file } of tests) if (sameBothWays(plainFixture(`kernel-raw-tests/${file}`))) vouched++
    // Most of them are refused only by the kernel's own rules, which the structural walk does not look at.
    expect(vouched).toBeGreaterThan(tests.length / 4)
  })

  test('agrees on damaged blobs', () => {
    const next = random(20_261_121)
    const small = tests.map(({ file }) => plainFixture(`kernel-raw-tests/${file}`))
    let vouched = 0
    for (let i = 0; i < MUTANTS; i++) {
      if (sameBothWays(mutate(small[next(small.length)]!, next))) vouched++
    }
    expect(vouched).toBeGreaterThan(0)
    expect(vouched).toBeLessThan(MUTANTS)
  })

  test('agrees on a damaged vmlinux', () => {
    const next = random(7)
    for (let i = 0; i < (process.env.KERNDEX_LONG ? 500 : 5); i++) sameBothWays(mutate(vmlinux, next))
  })
})

describe('the compiled walk over modules', () => {
  const modules = MODULES.map((name) => fixture(`deb61/mod/${name}.btf`))
  const right = baseOf(vmlinux, true)

  test.each([true, false])('vouches for all on their base, in the same memory: %s', (near) => {
    expect(agreed(modules, baseOf(vmlinux, near))).toBe(modules.length)
    for (const bytes of modules) expect(agreed([bytes], right)).toBe(1)
  })

  test('leaves to the plain walk what is wrong, among others that are right', () => {
    const cut = modules[0]!.subarray(0, 100)
    const strange = Buffer.from(modules[1]!)
    strange.writeUInt32LE(0x7fffffff, 24 + 8)
    const foreign = swapWords(modules[2]!)
    const mixed = modules.flatMap((bytes, i) => [bytes, [cut, strange, foreign][i % 3]!])
    const plain = indexed(mixed, false, right)
    expect(plain.failures.length).toBeGreaterThan(0)
    expect(agreed(mixed, right)).toBe(modules.length)
  })

  test('sees a wrong base as the plain walk does', () => {
    const other = Buffer.from(vmlinux)
    const start = 24 + other.readUInt32LE(16)
    const names = other.subarray(start + 1)
    names.set(Buffer.from(names.toString('latin1').split('\0').slice(0, -1).reverse().join('\0')))
    const plain = indexed(modules, false, baseOf(other, true))
    expect(plain.failures.length).toBe(modules.length - 1)
    // cast_common takes no name from its base.
    expect(agreed(modules, baseOf(other, true))).toBe(1)
  })

  test('agrees on damaged modules', () => {
    const next = random(411)
    let vouched = 0
    let blobs = 0
    const small = modules.filter((bytes) => bytes.length < 100_000)
    for (let i = 0; i < MUTANTS / 50; i++) {
      const damaged = Array.from({ length: 12 }, () => {
        const bytes = small[next(small.length)]!
        return next(5) === 0 ? bytes : mutate(bytes, next)
      })
      blobs += damaged.length
      vouched += agreed(damaged, right)
    }
    expect(vouched).toBeGreaterThan(blobs / 5)
    expect(vouched).toBeLessThan(blobs)
  })

  test('a set tells the same shape as its blob', () => {
    expect(shapeOfSet(oneRecord('vmlinux', shared(vmlinux)))).toMatchObject({
      typeCount: right.shape.typeCount,
      stringBytes: right.shape.stringBytes,
    })
    const swapped = shapeOfSet(oneRecord('vmlinux', shared(swapWords(vmlinux))))
    expect(swapped.typeCount).toBe(right.shape.typeCount)
    const [{ buffer, offset, length }] = swapped.strings as [ReturnType<typeof readShape>['strings'][number]]
    const strings = vmlinux.subarray(24 + vmlinux.readUInt32LE(16))
    expect(Buffer.from(buffer, offset, length).equals(strings)).toBe(true)
  })
})
