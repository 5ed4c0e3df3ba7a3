// Names that somebody has made up so that they hash alike: building a table stays linear in them, and none is lost or mistaken.
import { expect, it } from 'vitest'
import { hashBytes } from '../../src/symbols/names.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { build } from './build-table.ts'

/**
 * Names of eight bytes with one hash: a step of the hash of roots takes four bytes and can be undone, so for any first four there
 * are last four that lead to the hash that is wanted.
 */
function alike(count: number): Buffer[] {
  const target = hashBytes(Buffer.from('a_target'), 0, 8)
  /** What is hashed with a step from `state` to the target: the step's inverse. */
  const inverse = (() => {
    let x = 0x9e3779b1 | 0
    // Newton: each step doubles the bits of the inverse that are right.
    for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(0x9e3779b1, x))
    return x
  })()
  const unmixed = (h: number) => h ^ (h >>> 15) ^ (h >>> 30)
  const before = Math.imul(unmixed(target), inverse)
  const names: Buffer[] = []
  for (let i = 0; names.length < count; i++) {
    const name = Buffer.alloc(8)
    name.set([0x61 + (i % 26), 0x61 + ((i / 26) % 26), 0x61 + ((i / 676) % 26), 0x61 + ((i / 17_576) % 26)])
    name.writeInt32LE(before ^ hashBytes(name, 0, 4), 4)
    // Only names that a line can hold.
    if (name.every((byte) => byte > 0x20)) names.push(name)
  }
  for (const name of names) if (hashBytes(name, 0, 8) !== target) throw new Error('this name hashes otherwise')
  return names
}

const textOf = (names: readonly Buffer[]): Buffer =>
  Buffer.concat(
    names.flatMap((name, i) => [
      Buffer.from(`ffffffff81${(i * 4).toString(16).padStart(6, '0')} t `),
      name,
      Buffer.from('\n'),
    ]),
  )

it('names of one hash are all there, once, and apart', () => {
  const names = alike(3_000)
  // Each twice: what is known already is found again.
  const table = new SymbolTable(build(textOf([...names, ...names]), {}, [777]).buffer)
  expect(table.size).toBe(6_000)
  expect(table.distinct.names).toBe(3_000)
  for (const i of [0, 1, 15, 16, 17, 1_000, 2_999]) expect(table.idsNamed(names[i]!)).toEqual([i, i + 3_000])
})

it('building grows with their number, not with its square', () => {
  const least = (count: number) => {
    const text = textOf(alike(count))
    let best = Number.POSITIVE_INFINITY
    for (let i = 0; i < 3; i++) {
      const before = process.cpuUsage()
      build(text)
      const { user, system } = process.cpuUsage(before)
      best = Math.min(best, user + system)
    }
    return best
  }
  least(1_000)
  // Eight times as many: eight times as long, not sixty-four times.
  expect(least(40_000) / least(5_000)).toBeLessThan(24)
})
