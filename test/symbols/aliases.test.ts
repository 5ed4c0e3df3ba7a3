// Tens of thousands of names at one address: lookups there give what they give for two, and do not walk over all of them.

import { expect, it } from 'vitest'
import { snapshotOfText } from '../events/samples.ts'

const NAMES = 50_000
const LOOKUPS = 50_000

it('lookups at an address of many names give the first, its true size, and end soon', async () => {
  const names = Array.from({ length: NAMES }, (_, i) => `ffffffff81000100 T name_${i}\n`).join('')
  const { symbols } = await snapshotOfText(
    `ffffffff81000000 T _stext\n${names}ffffffff81000200 T next\nffffffff81001000 T _etext\n`,
  )
  // One by one over all names this would be 2.5 thousand million steps, far beyond the time that a test has.
  const { ids, offsets } = symbols.findMany(new BigUint64Array(LOOKUPS).fill(0xffffffff81000107n))
  expect(new Set(Array.from(ids, (id) => symbols.nameOf(id)))).toEqual(new Set(['name_0']))
  expect(new Set(offsets)).toEqual(new Set([7]))
  const match = symbols.at(0xffffffff81000107n)
  expect([match?.symbol.name, match?.offset, match?.size]).toEqual(['name_0', 7, 0x100])
  expect(symbols.startingAt(0xffffffff81000100n)).toHaveLength(NAMES)
})

it.each([
  ['one owner', ''],
  ['two owners', '\t[m]'],
])('all sizes at an address of many names of %s are there, and end soon', async (_, other) => {
  const names = Array.from({ length: NAMES }, (_, i) => `ffffffff81000100 T name_${i}${i % 2 === 0 ? '' : other}\n`)
  const { symbols } = await snapshotOfText(
    `ffffffff81000000 T _stext\n${names.join('')}ffffffff81000200 T next\nffffffff81001000 T _etext\n`,
  )
  // Again: one by one over all names this would be 2.5 thousand million steps for each.
  const sizes = Array.from(symbols.matching('name_*'), ({ size }) => size)
  expect([sizes.length, ...new Set(sizes)]).toEqual([NAMES, 0x100])
})
