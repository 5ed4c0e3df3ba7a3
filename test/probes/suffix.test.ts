// The catalogue of compiler suffixes: parts, classes, trust, and what is never offered.
import { describe, expect, test } from 'vitest'
import { notOffered, SuffixIndex, splitSuffix, trustOf } from '../../src/probes/suffix.ts'
import { fixtureBytes } from '../fixtures.ts'
import { tableOf } from '../symbols/build-table.ts'

describe('how names are cut', () => {
  test.each([
    ['vfs_read', 'vfs_read', '', [], 'plain'],
    ['ip_rcv_core.isra.0', 'ip_rcv_core', '.isra.0', ['isra'], 'variant'],
    ['foo.constprop.12', 'foo', '.constprop.12', ['constprop'], 'variant'],
    ['foo.constprop.0.isra.0', 'foo', '.constprop.0.isra.0', ['constprop', 'isra'], 'variant'],
    ['foo.llvm.123456789012345678', 'foo', '.llvm.123456789012345678', ['llvm'], 'variant'],
    ['foo.lto_priv.0', 'foo', '.lto_priv.0', ['lto_priv'], 'variant'],
    ['foo.localalias', 'foo', '.localalias', ['localalias'], 'variant'],
    ['foo.localalias.3', 'foo', '.localalias.3', ['localalias'], 'variant'],
    ['foo.part.0', 'foo', '.part.0', ['part'], 'fragment'],
    ['foo.cold', 'foo', '.cold', ['cold'], 'fragment'],
    ['foo.cold.7', 'foo', '.cold.7', ['cold'], 'fragment'],
    ['foo.isra.0.cold', 'foo', '.isra.0.cold', ['isra', 'cold'], 'fragment'],
    ['foo.part.0.isra.0', 'foo', '.part.0.isra.0', ['part', 'isra'], 'fragment'],
    ['foo.constprop.0.isra.0.cold', 'foo', '.constprop.0.isra.0.cold', ['constprop', 'isra', 'cold'], 'fragment'],
    ['.slowpath', '.slowpath', '', [], 'label'],
    ['.E_copy', '.E_copy', '', [], 'label'],
    ['__func__.0', '__func__.0', '', [], 'other'],
    ['_entry.1', '_entry.1', '', [], 'other'],
    ['foo.resolver', 'foo.resolver', '', [], 'other'],
    ['foo.str.3', 'foo.str.3', '', [], 'other'],
    ['foo.isra', 'foo.isra', '', [], 'other'],
    ['foo.isra.x', 'foo.isra.x', '', [], 'other'],
    ['foo.isra.0.unknown.1', 'foo.isra.0.unknown.1', '', [], 'other'],
    ['foo.', 'foo.', '', [], 'other'],
    ['foo..cold', 'foo..cold', '', [], 'other'],
    ['foo.toString.0', 'foo.toString.0', '', [], 'other'],
  ] as const)('%s', (name, base, suffix, parts, kind) => {
    expect(splitSuffix(name)).toEqual({ base, suffix, parts, class: kind })
  })
})

test.each([
  ['vfs_read', undefined],
  ['foo.isra.0', undefined],
  ['__x64_sys_read', undefined],
  ['__pi_memcpy', undefined],
  ['Lfoo', undefined],
  ['__pfx_vfs_read', 'padding'],
  ['__cfi_vfs_read', 'padding'],
  ['.slowpath', 'label'],
  ['.Lfoo', 'label'],
  ['L0\u0001', 'label'],
  ['$x', 'mapping'],
  ['$d.12', 'mapping'],
  ['foo.cold', 'fragment'],
  ['foo.part.0', 'fragment'],
  ['foo.isra.0.cold', 'fragment'],
] as const)('%s is offered unless it is %s', (name, why) => {
  expect(notOffered(name)).toBe(why)
})

describe('how far arguments are trusted', () => {
  test.each([
    // name, BTF has the name, BTF has the base, clang, trust
    ['foo', true, false, false, 'yes'],
    ['foo', false, false, false, 'unknown'],
    ['foo', true, false, true, 'likely'],
    ['foo.isra.0', false, true, false, 'likely'],
    ['foo.isra.0', false, false, false, 'unknown'],
    ['foo.isra.0', true, true, false, 'yes'],
    ['foo.constprop.0', false, true, false, 'likely'],
    ['foo.constprop.0', false, false, false, 'unknown'],
    ['foo.constprop.0.isra.0', false, true, false, 'likely'],
    ['foo.llvm.1', false, true, false, 'yes'],
    ['foo.llvm.1', false, true, true, 'likely'],
    ['foo.lto_priv.0', false, true, false, 'yes'],
    ['foo.lto_priv.0.isra.0', false, true, false, 'likely'],
    ['foo.part.0', true, true, false, 'no'],
    ['foo.cold', true, true, false, 'no'],
    ['.label', true, true, false, 'no'],
  ] as const)('%s, own FUNC %s, base FUNC %s, clang %s: %s', (name, exact, base, clang, trust) => {
    expect(trustOf(splitSuffix(name), { exact, base }, clang)).toBe(trust)
  })
})

test('a few bases are looked up as all are', () => {
  const table = tableOf(fixtureBytes('debian-6.1-amd64/kallsyms.gz'))
  const whole = new SuffixIndex(table)
  const bases = [...new Set(whole.all.map(({ parts }) => parts.base)), 'vfs_read', 'memcpy', '__pfx_vfs_read']
  for (let i = 0; i < 100; i++) whole.of(`nothing_${i}`)
  let found = 0
  for (let from = 0; from < bases.length; from += 97) {
    const few = new SuffixIndex(table)
    for (const base of bases.slice(from, from + 3)) {
      const same = whole.of(base)
      found += same.length
      expect(few.of(base)).toEqual(same)
    }
  }
  expect(found).toBeGreaterThan(50)
})
