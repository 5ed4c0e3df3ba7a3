// The structural check: names, ids and lengths that lead outside are refused where they stand, whatever the kind.
import { describe, expect, test } from 'vitest'
import { indexTypes } from '../../src/btf/read/index-types.ts'
import { BtfBuilder } from './builder.ts'
import { fixture, oneSet, shared } from './fixtures.ts'

const FAR = 0x00ffffff
const NEGATIVE = 0xffffffff

/** The error of a blob whose second type is the given record; the first is an int of 4 bytes. */
function errorOf(kind: number, vlen: number, sizeOrType: number, rest: readonly number[], name?: number): string {
  const builder = new BtfBuilder()
  builder.int('int', 4)
  builder.raw('x', kind, vlen, false, sizeOrType, rest)
  const bytes = builder.build()
  if (name !== undefined) new DataView(bytes.buffer).setUint32(24 + 16, name, true)
  const [failure] = indexTypes([{ name: 'blob', bytes }]).failures
  expect(failure?.error).toMatchObject({ code: 'BAD_FORMAT', place: { typeId: 2, byteOffset: 40, path: 'blob' } })
  return failure!.error.message
}

describe.each([FAR, NEGATIVE])('%i is no name offset', (name) => {
  test.each<[string, number, number, readonly number[], string]>([
    ['struct member', 4, 1, [name, 1, 0], 'Invalid member name_offset'],
    ['second union member', 5, 2, [0, 1, 0, name, 1, 0], 'Invalid member name_offset'],
    ['enumerator', 6, 1, [name, 0], 'Invalid enumerator name_offset'],
    ['64-bit enumerator', 19, 1, [name, 0, 0], 'Invalid enumerator name_offset'],
    ['parameter', 13, 2, [0, 1, name, 1], 'Invalid arg#2'],
  ])('of a %s', (_, kind, vlen, rest, message) => {
    expect(errorOf(kind, vlen, kind === 13 ? 1 : 4, rest)).toContain(message)
  })

  test.each([1, 2, 4, 7, 8, 12, 14, 16, 17, 18])('of a type of kind %i', (kind) => {
    const rest = kind === 1 ? [32] : kind === 14 || kind === 17 ? [0] : []
    expect(errorOf(kind, 0, 1, rest, name)).toContain('Invalid name_offset')
  })
})

describe.each([3, FAR, NEGATIVE])('%i is no type id', (id) => {
  test.each<[string, number, number, number, readonly number[], string]>([
    ['pointer', 2, 0, id, [], 'Invalid type_id'],
    ['typedef', 8, 0, id, [], 'Invalid type_id'],
    ['volatile', 9, 0, id, [], 'Invalid type_id'],
    ['const', 10, 0, id, [], 'Invalid type_id'],
    ['restrict', 11, 0, id, [], 'Invalid type_id'],
    ['function', 12, 0, id, [], 'Invalid type_id'],
    ['variable', 14, 0, id, [0], 'Invalid type_id'],
    ['declaration tag', 17, 0, id, [0], 'Invalid type_id'],
    ['type tag', 18, 0, id, [], 'Invalid type_id'],
    ['array element', 3, 0, 0, [id, 1, 1], 'Invalid elem'],
    ['array index', 3, 0, 0, [1, id, 1], 'Invalid index'],
    ['member', 4, 2, 4, [0, 1, 0, 0, id, 0], 'Invalid member'],
    ['result', 13, 0, id, [], 'Invalid return type'],
    ['parameter', 13, 2, 1, [0, 1, 0, id], 'Invalid arg#2'],
    ['section entry', 15, 2, 8, [1, 0, 4, id, 4, 4], 'Invalid type_id'],
  ])('of a %s', (_, kind, vlen, ref, rest, message) => {
    expect(errorOf(kind, vlen, ref, rest)).toContain(message)
  })
})

test.each<[string, number, number]>([
  ['members', 4, 1],
  ['enumerators', 6, 0xffffff],
  ['parameters', 13, 2],
  ['section entries', 15, 1000],
])('%s that do not fit are refused', (_, kind, vlen) => {
  expect(errorOf(kind, vlen, 1, [0])).toMatch(/needs \d+ bytes, 16 are left/)
})

test('sizes, encodings and values are no references', () => {
  const builder = new BtfBuilder()
  builder.raw('big', 4, 0, false, NEGATIVE)
  builder.raw('e', 6, 0, false, NEGATIVE)
  builder.raw('f', 16, 0, false, NEGATIVE)
  builder.raw('fwd', 7, 0, false, NEGATIVE)
  builder.raw('i', 1, 0, false, NEGATIVE, [NEGATIVE])
  builder.raw('e64', 19, 0, false, NEGATIVE)
  builder.raw('sec', 15, 0, false, NEGATIVE)
  expect(oneSet('x', builder.build()).size).toBe(7)
})

describe('headers', () => {
  const good = fixture('synthetic/multi-base.btf')
  const changed = (change: (bytes: Buffer) => void): string => {
    const bytes = Buffer.from(good)
    change(bytes)
    return indexTypes([{ name: 'blob', bytes: shared(bytes) }]).failures[0]?.error.message ?? ''
  }

  test.each<[string, (bytes: Buffer) => void, RegExp]>([
    ['another magic', (b) => b.writeUInt16LE(0x1234, 0), /Invalid magic/],
    ['another version', (b) => b.writeUInt8(2, 2), /Unsupported version 2/],
    ['flags', (b) => b.writeUInt8(1, 3), /Unsupported flags 1/],
    ['a header beyond the end', (b) => b.writeUInt32LE(1000, 4), /hdr_len 1000/],
    ['a short header', (b) => b.writeUInt32LE(20, 4), /hdr_len 20/],
    ['strings beyond the end', (b) => b.writeUInt32LE(NEGATIVE, 20), /too long/],
    ['types over the strings', (b) => b.writeUInt32LE(NEGATIVE, 12), /overlaps/],
    ['types at an odd place', (b) => b.writeUInt32LE(1, 8), /overlaps|Unaligned/],
    ['strings without an end', (b) => b.writeUInt8(1, b.length - 1), /Invalid string section/],
    ['strings without the empty one', (b) => b.writeUInt8(1, 32 + b.readUInt32LE(16)), /Invalid string section/],
  ])('%s', (_, change, message) => {
    expect(changed(() => {})).toBe('')
    expect(changed(change)).toMatch(message)
  })
})
