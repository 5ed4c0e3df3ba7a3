// Lookups by name: all candidates in the kernel's order, by kind, by module, in sorted and unsorted sets.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { kindNumber } from '../../src/btf/kinds.ts'
import { indexTypes, readShape } from '../../src/btf/read/index-types.ts'
import { hashByteString, hashBytes } from '../../src/btf/read/names.ts'
import { Types } from '../../src/btf/types.ts'
import { KerndexError } from '../../src/core/errors.ts'
import { BtfBuilder } from './builder.ts'
import { blob, debian, oneSet } from './fixtures.ts'

describe('find', () => {
  test('returns every type of every name, in order of set and id', () => {
    const types = debian()
    const expected = new Map<string, string[]>()
    for (const set of types.sets) {
      for (let id = set.firstId; id < set.endId; id++) {
        const name = set.nameOf(id)
        if (name === '') continue
        const list = expected.get(name) ?? []
        list.push(`${set.name}:${id}`)
        expected.set(name, list)
      }
    }
    expect(expected.size).toBeGreaterThan(50_000)
    const wrong = [...expected].filter(
      ([name, ids]) =>
        types
          .find(name)
          .map((each) => `${each.module}:${each.id}`)
          .join() !== ids.join(),
    )
    expect(wrong).toEqual([])
  })

  test('misses quietly', () => {
    for (const name of ['', 'no_such_type', 'task_struct\0x', 'task_struc', 'Ω'])
      expect(debian().find(name)).toEqual([])
    expect(debian().find('int', { module: 'no_such_module' })).toEqual([])
  })

  test('keeps kinds apart', () => {
    const types = debian()
    expect(types.find('list_head', { kind: 'STRUCT' }).length).toBe(1)
    expect(types.find('list_head', { kind: 'FUNC' })).toEqual([])
    const all = types.find('list_head')
    expect(all.some((each) => each.kind === 'STRUCT')).toBe(true)
  })

  test('knows a module by its exact name', () => {
    expect(debian().find('nft_trans_alloc_gfp', { module: 'nf_tables' }).length).toBe(1)
    expect(debian().find('nft_trans_alloc_gfp', { module: 'nf' })).toEqual([])
    expect(debian().find('task_struct', { module: 'nf_tables' })).toEqual([])
  })
})

test('a forward declaration does not shadow the definition in a module', () => {
  const vmlinux = new BtfBuilder()
  vmlinux.fwd('x86_emulate_ctxt')
  const kvm = vmlinux.split()
  const id = kvm.struct('x86_emulate_ctxt', 8, [])
  const base = vmlinux.build()
  const types = new Types([
    ...indexTypes([{ name: 'vmlinux', bytes: base }]).records,
    ...indexTypes([{ name: 'kvm', bytes: kvm.build() }], readShape(base)).records,
  ])
  expect(types.find('x86_emulate_ctxt').map((each) => [each.module, each.kind])).toEqual([
    ['vmlinux', 'FWD'],
    ['kvm', 'STRUCT'],
  ])
  expect(types.require('x86_emulate_ctxt', { kind: 'STRUCT' })).toMatchObject({ module: 'kvm', id })
})

describe('require', () => {
  test('throws AMBIGUOUS naming the modules', () => {
    const types = debian()
    const error = failure(() => types.require('fstrim_range', { kind: 'STRUCT' }))
    expect(error.code).toBe('AMBIGUOUS')
    expect(error.message).toBe('STRUCT fstrim_range is defined 2 times, in ext4, xfs; name the module or the kind')
    expect(types.require('fstrim_range', { kind: 'STRUCT', module: 'xfs' }).module).toBe('xfs')
  })

  test('throws NOT_FOUND saying where it looked', () => {
    expect(failure(() => debian().require('nope', { module: 'veth' }))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('veth'),
    })
  })
})

function failure(run: () => unknown): KerndexError {
  try {
    run()
  } catch (error) {
    if (error instanceof KerndexError) return error
    throw error
  }
  throw new Error('did not throw')
}

describe('sorted sets', () => {
  const names = ['A', 'B', 'Z', '_', 'a', 'aa', 'aa', 'ab', 'task', 'task_struct', 'zz']

  test('are recognised and have no entries of their own', () => {
    const builder = new BtfBuilder()
    const int = builder.int('', 4)
    builder.ptr(int)
    for (const name of names) builder.struct(name, 0, [])
    const [record] = indexTypes([{ name: 'vmlinux', bytes: builder.build() }]).records
    const types = new Types([record!])
    const set = types.set('vmlinux')!
    expect(set.sorted).toBe(true)
    for (const name of [...names, 'C', 'zzz', '0', 'tas', 'task_', 'int']) {
      const expected = names.flatMap((each, i) => (each === name ? [i + 3] : []))
      expect(set.idsNamed(name), name).toEqual(expected)
      expect(
        types.find(name).map((each) => each.id),
        name,
      ).toEqual(expected)
    }
    const unsorted = oneSet('x', blob('deb61/vmlinux'))
    expect(unsorted.sorted).toBe(false)
    expect(record!.index.byteLength).toBeLessThan(800)
  })

  test('an anonymous type behind a named one makes a set unsorted', () => {
    const builder = new BtfBuilder()
    builder.ptr(builder.int('int', 4))
    expect(oneSet('x', builder.build()).sorted).toBe(false)
  })
})

