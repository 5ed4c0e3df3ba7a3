// Loading a part of the symbols: which are kept, which are counted as left out, and that bounds stay those of the whole.
import { describe, expect, it } from 'vitest'
import type { Keep } from '../../src/symbols/build.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { CAPTURE, edge, fixtureBytes } from '../fixtures.ts'
import { build, tableOf } from './build-table.ts'
import { readPlainly } from './plain-table.ts'

function kept(text: Uint8Array, keep: Keep) {
  const { buffer, leftOut } = build(text, {}, [], keep)
  return { table: new SymbolTable(buffer), leftOut }
}

const text = fixtureBytes('debian-6.1-amd64/kallsyms.gz')
const { symbols } = readPlainly(text)
const isData = (type: string) => 'bBdDrR'.includes(type)

describe(`of ${CAPTURE}`, () => {
  it('everything but data symbols, and those data symbols that are named', () => {
    const named = ['sys_call_table', 'init_task', '__func__.0', 'not_there', '__ksymtab_vfs_read']
    const { table, leftOut } = kept(text, { data: new Set(named) })
    const expected = symbols.filter(({ type, name }) => !isData(type) || named.includes(name))
    expect(table.size).toBe(expected.length)
    expect(leftOut).toEqual({ data: symbols.length - expected.length, owners: 0 })
    for (const name of named) {
      expect(table.named(name), name).toHaveLength(expected.filter((symbol) => symbol.name === name).length)
    }
    // A data symbol that was not asked for is not found, and a function needs no asking.
    expect(table.named('jiffies')).toEqual([])
    expect(table.named('vfs_read')).toHaveLength(1)
  })

  it('only the modules that are named, and the core', () => {
    const { table, leftOut } = kept(text, { owners: new Set(['virtio', 'no_such_module']) })
    const expected = symbols.filter(({ owner }) => owner === 'vmlinux' || owner === 'virtio')
    expect(table.size).toBe(expected.length)
    expect(leftOut).toEqual({ data: 0, owners: symbols.length - expected.length })
    expect(table.owners).toEqual(['vmlinux', 'virtio'])
  })
})

it('keeps the bounds that a marker gives though the marker itself is left out', () => {
  const lines = Buffer.from(
    'ffffffff81000000 T _stext\nffffffff81000100 T last_function\nffffffff81000200 D _end\nffffffff81000300 t mod_fn\t[mod]\n',
  )
  const { table } = kept(lines, { data: new Set() })
  expect(table.size).toBe(3)
  expect(table.at(0xffffffff810001ffn)).toMatchObject({ offset: 0xff, size: 0x100 })
  expect(table.at(0xffffffff81000200n)).toBeUndefined()
})

it('leaves nothing out unless asked', () => {
  const bytes = edge('edge')
  const { table, leftOut } = kept(bytes, {})
  expect(leftOut).toEqual({ data: 0, owners: 0 })
  expect(Buffer.from(table.buffer).equals(Buffer.from(tableOf(bytes).buffer))).toBe(true)
})
