// What each frame of a stack means, rule by rule, over a table of a few lines.

import { beforeAll, describe, expect, it } from 'vitest'
import { type Frame, frameInWords, isMarker, rawFrame } from '../../src/stacks/frame.ts'
import { StackResolver } from '../../src/stacks/resolve.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { snapshotOfText } from '../events/samples.ts'

const KALLSYMS = `ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000100 T __irqentry_text_start
ffffffff81000100 T asm_sysvec_apic_timer_interrupt
ffffffff81000140 T asm_exc_page_fault
ffffffff81000180 T __irqentry_text_end
ffffffff81000200 T asm_exc_nmi
ffffffff81000300 T caller_that_dies
ffffffff81000340 T __pfx_next_one
ffffffff81000350 T next_one
ffffffff81000400 T return_to_handler
ffffffff81000500 T __primary
ffffffff81000500 T second_alias
ffffffff81000600 t twice
ffffffff81000640 t between
ffffffff81000660 t twice
ffffffff81000700 T last_function
ffffffff81001000 T _etext
`

let symbols: SymbolTable
beforeAll(async () => {
  symbols = (await snapshotOfText(KALLSYMS)).symbols
})

const at = (address: bigint) => rawFrame({ address })
const words = (frames: readonly Frame[]) => frames.map((frame) => frameInWords(frame) ?? frame.reason)

describe('a stack of addresses', () => {
  const cases: [string, bigint[], 'pc-first' | 'returns', string[]][] = [
    ['the first is a PC', [0xffffffff81000350n], 'pc-first', ['next_one+0x0/0xb0']],
    [
      'a return address behind a last call is its caller’s, with the true offset',
      [0xffffffff81000358n, 0xffffffff81000340n],
      'pc-first',
      ['next_one+0x8/0xb0', 'caller_that_dies+0x40/0x40'],
    ],
    [
      'of the unwinder in the kernel the first is one too',
      [0xffffffff81000340n],
      'returns',
      ['caller_that_dies+0x40/0x40'],
    ],
    ['a PC in the padding before a function is there', [0xffffffff81000344n], 'pc-first', ['__pfx_next_one+0x4/0x10']],
    [
      'outside of an interrupt entry is a PC, and outside of that a return address',
      [0xffffffff81000708n, 0xffffffff81000116n, 0xffffffff81000350n, 0xffffffff81000340n],
      'pc-first',
      ['last_function+0x8/0x900', '__irqentry_text_start+0x16/0x40', 'next_one+0x0/0xb0', 'caller_that_dies+0x40/0x40'],
    ],
    [
      'NMIs enter elsewhere',
      [0xffffffff81000708n, 0xffffffff81000210n, 0xffffffff81000350n],
      'pc-first',
      ['last_function+0x8/0x900', 'asm_exc_nmi+0x10/0x100', 'next_one+0x0/0xb0'],
    ],
    [
      'a tracer’s trampoline stands for the return address that it replaced',
      [0xffffffff81000708n, 0xffffffff81000400n],
      'pc-first',
      ['last_function+0x8/0x900', 'return_to_handler+0x0/0x100'],
    ],
    [
      'markers of perf, 0 and -1 are no frames, and what follows them keeps its meaning',
      [0xffffffffffffff80n, 0xffffffff81000350n, 0n, 0xffffffff81000340n, 0xfffffffffffffe00n, 0xffffffffffffffffn],
      'pc-first',
      ['next_one+0x0/0xb0', 'caller_that_dies+0x40/0x40'],
    ],
    ['user addresses are no kernel frames', [0x55d0c0de1234n], 'pc-first', ['not_kernel']],
    ['far away from the kernel is nothing', [0xffff888100000000n], 'pc-first', ['no_symbol']],
    ['the first alias in file order is the name', [0xffffffff81000504n], 'pc-first', ['__primary+0x4/0x100']],
  ]
  it.each(cases)('%s', (_, addresses, shape, expected) => {
    expect(words(new StackResolver(symbols).resolve(addresses.map(at), shape))).toEqual(expected)
  })

  it('raw mode looks every address up as it stands', () => {
    const resolver = new StackResolver(symbols, { mode: 'raw' })
    const stack = [0xffffffff81000358n, 0xffffffff81000340n].map(at)
    expect(words(resolver.resolve(stack, 'pc-first'))).toEqual(['next_one+0x8/0xb0', '__pfx_next_one+0x0/0x10'])
  })

  it('gives the other names of the address', () => {
    const [frame] = new StackResolver(symbols).resolve([at(0xffffffff81000504n)], 'pc-first')
    expect(frame?.aliases).toEqual(['second_alias'])
  })
})

