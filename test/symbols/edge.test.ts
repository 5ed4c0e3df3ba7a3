import { describe, expect, it } from 'vitest'
import { NoPermissionError } from '../../src/core/errors.ts'
import type { SymbolMatch } from '../../src/symbols/symbol.ts'
import { edge } from '../fixtures.ts'
import { build, tableOf } from './build-table.ts'

const names = (symbols: Iterable<{ name: string }>) => Array.from(symbols, ({ name }) => name)
const inWords = (match: SymbolMatch | undefined) =>
  match && `${match.symbol.name}+0x${match.offset.toString(16)} [${match.symbol.owner}]`

describe('edge', () => {
  const table = tableOf(edge('edge'))

  it('gives every alias of an address in file order, the first as primary', () => {
    expect(names(table.startingAt(0xffffffff81000000n))).toEqual(['_stext', '_text', 'alias_local'])
    const match = table.at(0xffffffff81000000n)!
    expect([match.symbol.name, match.offset, names(match.aliases)]).toEqual(['_stext', 0, ['_text', 'alias_local']])
  })

  it('gives the size to the next distinct address, and aliases of what contains an address', () => {
    const match = table.at(0xffffffff81000018n)!
    expect([match.symbol.name, match.offset, match.size]).toEqual(['f_global', 0x8, 0x30])
    expect(names(match.aliases)).toEqual(['f_weak', '__f_local'])
    expect(match.candidates.map(({ symbol, offset }) => [symbol.name, offset])).toEqual([['f_global', 8]])
  })

  it('gives every symbol of a name, or one owner’s', () => {
    const places = (owner?: string) =>
      table.named('dupname', owner === undefined ? {} : { owner }).map((s) => [s.address, s.owner])
    expect(places()).toEqual([
      [0xffffffffc0100040n, 'mod_a'],
      [0xffffffffc0080040n, 'mod_b'],
    ])
    expect(places('mod_a')).toEqual([[0xffffffffc0100040n, 'mod_a']])
    expect(places('mod_b')).toEqual([[0xffffffffc0080040n, 'mod_b']])
    expect(places('vmlinux')).toEqual([])
    expect(places('nobody')).toEqual([])
  })

  it('takes a name as it is: no suffix is added or dropped', () => {
    expect(table.named('foo')).toEqual([])
    expect(table.named('foo.llvm.123456789').map(({ address }) => address)).toEqual([0xffffffff81400040n])
    expect(table.named('bar')).toEqual([])
  })

  it.each([0x10n, 0x14130n, 0xffffffff80ffffffn, 0n, 0x1000n])('has no per-cpu symbol answer for %x', (address) => {
    expect(table.at(address)).toBeUndefined()
  })

  it('answers data from all kinds, and not from text alone', () => {
    expect(inWords(table.at(0xffffffff82000004n))).toBe('data_sym+0x4 [vmlinux]')
    expect(inWords(table.at(0xffffffff82000004n, { kinds: 'data' }))).toBe('data_sym+0x4 [vmlinux]')
    expect(table.at(0xffffffff82000004n, { kinds: 'text' })).toBeUndefined()
  })

  it('gives both candidates where a freed symbol lies in another owner’s memory', () => {
    const match = table.at(0xffffffffc0100024n)!
    expect(match.candidates.map(({ symbol, offset }) => [symbol.name, offset, symbol.owner])).toEqual([
      ['mod_a_fn1', 0x24, 'mod_a'],
      ['freed_init', 0x4, 'mod_b'],
    ])
    expect(inWords(match)).toBe('mod_a_fn1+0x24 [mod_a]')
  })

  it('answers inside a page that the kernel made, and nothing behind everything', () => {
    expect(inWords(table.at(0xffffffffc0202010n))).toBe('kprobe_insn_page+0x10 [__builtin__kprobes]')
    expect(inWords(table.at(0xffffffffc0202fffn))).toBe('kprobe_insn_page+0xfff [__builtin__kprobes]')
    expect(table.at(0xffffffffc0203000n)).toBeUndefined()
    expect(table.at(0xffffffffffffffffn)).toBeUndefined()
  })

  it('answers no page between two that the kernel made for itself', () => {
    const pages = tableOf(
      [
        'ffffffff81000000 T _stext',
        'ffffffffc02b3000 t kprobe_insn_page\t[__builtin__kprobes]',
        'ffffffffc02b5000 t kprobe_optinsn_page\t[__builtin__kprobes]',
      ].join('\n'),
    )
    expect(inWords(pages.at(0xffffffffc02b3fffn))).toBe('kprobe_insn_page+0xfff [__builtin__kprobes]')
    expect(pages.at(0xffffffffc02b3000n)?.size).toBe(4096)
    expect(pages.at(0xffffffffc02b4000n)).toBeUndefined()
    expect(pages.reasonFor(0xffffffffc02b4000n)).toBe('gap')
    expect(inWords(pages.at(0xffffffffc02b5001n))).toBe('kprobe_optinsn_page+0x1 [__builtin__kprobes]')
  })

  it('says why nothing is there', () => {
    expect(table.reasonFor(0x7f0000000000n)).toBe('user')
    expect(table.reasonFor(0xffffffff80ffffffn)).toBe('not kernel')
    expect(table.reasonFor(0xffffffffffffffffn)).toBe('not kernel')
    expect(table.reasonFor(0xffffffff81f00000n)).toBe('gap')
    const highest = tableOf('ffffffff81000000 T _stext\nfffffffffffff010 t f\t[m]\n')
    expect(highest.at(0xffffffffffffffffn)?.symbol.name).toBe('f')
    expect(highest.reasonFor(0xfffffffffffff000n)).toBe('gap')
    expect(highest.reasonFor(0xfffffffffffeffffn)).toBe('gap')
    expect(tableOf('').reasonFor(0n)).toBe('not kernel')
  })
})

