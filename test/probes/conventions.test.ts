// Where arguments are, worked out by hand from the ABI documents for every architecture.

import { describe, expect, test } from 'vitest'
import type { Architecture } from '../../src/probes/architectures.ts'
import { argumentsOf, shapeOf } from '../../src/probes/arguments.ts'
import { fetchText, placeArguments, placeText, returnRegister, type ValueShape } from '../../src/probes/conventions.ts'
import { BtfBuilder } from '../btf/builder.ts'
import { debian, oneSet } from '../btf/fixtures.ts'

const SHAPES: Readonly<Record<string, ValueShape>> = {
  int: { kind: 'integer', size: 4, align: 4 },
  ptr: { kind: 'integer', size: 8, align: 8 },
  i128: { kind: 'integer', size: 16, align: 16 },
  s0: { kind: 'aggregate', size: 0, align: 1 },
  s3: { kind: 'aggregate', size: 3, align: 1 },
  s8: { kind: 'aggregate', size: 8, align: 8 },
  s12: { kind: 'aggregate', size: 12, align: 4 },
  s16: { kind: 'aggregate', size: 16, align: 8 },
  s16a: { kind: 'aggregate', size: 16, align: 16 },
  packed9: { kind: 'aggregate', size: 9, align: 1, unaligned: true },
  s24: { kind: 'aggregate', size: 24, align: 8 },
}

const list = (text: string): string[] => text.split(' ').filter(Boolean)

/** Types with `>` and the returned type; places; both separated by blanks. */
const CASES: readonly [Architecture, string, string][] = [
  ['x86_64', 'ptr int', 'rdi rsi'],
  ['x86_64', 'ptr ptr ptr ptr ptr ptr ptr int', 'rdi rsi rdx rcx r8 r9 [rsp+0x8] [rsp+0x10]'],
  ['x86_64', 's16 ptr', 'rdi:rsi rdx'],
  ['x86_64', 's3 s12 int', 'rdi rsi:rdx rcx'],
  ['x86_64', 's24 ptr', '[rsp+0x8] rdi'],
  ['x86_64', 'packed9 ptr', '[rsp+0x8] rdi'],
  ['x86_64', 'ptr ptr ptr ptr ptr s16 ptr ptr', 'rdi rsi rdx rcx r8 [rsp+0x8] r9 [rsp+0x18]'],
  ['x86_64', 'ptr i128 ptr', 'rdi rsi:rdx rcx'],
  ['x86_64', 'ptr ptr ptr ptr ptr i128 ptr ptr i128', 'rdi rsi rdx rcx r8 [rsp+0x8] r9 [rsp+0x18] [rsp+0x28]'],
  ['x86_64', 's0 ptr', 'none rdi'],
  ['x86_64', 'ptr int > s24', 'rsi rdx'],
  ['x86_64', 'ptr > packed9', 'rsi'],
  ['x86_64', 'ptr > s16', 'rdi'],
  ['arm64', 'ptr ptr ptr ptr ptr ptr ptr ptr ptr int', 'x0 x1 x2 x3 x4 x5 x6 x7 [sp+0x0] [sp+0x8]'],
  ['arm64', 's16 ptr', 'x0:x1 x2'],
  ['arm64', 'ptr i128 ptr', 'x0 x2:x3 x4'],
  ['arm64', 'ptr s16a ptr', 'x0 x2:x3 x4'],
  ['arm64', 'ptr s16 ptr', 'x0 x1:x2 x3'],
  ['arm64', 's24 ptr', '*x0 x1'],
  ['arm64', 'ptr ptr ptr ptr ptr ptr ptr s16 ptr', 'x0 x1 x2 x3 x4 x5 x6 [sp+0x0] [sp+0x10]'],
  ['arm64', 'ptr ptr ptr ptr ptr ptr ptr i128 ptr', 'x0 x1 x2 x3 x4 x5 x6 [sp+0x0] [sp+0x10]'],
  ['arm64', 'ptr ptr ptr ptr ptr ptr ptr ptr int i128', 'x0 x1 x2 x3 x4 x5 x6 x7 [sp+0x0] [sp+0x10]'],
  ['arm64', 'ptr ptr ptr ptr ptr ptr ptr ptr s24', 'x0 x1 x2 x3 x4 x5 x6 x7 *[sp+0x0]'],
  ['arm64', 'ptr > s24', 'x0'],
  ['s390x', 'ptr int ptr int ptr ptr int', 'r2 r3 r4 r5 r6 [r15+0xa0] [r15+0xa8]'],
  ['s390x', 's8 s3 s16 i128', 'r2 *r3 *r4 *r5'],
  ['s390x', 'ptr ptr ptr ptr ptr s16', 'r2 r3 r4 r5 r6 *[r15+0xa0]'],
  ['s390x', 'ptr > s8', 'r3'],
  ['s390x', 'ptr > i128', 'r3'],
  ['riscv64', 'ptr ptr ptr ptr ptr ptr ptr ptr ptr int', 'a0 a1 a2 a3 a4 a5 a6 a7 [sp+0x0] [sp+0x8]'],
  ['riscv64', 'ptr s16 i128', 'a0 a1:a2 a3:a4'],
  ['riscv64', 'ptr ptr ptr ptr ptr ptr ptr s16 ptr', 'a0 a1 a2 a3 a4 a5 a6 a7:[sp+0x0] [sp+0x8]'],
  ['riscv64', 's24 ptr', '*a0 a1'],
  ['riscv64', 'ptr ptr ptr ptr ptr ptr ptr ptr int i128', 'a0 a1 a2 a3 a4 a5 a6 a7 [sp+0x0] [sp+0x10]'],
  ['riscv64', 'ptr > s24', 'a1'],
  ['riscv64', 'ptr > s16', 'a0'],
]

