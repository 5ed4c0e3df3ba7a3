// Tables of ELF files: held against nm(1) on real files, against hand-made files of both classes and byte orders, and
// the lookups by size against a plain model.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readElf } from '../../src/core/elf.ts'
import { KerndexError } from '../../src/core/errors.ts'
import { type BuiltElf, elfTable } from '../../src/symbols/elf.ts'
import type { ElfTable } from '../../src/symbols/elf-entries.ts'
import { NO_SYMBOL } from '../../src/symbols/search.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { carryOut, Workspace } from '../../src/symbols/workspace.ts'
import { same } from '../same.ts'
import {
  ABS,
  ALLOC,
  COMMON,
  DATA,
  type Entry,
  EXEC,
  FUNC,
  GLOBAL,
  LOCAL,
  NOTYPE,
  OBJECT,
  PLACES,
  symbolFile,
  TLS,
  WEAK,
  WRITE,
  XINDEX,
} from './elf-file.ts'

function open(bytes: Uint8Array, table: ElfTable = 'all'): BuiltElf & { table: SymbolTable } {
  const workspace = Workspace.open()
  const built = carryOut(elfTable(readElf(bytes), table, workspace), workspace)
  workspace.release()
  return { ...built, table: new SymbolTable(built.buffer) }
}

const words = (table: SymbolTable): string[] =>
  [...table].map(({ address, size, type, name, owner }) => `${address.toString(16)} ${size} ${type} ${name} ${owner}`)

const fixture = (name: string) => new URL(`../../fixtures/elf/${name}`, import.meta.url)

/** Lines of `nm -S`, as `address size type name`, sorted. */
function nm(name: string): string[] {
  const lines = readFileSync(fixture(name), 'latin1').trim().split('\n')
  return lines
    .map((line) => {
      const [, address, size, type, symbol] = /^([0-9a-f]+)(?: ([0-9a-f]{8,}))? (\S) (.+)$/.exec(line) ?? []
      return `${BigInt(`0x${address}`)} ${BigInt(`0x${size ?? '0'}`)} ${type} ${symbol}`
    })
    .sort()
}

const TLS_DATA = '0 4 D thread_local_data'

describe('what nm(1) prints', () => {
  test.each<[string, ElfTable, string[]]>([
    // The last column: what nm lists and a table leaves out, since it has no address.
    ['x86_64.so', 'symtab', [TLS_DATA]],
    ['x86_64.so', 'dynsym', [TLS_DATA]],
    ['x86_64.o', 'symtab', [TLS_DATA, '4 4 C common_data']],
    ['i386.so', 'symtab', [TLS_DATA]],
    ['i386.so', 'dynsym', [TLS_DATA]],
    ['i386.o', 'symtab', [TLS_DATA, '4 4 C common_data']],
    ['aarch64.so', 'symtab', [TLS_DATA, '0 0 d $d', '138 0 n $d']],
    ['aarch64.so', 'dynsym', [TLS_DATA]],
    ['s390x.so', 'symtab', [TLS_DATA]],
    ['s390x.so', 'dynsym', [TLS_DATA]],
    ['s390x.o', 'symtab', [TLS_DATA]],
    ['powerpc.so', 'symtab', [TLS_DATA]],
    ['powerpc.so', 'dynsym', [TLS_DATA]],
    ['powerpc.o', 'symtab', [TLS_DATA]],
  ])('%s %s', (name, which, without) => {
    const { table, damagedCount } = open(gunzipSync(readFileSync(fixture(`${name}.gz`))), which)
    const offsets = name.endsWith('.o')
    const ours = [...table].map(
      ({ address, size, type, name }) => `${offsets ? address & 0xffff_ffffn : address} ${size} ${type} ${name}`,
    )
    expect([...ours, ...without].sort()).toEqual(nm(`${name}.${which}.nm`))
    expect(damagedCount).toBe(0)
  })

  test('functions in Thumb code are given without the bit that marks them', () => {
    const { table } = open(gunzipSync(readFileSync(fixture('thumbv7.o.gz'))))
    const expected = nm('thumbv7.o.symtab.nm').map((line) => line.replace(/^1 (\d+ [TW])/, '0 $1'))
    const ours = [...table].map(({ address, size, type, name }) => `${address & 0xffffn} ${size} ${type} ${name}`)
    expect([...ours, TLS_DATA].sort()).toEqual(expected.sort())
    // Each stands in a section of its own, which the mapping symbol $t begins.
    const [caller] = table.named('caller')
    expect(caller?.owner).toBe('.text.caller')
    expect(table.at(caller!.address)?.symbol.name).toBe('caller')
    expect(table.startingAt(caller!.address).map(({ name }) => name)).toEqual(['caller', '$t'])
    expect(table.at(caller!.address + 4n)).toBeUndefined()
  })

  test('all: what only one section has, and once what both have', () => {
    const bytes = gunzipSync(readFileSync(fixture('x86_64.so.gz')))
    const { table, leftOut } = open(bytes, 'all')
    expect(words(table)).toEqual(words(open(bytes, 'symtab').table))
    expect(leftOut).toMatchObject({ duplicate: open(bytes, 'dynsym').table.size, 'thread-local': 2, file: 2 })
  })
})