describe('a stack of names', () => {
  const cases: [string, Parameters<typeof rawFrame>[0], string | undefined, bigint | undefined][] = [
    ['name, offset and size', { name: 'next_one', offset: 8, size: 0xb0 }, undefined, 0xffffffff81000358n],
    ['two of a name are told apart by size', { name: 'twice', offset: 4, size: 0x40 }, undefined, 0xffffffff81000604n],
    ['and by how far they reach', { name: 'twice', offset: 0x80 }, undefined, 0xffffffff810006e0n],
    ['neither size nor reach', { name: 'twice', offset: 4 }, 'ambiguous', undefined],
    ['another size is another kernel', { name: 'next_one', offset: 8, size: 0xc0 }, 'size_mismatch', undefined],
    ['no such name', { name: 'nowhere', offset: 8, size: 0xc0 }, 'unknown_name', undefined],
    ['no such module', { name: 'next_one', offset: 8, size: 0xb0, owner: 'mod' }, 'unknown_name', undefined],
    ['any alias', { name: 'second_alias', offset: 1, size: 0x100 }, undefined, 0xffffffff81000501n],
  ]
  it.each(cases)('%s', (_, given, reason, address) => {
    const [frame] = new StackResolver(symbols).resolve([rawFrame(given)], 'returns')
    expect([frame?.reason, frame?.address]).toEqual([reason, address])
  })

  it('an offset that is the whole size is a return address behind a last call', () => {
    const raw = rawFrame({ name: 'caller_that_dies', offset: 0x40, size: 0x40 })
    expect(words(new StackResolver(symbols).resolve([raw], 'returns'))).toEqual(['caller_that_dies+0x40/0x40'])
  })
})

