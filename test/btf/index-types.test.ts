// Indexing: nothing lost against a plain decoder, failures kept apart, split sets of any depth, steps equal to the whole.
import { describe, expect, test } from 'vitest'
import { KINDS, kindName } from '../../src/btf/kinds.ts'
import { indexTypes, indexTypesSteps, readShape } from '../../src/btf/read/index-types.ts'
import { TypeSet } from '../../src/btf/read/type-set.ts'
import { Types } from '../../src/btf/types.ts'
import { blob, debian, fixture, MODULES, oneSet, shapeOf, shared, swapWords } from './fixtures.ts'
import { decodePlainly, type PlainBtf, type PlainType } from './plain-decoder.ts'

function expectSame(set: TypeSet, plain: PlainBtf): void {
  expect(set.size).toBe(plain.types.length)
  expect(set.endId).toBe(plain.nextId)
  const differing: PlainType[] = []
  for (const type of plain.types) {
    const at = set.position(type.id)
    const words = set.words.subarray(at, at + 3 + type.rest.length)
    const same =
      set.nameOf(type.id) === type.name &&
      set.kindNumberOf(type.id) === type.kind &&
      words[1]! >>> 31 === Number(type.flag) &&
      words[2] === type.sizeOrType &&
      type.rest.every((word, i) => words[3 + i] === word)
    if (!same) differing.push(type)
  }
  expect(differing).toEqual([])
}

describe('every type is where a plain decoder finds it', () => {
  const plainBase = decodePlainly(fixture('deb61/vmlinux.btf'))

  test('vmlinux', () => {
    expectSame(debian().set('vmlinux')!, plainBase)
    expect(debian().set('vmlinux')!.size).toBe(100_750)
  })

  test.each(MODULES)('module %s', (name) => {
    expectSame(debian().set(name)!, decodePlainly(fixture(`deb61/mod/${name}.btf`), plainBase))
  })

  test('counts by kind', () => {
    const set = debian().set('nf_tables')!
    const counts = set.countByKind()
    for (const kind of KINDS.keys()) {
      const name = kindName(kind)
      let expected = 0
      for (let id = set.firstId; id < set.endId; id++) if (set.kindNumberOf(id) === kind) expected++
      expect(counts[name], name).toBe(expected)
    }
  })

  test.each(['all-kinds', 'all-kinds-be', 'layout', 'multi-base', 'vlen24'])('synthetic %s', (name) => {
    const bytes = fixture(`synthetic/${name}.btf`)
    const set = oneSet(name, shared(bytes))
    expectSame(set, decodePlainly(bytes))
    expect(set.foreign).toBe(name.endsWith('-be'))
  })

  test('a whole vmlinux in the other byte order', () => {
    const bytes = fixture('deb61/vmlinux.btf')
    const swapped = swapWords(bytes)
    expect(swapped.readUInt16BE(0)).toBe(0xeb9f)
    expectSame(oneSet('vmlinux', shared(swapped)), plainBase)
  })

  test('an address that is no multiple of four', () => {
    const bytes = fixture('deb61/mod/veth.btf')
    const arena = new Uint8Array(new SharedArrayBuffer(bytes.length + 3))
    arena.set(bytes, 3)
    const base = debian().set('vmlinux')!
    const { records } = indexTypes([{ name: 'veth', bytes: arena.subarray(3) }], shapeOf(base))
    expectSame(new TypeSet(records[0]!, base), decodePlainly(bytes, plainBase))
  })
})

describe('steps', () => {
  test('give the same bytes as one call, in pieces', () => {
    const blobs = MODULES.map((name) => ({ name, bytes: blob(`deb61/mod/${name}`) }))
    const shape = shapeOf(debian().set('vmlinux')!)
    const whole = indexTypes(blobs, shape)
    const steps = indexTypesSteps(blobs, shape)
    let yields = 0
    let step = steps.next()
    for (; !step.done; step = steps.next()) yields++
    expect(yields).toBeGreaterThan(5)
    const [a, b] = [whole.records[0]!.index, step.value.records[0]!.index]
    expect(Buffer.from(a).equals(Buffer.from(b))).toBe(true)
    expect(step.value.records.map((each) => each.indexOffset)).toEqual(whole.records.map((each) => each.indexOffset))
  })
})

test('many small blobs are handled in steps too', () => {
  const bytes = blob('deb61/mod/veth')
  const blobs = Array.from({ length: 500 }, (_, i) => ({ name: `veth${i}`, bytes }))
  const steps = indexTypesSteps(blobs, shapeOf(debian().set('vmlinux')!))
  let yields = 0
  let step = steps.next()
  for (; !step.done; step = steps.next()) yields++
  expect(step.value.records.length).toBe(500)
  // 500 times 530 words of types, 16,384 words a step.
  expect(yields).toBeGreaterThan(2 * 16 + 7)
})

