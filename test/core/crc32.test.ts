// The loop that sums few bytes says what zlib says.
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { crc32OfFew } from '../../src/core/crc32.ts'

it('sums as zlib does, bytes of any number and up to more than it has room for', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(crc32OfFew(bytes)).toBe(crc32(bytes))
    }),
  )
  const many = Uint8Array.from({ length: 65_537 }, (_, i) => (i * 31) >> 3)
  for (const length of [65_535, 65_536, 65_537])
    expect(crc32OfFew(many.subarray(0, length))).toBe(crc32(many.subarray(0, length)))
})