describe('a name beside an address', () => {
  const MODULES = `${KALLSYMS}ffffffffc0100000 t mod_read\t[mod]
ffffffffc0100100 t mod_write\t[mod]
ffffffffc0200000 t other_read\t[other]
ffffffffc0300000 t bpf_prog_6deef7357e7b4530_one\t[bpf]
`
  let table: SymbolTable
  beforeAll(async () => {
    table = (await snapshotOfText(MODULES)).symbols
  })
  /** Of a return address, as printed by a tool. */
  const cases: [string, Parameters<typeof rawFrame>[0], string, string | undefined][] = [
    ['agrees', { name: 'next_one', offset: 8, address: 0xffffffff81000358n }, 'next_one+0x8/0xb0', undefined],
    ['agrees by an alias', { name: 'second_alias', address: 0xffffffff81000504n }, '__primary+0x4/0x100', undefined],
    [
      'agrees but for a suffix',
      { name: 'next_one.cold', address: 0xffffffff81000358n },
      'next_one+0x8/0xb0',
      undefined,
    ],
    [
      'is what stands behind a last call',
      { name: '__pfx_next_one', offset: 0, address: 0xffffffff81000340n },
      'caller_that_dies+0x40/0x40',
      undefined,
    ],
    [
      'was printed by the kernel, which knows return addresses',
      { name: 'next_one', offset: 0, size: 0xb0, address: 0xffffffff81000350n, kernelWords: true },
      'next_one+0x0/0xb0',
      undefined,
    ],
    [
      'counts from a symbol before the nearest',
      { name: 'asm_exc_nmi', offset: 0x104, address: 0xffffffff81000304n },
      'asm_exc_nmi+0x104/0x100',
      undefined,
    ],
    ['contradicts', { name: 'vfs_read', address: 0xffffffff81000358n }, 'vfs_read', 'contradiction'],
    [
      'contradicts by its offset alone: another build',
      { name: 'next_one', offset: 4, address: 0xffffffff81000358n },
      'next_one+0x4',
      'contradiction',
    ],
    [
      'of the core kernel, where a module is',
      { name: 'vfs_read', owner: 'vmlinux', address: 0xffffffffc0100010n },
      'vfs_read',
      'contradiction',
    ],
    [
      'of a module that was loaded elsewhere',
      { name: 'mod_write', offset: 4, owner: 'mod', address: 0xffffffffc0200004n },
      'mod_write+0x4 [mod]',
      'moved',
    ],
    [
      'of a module that is gone, where another is now',
      { name: 'gone', offset: 4, owner: 'was_here', address: 0xffffffffc0200004n },
      'gone+0x4 [was_here]',
      'moved',
    ],
    [
      'of another build of a module',
      { name: 'mod_old', owner: 'mod', address: 0xffffffffc0100004n },
      'mod_old',
      'contradiction',
    ],
    [
      'of a BPF program that was replaced',
      { name: 'bpf_prog_0123456789abcdef_two', address: 0xffffffffc0300008n },
      'bpf_prog_0123456789abcdef_two',
      'moved',
    ],
    ['where the table has nothing', { name: 'gone', address: 0xffff888100000000n }, 'gone', 'no_symbol'],
    ['is no name', { name: '[unknown]', address: 0xffffffff81000358n }, 'next_one+0x8/0xb0', undefined],
    [
      'of an inlined function is no symbol',
      { name: 'inlined_fn', inlined: true, address: 0xffffffff81000358n },
      'inlined_fn',
      undefined,
    ],
  ]
  it.each(cases)('%s', (_, given, expected, reason) => {
    const [frame] = new StackResolver(table).resolve([rawFrame(given)], 'returns')
    expect([frame && frameInWords(frame), frame?.reason]).toEqual([expected, reason])
  })
  it('that contradicts gives way where the table is known to be the trace’s', () => {
    const raw = rawFrame({ name: 'vfs_read', address: 0xffffffff81000358n })
    expect(words(new StackResolver(table, { trust: 'table' }).resolve([raw], 'returns'))).toEqual(['next_one+0x8/0xb0'])
  })
  it('of another kernel is all there is', () => {
    const raw = [rawFrame({ name: 'vfs_read', address: 0xffffffff81000358n }), at(0xffffffff81000358n)]
    const resolved = new StackResolver(table, { trust: 'trace' }).resolve(raw, 'returns')
    expect(words(resolved)).toEqual(['vfs_read', 'other_kernel'])
    expect(resolved.map(({ printed }) => printed)).toEqual([true, false])
  })
  it('an inlined function in front does not make its caller a return address', () => {
    const address = 0xffffffff81000350n
    const stack = [rawFrame({ name: 'inlined_fn', inlined: true, address }), rawFrame({ address })]
    expect(words(new StackResolver(table).resolve(stack, 'pc-first'))).toEqual(['inlined_fn', 'next_one+0x0/0xb0'])
  })
})

it('knows perf’s markers from addresses', () => {
  for (const marker of [0n, -32n, -128n, -512n, -2048n, -2176n, -2560n, -1n])
    expect(isMarker(BigInt.asUintN(64, marker))).toBe(true)
  for (const address of [1n, 0xffffffff81000000n, 0xffffffffc0201000n]) expect(isMarker(address)).toBe(false)
})
