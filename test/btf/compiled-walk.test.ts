// The compiled walk against the plain one: the same index to the last byte where it vouches for a blob, and it never vouches
// for one that the plain walk refuses.
import { describe, expect, test } from 'vitest'
import { CompiledWalk } from '../../src/btf/compiled-walk.ts'
import { type IndexedTypes, indexTypesSteps } from '../../src/btf/index-types.ts'
import { fixture, plainFixture } from './fixtures.ts'
import { mutate, random } from './mutate.ts'

const MUTANTS = process.env.KERNDEX_LONG ? 50_000 : 1_500

function run(steps: Generator<void, IndexedTypes, void>): IndexedTypes {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

/** The index of one blob, or the failure's text; and whether the compiled walk vouched for it. */
function indexed(bytes: Uint8Array, compiled: boolean): { outcome: string | Buffer; vouched: boolean } {
  const walk = compiled ? CompiledWalk.open() : undefined
  if (compiled && walk === undefined) throw new Error('no WebAssembly with threads and vectors here')
  const room = walk?.take(bytes.length) ?? new Uint8Array(new SharedArrayBuffer(bytes.length))
  room.set(bytes)
  let vouched = false
  if (walk !== undefined) {
    const plain = walk.walk.bind(walk)
    walk.walk = function* (blob, header) {
      const found = yield* plain(blob, header)
      vouched = found !== undefined
      return found
    }
  }
  const { records, failures } = run(indexTypesSteps([{ name: 'x', bytes: room }], undefined, walk))
  const record = records[0]
  return { outcome: record ? Buffer.from(new Uint8Array(record.index)) : failures[0]!.error.message, vouched }
}

function sameBothWays(bytes: Uint8Array): boolean {
  const plain = indexed(bytes, false)
  const compiled = indexed(bytes, true)
  expect(compiled.outcome).toEqual(plain.outcome)
  if (compiled.vouched) expect(plain.outcome).toBeInstanceOf(Buffer)
  return compiled.vouched
}

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