test('a function in a function: the inner one first, labels without a size behind', () => {
  const { table } = open(gunzipSync(readFileSync(fixture('x86_64.so.gz'))))
  const names = (address: bigint) =>
    table.at(address)?.candidates.map(({ symbol, offset }) => `${symbol.name}+${offset}`) ?? table.reasonFor(address)
  expect(names(0x1080n)).toEqual(['outer+0'])
  expect(names(0x1083n)).toEqual(['inner+1', 'outer+3'])
  expect(names(0x1085n)).toEqual(['outer+5', 'label_inside+0'])
  expect(names(0x1086n)).toBe('gap')
  expect(names(0x1091n)).toEqual(['bare_label+1'])
  expect(table.at(0x1091n)).toMatchObject({ size: 3, offset: 1 })
  expect(names(0x10b3n)).toEqual(['alias_function+1', 'weak_function+1'])
  expect(table.at(0x10b3n)?.aliases.map(({ name }) => name)).toEqual(['weak_function'])
  expect(names(0x10b8n)).toEqual(['indirect_function+0', 'resolve+0'])
  expect(names(0x1234n)).toBe('outside')
  expect(table.startingAt(0x1234n).map(({ name, owner }) => `${name} ${owner}`)).toEqual(['absolute_value *ABS*'])
  expect(table.at(0x10b8n, { kinds: 'text' })?.symbol.name).toBe('indirect_function')
  expect(table.at(0x10b8n, { kinds: 'data' })).toBeUndefined()
  // Overlap is no ambiguity here: the innermost is meant.
  expect(table.requireAt(0x1083n).symbol.name).toBe('inner')
  expect(() => table.requireAt(0x1086n)).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
  expect(table.ownerAt(0x1086n)).toBe('.text')
  expect(table.ownerAt(0x1234n)).toBe('hidden')
})

const variants = [true, false].flatMap((is64) =>
  [true, false].map((little) => ({ name: `${is64 ? 64 : 32} bit ${little ? 'LE' : 'BE'}`, is64, little })),
)

