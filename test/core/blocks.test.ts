// Loops over blocks of memory: compiled and in plain JavaScript they say the same, and damage changes what they say.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addToWords, checksum, slowWorkplace } from '../../src/core/blocks.ts'

const bytesOf = (length: number) => Uint8Array.from({ length }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 13) & 255)

describe('a checksum', () => {
  it('is the same where loops cannot be compiled', () => {
    const { room, sum } = slowWorkplace()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const length = Math.ceil(bytes.length / 64) * 64
        room.fill(0, 0, length).set(bytes)
        expect(checksum(bytes)).toBe(sum(0, length, bytes.length) >>> 0)
      }),
    )
  })

  it('is another one after any change of one word, and of most changes of two', () => {
    const bytes = bytesOf(4096)
    const before = checksum(bytes)
    for (let at = 0; at < bytes.length; at++) {
      for (const bits of [1, 0x80, 0xff]) {
        bytes[at]! ^= bits
        expect(checksum(bytes)).not.toBe(before)
        bytes[at]! ^= bits
      }
    }
    fc.assert(
      fc.property(fc.nat(4095), fc.nat(4095), fc.integer({ min: 1, max: 255 }), (one, other, bits) => {
        fc.pre(one !== other)
        for (const at of [one, other]) bytes[at]! ^= bits
        expect(checksum(bytes)).not.toBe(before)
        for (const at of [one, other]) bytes[at]! ^= bits
      }),
    )
  })

  it('tells apart what is longer by zeros, within a block and beyond it', () => {
    const bytes = new Uint8Array(3 * 65_536)
    bytes.set(bytesOf(65_000))
    const sums = [65_000, 65_001, 65_535, 65_536, 65_537, 131_072, 131_073].map((end) =>
      checksum(bytes.subarray(0, end)),
    )
    expect(new Set(sums).size).toBe(sums.length)
  })
})

describe('a number added to words', () => {
  it('is added to each, modulo 2^32, and to none beside them', () => {
    for (const length of [0, 1, 15, 16, 17, 16_383, 16_384, 16_385, 40_000]) {
      const all = Uint32Array.from({ length: length + 2 }, (_, i) => Math.imul(i, 0x9e3779b1))
      const expected = all.map((word, i) => (i === 0 || i === length + 1 ? word : word + 0xfff0_0000))
      addToWords(all.subarray(1, length + 1), 0xfff0_0000)
      expect(all).toEqual(expected)
    }
  })

  it('is the same where loops cannot be compiled', () => {
    const { room, add } = slowWorkplace()
    const words = new Uint32Array(room.buffer, 0, 32)
    words.set(Array.from({ length: 32 }, (_, i) => 0xffff_fff0 + i))
    const expected = words.map((word) => word + 0x20_0000)
    add(0, 128, 0x20_0000)
    expect(words).toEqual(expected)
  })
})
