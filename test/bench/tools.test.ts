// Comparisons with other tools: the same work is recognised across their ways of printing it, and other work is refused.

import { describe, expect, it } from 'vitest'
import {
  blazecliFrames,
  compareFrames,
  compareHeaders,
  drgnFrames,
  framesOf,
  functionsOf,
  placesOf,
  sameLines,
} from '../../bench/lib/tool-outputs.ts'
import { outputOf, timeOf, toolVersions } from '../../bench/lib/tools.ts'

const PAHOLE = `struct file {
	struct llist_node          f_llist;              /*     0     8 */
	void                       (*fn)(struct callback_head *, int); /*    8     8 */
	char                       comm[16][2];          /*    16    32 */
	unsigned int               bits:3;               /*    48: 0  4 */

	/* XXX 4 bytes hole, try to pack */

	struct hlist_head          notifiers __attribute__((__aligned__(64))); /*    64     8 */
	/* size: 72, cachelines: 2, members: 5 */
};
`
const KERNDEX = `/* vmlinux [3] STRUCT */
struct file {
	struct llist_node f_llist;           /*     0     8 */
	void (*fn)(struct callback_head *, int); /*     8     8 */
	char comm[16][2];                    /*    16    32 */
	unsigned int bits:3;                 /*    48: 0  4 */
	struct hlist_head notifiers;         /*    64     8 */
};
`

describe('layouts', () => {
  it('are the same if members, offsets and sizes are', () => {
    expect(placesOf(PAHOLE)).toEqual(['f_llist 0 8', 'fn 8 8', 'comm 16 32', 'bits 48 4', 'notifiers 64 8'])
    expect(sameLines(placesOf(PAHOLE), placesOf(KERNDEX), 'members')).toBe('5 members, the same')
  })

  it('are not if one member lies elsewhere, is missing, or there is nothing', () => {
    expect(() => sameLines(placesOf(PAHOLE), placesOf(KERNDEX.replace('8     8', '9     8')), 'members')).toThrow(
      '"fn 8 8" against "fn 9 8"',
    )
    expect(() => sameLines(placesOf(PAHOLE), placesOf(KERNDEX).slice(0, -1), 'members')).toThrow('other answers')
    expect(() => sameLines(placesOf(PAHOLE).slice(0, -1), placesOf(KERNDEX), 'members')).toThrow('4 against 5')
    expect(() => sameLines([], [], 'members')).toThrow('no members')
  })
})

describe('C headers', () => {
  const theirs = 'struct a {\n\tint b;\n};\n\nstruct c {\n\tint d;\n} __attribute__((preserve_access_index));\n'
  it('may differ in attributes and in what a newer version adds', () => {
    expect(
      compareHeaders(
        theirs,
        `#define X\n${theirs.replace('};', '} __attribute__((mode(byte)));')}extern int f(void);\n`,
      ),
    ).toContain('8 lines')
  })

  it('are refused if a line is missing, also one of several', () => {
    expect(() => compareHeaders(theirs, theirs.replace('int d', 'int e'))).toThrow('int d')
    expect(() => compareHeaders(`${theirs}int x;\nint x;\n`, `${theirs}int x;\n`)).toThrow('int x')
  })
})

describe('frames', () => {
  const same = compareFrames('perf', framesOf)
  const perf = '\n\tffffffff81000010 do_one+0x10\n\tffffffff81000020 alias_b+0x0\n\n'
  it('are the same if names are, or offsets of another alias', () => {
    const ours = '0xffffffff81000010  do_one+0x10/0x20\n0xffffffff81000020  alias_a+0x0/0x8 [mod]  also alias_b\n'
    expect(same(perf, ours)).toBe('2 frames, the same names but 1 aliases')
  })

  it('are refused if one is elsewhere or missing', () => {
    expect(() => same(perf, '0xffffffff81000010  do_one+0x11/0x20\n0xffffffff81000020  alias_b+0x0/0x8\n')).toThrow(
      'do_one+0x11',
    )
    expect(() => same(perf, '0xffffffff81000010  do_one+0x10/0x20\n')).toThrow('2 frames and 1 answers')
    expect(() => same('', '')).toThrow('perf named nothing')
  })

  it('are read as each tool prints them: inlined frames are not asked for, and no symbol is an answer', () => {
    const blazecli =
      '0xffffffff81000011: do_one @ 0xffffffff81000000+0x11 kernel/one.c:5\n' +
      '                  inner @ kernel/one.h:7 [inlined]\n' +
      '0xffffffffc0000001: <no-symbol>\n'
    expect(blazecliFrames(blazecli)).toEqual([
      { address: 'ffffffff81000011', name: 'do_one+0x11' },
      { address: 'ffffffffc0000001', name: '<no-symbol>' },
    ])
    const ours = '0xffffffff81000011  do_one+0x11/0x20\n0xffffffffc0000001  later+0x1/0x20 [mod]\n'
    expect(() => compareFrames('blazecli', blazecliFrames)(blazecli, ours)).toThrow(
      'ffffffffc0000001 is <no-symbol> by blazecli, later+0x1 by kerndex',
    )
    expect(drgnFrames('ffffffff81000011 do_one+0x11\n')).toEqual([{ address: 'ffffffff81000011', name: 'do_one+0x11' }])
  })
})

it('lists of kprobes are their functions, in one order', () => {
  expect(functionsOf('kprobe:nf_b\nkprobe:nf_a\n')).toEqual(['nf_a', 'nf_b'])
  expect(functionsOf('kprobe:vmlinux:nf_b\nkprobe:nf_tables:nf_a\nnoise\n')).toEqual(['nf_a', 'nf_b'])
})

describe('tools', () => {
  it('have a version or are not there', () => {
    for (const version of Object.values(toolVersions())) expect(version === null || version.length > 0).toBe(true)
  })

  it('give what they print, and an error with their own words if they fail', () => {
    const node = (script: string) => ({ command: process.execPath, args: ['-e', script] })
    expect(outputOf(node('console.log("out"); console.error("err")'))).toBe('out\n')
    expect(() => outputOf(node('console.error("because"); process.exit(7)'))).toThrow(/ended with 7: because/)
    expect(() => timeOf({ command: '/no/such/tool', args: [] })).toThrow('ENOENT')
  })
})
