// Functions: prototypes, parameters, tags, patterns; modules read only when they are asked for.
import { describe, expect, test } from 'vitest'
import { indexTypes, readShape } from '../../src/btf/read/index-types.ts'
import { Types } from '../../src/btf/types.ts'
import { BtfBuilder } from './builder.ts'
import { blob, debian, MODULES, oneSet, shapeOf } from './fixtures.ts'

describe('functions', () => {
  test('of a module, with base types in the prototype', () => {
    const [found, ...others] = debian().functions('nft_trans_alloc_gfp')
    expect(others).toEqual([])
    expect(found!.toJSON()).toMatchObject({
      name: 'nft_trans_alloc_gfp',
      module: 'nf_tables',
      prototype: 'struct nft_trans *nft_trans_alloc_gfp(const struct nft_ctx *ctx, int msg_type, u32 size, gfp_t gfp)',
      returnType: 'struct nft_trans *',
      variadic: false,
      linkage: 'static',
      tags: [],
    })
    expect(found!.params.map(({ name, type }) => `${name}: ${type}`)).toEqual([
      'ctx: const struct nft_ctx *',
      'msg_type: int',
      'size: u32',
      'gfp: gfp_t',
    ])
  })

  test('by pattern: all of them, as a plain filter finds them', () => {
    const types = debian()
    for (const [glob, regexp] of [
      ['vfs_*', /^vfs_.*$/],
      ['*_read', /^.*_read$/],
      ['nft_*_init', /^nft_.*_init$/],
      ['tcp_v[46]_rcv', /^tcp_v[46]_rcv$/],
      ['__x64_sys_?pen', /^__x64_sys_.pen$/],
    ] as const) {
      const expected: string[] = []
      for (const set of types.sets) {
        for (let id = set.firstId; id < set.endId; id++) {
          if (set.kindOf(id) === 'FUNC' && regexp.test(set.nameOf(id))) expected.push(`${set.name}:${id}`)
        }
      }
      const found = [...types.functions(glob)].map((each) => `${each.module}:${each.id}`)
      expect(found, glob).toEqual(expected)
      expect(found.length, glob).toBeGreaterThan(0)
    }
    expect([...types.functions('*', { module: 'veth' })].length).toBe(types.set('veth')!.countByKind().FUNC)
    expect([...types.functions('*', { module: 'nope' })]).toEqual([])
  })

  test('names repeated in one set all appear', () => {
    const names = debian().find('m_next', { kind: 'FUNC' })
    expect(names.length).toBeGreaterThan(1)
    expect([...debian().functions('m_next')].map((each) => each.id)).toEqual(names.map((each) => each.id))
  })

  test('tags and varargs', () => {
    const types = new Types([oneSet('vmlinux', blob('synthetic/all-kinds')).record])
    const [func] = types.functions('f_static')
    expect(func).toMatchObject({ variadic: true, tags: ['bpf_kfunc'], linkage: 'static' })
    expect(func!.params).toMatchObject([
      { name: 'o', type: 'void *' },
      { name: 'n', type: 'unsigned long long' },
    ])
  })
})

describe('modules that are read on first use', () => {
  function lazily(): { types: Types; opened: string[] } {
    const opened: string[] = []
    const vmlinux = debian().records[0]!
    const shape = shapeOf(debian().set('vmlinux')!)
    const types = new Types([vmlinux], {
      available: MODULES,
      load(names) {
        opened.push(...names)
        return indexTypes(
          names.map((name) => ({ name, bytes: blob(`deb61/mod/${name}`) })),
          shape,
        ).records
      },
    })
    return { types, opened }
  }

  test('one that is named is the only one opened', () => {
    const { types, opened } = lazily()
    expect(types.find('task_struct', { module: 'vmlinux' }).length).toBe(1)
    expect(opened).toEqual([])
    expect([...types.functions('nft_*', { module: 'nf_tables' })].length).toBeGreaterThan(50)
    expect(types.find('nft_ctx', { module: 'nf_tables' }).length).toBe(1)
    expect(opened).toEqual(['nf_tables'])
  })

  test('a lookup that names none opens all, once', () => {
    const { types, opened } = lazily()
    expect(types.find('xfs_init_fs_context').length).toBeGreaterThan(0)
    expect(types.find('nft_ctx').map((each) => each.module)).toEqual(['nf_tables'])
    expect([...opened].sort()).toEqual([...MODULES].sort())
  })
})

test('a module on a vmlinux of the same shape but other types is refused when it is used', () => {
  const right = new BtfBuilder()
  const int = right.int('int', 4)
  const proto = right.proto(int, [])
  const module = right.split()
  module.func('a', proto)
  const wrong = new BtfBuilder()
  wrong.int('int', 4)
  wrong.ptr(0)
  const [base, other] = [right.build(), wrong.build()]
  const { records } = indexTypes([{ name: 'm', bytes: module.build() }], readShape(base))
  const good = new Types([...indexTypes([{ name: 'vmlinux', bytes: base }]).records, ...records])
  expect([...good.functions('a')].map((each) => each.prototype)).toEqual(['int a(void)'])
  const bad = new Types([...indexTypes([{ name: 'vmlinux', bytes: other }]).records, ...records])
  expect(bad.find('a')).toEqual([])
  expect(bad.failures.get('m')).toMatchObject({ code: 'BAD_FORMAT', message: expect.stringContaining('wrong base') })
  expect(() => bad.set('m')).toThrow(/wrong base/)
})