test.each(CASES)('%s: %s is in %s', (architecture, types, places) => {
  const [args = '', returned] = types.split(' > ')
  const shapes = list(args).map((name) => SHAPES[name])
  const found = placeArguments(architecture, shapes, returned === undefined ? undefined : SHAPES[returned])
  expect(found.map((place) => (place === undefined ? '?' : placeText(architecture, place)))).toEqual(list(places))
})

test('behind an argument whose shape is not known nothing is known', () => {
  const found = placeArguments('x86_64', [SHAPES.ptr, undefined, SHAPES.int])
  expect(found.map((place) => place?.registers)).toEqual([['rdi'], undefined, undefined])
})

test.each([
  ['x86_64', 'ptr ptr ptr ptr ptr ptr ptr', '%di %si %dx %cx %r8 %r9 $stack1', 'rax'],
  ['arm64', 'ptr ptr ptr ptr ptr ptr ptr ptr ptr', '%x0 %x1 %x2 %x3 %x4 %x5 %x6 %x7 $stack0', 'x0'],
  ['s390x', 'ptr ptr ptr ptr ptr ptr', '%r2 %r3 %r4 %r5 %r6 $stack20', 'r2'],
  ['riscv64', 'ptr s16 ptr', '%a0 - %a3', 'a0'],
] as const)('%s as tracefs fetches it', (architecture, types, fetched, returned) => {
  const places = placeArguments(
    architecture,
    list(types).map((name) => SHAPES[name]),
  )
  expect(places.map((place) => (place && fetchText(architecture, place)) ?? '-')).toEqual(list(fetched))
  expect(returnRegister(architecture)).toBe(returned)
})

describe('what types are to a convention', () => {
  const btf = new BtfBuilder()
  const int = btf.int('int', 4, 1)
  const char = btf.int('char', 1, 2)
  const u64 = btf.int('long unsigned int', 8)
  const i128 = btf.int('__int128', 16, 1)
  const double = btf.float('double', 8)
  const typedef = btf.typedef('size_t', btf.const(u64))
  const small = btf.struct('small', 8, [
    { name: 'a', type: int },
    { name: 'b', type: int, offset: 32 },
  ])
  const packed = btf.struct('packed', 5, [
    { name: 'a', type: char },
    { name: 'b', type: int, offset: 8 },
  ])
  const wide = btf.struct('wide', 16, [{ name: 'v', type: i128 }])
  const floats = btf.struct('floats', 8, [{ name: 'd', type: double }])
  const nested = btf.struct('nested', 12, [
    { name: 'p', type: packed },
    { name: 'q', type: char, offset: 40 },
  ])
  const row = btf.array(packed, int, 2)
  const rows = btf.struct('rows', 10, [{ name: 'r', type: row }])
  const large = btf.struct('large', 40, [{ name: 'a', type: u64 }])
  const union = btf.union('either', 8, [
    { name: 'a', type: int },
    { name: 'b', type: u64 },
  ])
  const choice = btf.enum('choice', 4, { A: 0 })
  const fwd = btf.fwd('hidden')
  const pointer = btf.ptr(fwd)
  const set = oneSet('vmlinux', btf.build())

  test.each([
    ['int', int, { kind: 'integer', size: 4, align: 4 }],
    ['a typedef of const', typedef, { kind: 'integer', size: 8, align: 8 }],
    ['__int128', i128, { kind: 'integer', size: 16, align: 16 }],
    ['a pointer', pointer, { kind: 'integer', size: 8, align: 8 }],
    ['an enum', choice, { kind: 'integer', size: 4, align: 4 }],
    ['a struct', small, { kind: 'aggregate', size: 8, align: 4, unaligned: false }],
    ['a packed struct', packed, { kind: 'aggregate', size: 5, align: 1, unaligned: true }],
    ['a struct of 128 bits', wide, { kind: 'aggregate', size: 16, align: 16, unaligned: false }],
    ['a packed struct inside', nested, { kind: 'aggregate', size: 12, align: 1, unaligned: true }],
    ['packed elements', rows, { kind: 'aggregate', size: 10, align: 1, unaligned: true }],
    ['a large struct', large, { kind: 'aggregate', size: 40, align: 8 }],
    ['a union', union, { kind: 'aggregate', size: 8, align: 8, unaligned: false }],
    ['a float', double, undefined],
    ['a struct of floats', floats, undefined],
    ['a forward declaration', fwd, undefined],
    ['void', 0, undefined],
  ])('%s', (_, id, expected) => {
    expect(shapeOf(set, id)).toEqual(expected)
  })
})

test('the arguments of a real function, by name', () => {
  const set = debian().requireSet('nf_tables')
  const [id] = set.idsNamed('nft_trans_alloc_gfp', 'FUNC')
  const found = argumentsOf(set, id!, 'arm64')
  expect(found.map(({ name, declaration, format }) => [name, declaration, format])).toEqual([
    ['ctx', 'const struct nft_ctx *ctx', 'x64'],
    ['msg_type', 'int msg_type', 's32'],
    ['size', 'u32 size', 'u32'],
    ['gfp', 'gfp_t gfp', 'u32'],
  ])
  expect(found.map(({ place }) => place?.registers)).toEqual([['x0'], ['x1'], ['x2'], ['x3']])
  expect(argumentsOf(set, id!, undefined).map(({ place }) => place)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})
