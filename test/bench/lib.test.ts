// The parts of the measuring harness that could make a figure wrong without anybody noticing.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BASELINES, plainFind, plainFindMany } from '../../bench/lib/baselines.ts'
import { contest, rowsOf } from '../../bench/lib/contest.ts'
import { plainRead } from '../../bench/lib/plain-read.ts'
import { freshStrings, listNames } from '../../bench/lib/questions.ts'
import { seededRandom } from '../../bench/lib/random.ts'
import { compare, summarize } from '../../bench/lib/stats.ts'

const TEXT = `ffffffff81000000 T _stext
ffffffff81000000 T _text
0000000000000000 A per_cpu
ffffffffc0000010 t init\t[mod]
ffffffffc0000000 t init\t[mod]
`

test('a summary has the median and the quartiles, whatever the order', () => {
  expect(summarize([4, 1, 3, 2, 5])).toEqual({ n: 5, median: 3, low: 2, high: 4, min: 1, max: 5 })
  expect(summarize([1, 2])).toEqual({ n: 2, median: 1.5, low: 1.25, high: 1.75, min: 1, max: 2 })
  expect(() => summarize([])).toThrow(RangeError)
})

test('the same seed gives the same numbers, within bounds and spread over them', () => {
  const one = seededRandom(7)
  const two = seededRandom(7)
  const counts = new Uint32Array(10)
  for (let i = 0; i < 10_000; i++) {
    const value = one(10)
    expect(value).toBe(two(10))
    counts[value]!++
  }
  for (const count of counts) expect(count).toBeGreaterThan(850)
  expect(seededRandom(8)(1e9)).not.toBe(seededRandom(7)(1e9))
})

test('every baseline loads all fields of all lines, by name and by address', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-bench-test-'))
  try {
    const path = join(folder, 'kallsyms')
    writeFileSync(path, TEXT)
    expect(plainRead([path, path])).toBe(2 * TEXT.length)
    for (const load of Object.values(BASELINES)) {
      const { byName, byAddress, starts } = await load(path)
      expect(byName.get('init')?.map(({ address }) => address)).toEqual([0xffffffffc0000010n, 0xffffffffc0000000n])
      expect(byAddress.map(({ name }) => name)).toEqual(['per_cpu', '_stext', '_text', 'init', 'init'])
      expect(byAddress[4]).toEqual({ name: 'init', address: 0xffffffffc0000010n, type: 't', owner: 'mod' })
      expect(byAddress[1]?.owner).toBe('vmlinux')
      expect([...starts]).toEqual(byAddress.map(({ address }) => address))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the plain search finds the last start at or below an address, singly and in bulk', () => {
  const address = fc.bigInt({ min: 0n, max: 40n })
  fc.assert(
    fc.property(fc.array(address, { maxLength: 30 }), fc.array(address), (some, asked) => {
      const starts = BigUint64Array.from(some).sort()
      const addresses = BigUint64Array.from(asked)
      const ids = new Uint32Array(asked.length)
      const offsets = new Uint32Array(asked.length)
      plainFindMany(starts, addresses, ids, offsets)
      asked.forEach((wanted, i) => {
        const expected = [...starts].findLastIndex((start) => start <= wanted)
        expect(plainFind(starts, wanted)).toBe(expected)
        expect(ids[i]).toBe(expected >>> 0)
        expect(offsets[i]).toBe(expected < 0 ? 0 : Number(wanted - starts[expected]!))
      })
    }),
  )
})

test('names come back from their list as they went in', () => {
  const names = ['a', '__pfx_b', 'c.llvm.1']
  expect(freshStrings(listNames(names))).toEqual(names)
})

test('a contest gives every contender one time a round, prepares each run, and knows whom to compare', async () => {
  let prepared = 0
  let runs = 0
  const turns = await contest(
    [
      { what: 'work', by: 'plain', count: 1, run: () => {} },
      { what: 'other work', by: 'plain', count: 1, run: () => {} },
      {
        what: 'other work',
        by: 'clever',
        count: 5,
        run: () => void runs++,
        before: () => void prepared++,
        yardstick: 'plain',
      },
    ],
    2,
  )
  expect(turns.map(({ times }) => times.length)).toEqual([2, 2, 2])
  expect(prepared).toBe(runs)
  expect(runs).toBe(9)
  const rows = rowsOf('suite', 'input', turns, 'ms')
  expect(rows.map(({ what, by, yardstick }) => [what, by, yardstick])).toEqual([
    ['work', 'plain', undefined],
    ['other work', 'plain', undefined],
    ['other work', 'clever', 'plain'],
  ])
})

test('rows of a contest are rates, milliseconds or nanoseconds, and ratios of the same round', () => {
  const turns = [
    { what: 'w', by: 'plain', count: 1000, yardstick: undefined, note: undefined, times: [1, 4] },
    { what: 'w', by: 'clever', count: 4000, yardstick: 'plain', note: 'noted', times: [2, 2] },
  ]
  const [plain, clever] = rowsOf('s', 'i', turns, 'M/s')
  expect(plain).toMatchObject({ unit: 'M/s', max: 1, min: 0.25, n: 2 })
  // 2 M/s in both rounds against 1 and 0.25.
  expect(clever).toMatchObject({ median: 2, ratio: 5, yardstick: 'plain', note: 'noted' })
  expect(rowsOf('s', 'i', turns, 'ns')[1]).toMatchObject({ median: 500 })
  expect(rowsOf('s', 'i', turns, 'ms')[1]).toMatchObject({ median: 2, ratio: 1.25 })
  expect(() => rowsOf('s', 'i', turns.slice(1), 'ms')).toThrow('compared with plain')
})

test('a comparison pairs measurements in the order they were made', () => {
  // Whoever divides the medians gets 1; the pairs say 2.
  expect(compare('yard', [1, 2, 30], [0.5, 1, 15])).toEqual({ yardstick: 'yard', ratio: 2, ratioLow: 2, ratioHigh: 2 })
  expect(compare('yard', [1, 2, 3], [3, 2, 1])).toMatchObject({ ratio: 1, ratioHigh: 2 })
  expect(() => compare('yard', [1], [1, 2])).toThrow(RangeError)
})
