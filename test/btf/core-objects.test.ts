// CO-RE on objects that clang made, held to what libbpf did with them on the same kernel.
import { describe, expect, test } from 'vitest'
import { type CheckedRelocation, checkObject } from '../../src/btf/relocate/check-object.ts'
import { Types } from '../../src/btf/types.ts'
import { findSection, readElf } from '../../src/core/elf.ts'
import { debian, fixture, oneRecord, shared, swapWords } from './fixtures.ts'

interface Row {
  readonly object: string
  readonly section: string
  readonly number: number
  readonly kind: string
  readonly instruction: number | undefined
  readonly status: string
  readonly value: bigint | undefined
}

/** What libbpf did, in its order; see the README beside it. */
const rows: Row[] = fixture('core/relocations.tsv')
  .toString()
  .trimEnd()
  .split('\n')
  .map((line) => {
    const [object = '', section = '', number, kind = '', instruction, status = '', value] = line.split('\t')
    return {
      object,
      section,
      number: Number(number),
      kind,
      instruction: instruction === '?' ? undefined : Number(instruction),
      status,
      // libbpf prints an immediate of 32 bits with its sign, and an offset likewise.
      value: value === '' ? undefined : BigInt.asUintN(64, BigInt(value!)),
    }
  })

const objects = [...new Set(rows.map(({ object }) => object))]

/** Relocations by section, in the order of the object. */
function check(bytes: Uint8Array, types: Types): Map<string, CheckedRelocation[]> {
  const bySection = new Map<string, CheckedRelocation[]>()
  for (const each of checkObject(bytes, types)) {
    const list = bySection.get(each.section)
    if (list) list.push(each)
    else bySection.set(each.section, [each])
  }
  return bySection
}

/** Values as far as 32 bits of an immediate hold them; libbpf's log does not say which instructions have more. */
const low = (value: bigint | undefined) => value !== undefined && BigInt.asUintN(32, value)

test.each(objects)('%s: every relocation ends as it does in libbpf', (object) => {
  const checked = check(fixture(`core/${object}.o`), debian())
  const expected = rows.filter((row) => row.object === object)
  expect([...checked.values()].flat()).toHaveLength(expected.length)
  for (const row of expected) {
    const what = `${row.section} #${row.number}`
    const { kind, instructionOffset, result } = checked.get(row.section)![row.number]!
    expect([result.status, what]).toEqual([row.status, what])
    if (row.kind !== '?') expect([kind, what]).toEqual([row.kind, what])
    if (row.instruction !== undefined) expect([instructionOffset, what]).toEqual([8 * row.instruction, what])
    if (row.value !== undefined) expect([low(result.value), what]).toEqual([low(row.value), what])
    if (result.status !== 'ok') expect(result.reason).toBeTruthy()
  }
})

test('values of 64 bits are whole', () => {
  const checked = check(fixture('core/types.clang19.bpfel.o'), debian()).get('raw_tp/wide_enumerators')!
  expect(checked.slice(0, 6).map(({ result }) => result.value)).toEqual([
    BigInt.asUintN(64, -32n),
    BigInt.asUintN(64, -4095n),
    1n << 63n,
    1n << 61n,
    0n,
    undefined,
  ])
})

