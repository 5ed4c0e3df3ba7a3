// The memory of lines against a plain map: the same lines are found, no others, and never more than it may hold.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LineMemo } from '../../src/events/line-memo.ts'
import { type RawFrame, rawFrame } from '../../src/stacks/frame.ts'

/** Asks for a line somewhere in larger bytes, and adds it if it is new. */
function meet(memo: LineMemo, line: Buffer, frame: RawFrame): RawFrame | undefined {
  const bytes = Buffer.concat([Buffer.from('\nabc'), line, Buffer.from('\nxyz')])
  memo.over(bytes)
  const found = memo.find(4, 4 + line.length)
  if (found === undefined) memo.add(frame)
  return found
}

it('knows exactly the lines that it has met', () => {
  // Few letters, so that lines share beginnings, ends and lengths.
  const line = fc.array(fc.constantFrom(...'ab\t\xff'), { minLength: 4, maxLength: 12 })
  fc.assert(
    fc.property(fc.array(line, { maxLength: 80 }), (lines) => {
      const memo = new LineMemo()
      const model = new Map<string, RawFrame>()
      for (const letters of lines) {
        const text = letters.join('')
        const frame = rawFrame({ name: text })
        expect(meet(memo, Buffer.from(text, 'latin1'), frame)).toBe(model.get(text))
        if (!model.has(text)) model.set(text, frame)
      }
      expect(memo.size).toBe(model.size)
    }),
    { numRuns: 200 },
  )
})

it('leaves out lines that are very short or very long', () => {
  const memo = new LineMemo()
  for (const length of [0, 1, 3, 1025, 5000]) {
    expect(meet(memo, Buffer.alloc(length, 'x'), rawFrame({}))).toBeUndefined()
    expect(meet(memo, Buffer.alloc(length, 'x'), rawFrame({}))).toBeUndefined()
  }
  expect(memo.size).toBe(0)
  for (const length of [4, 1024]) {
    const frame = rawFrame({})
    meet(memo, Buffer.alloc(length, 'x'), frame)
    expect(meet(memo, Buffer.alloc(length, 'x'), frame)).toBe(frame)
  }
})

it('forgets all when there are too many, or too many bytes', () => {
  const many = new LineMemo()
  const frame = rawFrame({})
  let most = 0
  for (let i = 0; i < 200_000; i++) {
    meet(many, Buffer.from(`line ${i}`), frame)
    most = Math.max(most, many.size)
  }
  expect(most).toBe(65_536)
  expect(many.size).toBe(200_000 % 65_536)
  // What came since is there.
  expect(meet(many, Buffer.from('line 199999'), frame)).toBe(frame)
  expect(meet(many, Buffer.from('line 7'), frame)).toBeUndefined()
  const large = new LineMemo()
  most = 0
  for (let i = 0; i < 20_000; i++) {
    meet(large, Buffer.from(String(i).padStart(1024, '-')), frame)
    most = Math.max(most, large.size)
  }
  expect(most).toBe((1 << 23) / 1024)
  expect(meet(large, Buffer.from('19999'.padStart(1024, '-')), frame)).toBe(frame)
})

it.each([
  ['two words', []],
  ['and a third that is the same', [9]],
])('tells lines of one hash from each other: %s', (_, rest) => {
  const step = (hash: number, word: number) => {
    const mixed = Math.imul(hash ^ word, 0x9e3779b1)
    return mixed ^ (mixed >>> 15)
  }
  const line = (...words: number[]) => {
    const bytes = Buffer.alloc(4 * words.length)
    words.forEach((word, i) => {
      bytes.writeUInt32LE(word >>> 0, 4 * i)
    })
    return bytes
  }
  const [one, other] = [0x61626364, 0x31323334]
  const length = 4 * (2 + rest.length)
  const frame = rawFrame({})
  const memo = new LineMemo()
  expect(meet(memo, line(one, 7, ...rest), frame)).toBeUndefined()
  // The second word makes up for what the first did to the hash.
  const same = step(length, one) ^ 7 ^ step(length, other)
  expect(meet(memo, line(other, same, ...rest), rawFrame({}))).toBeUndefined()
  expect(memo.size).toBe(2)
  expect(meet(memo, line(one, 7, ...rest), rawFrame({}))).toBe(frame)
})
