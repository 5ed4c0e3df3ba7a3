// Dumps, prototypes, layouts and sizes against what bpftool 7.8 and libbpf 1.8 print for the same blobs, byte for byte.
import { describe, expect, test } from 'vitest'
import type { KindName } from '../../src/btf/kinds.ts'
import { plainDeclarations } from '../../src/btf/print/c-declare.ts'
import { dumpC } from '../../src/btf/print/c-dump.ts'
import { CHeader, HeaderMemory } from '../../src/btf/print/c-header.ts'
import { dumpRaw } from '../../src/btf/print/raw.ts'
import { alignOf, sizeOf } from '../../src/btf/read/sizes.ts'
import { decodeType, type Member, type StructType } from '../../src/btf/read/type.ts'
import type { TypeSet } from '../../src/btf/read/type-set.ts'
import { blob, debian, fixture, MODULES, oneSet } from './fixtures.ts'

/** Compares texts of megabytes: says where they part instead of printing them. */
function expectSameText(actual: string, path: string): void {
  const expected = fixture(path).toString('latin1')
  if (actual === expected) return
  const [a, b] = [actual.split('\n'), expected.split('\n')]
  const line = a.findIndex((text, i) => text !== b[i])
  expect(`line ${line + 1}: ${a[line]}`).toBe(`line ${line + 1}: ${b[line]}`)
  expect(a.length).toBe(b.length)
}

/** As the reference writes them, with names that are unique, and as single declarations, with names as they stand. */
function prototypes(set: TypeSet): [unique: string, plain: string] {
  const memory = new HeaderMemory()
  const header = new CHeader(memory, set)
  const declarations = plainDeclarations(set)
  let text = ''
  let plain = ''
  for (let id = set.firstId; id < set.endId; id++) {
    if (set.kindOf(id) !== 'FUNC') continue
    const name = set.nameOf(id)
    text += `${id}\t${name}\t${header.declare(set.refOf(id), set.word(id, 0))}\n`
    plain += `${id}\t${name}\t${declarations.declare(set.refOf(id), name)}\n`
  }
  memory.close()
  return [text, plain]
}

function sizes(set: TypeSet): string {
  let text = ''
  for (let id = set.firstId; id < set.endId; id++) {
    text += `${id}\t${set.kindNumberOf(id)}\t${sizeOf(set, id) ?? -22}\t${alignOf(set, id) ?? 'none'}\n`
  }
  return text
}

function layouts(set: TypeSet): string {
  let text = ''
  for (let id = set.firstId; id < set.endId; id++) {
    const kind = set.kindOf(id)
    if (kind !== 'STRUCT' && kind !== 'UNION') continue
    const type = decodeType(set, id) as StructType
    text += `${id}\t${kind.toLowerCase()}\t${type.name}\tsize=${type.size}\tvlen=${type.members.length}\n`
    type.members.forEach((member: Member, i) => {
      const place = `type=${member.type}\tbit_off=${member.bitOffset}\tbits=${member.bits}`
      text += `\t${i}\t${member.name}\t${place}\tsize=${sizeOf(set, member.type) ?? -22}\n`
    })
  }
  return text
}

const sets: [string, string, () => TypeSet][] = [
  ['vmlinux', 'deb61/vmlinux', () => debian().set('vmlinux')!],
  ...MODULES.map((name): [string, string, () => TypeSet] => [name, `deb61/mod/${name}`, () => debian().set(name)!]),
  ['all kinds', 'synthetic/all-kinds', () => oneSet('x', blob('synthetic/all-kinds'))],
]

describe.each(sets)('%s', (_, path, open) => {
  test('raw dump', () => {
    expectSameText([...dumpRaw(open())].join(''), `${path}.raw`)
  })

  test('prototypes', () => {
    const [unique, plain] = prototypes(open())
    expectSameText(unique, `${path}.protos.tsv`)
    expect(unnumbered(plain) === unnumbered(unique)).toBe(true)
  })

  test('member layouts', () => {
    expectSameText(layouts(open()), `${path}.layout.tsv`)
  })

  test('sizes and alignments', () => {
    // The reference writes -1 or 0 where there is no alignment.
    const expected = fixture(`${path}.sizes.tsv`)
      .toString()
      .replace(/\t(-1|0)$/gm, '\tnone')
      .split('\n')
    const actual = sizes(open()).split('\n')
    expect(actual.length).toBe(expected.length)
    expect(actual.filter((line, i) => line !== expected[i])).toEqual([])
  })
})

/** The same without the numbers that make names of a header unique. */
const unnumbered = (text: string): string => text.replace(/___\d+/g, '')

describe('C headers', () => {
  test('hold what single definitions are', () => {
    for (const set of [debian().set('vmlinux')!, oneSet('x', blob('synthetic/all-kinds'))]) {
      const header = unnumbered([...dumpC(set, { order: 'ids' })].join(''))
      const all = new Set(header.split(';\n\n').map((text) => text.slice(text.lastIndexOf('\n\n') + 1).trim()))
      const by = plainDeclarations(set)
      const struct = (id: number) => by.structDefinition(id, 0)
      const values = (id: number) => by.enumDefinition(id, 0)
      const definitions: Partial<Record<KindName, (id: number) => string>> = {
        STRUCT: struct,
        UNION: struct,
        ENUM: values,
        ENUM64: values,
        TYPEDEF: (id) => by.typedef(id),
        FWD: (id) => by.forward(id),
      }
      for (let id = 1; id < set.endId; id++) {
        // The last is one that every compiler has.
        if (['', '__builtin_va_list'].includes(set.nameOf(id))) continue
        const text = definitions[set.kindOf(id)]?.(id)
        if (text !== undefined && !all.has(unnumbered(text))) expect.fail(`the header does not have ${text}`)
      }
    }
  })

  test('of vmlinux in order of ids', () => {
    expectSameText([...dumpC(debian().set('vmlinux')!, { order: 'ids' })].join(''), 'deb61/vmlinux.c-unsorted.h')
  })

  test('of vmlinux in bpftool’s order', () => {
    expectSameText([...dumpC(debian().set('vmlinux')!)].join(''), 'deb61/vmlinux.c-sorted.h')
  })

  test.each(['all-kinds', 'all-kinds-be', 'layout', 'multi-base', 'vlen24'])('of %s', (name) => {
    const set = oneSet(name, blob(`synthetic/${name}`))
    expectSameText([...dumpC(set, { order: 'ids' })].join(''), `synthetic/${name}.c-unsorted.h`)
  })

  test('refuse a kind that C output does not know', () => {
    const set = oneSet('x', blob('synthetic/layout-unknown-kind20'))
    expect(() => [...dumpC(set)]).toThrow(expect.objectContaining({ code: 'BAD_FORMAT', place: { typeId: 2 } }))
  })
})

describe('raw dumps of synthetic blobs', () => {
  test.each(['all-kinds-be', 'layout', 'layout-unknown-kind20', 'multi-base', 'vlen24'])('%s', (name) => {
    expectSameText([...dumpRaw(oneSet(name, blob(`synthetic/${name}`)))].join(''), `synthetic/${name}.raw`)
  })

  test('of split sets on split sets', () => {
    const base = oneSet('base', blob('synthetic/multi-base'))
    const one = oneSet('one', blob('synthetic/multi-split1'), base)
    expectSameText([...dumpRaw(one)].join(''), 'synthetic/multi-split1.raw')
    expectSameText(
      [...dumpRaw(oneSet('none', blob('synthetic/multi-split-empty'), base))].join(''),
      'synthetic/multi-split-empty.raw',
    )
  })
})