/** One of every sort, and the lines that a table must have of them. */
const SORTS: [Entry, string | undefined][] = [
  [{ name: 'global', value: 0x1000n, size: 0x10n }, '1000 16 T global .text'],
  [{ name: 'local', value: 0x1010n, size: 0x10n, binding: LOCAL }, '1010 16 t local .text'],
  [{ name: 'weak', value: 0x1020n, size: 0x10n, binding: WEAK }, '1020 16 W weak .text'],
  [{ name: 'ifunc', value: 0x1030n, size: 8n, type: 10 }, '1030 8 i ifunc .text'],
  [{ name: 'object', value: 0x8000n, size: 4n, type: OBJECT, section: DATA }, '8000 4 B object .data'],
  [
    { name: 'weak_object', value: 0x8004n, size: 4n, type: OBJECT, binding: WEAK, section: DATA },
    '8004 4 V weak_object .data',
  ],
  [{ name: 'unique', value: 0x8008n, size: 4n, type: OBJECT, binding: 10, section: DATA }, '8008 4 u unique .data'],
  [{ name: 'label', value: 0x1040n, type: NOTYPE }, '1040 0 T label .text'],
  [{ name: 'fixed', value: 0x77n, type: NOTYPE, section: ABS }, '77 0 A fixed *ABS*'],
  [{ name: 'namé\u{1f40d}', value: 0x1050n, size: 1n }, '1050 1 T namé\u{1f40d} .text'],
  [{ name: 'versioned@@V2', value: 0x1060n, size: 1n }, '1060 1 T versioned@@V2 .text'],
  [{ name: 'undefined', value: 0n, section: 0 }, undefined],
  [{ name: 'common', value: 8n, size: 8n, type: OBJECT, section: COMMON }, undefined],
  [{ name: 'file.c', value: 0n, type: 4, binding: LOCAL, section: ABS }, undefined],
  [{ name: '', value: 0x1000n, type: 3, binding: LOCAL }, undefined],
  [{ name: '', value: 0x1000n, type: NOTYPE, binding: LOCAL }, undefined],
  [{ name: 'tls', value: 0n, size: 4n, type: 6, section: 3 }, undefined],
  [{ name: 'unloaded', value: 0n, type: NOTYPE, section: 4 }, undefined],
  [{ name: 'register', value: 0n, type: 13 }, undefined],
  [{ name: 'no section', value: 0n, section: 99 }, undefined],
  [{ name: 'too large', value: 0x1000n, size: 0xffff_ffffn }, undefined],
  [{ name: 'no name', value: 0x1000n, nameAt: 0x7fff_ffff }, undefined],
]
const MORE_PLACES = [
  ...PLACES,
  { name: '.tbss', flags: ALLOC | WRITE | TLS, address: 0x9000n, size: 8 },
  { name: '.comment', flags: 0, size: 8 },
]

