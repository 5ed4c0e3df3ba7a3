// ELF: sections of hand-made files of both classes and byte orders, and refusal of damaged ones.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findSection, isElf, readElf, sectionBytes, stringAt } from '../../src/core/elf.ts'
import { KerndexError } from '../../src/core/errors.ts'
import { type ElfSpec, writeElf } from './elf-writer.ts'

const sections = [
  { name: '.text', type: 1, data: Buffer.from('code') },
  { name: '.BTF', type: 1, data: Buffer.from('types') },
  { name: '.symtab', type: 2, data: Buffer.alloc(48), link: 5, entrySize: 24 },
  { name: '.bss', type: 8, data: Buffer.alloc(0), size: 0x7fffffff },
]

const variants: [string, ElfSpec][] = [true, false].flatMap((is64) =>
  [true, false].map((little): [string, ElfSpec] => [
    `${is64 ? 64 : 32} bit ${little ? 'LE' : 'BE'}`,
    { is64, little, sections },
  ]),
)

describe.each(variants)('%s', (_, spec) => {
  const bytes = writeElf(spec)

  test('sections and their bytes', () => {
    const file = readElf(bytes)
    expect(file).toMatchObject({ is64: spec.is64, littleEndian: spec.little, machine: 247, type: 1 })
    expect(file.sections.map((each) => each.name)).toEqual(['', '.text', '.BTF', '.symtab', '.bss', '.shstrtab'])
    expect(Buffer.from(sectionBytes(file, findSection(file, '.BTF')!)).toString()).toBe('types')
    expect(findSection(file, '.symtab')).toMatchObject({ link: 5, entrySize: 24, size: 48, type: 2 })
    expect(sectionBytes(file, findSection(file, '.bss')!).length).toBe(0)
    expect(findSection(file, '.none')).toBeUndefined()
  })

  test('every cut is refused with a typed error or read without it', () => {
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length)
      try {
        const file = readElf(cut)
        for (const section of file.sections) sectionBytes(file, section)
      } catch (error) {
        expect(error).toBeInstanceOf(KerndexError)
      }
    }
  })

  test('mutations never escape the bounds', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const copy = Uint8Array.from(bytes)
        copy[at] = value
        try {
          const file = readElf(copy)
          for (const section of file.sections) sectionBytes(file, section)
        } catch (error) {
          if (!(error instanceof KerndexError)) throw error
        }
      }),
    )
  })
})

test('compressed sections are refused by name', () => {
  const bytes = writeElf({
    is64: true,
    little: true,
    sections: [{ name: '.BTF', type: 1, data: Buffer.from('x'), flags: 0x800 }],
  })
  const file = readElf(bytes)
  expect(() => sectionBytes(file, findSection(file, '.BTF')!)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
})

test('what is not ELF is said so', () => {
  expect(isElf(Buffer.from('BTF'))).toBe(false)
  expect(() => readElf(Buffer.from('#!/bin/sh'))).toThrow(/not an ELF/)
})

test('strings end at NUL or at the end of the table', () => {
  const table = Buffer.from('\0abc\0de')
  expect([stringAt(table, 1), stringAt(table, 2), stringAt(table, 5), stringAt(table, 99)]).toEqual([
    'abc',
    'bc',
    'de',
    '',
  ])
})
