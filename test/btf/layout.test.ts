// Struct layouts against pahole 1.32: every offset, size, bit position, hole, cache line and total it prints.
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { layoutOf } from '../../src/btf/ask/layout.ts'
import { printLayout } from '../../src/btf/print/layout.ts'
import { BtfBuilder } from './builder.ts'
import { debian, fixture, oneSet } from './fixtures.ts'

const vmlinux = debian().set('vmlinux')!
const directory = new URL('../../fixtures/btf/deb61/pahole/', import.meta.url)
const names = readdirSync(directory).map((file) => file.replace('.txt.br', ''))

/** What a text in pahole's manner says, line by line, without how types are spelled. */
function facts(text: string): string[] {
  const found: string[] = []
  for (const line of text.split('\n')) {
    const member = /^(\t+)(.*?);?\s*\/\* +(\d+)(?:: *(\d+))? +(\d+) \*\/$/.exec(line)
    if (member) {
      const [, tabs, text, offset, bit, size] = member
      const name =
        /\(\*+(\w+)\)/.exec(text!)?.[1] ??
        /(\w*)(\[\w*\])*(\s*:\d+)?;?$/.exec(text!.replace(/ __attribute__\(\(.*?\)\)\)?/, '').trim())![1]!
      // How an unnamed bitfield or the end of an anonymous struct is written differs.
      found.push(`${tabs!.length} ${name} ${offset}:${bit ?? '-'} ${size}`)
    } else if (
      /XXX \d+ (byte|bit)s? hole|cacheline \d+ boundary|size: .*cachelines|sum members|^\t\/\* (bit_)?padding:|last cacheline/.test(
        line,
      )
    ) {
      found.push(line.trim())
    } else if (/sum bitfield members: .*bit holes/.test(line)) found.push(line.trim())
  }
  return found
}

describe('layouts say what pahole says', () => {
  test.each(names)('%s', (name) => {
    const [id] = vmlinux.idsNamed(name, 'STRUCT')
    expect(facts(printLayout(vmlinux, id!))).toEqual(facts(fixture(`deb61/pahole/${name}.txt`).toString()))
  })

  test.each([50, 80])('says the same in %i columns, with no number of a member cut', (columns) => {
    const widthOf = (line: string) => line.replaceAll('\t', ' '.repeat(8)).length
    for (const name of names) {
      const [id] = vmlinux.idsNamed(name, 'STRUCT')
      const text = printLayout(vmlinux, id!, columns)
      const comments = text.split('\n').filter((line) => /\/\* +\d+(:| ) *\d+ +\d* *\*\//.test(line))
      expect(comments.filter((line) => widthOf(line) > columns && line.trim().length > 17)).toEqual([])
      const words = (layout: string) => layout.split(/\s+/)
      expect(words(text)).toEqual(words(printLayout(vmlinux, id!)))
    }
  })

  test('there are forty of them', () => {
    expect(names.length).toBe(40)
  })
})

describe('a layout', () => {
  test('places bitfields in units of their type, with what is left over', () => {
    const builder = new BtfBuilder()
    const int = builder.int('int', 4)
    const char = builder.int('char', 1)
    const id = builder.struct('s', 16, [
      { name: 'a', type: int, offset: 0, bits: 3 },
      { name: 'b', type: int, offset: 33, bits: 2 },
      { name: 'c', type: char, offset: 64 },
    ])
    const layout = layoutOf(oneSet('x', builder.build()), id)
    expect(layout.members).toMatchObject([
      { name: 'a', offset: 0, size: 4, bitfield: { offset: 0, bits: 3 }, bitHole: 30, hole: 0 },
      { name: 'b', offset: 4, size: 4, bitfield: { offset: 1, bits: 2 }, bitHole: 29, hole: 0 },
      { name: 'c', offset: 8, size: 1, declaration: 'char c' },
    ])
    expect(layout).toMatchObject({ padding: 7, memberBytes: 1, memberBits: 5, holeBits: 59, bitHoles: 2, holes: 0 })
  })

  test('counts what is left of the unit a bitfield ends in, if it begins in the one before', () => {
    const builder = new BtfBuilder()
    const int = builder.int('int', 4)
    const id = builder.struct('s', 12, [
      { name: 'a', type: int, offset: 0, bits: 30 },
      { name: 'b', type: int, offset: 30, bits: 5 },
      { name: 'c', type: int, offset: 64 },
    ])
    const layout = layoutOf(oneSet('x', builder.build()), id)
    expect(layout.members).toMatchObject([
      { bitHole: 0, hole: 0 },
      { bitHole: 29, hole: 0 },
      { bitHole: 0, hole: 0 },
    ])
  })

  test('of something else is refused', () => {
    const [id] = vmlinux.idsNamed('int', 'INT')
    expect(() => layoutOf(vmlinux, id!)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  test('of structs nested in each other without end is refused', () => {
    const builder = new BtfBuilder()
    let inner = builder.struct('', 0, [])
    for (let i = 0; i < 40; i++) {
      inner = builder.struct(i === 39 ? 'top' : '', 0, [
        { name: 'l', type: inner },
        { name: 'r', type: inner },
      ])
    }
    const set = oneSet('x', builder.build())
    expect(() => printLayout(set, inner)).toThrow(expect.objectContaining({ code: 'LIMIT' }))
  })
})