describe.each(variants)('$name', ({ is64, little }) => {
  test('every sort of symbol', () => {
    // On 64 bits a size is too large only where the end leaves the address space.
    const symtab = SORTS.map(([entry]) =>
      is64 && entry.name === 'too large' ? { ...entry, value: 2n ** 64n - 8n, size: 9n } : entry,
    )
    const { table, leftOut, damagedCount, damaged } = open(symbolFile({ is64, little, places: MORE_PLACES, symtab }))
    expect(words(table)).toEqual(
      SORTS.flatMap(([, line]) => line ?? []).sort((a, b) => Number.parseInt(a, 16) - Number.parseInt(b, 16)),
    )
    expect(leftOut).toEqual({
      undefined: 2,
      section: 1,
      file: 1,
      'other type': 1,
      unnamed: 1,
      'thread-local': 1,
      'not loaded': 1,
      duplicate: 0,
    })
    expect(damagedCount).toBe(3)
    expect(damaged.map(({ table, index, reason }) => `${table} ${index} ${reason}`)).toEqual([
      'symtab 20 section',
      'symtab 21 size',
      'symtab 22 name',
    ])
    expect(table.sized).toBe(true)
    expect(table.addressDigits).toBe(8)
    expect(table.named('fixed').map(({ address }) => address)).toEqual([0x77n])
    expect(table.at(0x77n)).toBeUndefined()
    expect([...table.matching('*obj*')].map(({ name }) => name)).toEqual(['object', 'weak_object'])
  })

  test('of one name the symbol that others see comes first, whatever the order in the file', () => {
    const symtab: Entry[] = [
      { name: 'same', value: 0x1010n, size: 4n, binding: LOCAL },
      { name: 'same', value: 0x1020n, size: 4n, binding: WEAK },
      { name: 'same', value: 0x1030n, size: 4n, binding: GLOBAL },
      { name: 'other', value: 0x1030n, size: 4n, binding: LOCAL },
    ]
    const { table } = open(symbolFile({ is64, little, places: PLACES, symtab }))
    expect(table.named('same').map(({ address }) => address)).toEqual([0x1030n, 0x1020n, 0x1010n])
    expect(table.named('same', { owner: '.data' })).toEqual([])
    expect(table.at(0x1031n)?.symbol.name).toBe('same')
    expect(table.at(0x1031n)?.aliases.map(({ name }) => name)).toEqual(['other'])
  })

  test('a relocatable file: section number and offset', () => {
    const places = [
      { name: '.text', flags: ALLOC | EXEC, size: 0x100 },
      { name: '.text', flags: ALLOC | EXEC, size: 0x100 },
      { name: '.init.text', flags: ALLOC | EXEC, size: 0x100 },
    ]
    const symtab: Entry[] = [
      { name: 'b', value: 0x10n, size: 0x10n, section: 2 },
      { name: 'a', value: 0x10n, size: 0x10n, section: 1 },
      { name: 'begin', value: 0n, section: 3, type: NOTYPE },
      { name: 'end', value: 0x100n, section: 3, type: NOTYPE },
      { name: 'fixed', value: 0x10n, section: ABS },
    ]
    const { table } = open(symbolFile({ is64, little, type: 1, places, symtab }))
    expect(words(table)).toEqual([
      '10 0 A fixed *ABS*',
      '100000010 16 T a .text',
      '200000010 16 T b .text',
      '300000000 0 T begin .init.text',
      '300000100 0 T end .init.text',
    ])
    expect(table.at((2n << 32n) | 0x18n)?.symbol.name).toBe('b')
    expect(table.at((1n << 32n) | 0x18n)?.symbol.name).toBe('a')
    expect(table.at((3n << 32n) | 0xffn)).toMatchObject({ offset: 0xff, size: 0x100 })
    expect(table.at((3n << 32n) | 0x100n)).toMatchObject({ offset: 0, size: 0 })
    expect(table.at((3n << 32n) | 0x101n)).toBeUndefined()
    expect(table.reasonFor((3n << 32n) | 0x101n)).toBe('outside')
    expect(table.reasonFor((1n << 32n) | 8n)).toBe('gap')
  })

  test('section numbers beyond 16 bits', () => {
    const symtab: Entry[] = [
      { name: 'far', value: 0x1000n, size: 4n, section: XINDEX },
      { name: 'near', value: 0x1004n, size: 4n },
      { name: 'lost', value: 0x1008n, size: 4n, section: XINDEX },
    ]
    const { table, damaged } = open(symbolFile({ is64, little, places: PLACES, symtab, numbers: [DATA, 0] }))
    expect(words(table)).toEqual(['1000 4 B far .data', '1004 4 T near .text'])
    expect(damaged).toEqual([{ table: 'symtab', index: 3, reason: 'section' }])
  })

  test('the dynamic section alone, and repetitions told from namesakes', () => {
    const one: Entry = { name: 'one', value: 0x1000n, size: 4n }
    const dynsym = [one, { ...one, value: 0x1004n }, { ...one, size: 5n }, { ...one, name: 'two' }]
    expect(open(symbolFile({ is64, little, places: PLACES, dynsym })).table.size).toBe(4)
    const both = open(symbolFile({ is64, little, places: PLACES, symtab: [one], dynsym }))
    expect(both.table.size).toBe(4)
    expect(both.leftOut.duplicate).toBe(1)
    const bytes = symbolFile({ is64, little, places: PLACES, symtab: [one] })
    expect(() => open(bytes, 'dynsym')).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }))
    expect(() => open(symbolFile({ is64, little, places: PLACES }))).toThrow(/stripped/)
  })

  test('damaged files give a table or a typed error, and never an endless walk', () => {
    const symtab = SORTS.map(([entry]) => entry)
    const bytes = symbolFile({ is64, little, places: MORE_PLACES, symtab, dynsym: symtab.slice(0, 3) })
    const tryOut = (damaged: Uint8Array): void => {
      let table: SymbolTable
      try {
        table = open(damaged).table
      } catch (error) {
        if (!(error instanceof KerndexError)) throw error
        return
      }
      for (const symbol of table) {
        const found = [table.startingAt(symbol.address), table.named(symbol.name)]
        if (symbol.size > 0) found.push(table.at(symbol.address)?.candidates.map((each) => each.symbol) ?? [])
        for (const symbols of found) {
          same(
            symbols.some(({ id }) => id === symbol.id),
            true,
          )
        }
      }
    }
    for (let length = 0; length < bytes.length; length += 3) tryOut(bytes.subarray(0, length))
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const copy = Uint8Array.from(bytes)
        for (const [at, value] of changes) copy[at] = value
        tryOut(copy)
      }),
      { numRuns: process.env.KERNDEX_LONG ? 100_000 : 300 },
    )
  })
})