describe('a batch', () => {
  const shape = () => shapeOf(debian().set('vmlinux')!)

  test('keeps the good blobs when some are damaged', () => {
    const cut = shared(fixture('deb61/mod/veth.btf').subarray(0, 200))
    const blobs = [
      { name: 'cut', bytes: cut },
      { name: 'zram', bytes: blob('deb61/mod/zram') },
      { name: 'empty', bytes: shared(new Uint8Array(0)) },
      { name: 'nvme', bytes: blob('deb61/mod/nvme') },
    ]
    const { records, failures } = indexTypes(blobs, shape())
    expect(records.map((each) => each.name)).toEqual(['zram', 'nvme'])
    expect(failures.map((each) => [each.name, each.error.code, each.error.place.path])).toEqual([
      ['cut', 'BAD_FORMAT', 'cut'],
      ['empty', 'BAD_FORMAT', 'empty'],
    ])
    const types = new Types([debian().records[0]!, ...records])
    expect(types.find('zram_init').map((each) => each.module)).toEqual(['zram'])
    expect(types.find('nvme_exit').map((each) => each.module)).toEqual(['nvme'])
  })

  test('of which every blob is damaged has no records and does not throw', () => {
    const { records, failures } = indexTypes([{ name: 'x', bytes: shared(Buffer.from('not btf')) }], shape())
    expect([records.length, failures.length]).toEqual([0, 1])
  })

  test('may hold modules of zero types', () => {
    const base = oneSet('vmlinux', blob('synthetic/multi-base'))
    const empty = blob('synthetic/multi-split-empty')
    const blobs = [
      { name: 'none', bytes: empty },
      { name: 'one', bytes: blob('synthetic/multi-split1') },
      { name: 'nothing', bytes: empty },
    ]
    const types = new Types([base.record, ...indexTypes(blobs, shapeOf(base)).records])
    expect(types.sets.map((set) => set.size)).toEqual([base.size, 0, types.set('one')!.size, 0])
    const own = types.sets[2]!
    const name = own.nameOf(own.firstId)
    expect(types.find(name).map((each) => [each.module, each.id])).toEqual([
      ['vmlinux', 2],
      ['one', own.firstId],
    ])
    expect(types.set('nothing')!.idsNamed(name)).toEqual([])
  })

  test('refuses a module on the wrong base', () => {
    const { failures } = indexTypes(
      MODULES.map((name) => ({ name, bytes: blob(`deb61/mod/${name}`) })),
      readShape(shared(wrongBase())),
    )
    // cast_common takes no name from its base.
    expect(failures.map((each) => each.name)).toEqual(MODULES.filter((name) => name !== 'cast_common'))
    for (const { error } of failures) expect(error.message).toContain('wrong base')
  })
})

/** vmlinux with its strings in another order, as another build of the kernel would have them. */
function wrongBase(): Buffer {
  const bytes = fixture('deb61/vmlinux.btf')
  const start = 24 + bytes.readUInt32LE(16)
  const strings = bytes.subarray(start + 1)
  strings.set(Buffer.from(strings.toString('latin1').split('\0').slice(0, -1).reverse().join('\0')))
  return bytes
}

describe('split sets of several levels', () => {
  test('read names and ids through all of them', () => {
    const base = oneSet('base', blob('synthetic/multi-base'))
    const one = oneSet('one', blob('synthetic/multi-split1'), base)
    const two = oneSet('two', blob('synthetic/multi-split2-on-split1'), one)
    expect([base.firstId, one.firstId, two.firstId]).toEqual([1, base.endId, one.endId])
    const plainBase = decodePlainly(fixture('synthetic/multi-base.btf'))
    const plainOne = decodePlainly(fixture('synthetic/multi-split1.btf'), plainBase)
    expectSame(two, decodePlainly(fixture('synthetic/multi-split2-on-split1.btf'), plainOne))
    expect(two.nameOf(base.firstId)).toBe('int')
    expect(() => new TypeSet(two.record, base)).toThrow(/indexed on a base/)
    expect(() => new TypeSet(one.record)).toThrow(/no base/)
  })

  test('an empty split set is legal', () => {
    const base = oneSet('base', blob('synthetic/multi-base'))
    expect(oneSet('empty', blob('synthetic/multi-split-empty'), base).size).toBe(0)
  })

  test('a collection names the base of a set that is not split on vmlinux', () => {
    const base = oneSet('vmlinux', blob('synthetic/multi-base'))
    const one = oneSet('one', blob('synthetic/multi-split1'), base)
    const two = oneSet('two', blob('synthetic/multi-split2-on-split1'), one)
    const types = new Types([base.record, one.record, { ...two.record, base: 'one' }])
    expect(types.set('two')?.base?.name).toBe('one')
    expect(() => new Types([base.record, { ...two.record, base: 'one' }]).set('two')).toThrow(
      /its base one is missing or stands behind it/,
    )
  })
})

describe('kinds that are not known', () => {
  test('are skipped when the layout gives their size', () => {
    const set = oneSet('x', blob('synthetic/layout-unknown-kind20'))
    expect(set.size).toBe(3)
    expect([set.kindOf(2), set.nameOf(2), set.kindOf(3)]).toEqual(['UNKNOWN', 'unknown_kind_here', 'TYPEDEF'])
    expect(set.countByKind().UNKNOWN).toBe(1)
    expect(set.idsNamed('unknown_kind_here', 'UNKNOWN')).toEqual([2])
  })

  test('are refused otherwise', () => {
    const bytes = blob('synthetic/unknown-kind20-no-layout')
    expect(() => oneSet('x', bytes)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', place: { path: 'x', byteOffset: 40, typeId: 2 } }),
    )
  })
})

test('the index takes at most 14 bytes a type', () => {
  const { records } = debian()
  const bytes = [...new Set(records.map((each) => each.index))].reduce((sum, each) => sum + each.byteLength, 0)
  expect(bytes / debian().size).toBeLessThan(14)
})