test('both hashes agree, on long names too', () => {
  for (const name of ['', 'a', 'task_struct', 'x'.repeat(127), 'x'.repeat(128), 'x'.repeat(3000)]) {
    expect(hashBytes(Buffer.from(`${name}\0`), 0)).toBe(hashByteString(name))
  }
})

test('very long names are told apart', () => {
  const builder = new BtfBuilder()
  const a = builder.struct(`${'x'.repeat(500)}a`, 0, [])
  const b = builder.struct(`${'x'.repeat(500)}b`, 0, [])
  builder.struct('A', 0, [])
  const set = oneSet('x', builder.build())
  expect(set.idsNamed(`${'x'.repeat(500)}a`)).toEqual([a])
  expect(set.idsNamed(`${'x'.repeat(500)}b`)).toEqual([b])
})

test('names beyond the 16 MiB that the kernel allows are found too', () => {
  const builder = new BtfBuilder()
  const int = builder.int('int', 4)
  const struct = builder.struct('near', 4, [])
  builder.name('x'.repeat(2 ** 24))
  const far = builder.typedef('far', int)
  const module = builder.split()
  const own = module.typedef('own', struct)
  const again = module.raw('far', 4, 0, false, 4)
  const base = indexTypes([{ name: 'vmlinux', bytes: builder.build() }]).records
  const split = indexTypes([{ name: 'm', bytes: module.build() }], readShape(builder.build())).records
  const types = new Types([...base, ...split])
  expect(types.find('far')).toEqual([
    { module: 'vmlinux', id: far, kind: 'TYPEDEF', name: 'far' },
    { module: 'm', id: again, kind: 'STRUCT', name: 'far' },
  ])
  expect(types.find('far', { kind: 'STRUCT' })).toMatchObject([{ id: again }])
  expect(types.find('own')).toMatchObject([{ module: 'm', id: own, kind: 'TYPEDEF' }])
  expect(types.find('near')).toMatchObject([{ id: struct }])
  expect(types.find('fa')).toEqual([])
})

test('any names in any number of sets are found as a plain list finds them', () => {
  const KINDS = ['STRUCT', 'UNION', 'TYPEDEF', 'FWD'] as const
  const name = fc.oneof(fc.constantFrom('a', 'b', 'ab', 'list_head', ''), fc.string({ maxLength: 6 }))
  const type = fc.record({ name: name.map((text) => text.replaceAll('\0', '')), kind: fc.nat(KINDS.length - 1) })
  const sets = fc.array(fc.array(type, { maxLength: 40 }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(sets, fc.array(name), fc.boolean(), (specs, others, together) => {
      const base = new BtfBuilder()
      const builders = specs.map((_, i) => (i === 0 ? base : base.split()))
      const plain = specs.flatMap((spec, i) =>
        spec.map((each) => {
          const kind = KINDS[each.kind]!
          const bytes = Buffer.from(each.name).toString('latin1')
          const id = builders[i]!.raw(bytes, kindNumber(kind), 0, false, 0)
          return { module: i === 0 ? 'vmlinux' : `m${i}`, id, kind, name: each.name }
        }),
      )
      const blobs = builders.map((each, i) => ({ name: i === 0 ? 'vmlinux' : `m${i}`, bytes: each.build() }))
      const shape = readShape(blobs[0]!.bytes)
      const batches = together ? [blobs.slice(1)] : blobs.slice(1).map((each) => [each])
      const indexed = [indexTypes(blobs.slice(0, 1)), ...batches.map((batch) => indexTypes(batch, shape))]
      expect(indexed.flatMap(({ failures }) => failures)).toEqual([])
      const types = new Types(indexed.flatMap(({ records }) => records))
      for (const wanted of new Set([...plain.map((each) => each.name), ...others])) {
        const expected = plain.filter((each) => each.name === wanted && wanted !== '')
        expect(types.find(wanted)).toEqual(expected)
        expect(types.find(wanted, { kind: 'UNION' })).toEqual(expected.filter(({ kind }) => kind === 'UNION'))
      }
    }),
  )
})