test('symbol sections that cannot be read as a whole are refused', () => {
  const symtab: Entry[] = [{ name: 'one', value: 0x1000n, size: 4n, section: ABS }]
  const bytes = symbolFile({ places: [], symtab })
  const table = bytes.readUIntLE(40, 6)
  const header = table + 64
  const with32 = (at: number, value: number) => {
    const copy = Buffer.from(bytes)
    copy.writeUInt32LE(value, at)
    return copy
  }
  const code = (damaged: Buffer, wanted: string) =>
    expect(() => open(damaged)).toThrow(expect.objectContaining({ code: wanted }))
  code(with32(header + 56, 0), 'BAD_FORMAT')
  code(with32(header + 56, 20), 'BAD_FORMAT')
  code(with32(header + 32, 47), 'BAD_FORMAT')
  code(with32(header + 32, 0x7fff_ffff), 'BAD_FORMAT')
  code(with32(header + 40, 77), 'BAD_FORMAT')
  code(with32(header + 40, 1), 'BAD_FORMAT')
  code(with32(header + 8, 0x800), 'UNSUPPORTED')
  expect(open(bytes).table.size).toBe(1)
  // @ts-expect-error a table that does not exist
  expect(() => open(bytes, 'debug')).toThrow(expect.objectContaining({ code: 'USAGE' }))
})

test('names that share their bytes cannot take hours', () => {
  // Each of the entries is the same 60,000 bytes further on: a file of 300 KB with 600 MB of names.
  const name = 'x'.repeat(60_000)
  const symtab: Entry[] = [{ name, value: 0x1000n }]
  for (let i = 0; i < 10_000; i++) symtab.push({ name: '', value: 0x1000n, nameAt: 1 + (i % 1000) })
  expect(() => open(symbolFile({ places: PLACES, symtab }))).toThrow(expect.objectContaining({ code: 'LIMIT' }))
})

test('labels answer nothing and end nothing, but only where they have neither type nor size', () => {
  const symtab: Entry[] = [
    { name: '$s4main', value: 0x1000n, size: 8n },
    { name: 'bare', value: 0x1010n, type: NOTYPE },
    { name: '$d.1', value: 0x1014n, type: NOTYPE, binding: LOCAL },
    { name: '.L5', value: 0x1018n, type: NOTYPE, binding: LOCAL },
    { name: 'next', value: 0x1020n, size: 8n },
  ]
  const { table } = open(symbolFile({ places: PLACES, symtab }))
  expect(table.at(0x1004n)?.symbol.name).toBe('$s4main')
  expect(table.at(0x1018n)).toMatchObject({ offset: 8, size: 0x10 })
  expect(table.at(0x1018n)?.candidates.map(({ symbol }) => symbol.name)).toEqual(['bare'])
  expect(table.startingAt(0x1018n).map(({ name }) => name)).toEqual(['.L5'])
})

