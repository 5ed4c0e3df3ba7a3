// Addresses of pieces and their answers as bytes: whatever goes in comes out, and bytes of anything else are refused.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { AddressAnswers, decodeAddresses } from '../../src/fleet/answers.ts'
import { PACKED_HEAD_BYTES, packAddresses, unpackAddresses } from '../../src/fleet/packed-addresses.ts'
import { NO_SYMBOL } from '../../src/symbols/search.ts'
import { snapshotOfText } from '../events/samples.ts'

/** Of one kernel, of anything at all, and mixed. */
const uppers = fc.oneof(
  fc.constant(0xffff_ffffn),
  fc.constantFrom(0n, 0xffff_8880n, 0xffff_ffffn),
  fc.bigInt(0n, 0xffff_ffffn),
)
const addresses = fc
  .array(fc.tuple(uppers, fc.bigInt(0n, 0xffff_ffffn)), { maxLength: 300 })
  .map((pairs) => BigUint64Array.from(pairs, ([upper, lower]) => (upper << 32n) | lower))

it('gives addresses back, in eight bytes each at most, wherever the bytes lie and whatever room is lent', () => {
  const room = new BigUint64Array(200)
  fc.assert(
    fc.property(addresses, fc.nat(7), (given, shift) => {
      const packed = packAddresses(given)
      expect(packed.length).toBeLessThanOrEqual(PACKED_HEAD_BYTES + given.length * 8)
      const moved = new Uint8Array(packed.length + shift)
      moved.set(packed, shift)
      expect(unpackAddresses(moved.subarray(shift))).toEqual(given)
      expect(unpackAddresses(packed, room)).toEqual(given)
    }),
  )
})

it('takes half the bytes for the addresses of one kernel', () => {
  const given = BigUint64Array.from({ length: 1000 }, (_, i) => 0xffff_ffff_8100_0000n + BigInt(i * 77))
  expect(packAddresses(given).length).toBe(PACKED_HEAD_BYTES + 4000 + 8)
})

it('refuses bytes that are no addresses and no answer', async () => {
  const packed = packAddresses(BigUint64Array.of(1n, 2n, 3n, 4n, 1n << 40n))
  const { symbols } = await snapshotOfText('ffffffff81000000 T _text\nffffffff82000000 T _end\n')
  const { bytes: answer } = new AddressAnswers().encode(BigUint64Array.of(0xffff_ffff_8100_0001n, 7n), symbols, true)
  for (const [whole, read] of [
    [packed, unpackAddresses],
    [answer, decodeAddresses],
  ] as const) {
    read(whole)
    for (let length = 0; length < whole.length; length++)
      expect(() => read(whole.subarray(0, length))).toThrow(expect.objectContaining({ code: 'BAD_FORMAT' }))
    for (let at = 0; at < whole.length; at++) {
      const changed = new Uint8Array(whole)
      changed[at]! ^= 0xff
      // Another value may still be one; a length that is not so never ends in anything but its error.
      try {
        read(changed)
      } catch (error) {
        expect(error).toMatchObject({ code: 'BAD_FORMAT' })
      }
    }
  }
})

it('answers as single lookups do, also far from where a symbol begins, and with or without words', async () => {
  // Beyond half a megabyte, which is all that five thousand ids leave room for.
  const far = 0xf9_0000
  const lines = Array.from(
    { length: 500 },
    (_, i) => `${(0xffff_ffff_8100_0000n + BigInt(i * 16)).toString(16)} t f${i}`,
  )
  const { symbols } = await snapshotOfText(
    [
      '0000000000000000 A per_cpu',
      ...lines,
      'ffffffff81f00000 T wide',
      'ffffffff83f00000 T after',
      'ffffffff84000000 T _end\n',
    ].join('\n'),
  )
  const given = BigUint64Array.from({ length: 3000 }, (_, i) =>
    i % 10 === 0 ? BigInt(i) << 40n : 0xffff_ffff_8100_0000n + BigInt(i % 7 === 0 ? far + i : i * 11),
  )
  const answers = new AddressAnswers()
  for (const names of [false, true]) {
    // A larger one before: what it left in memory is nobody's answer.
    answers.encode(new BigUint64Array(4000).fill(0xffff_ffff_8100_0007n), symbols, names)
    const { bytes, missing } = answers.encode(given, symbols, names)
    const read = decodeAddresses(bytes)
    const unknown: bigint[] = []
    given.forEach((address, i) => {
      const match = symbols.at(address)
      if (match === undefined) unknown.push(address)
      const id = read.ids[i]!
      if (names && match !== undefined) expect(read.names?.[id]?.symbol).toBe(match.symbol.name)
      else expect(id).toBe(match?.symbol.id ?? NO_SYMBOL)
      expect(read.offsets[i]).toBe(match?.offset ?? 0)
    })
    expect([...read.unknown]).toEqual(unknown)
    expect(missing).toBe(unknown.length)
    expect([...read.offsets].some((offset) => offset > 2 ** 19)).toBe(true)
  }
})