describe('big-endian objects', () => {
  /** The same kernel as a big-endian machine would have it. */
  const kernel = new Types([oneRecord('vmlinux', shared(swapWords(fixture('deb61/vmlinux.btf'))))])

  test.each(objects)('%s: values are the same, but for shifts from the left', (object) => {
    const little = check(fixture(`core/${object}.o`), debian())
    const key = ({ kind, typeId, access }: CheckedRelocation): string => `${kind} [${typeId}] ${access}`
    // Macros read bitfields by other steps here, so relocations are found by what they ask and not by their number.
    const expected = new Map<string, Row>()
    for (const row of rows) {
      if (row.object === object) expected.set(`${row.section} ${key(little.get(row.section)![row.number]!)}`, row)
    }
    const asked = new Set<string>()
    for (const each of [...check(fixture(`core/${object.replace('bpfel', 'bpfeb')}.o`), kernel).values()].flat()) {
      const { section, kind, result } = each
      const what = `${section} ${key(each)}`
      const row = expected.get(what)!
      asked.add(what)
      expect([result.status, what, result.reason]).toEqual([row.status, what, result.reason])
      if (row.value === undefined) continue
      if (kind !== 'lshift_u64') {
        expect([low(result.value), what]).toEqual([low(row.value), what])
        continue
      }
      const same = (wanted: string): bigint => expected.get(what.replace('lshift_u64', wanted))!.value!
      const bits = 64n - same('rshift_u64')
      // The field's bits begin behind the bytes that a load of eight has in front, and its first bits in its own load.
      const firstBit = 64n - row.value - bits
      expect([result.value, what]).toEqual([64n - 8n * same('byte_sz') + firstBit, what])
    }
    expect(asked.size).toBe(expected.size)
  })

  test('are refused on a little-endian kernel, and the other way round', () => {
    expect(() => checkObject(fixture('core/fields.clang14.bpfeb.o'), debian())).toThrow(/byte order/)
    expect(() => checkObject(fixture('core/fields.clang14.bpfel.o'), kernel)).toThrow(/byte order/)
  })
})

/**
 * One byte of an instruction changed; the outcome is libbpf's for the same change. Numbers of instructions are those of
 * relocations in relocations.tsv.
 */
describe('an instruction that was changed', () => {
  const OFFSET = 2
  const IMMEDIATE = 4
  const UPPER_IMMEDIATE = 12
  const CALL = 0x85
  const ADD_REGISTER = 0x0f

  test.each<[string, string, number, number, number, 'ok' | 'failed', RegExp?]>([
    ['fields.clang14', 'stores', 0, OFFSET, 5, 'failed', /holds 5 .* say 4/],
    ['fields.clang14', 'stores', 0, 0, CALL, 'failed', /holds no value \(opcode 0x85\)/],
    ['fields.clang14', 'far_address', 0, IMMEDIATE, 5, 'failed', /holds 5 .* say 4/],
    ['fields.clang14', 'far_address', 0, 0, ADD_REGISTER, 'failed', /takes a register/],
    ['types.clang19', 'wide_enumerators', 0, IMMEDIATE, 0xe1, 'failed', /holds/],
    ['types.clang19', 'wide_enumerators', 0, UPPER_IMMEDIATE, 0, 'failed', /holds/],
    ['types.clang19', 'wide_enumerators', 0, 1, 0x11, 'failed', /not the load/],
    ['types.clang19', 'sizes', 0, IMMEDIATE, 21, 'failed', /holds 21 .* say 20/],
    ['types.clang19', 'ids', 0, IMMEDIATE, 99, 'ok'],
    ['types.clang19', 'ids', 2, IMMEDIATE, 99, 'ok'],
    // Of a bitfield, only its sign and its number of bits are certain: byte_off, byte_sz, lshift_u64, signed, rshift_u64.
    ['bitfields.clang14', 'probed', 0, IMMEDIATE, 1, 'ok'],
    ['bitfields.clang14', 'probed', 1, IMMEDIATE, 3, 'ok'],
    ['bitfields.clang14', 'probed', 2, IMMEDIATE, 62, 'ok'],
    ['bitfields.clang14', 'probed', 3, IMMEDIATE, 1, 'failed', /holds 1 .* say 0/],
    ['bitfields.clang14', 'probed', 4, IMMEDIATE, 63, 'failed', /holds 63 .* say 62/],
  ])('%s %s #%i: byte %i = %i: %s', (object, program, number, byte, value, status, reason) => {
    const bytes = fixture(`core/${object}.bpfel.o`)
    const find = () => check(bytes, debian()).get(`raw_tp/${program}`)![number]!
    const before = find()
    expect(before.result.status).toBe('ok')
    bytes[findSection(readElf(bytes), `raw_tp/${program}`)!.offset + before.instructionOffset + byte] = value
    const { result } = find()
    expect(result).toEqual({
      ...before.result,
      status,
      ...(reason && { reason: expect.stringMatching(reason) }),
    })
  })
})