test('the same file gives the same bytes', () => {
  const bytes = gunzipSync(readFileSync(fixture('x86_64.so.gz')))
  expect(Buffer.from(open(bytes).buffer).equals(Buffer.from(open(bytes).buffer))).toBe(true)
})

// The model: what the rules say, without any index.

interface ModelSymbol {
  id: number
  start: bigint
  size: bigint
  label: boolean
  text: boolean
  section: number
}

/** Around a border of 4 GiB, so that sizes and sections reach across; and two sections that touch. */
const MODEL_PLACES = [
  { name: '.text', flags: ALLOC | EXEC, address: 0x1000n, size: 0x100 },
  { name: '.data', flags: ALLOC | WRITE, address: 0x1100n, size: 0x80 },
  { name: '.high', flags: ALLOC | EXEC, address: 0xffff_ff80n, size: 0x200 },
]

const inside = (at: bigint, { start, size }: ModelSymbol) => start <= at && at < start + size

function modelAt(symbols: ModelSymbol[], at: bigint, wanted: (symbol: ModelSymbol) => boolean, most = 0x10_0000n) {
  const sized = symbols.filter((symbol) => inside(at, symbol))
  const unsized = symbols.filter(({ size, label }) => size === 0n && !label)
  const order = (a: ModelSymbol, b: ModelSymbol) => Number(b.start - a.start) || Number(a.size - b.size) || a.id - b.id
  if (sized.length > 0) {
    const exact = unsized.filter(({ start }) => start === at)
    return [...sized.sort(order), ...exact].filter(wanted).map(({ id, start }) => [id, Number(at - start)])
  }
  const below = symbols.filter(({ start, label }) => !label && start <= at && start >> 32n === at >> 32n)
  const nearest = [-1n, ...below.map(({ start }) => start)].sort((a, b) => Number(a - b)).at(-1)!
  const covered = symbols.some((symbol) => inside(nearest, symbol))
  const next = symbols.filter(({ start, label }) => !label && start > nearest).map(({ start }) => start)
  return unsized
    .filter((symbol) => {
      if (symbol.start !== nearest || !wanted(symbol) || at - nearest >= most) return false
      if (at === nearest) return true
      const place = MODEL_PLACES[symbol.section - 1]!
      const end = place.address + BigInt(place.size)
      const here = place.address <= nearest && nearest < end
      return !covered && here && at < end && next.every((start) => at < start)
    })
    .map(({ id }) => [id, Number(at - nearest)])
}

const modelEntry = fc
  .record({
    start: fc.oneof(fc.bigInt(0xff0n, 0x1190n), fc.bigInt(0xffff_ff70n, 0x1_0000_0190n)),
    size: fc.oneof(
      { weight: 6, arbitrary: fc.bigInt(0n, 0x40n) },
      { weight: 3, arbitrary: fc.constant(0n) },
      { weight: 1, arbitrary: fc.constantFrom(0x100n, 0xffff_fffen, 0xffff_ffffn, 2n ** 32n, 2n ** 40n) },
    ),
    section: fc.constantFrom(1, 2, 3),
    label: fc.boolean(),
    binding: fc.constantFrom(LOCAL, WEAK, GLOBAL),
  })
  .map((entry) => ({ ...entry, label: entry.label && entry.size === 0n }))

