// One header of several modules: everything once, conflicts named.
import { expect, test } from 'vitest'
import { dumpC } from '../../src/btf/print/c-dump.ts'
import { dumpModulesC } from '../../src/btf/print/c-dump-modules.ts'
import { indexTypes, readShape } from '../../src/btf/read/index-types.ts'
import { Types } from '../../src/btf/types.ts'
import { BtfBuilder } from './builder.ts'
import { debian } from './fixtures.ts'

test('one module gives what it gives by itself', () => {
  const veth = debian().set('veth')!
  expect([...dumpModulesC([veth], { order: 'ids' })].join('')).toBe([...dumpC(veth, { order: 'ids' })].join(''))
})

test('several modules of a real kernel: every definition stands there once', () => {
  const sets = ['veth', 'nf_tables', 'zram'].map((name) => debian().set(name)!)
  const text = [...dumpModulesC(sets)].join('')
  const definitions = [...text.matchAll(/^(?:struct|union|enum) (\w+) \{/gm)].map((match) => match[1]!)
  expect(new Set(definitions).size).toBe(definitions.length)
  for (const name of ['veth_priv', 'nft_ctx', 'zram', 'task_struct']) expect(definitions).toContain(name)
})

function modules(sizeInB: number): Types {
  const vmlinux = new BtfBuilder()
  const int = vmlinux.int('int', 4)
  vmlinux.struct('common', 4, [{ name: 'a', type: int }])
  const build = (size: number, extra: string) => {
    const module = vmlinux.split()
    const shared = module.struct('shared', size, [{ name: 'x', type: int }])
    module.struct(extra, 8, [{ name: 's', type: module.ptr(shared) }])
    return module.build()
  }
  const blobs = [
    { name: 'a', bytes: build(4, 'only_a') },
    { name: 'b', bytes: build(sizeInB, 'only_b') },
  ]
  const base = vmlinux.build()
  return new Types([
    ...indexTypes([{ name: 'vmlinux', bytes: base }]).records,
    ...indexTypes(blobs, readShape(base)).records,
  ])
}

test('a type that modules share is defined once', () => {
  const types = modules(4)
  const text = [...dumpModulesC([types.set('a')!, types.set('b')!], { order: 'ids' })].join('')
  expect(text.match(/^struct shared \{/gm)).toHaveLength(1)
  expect(text).toContain('struct only_b {\n\tstruct shared *s;\n};')
})

test('types that differ are refused by name and module', () => {
  const types = modules(8)
  expect(() => [...dumpModulesC([types.set('a')!, types.set('b')!])]).toThrow(
    expect.objectContaining({ code: 'AMBIGUOUS', message: expect.stringContaining('STRUCT shared in a and b') }),
  )
})
