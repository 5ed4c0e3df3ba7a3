// The host's lists: the sites of traceable functions, and the kprobe blacklist.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { atOnce } from '../../src/core/steps.ts'
import { Blacklist } from '../../src/probes/blacklist.ts'
import { FilterSites } from '../../src/probes/filter-sites.ts'
import { DEBIAN, plainLines } from './fixtures.ts'

const sitesOf = (text: Buffer) => atOnce(FilterSites.reading(text))
const bytes = (text: string) => Buffer.from(text, 'utf8')

describe('available_filter_functions_addrs', () => {
  test('finds the site that a function contains, wherever in it', () => {
    const sites = sitesOf(
      bytes(
        'ffffffff81000004 a\nffffffff81000010 b\n0xffffffff81000028 c [m]\nbad line\n\n' +
          'ffffffff81000034 __ftrace_invalid_address___20\nffffffff81000036 __ftrace_invalid_address___22 [m]\n',
      ),
    )
    expect(sites.count).toBe(3)
    expect(sites.hidden).toBe(false)
    expect(sites.within(0xffffffff81000000n, 16)).toBe(0xffffffff81000004n)
    expect(sites.within(0xffffffff81000010n, 16)).toBe(0xffffffff81000010n)
    expect(sites.within(0xffffffff81000020n, 16)).toBe(0xffffffff81000028n)
    expect(sites.within(0xffffffff81000020n, 8)).toBeUndefined()
    expect(sites.within(0xffffffff81000030n, 16)).toBeUndefined()
    expect(sitesOf(bytes('0000000000000000 a\n0000000000000000 b\n')).hidden).toBe(true)
  })

  test('agrees with a scan of all sites', () => {
    const address = fc.bigInt({ min: 0xffff_ffff_ffff_0000n, max: 0xffff_ffff_ffff_ffffn })
    fc.assert(
      fc.property(fc.array(address), address, fc.nat(0x400), (all, start, size) => {
        const sites = sitesOf(bytes(all.map((each) => `${each.toString(16)} f\n`).join('')))
        const inside = all.filter((each) => each >= start && each < start + BigInt(size))
        const expected = inside.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined)
        expect(sites.within(start, size)).toBe(expected)
      }),
    )
  })
})

describe('the kprobe blacklist', () => {
  test('covers half-open ranges, nested ones too', () => {
    const list = new Blacklist(
      '0xffffffff81000000-0xffffffff81000100\touter\n0xffffffff81000010-0xffffffff81000020\tinner\n' +
        '0xffffffffc0000000-0xffffffffc0000010\tmodular [kvm]\nnonsense\n',
    )
    expect(list.entries.map(({ symbol, module }) => `${module}:${symbol}`)).toEqual([
      'vmlinux:outer',
      'vmlinux:inner',
      'kvm:modular',
    ])
    expect(list.skipped).toBe(1)
    const covered: [bigint, boolean][] = [
      [0xffffffff80ffffffn, false],
      [0xffffffff81000000n, true],
      [0xffffffff81000030n, true],
      [0xffffffff810000ffn, true],
      [0xffffffff81000100n, false],
      [0xffffffffc000000fn, true],
      [0xffffffffc0000010n, false],
    ]
    for (const [address, expected] of covered) expect(list.covers(address, 'x', 'vmlinux')).toBe(expected)
  })

  test('goes by name where addresses are hidden', () => {
    const list = new Blacklist('0x0000000000000000-0x0000000000000000\tfoo\n0x0-0x0\tbar [m]\n')
    expect(list.hidden).toBe(true)
    expect(list.covers(0n, 'other', 'vmlinux')).toBe(false)
    expect(list.covers(5n, 'foo', 'vmlinux')).toBe(true)
    expect(list.covers(5n, 'bar', 'm')).toBe(true)
    expect(list.covers(5n, 'bar', 'vmlinux')).toBe(false)
  })

  test('agrees with a scan of the real one', () => {
    const list = new Blacklist(DEBIAN.blacklist)
    expect(list.skipped).toBe(0)
    expect(list.entries).toHaveLength(DEBIAN.blacklist.trim().split('\n').length)
    const lines = plainLines(DEBIAN.kallsyms)
    const wrong = lines.filter(({ address, name, module }) => {
      const expected = list.entries.some(({ start, end }) => address >= start && address < end)
      return list.covers(address, name, module) !== expected
    })
    expect(wrong).toEqual([])
    expect(lines.filter(({ address, name, module }) => list.covers(address, name, module)).length).toBeGreaterThan(300)
  })
})
