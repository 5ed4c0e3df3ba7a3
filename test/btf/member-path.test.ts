// Paths to members: offsets as the compiler has them, anonymous members, arrays, pointers, bitfields, and what is refused.
import { describe, expect, test } from 'vitest'
import { parsePath } from '../../src/btf/ask/member-path.ts'
import { indexTypes, readShape } from '../../src/btf/read/index-types.ts'
import { Types } from '../../src/btf/types.ts'
import { BtfBuilder } from './builder.ts'
import { debian } from './fixtures.ts'

// Expected values are those pahole prints for this kernel.
const places: [string, object][] = [
  ['task_struct.stack', { offset: 32, size: 8, bits: 0, type: 'void *', through: [] }],
  ['task_struct.thread_info.flags', { offset: 0, size: 8, type: 'long unsigned int' }],
  ['task_struct.se', { offset: 128, size: 256, type: 'struct sched_entity' }],
  ['sk_buff.cb', { offset: 40, size: 48, type: 'char[48]' }],
  ['sk_buff.cb[3]', { offset: 43, size: 1, type: 'char' }],
  ['sk_buff.dev', { offset: 16, size: 8, type: 'struct net_device *' }],
  ['struct sk_buff.ip_summed', { offset: 128, bitOffset: 1029, bits: 2, size: 1, type: '__u8' }],
  ['tcphdr.ack', { offset: 13, bitOffset: 108, bits: 1, size: 2, type: '__u16' }],
  ['iphdr.addrs.daddr', { offset: 16, size: 4, type: '__be32' }],
  ['module.init', { offset: 312, size: 8, type: 'int (*)(void)' }],
  ['bio.bi_inline_vecs', { offset: 128, size: 0 }],
  ['bio.bi_inline_vecs[2].bv_len', { offset: 128 + 2 * 16 + 8, size: 4 }],
  ['hrtimer.base->index', { through: [48], type: 'unsigned int' }],
  ['path.dentry', { offset: 8, type: 'struct dentry *' }],
  ['task_struct', { offset: 0, type: 'struct task_struct' }],
  ['atomic_t.counter', { offset: 0, size: 4, type: 'int' }],
]

test.each(places)('%s', (path, expected) => {
  expect(debian().requireMember(path, { module: 'vmlinux' })).toMatchObject({ module: 'vmlinux', ...expected })
})

test('pointers are followed, and offsets count from what they point to', () => {
  const types = debian()
  const mm = types.requireMember('task_struct.mm')
  const pgd = types.requireMember('mm_struct.pgd')
  expect(types.requireMember('task_struct.mm.pgd')).toEqual({ ...pgd, through: [mm.offset] })
  const twice = types.requireMember('task_struct.mm->exe_file->f_inode')
  const file = types.requireMember('mm_struct.exe_file')
  expect(twice).toEqual({ ...types.requireMember('file.f_inode'), through: [mm.offset, file.offset] })
})

test('types of a module are found through it, with base types in them', () => {
  const place = debian().requireMember('nft_ctx.net')
  expect(place).toMatchObject({ module: 'nf_tables', type: 'struct net *', through: [] })
  expect(debian().requireMember('nft_ctx.net.ns.inum').module).toBe('nf_tables')
})

describe('what leads nowhere', () => {
  test('is undefined, or an error that names the step', () => {
    expect(debian().member('task_struct.nope')).toBeUndefined()
    expect(debian().member('no_such_struct.x')).toBeUndefined()
    const fails = (path: string) => expect(() => debian().requireMember(path))
    fails('task_struct.nope').toThrow('task_struct.nope: struct task_struct has no member nope')
    fails('task_struct.pid.x').toThrow(/INT int has no member x/)
    fails('no_such_struct.x').toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
    fails('sk_buff.cb[48]').toThrow(/outside an array of 48/)
    fails('task_struct.pid[1]').toThrow(/not an array/)
  })

  test.each(['', '.x', 'a..b', 'a.b[', 'a.b[x]', 'a[1', 'a.1b', 'struct', 'a b'])('%j is no path', (path) => {
    if (path === 'struct') return expect(parsePath(path)).toEqual({ root: 'struct', steps: [] })
    expect(() => parsePath(path)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

test('types of one name that disagree are ambiguous', () => {
  const vmlinux = new BtfBuilder()
  const int = vmlinux.int('int', 4)
  const a = vmlinux.split()
  a.struct('state', 4, [{ name: 'x', type: int }])
  const b = vmlinux.split()
  b.struct('state', 8, [
    { name: 'y', type: int },
    { name: 'x', type: int, offset: 32 },
  ])
  const base = vmlinux.build()
  const modules = [
    { name: 'a', bytes: a.build() },
    { name: 'b', bytes: b.build() },
  ]
  const types = new Types([
    ...indexTypes([{ name: 'vmlinux', bytes: base }]).records,
    ...indexTypes(modules, readShape(base)).records,
  ])
  expect(types.members('state.x').map((each) => [each.module, each.offset])).toEqual([
    ['a', 0],
    ['b', 4],
  ])
  expect(() => types.requireMember('state.x')).toThrow(expect.objectContaining({ code: 'AMBIGUOUS' }))
  expect(types.requireMember('state.x', { module: 'b' }).offset).toBe(4)
  // Only one of them has it, so there is nothing to choose.
  expect(types.requireMember('state.y').module).toBe('b')
})

test('structs that contain themselves do not hang', () => {
  const builder = new BtfBuilder()
  builder.struct('loop', 8, [{ name: '', type: 1 }])
  const types = new Types(indexTypes([{ name: 'vmlinux', bytes: builder.build() }]).records)
  expect(types.member('loop.x')).toBeUndefined()
})