describe('hidden addresses', () => {
  it('are an error that says what to change, though there are per-cpu lines', () => {
    const load = () => tableOf(edge('zero'))
    expect(load).toThrow(NoPermissionError)
    for (const word of ['kptr_restrict', 'CAP_SYSLOG', 'perf_event_paranoid']) expect(load).toThrow(word)
  })

  it('are none where a single address shows', () => {
    expect(tableOf('0000000000000000 A percpu\n0000000000000008 A other\n').size).toBe(2)
  })

  it('are an error for 8-digit zeros too', () => {
    expect(() => tableOf('00000000 T _stext\n00000000 t x\t[mod]\n')).toThrow(NoPermissionError)
  })
})

describe('small difficult files', () => {
  const three = [
    [0xffffffff81000000n, 'T', '_stext', 'vmlinux'],
    [0xffffffff81000100n, 'T', 'ok_one', 'vmlinux'],
    [0xffffffff81001000n, 'T', '_etext', 'vmlinux'],
  ]
  const rows = (file: string) => Array.from(tableOf(edge(file)), (s) => [s.address, s.type, s.name, s.owner])

  it('empty: a table of no symbols', () => {
    expect(rows('empty')).toEqual([])
    expect(build(edge('empty'))).toMatchObject({ lines: 0, badCount: 0, bad: [] })
  })

  it.each([
    ['short-line', [{ line: 4, reason: 'name' }]],
    ['bad-addr', [{ line: 4, reason: 'address' }]],
    ['blank-line', [{ line: 2, reason: 'blank' }]],
    ['crlf', []],
    ['no-final-newline', []],
  ])('%s: the three good symbols', (file, bad) => {
    expect(rows(file)).toEqual(three)
    expect(build(edge(file)).bad).toEqual(bad)
  })

  it('utf8: both names byte for byte', () => {
    const table = tableOf(edge('utf8'))
    expect(rows('utf8').slice(0, 3)).toEqual(three)
    expect(names(table.startingAt(0xffffffffc0000000n))).toEqual(['__kstrtab_功能'])
    expect(names(table.named('__kstrtab_功能'))).toEqual(['__kstrtab_功能'])
    expect(table.idsNamed(Buffer.from('bad_\xff\xfe_utf8', 'latin1'))).toEqual([
      table.startingAt(0xffffffffc0000010n)[0]!.id,
    ])
    expect(names(table.named('ok_one'))).toEqual(['ok_one'])
  })

  it('longname: 511 bytes whole, and the symbol behind', () => {
    const table = tableOf(edge('longname'))
    expect(table.startingAt(0xffffffffc0000000n).map(({ name }) => name)).toEqual(['n'.repeat(511)])
    expect(table.named('after').map(({ address, owner }) => [address, owner])).toEqual([[0xffffffffc0000100n, 'mod']])
    expect(table.named('n'.repeat(511)).length).toBe(1)
    expect(table.named('n'.repeat(510))).toEqual([])
  })

  it('arm32: 8-digit addresses', () => {
    const table = tableOf(edge('arm32'))
    expect(names(table.startingAt(0xc0008000n))).toEqual(['_stext', '_text'])
    expect(inWords(table.at(0xbf000c66n))).toBe('cleanup_module+0x2 [spi_bcm2708]')
    expect(table.addressDigits).toBe(8)
  })
})