test('lookups by size equal the plain model, one at a time and in bulk', () => {
  fc.assert(
    fc.property(fc.array(modelEntry, { minLength: 1, maxLength: 40 }), (entries) => {
      const symtab = entries.map(
        ({ start, size, section, label, binding }, i): Entry => ({
          name: label ? `$d.${i}` : `s${i}`,
          value: start,
          size,
          section,
          binding,
          type: label ? NOTYPE : FUNC,
        }),
      )
      const { table } = open(symbolFile({ places: MODEL_PLACES, symtab }))
      const symbols = [...table].map(({ id, name, address }): ModelSymbol => {
        const { start, size, label, section, binding } = entries[Number(/\d+$/.exec(name)![0])]!
        same([address, table.sizeOf(id)], [start, Number(size)])
        return { id, start, size, label, section, text: section !== DATA || binding === WEAK }
      })
      const addresses = [
        ...new Set(
          symbols.flatMap(({ start, size }) => [
            start - 1n,
            start,
            start + 1n,
            start + size - 1n,
            start + size,
            start + 5n,
          ]),
        ),
      ]
      addresses.push(0n, 0xffff_ffffn, 0x1_0000_0000n, 0x5_0000_0000n, 2n ** 64n - 1n)
      const bulk = table.findMany(BigUint64Array.from(addresses))
      addresses.forEach((at, i) => {
        const found = (options?: Parameters<SymbolTable['at']>[1]) =>
          table.at(at, options)?.candidates.map(({ symbol, offset }) => [symbol.id, offset]) ?? []
        const expected = modelAt(symbols, at, () => true)
        same(found(), expected)
        same(bulk.ids[i], expected[0]?.[0] ?? NO_SYMBOL)
        same(bulk.offsets[i], Math.min(expected[0]?.[1] ?? 0, 0xffff_ffff))
        const inText = modelAt(symbols, at, ({ text }) => text)
        const inData = modelAt(symbols, at, ({ text }) => !text)
        same(found({ kinds: 'text' }), inText)
        same(found({ kinds: 'data' }), inData)
        const near = modelAt(symbols, at, () => true, 9n).filter(([, offset]) => offset! < 9)
        same(found({ maxOffset: 9 }), near)
        const place = MODEL_PLACES.find(({ address, size }) => address <= at && at < address + BigInt(size))
        same(table.ownerAt(at), place?.name ?? 'hidden')
        if (expected.length === 0) same(table.reasonFor(at), place ? 'gap' : 'outside')
      })
    }),
    { numRuns: process.env.KERNDEX_LONG ? 20_000 : 300 },
  )
})

test('many small symbols inside a large one, and a tower of them, are walked past or through', () => {
  const symtab: Entry[] = [{ name: 'blob', value: 0x10_0000n, size: 0x40_0000n, type: OBJECT }]
  for (let i = 0; i < 50_000; i++) symtab.push({ name: `in${i}`, value: 0x10_0000n + BigInt(i) * 64n, size: 32n })
  const places = [{ name: '.text', flags: ALLOC | EXEC, address: 0x10_0000n, size: 0x40_0000 }]
  const { table } = open(symbolFile({ places, symtab }))
  const addresses = new BigUint64Array(200_000)
  for (let i = 0; i < addresses.length; i++) addresses[i] = 0x10_0000n + BigInt(i) * 16n
  const { ids } = table.findMany(addresses)
  const names = [0, 1, 2, 3, 199_998, 199_999].map((i) => table.nameOf(ids[i]!))
  expect(names).toEqual(['in0', 'in0', 'blob', 'blob', 'blob', 'blob'])
  const tower: Entry[] = []
  for (let i = 0; i < 2_000; i++)
    tower.push({ name: `t${i}`, value: 0x10_0000n + BigInt(i), size: BigInt(4_000 - 2 * i) })
  const nested = open(symbolFile({ places, symtab: tower })).table
  expect(nested.at(0x10_0000n + 1_999n)?.candidates.length).toBe(2_000)
  expect(nested.at(0x10_0000n + 3_000n)?.candidates.length).toBe(1_000)
})
