import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatAddress,
  highHalf,
  isAddress,
  joinAddress,
  lowHalf,
  MAX_ADDRESS,
  parseAddress,
} from '../../src/core/address.ts'
import { decodeName, encodeName } from '../../src/core/bytes.ts'

describe('names', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => new TextEncoder().encode(text)),
    fc
      .array(fc.constantFrom(0x41, 0xc3, 0xa9, 0xe5, 0x8a, 0x9f, 0xff, 0x80, 0xed, 0xb2, 0xf0, 0x9f, 0x98), {
        maxLength: 8,
      })
      .map((list) => Uint8Array.from(list)),
  )
  it('of any bytes come back as the same bytes', () => {
    fc.assert(
      fc.property(bytes, fc.nat(5), (name, before) => {
        const all = Buffer.concat([Buffer.alloc(before, 0xfe), name, Buffer.from([0xff])])
        const text = decodeName(all, before, before + name.length)
        expect(Buffer.from(encodeName(text))).toEqual(Buffer.from(name))
      }),
      { numRuns: 3000 },
    )
  })

  it('read as usual where they are UTF-8, over shared memory too', () => {
    const text = 'naïve_功能_😀'
    const raw = Buffer.from(text)
    const shared = Buffer.from(new SharedArrayBuffer(raw.length))
    raw.copy(shared)
    expect(decodeName(shared, 0, shared.length)).toBe(text)
    expect(decodeName(Buffer.from([0xff, 0x41]), 0, 2)).toBe('\udcffA')
    expect(decodeName(raw, 3, 3)).toBe('')
  })
})

describe('addresses', () => {
  it('go through halves and text without loss', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, MAX_ADDRESS), (address) => {
        expect(joinAddress(highHalf(address), lowHalf(address))).toBe(address)
        expect(parseAddress(formatAddress(address))).toBe(address)
        expect(isAddress(address)).toBe(true)
      }),
    )
  })

  it('are hexadecimal, of at most 16 digits, and nothing else', () => {
    expect(parseAddress('ffffffff81000000')).toBe(0xffffffff81000000n)
    expect(parseAddress('0XFF')).toBe(0xffn)
    for (const text of ['', '0x', 'xyz', '-1', ' 1', '1 ', '12345678901234567', '1.5', '0x1n']) {
      expect(parseAddress(text), text).toBeUndefined()
    }
    expect(formatAddress(0x10n)).toBe('0x0000000000000010')
    expect(isAddress(-1n)).toBe(false)
    expect(isAddress(MAX_ADDRESS + 1n)).toBe(false)
  })
})
