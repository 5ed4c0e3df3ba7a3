// Differences between kernels: what is said of members, parameters, values; nothing for equal kernels.
import { describe, expect, test } from 'vitest'
import { diffTypes, type TypeChange } from '../../src/btf/ask/diff.ts'
import { indexTypes } from '../../src/btf/read/index-types.ts'
import { Types } from '../../src/btf/types.ts'
import { BtfBuilder } from './builder.ts'
import { debian } from './fixtures.ts'

const kernel = (builder: BtfBuilder): Types =>
  new Types(indexTypes([{ name: 'vmlinux', bytes: builder.build() }]).records)

function changes(before: (builder: BtfBuilder) => void, after: (builder: BtfBuilder) => void): TypeChange[] {
  const [a, b] = [new BtfBuilder(), new BtfBuilder()]
  before(a)
  // Other ids in the second kernel must not matter.
  b.int('unrelated', 2)
  after(b)
  return [...diffTypes(kernel(a), kernel(b))].filter((each) => each.name !== 'unrelated')
}

test('a kernel does not differ from itself', () => {
  expect([...diffTypes(debian(), debian(), { module: 'nf_tables' })]).toEqual([])
  expect([...diffTypes(debian(), debian(), { name: 'task_struct' })]).toEqual([])
})

describe('what changed', () => {
  test('members: moved, of another type, new, gone; in anonymous structs too', () => {
    const struct = (members: [string, number, string][], size: number) => (builder: BtfBuilder) => {
      const types = { int: builder.int('int', 4), long: builder.int('long int', 8) }
      const inner = builder.struct('', 4, [{ name: 'deep', type: types.int }])
      builder.struct('s', size, [
        ...members.map(([name, offset, type]) => ({ name, type: types[type as 'int'], offset: offset * 8 })),
        { name: '', type: inner, offset: (size - 4) * 8 },
      ])
    }
    const old = struct(
      [
        ['a', 0, 'int'],
        ['b', 4, 'int'],
        ['gone', 8, 'int'],
      ],
      16,
    )
    const now = struct(
      [
        ['a', 0, 'int'],
        ['b', 8, 'long'],
        ['fresh', 16, 'int'],
      ],
      24,
    )
    expect(changes(old, now)).toEqual([
      {
        change: 'changed',
        kind: 'STRUCT',
        name: 's',
        module: 'vmlinux',
        details: [
          { what: 'size', from: '16', to: '24' },
          { what: 'member', name: 'b', from: '4: int', to: '8: long int' },
          { what: 'member', name: 'gone', from: '8: int' },
          { what: 'member', name: 'deep', from: '12: int', to: '20: int' },
          { what: 'member', name: 'fresh', to: '16: int' },
        ],
      },
    ])
  })

  test('functions: parameters and result', () => {
    const func = (params: string[], result: boolean) => (builder: BtfBuilder) => {
      const int = builder.int('int', 4)
      const list = params.map((name) => ({ name, type: int }))
      builder.func('f', builder.proto(result ? int : 0, list))
    }
    expect(changes(func(['a', 'b'], false), func(['b'], true))).toMatchObject([
      {
        kind: 'FUNC',
        details: [
          { what: 'returns', from: 'void', to: 'int' },
          { what: 'param', name: 'a', from: '0: int' },
          { what: 'param', name: 'b', from: '1: int', to: '0: int' },
        ],
      },
    ])
  })

  test('enumerators, also when the enum becomes 64 bits wide; typedefs', () => {
    const found = changes(
      (builder) => {
        builder.enum('e', 4, { A: 1, B: 2 })
        builder.typedef('t', builder.int('int', 4))
      },
      (builder) => {
        builder.enum64('e', 8, { A: 1n, B: 3n })
        builder.typedef('t', builder.int('long int', 8))
      },
    )
    expect(found.map(({ name, details }) => [name, details])).toEqual([
      [
        'e',
        [
          { what: 'size', from: '4', to: '8' },
          { what: 'value', name: 'B', from: '2', to: '3' },
        ],
      ],
      ['t', [{ what: 'type', from: 'int', to: 'long int' }]],
    ])
  })

  test('added and removed', () => {
    const one = (name: string) => (builder: BtfBuilder) => void builder.struct(name, 0, [])
    expect(changes(one('a'), one('b')).map(({ change, name }) => [change, name])).toEqual([
      ['removed', 'a'],
      ['added', 'b'],
    ])
  })

  test('of several types of one name only those that differ', () => {
    const two = (size: number) => (builder: BtfBuilder) => {
      builder.struct('s', size, [])
      builder.struct('s', 8, [])
    }
    const found = changes(two(4), two(16))
    expect(found).toMatchObject([{ change: 'changed', details: [{ what: 'size', from: '4', to: '16' }] }])
  })
})

test('a module that only one kernel has is all new', () => {
  const without = new Types(debian().records.filter((each) => each.name !== 'zram'))
  const found = [...diffTypes(without, debian(), { kind: 'FUNC' })]
  expect(found.length).toBe(new Set([...debian().functions('*', { module: 'zram' })].map((each) => each.name)).size)
  expect(found.every((each) => each.change === 'added' && each.module === 'zram')).toBe(true)
})
