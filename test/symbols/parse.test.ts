import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openSymbolColumns, ROOT_BITS, ROOT_MASK, rootLength, rootStart } from '../../src/symbols/layout.ts'
import { PREFIXES, splitName } from '../../src/symbols/names.ts'
import { type BadLineReason, LISTED_BAD_LINES, LONGEST_NAME } from '../../src/symbols/parse.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { build, tableOf } from './build-table.ts'
import { asLine, inOrder, readPlainly } from './plain-table.ts'

const GOOD = 'ffffffff81000000 T _stext'

/** The symbols of a table as plain lines, names as latin1. */
function linesOf(text: string | Uint8Array): string[] {
  return Array.from(
    tableOf(text),
    ({ address, type, name, owner }) => `${address.toString(16)} ${type} ${name} ${owner}`,
  )
}

describe('lines that are no symbols', () => {
  const cases: [what: string, line: string | Buffer, reason: BadLineReason][] = [
    ['nothing', '', 'blank'],
    ['blanks only', ' \t ', 'blank'],
    ['a carriage return only', '\r', 'blank'],
    ['one field', 'ffffffff81000000', 'type'],
    ['one field and a blank', 'ffffffff81000000 ', 'type'],
    ['two fields', 'ffffffff81000000 T', 'name'],
    ['two fields and a blank', 'ffffffff81000000 T ', 'name'],
    ['two fields and CRLF', 'ffffffff81000000 T\r', 'name'],
    ['digits that are none', 'zzzzzzzzzzzzzzzz T name', 'address'],
    ['a bad digit at the end', 'ffffffff8100000g T name', 'address'],
    ['a bad digit in the middle', 'ffffffff,1000000 T name', 'address'],
    ['0x in front', '0xffffffff81000000 T name', 'address'],
    ['seventeen digits', 'fffffffff81000000 T name', 'address'],
    ['a name only', 'name', 'address'],
    ['two type characters', 'ffffffff81000000 TT name', 'type'],
    ['a type above ASCII', Buffer.from('ffffffff81000000 \xe9 name', 'latin1'), 'type'],
    ['a type that is no letter', 'ffffffff81000000 1 name', 'type'],
    ['a control character as type', 'ffffffff81000000 \x01 name', 'type'],
    ['an owner without brackets', 'ffffffff81000000 t name\tmod', 'owner'],
    ['an open bracket', 'ffffffff81000000 t name\t[mod', 'owner'],
    ['empty brackets', 'ffffffff81000000 t name\t[]', 'owner'],
    ['something behind the owner', 'ffffffff81000000 t name\t[mod] x', 'owner'],
    ['two owners', 'ffffffff81000000 t name\t[mod]\t[mod]', 'owner'],
    ['a blank in the owner', 'ffffffff81000000 t name\t[a b]', 'owner'],
  ]
  for (const [what, line, reason] of cases) {
    for (const [where, number, text] of [
      ['first', 1, Buffer.concat([Buffer.from(line), Buffer.from(`\n${GOOD}\n${GOOD}\n`)])],
      ['between', 2, Buffer.concat([Buffer.from(`${GOOD}\n`), Buffer.from(line), Buffer.from(`\n${GOOD}\n`)])],
      ['last', 3, Buffer.concat([Buffer.from(`${GOOD}\n${GOOD}\n`), Buffer.from(line), Buffer.from('\n')])],
    ] as const) {
      it(`${what}: ${where}`, () => {
        const built = build(text)
        expect(built.bad).toEqual([{ line: number, reason }])
        expect(built.badCount).toBe(1)
        expect(built.lines).toBe(3)
        expect(linesOf(text)).toEqual(['ffffffff81000000 T _stext vmlinux', 'ffffffff81000000 T _stext vmlinux'])
      })
    }
    if (line.length === 0) continue
    it(`${what}: at the end without a newline`, () => {
      const built = build(Buffer.concat([Buffer.from(`${GOOD}\n`), Buffer.from(line)]))
      expect(built.bad).toEqual([{ line: 2, reason }])
      expect(built.lines).toBe(2)
    })
  }

  it('are numbered through all chunks, whatever the cut', () => {
    const text = `x\n${GOOD}\n\n${GOOD}\nffffffff81000000 T\n${GOOD}\n`
    for (const cut of [[1], [2], [3], [1, 2], [5], [100]]) {
      const { bad, lines, badCount } = build(text, {}, cut)
      expect(bad).toEqual([
        { line: 1, reason: 'address' },
        { line: 3, reason: 'blank' },
        { line: 5, reason: 'name' },
      ])
      expect({ lines, badCount }).toEqual({ lines: 6, badCount: 3 })
    }
  })

  it('are all counted, but only so many listed', () => {
    const { bad, badCount } = build('x\n'.repeat(LISTED_BAD_LINES + 500) + GOOD, {}, [1000])
    expect(badCount).toBe(LISTED_BAD_LINES + 500)
    expect(bad.length).toBe(LISTED_BAD_LINES)
    expect(bad.at(-1)).toEqual({ line: LISTED_BAD_LINES, reason: 'address' })
  })
})

describe('forms of a good line', () => {
  const cases: [what: string, text: string, line: string][] = [
    ['CRLF', 'ffffffff81000000 T name\r\n', 'ffffffff81000000 T name vmlinux'],
    ['CRLF behind an owner', 'ffffffffc0000000 t name\t[mod]\r\n', 'ffffffffc0000000 t name mod'],
    ['no final newline', 'ffffffff81000000 T name', 'ffffffff81000000 T name vmlinux'],
    ['no final newline behind an owner', 'ffffffffc0000000 t name\t[mod]', 'ffffffffc0000000 t name mod'],
    ['tabs', 'ffffffff81000000\tT\tname\t[mod]\n', 'ffffffff81000000 T name mod'],
    ['several blanks', 'ffffffff81000000  T \t name   [mod] \t\n', 'ffffffff81000000 T name mod'],
    ['a blank before the owner', 'ffffffff81000000 T name [mod]\n', 'ffffffff81000000 T name mod'],
    ['eight digits', 'c0008000 T name\n', 'c0008000 T name vmlinux'],
    ['one digit', '8 T name\n', '8 T name vmlinux'],
    ['nine digits', '1c0008000 T name\n', '1c0008000 T name vmlinux'],
    ['upper case', 'FFFFFFFFAB00CDEF T name\n', 'ffffffffab00cdef T name vmlinux'],
    ['every digit', '0123456789abcdef T name\n', '123456789abcdef T name vmlinux'],
    ['the highest address', 'ffffffffffffffff T name\n', 'ffffffffffffffff T name vmlinux'],
    ['a type that nm does not know', 'ffffffff81000000 ? name\n', 'ffffffff81000000 ? name vmlinux'],
    ['brackets in a name', 'ffffffff81000000 T na[me]\n', 'ffffffff81000000 T na[me] vmlinux'],
    ['a name that begins with a bracket', 'ffffffff81000000 T [me]\n', 'ffffffff81000000 T [me] vmlinux'],
  ]
  for (const [what, text, line] of cases) {
    it(what, () => {
      expect(build(text).bad).toEqual([])
      expect(linesOf(text)).toEqual([line])
    })
  }

  it.each([254, 255, 256, 257, 511, 512, 4_096, LONGEST_NAME])('keeps a name of %i bytes whole', (length) => {
    const name = 'n'.repeat(length)
    expect(linesOf(`c0000000 t ${name}\t[mod]\nc0000100 t after\t[mod]\n`)).toEqual([
      `c0000000 t ${name} mod`,
      'c0000100 t after mod',
    ])
  })

  it('calls a longer name bad and goes on', () => {
    const { bad } = build(`c0000000 t ${'n'.repeat(LONGEST_NAME + 1)}\nc0000100 t after\n`)
    expect(bad).toEqual([{ line: 1, reason: 'name' }])
    // A prefix that the table stores apart is part of the name's length.
    const prefixed = (length: number) => `c0000000 t __pfx_${'n'.repeat(length - 6)}\nc0000100 t after\n`
    expect(build(prefixed(LONGEST_NAME)).bad).toEqual([])
    expect(build(prefixed(LONGEST_NAME + 1)).bad).toEqual([{ line: 1, reason: 'name' }])
  })

  it('keeps every byte of a name, UTF-8 or not', () => {
    const names = [Buffer.from('名前'), Buffer.from([0xff, 0xfe, 0x41]), Buffer.from([0xc3]), Buffer.from([0x7f, 0x80])]
    for (const name of names) {
      const text = Buffer.concat([Buffer.from('c0000000 t '), name, Buffer.from('\t[mod]\n')])
      const table = tableOf(text)
      expect(table.size).toBe(1)
      expect(table.idsNamed(name)).toEqual([0])
      expect(table.named(table.get(0).name).map(({ id }) => id)).toEqual([0])
    }
  })

  it('counts a symbol of the same line twice, in file order', () => {
    const text = `${GOOD}\nffffffff81000000 t other\n${GOOD}\n`
    expect(linesOf(text).map((line) => line.split(' ')[2])).toEqual(['_stext', 'other', '_stext'])
    expect(
      tableOf(text)
        .named('_stext')
        .map(({ id }) => id),
    ).toEqual([0, 2])
    expect(tableOf(text).census()).toMatchObject({ aliases: 2, repeatedNames: 1 })
  })

  it('takes an empty text for a table of no symbols', () => {
    const table = tableOf('')
    expect(table.size).toBe(0)
    expect([...table]).toEqual([])
    expect(table.at(0xffffffff81000000n)).toBeUndefined()
    expect(table.startingAt(0n)).toEqual([])
    expect(table.named('x')).toEqual([])
    expect(table.findMany(BigUint64Array.of(0n, 1n)).ids).toEqual(Uint32Array.of(0xffffffff, 0xffffffff))
    expect(table.census()).toEqual({ byOwner: {}, byType: {}, aliases: 0, repeatedNames: 0 })
  })
})

/** Lines as they occur, and lines that nearly are. */
const piece = fc.oneof(
  fc.constantFrom(' ', '\t', '\r', '[', ']', '_', '.', '$x', '.L1', '\0', '\u{7f}', '0', 'f', 'T', 't', 'é'),
  fc.constantFrom(...PREFIXES.slice(1)),
  fc.string({ maxLength: 6 }),
)
const address = fc.oneof(
  fc.bigInt(0n, 2n ** 64n - 1n).map((value) => value.toString(16)),
  fc.bigInt(0xffffffff81000000n, 0xffffffff81000100n).map((value) => value.toString(16)),
  fc.constantFrom('', '0', 'zz', '12345678901234567'),
)
const name = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''))
const goodName = fc.array(fc.constantFrom(...PREFIXES, 'a', 'foo', '_', '.', '名', '$x', '.L0'), {
  minLength: 1,
  maxLength: 4,
})
const line = fc.oneof(
  fc
    .tuple(address, fc.constantFrom('T', 't', 'd', 'A', ''), name, fc.constantFrom('', '\t[mod]', '\t[other]', ' x'))
    .map(([where, type, what, owner]) => `${where} ${type} ${what}${owner}`),
  fc
    .tuple(address, fc.constantFrom('T', 't', 'd'), goodName, fc.constantFrom('', '\t[mod]', '\t[other]'))
    .map(([where, type, what, owner]) => `${where} ${type} ${what.join('')}${owner}`),
  fc.array(piece, { maxLength: 6 }).map((parts) => parts.join('')),
)
const text = fc
  .tuple(fc.array(line, { maxLength: 30 }), fc.constantFrom('', '\n'))
  .map(([lines, end]) => `${GOOD}\n${lines.join('\n')}${end}`)

describe('any text', () => {
  it('gives the same table however it is cut', () => {
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }), (all, cuts) => {
        const whole = build(all)
        const cut = build(all, {}, cuts)
        expect(Buffer.compare(Buffer.from(cut.buffer), Buffer.from(whole.buffer))).toBe(0)
        expect({ ...cut, buffer: 0, remembered: 0 }).toEqual({ ...whole, buffer: 0, remembered: 0 })
      }),
      { numRuns: 400 },
    )
  })

  it('gives the symbols and the bad lines that a plain reader finds', () => {
    fc.assert(
      fc.property(text, (all) => {
        const bytes = Buffer.from(all)
        const { symbols, bad } = readPlainly(bytes)
        const built = build(bytes)
        expect(built.bad.map((b) => b.line)).toEqual(bad)
        const table = tableOf(bytes)
        const got = Array.from(table, ({ address: where, type, name: what, owner }) => ({
          address: where,
          type,
          name: what,
          owner,
        }))
        const expected = inOrder(symbols).map((s) => ({ ...s, name: Buffer.from(s.name, 'latin1').toString('utf8') }))
        expect(got.map(asLine)).toEqual(expected.map(asLine))
      }),
      { numRuns: 600 },
    )
  })

  it('of any bytes at all neither crashes nor loses a line', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const all = Buffer.concat([Buffer.from(`${GOOD}\n`), bytes])
        const { symbols, bad } = readPlainly(all)
        const built = build(all)
        expect(built.bad.map((b) => b.line)).toEqual(bad)
        expect(tableOf(all).size).toBe(symbols.length)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the cut of a name into prefix and root', () => {
  const names = fc.oneof(
    fc
      .tuple(
        fc.constantFrom(...PREFIXES),
        fc.constantFrom(...PREFIXES, '_', '.', 'x', 'foo'),
        fc.string({ unit: 'binary-ascii', maxLength: 5 }),
      )
      .map((parts) => parts.join('')),
    fc.string({ maxLength: 12 }),
  )
  it('is the same in the scanner and in splitName, and gives the name back', () => {
    fc.assert(
      fc.property(names, (raw) => {
        const bytes = Buffer.from(raw).filter((byte) => byte > 0x20)
        fc.pre(bytes.length > 0)
        const line = Buffer.concat([Buffer.from('c0000000 t '), bytes, Buffer.from('\n')])
        const { buffer } = build(line)
        const { name, heap } = openSymbolColumns(buffer)
        const split = splitName(bytes, 0, bytes.length)
        expect(name.length).toBe(1)
        expect(name[0]! >>> ROOT_BITS).toBe(split.prefix)
        const start = rootStart(heap, name[0]! & ROOT_MASK)
        const root = Buffer.from(heap.subarray(start, start + rootLength(heap, name[0]! & ROOT_MASK)))
        expect(root.equals(Buffer.from(bytes.subarray(split.rootStart)))).toBe(true)
        expect(PREFIXES[split.prefix]! + root.toString('latin1')).toBe(Buffer.from(bytes).toString('latin1'))
        // It is found where the hash that splitName gives leads to.
        expect(new SymbolTable(buffer).idsNamed(bytes)).toEqual([0])
      }),
      { numRuns: 2000 },
    )
  })

  it('has no prefix that begins another, and every one ends where a prefix is looked for', () => {
    for (const prefix of PREFIXES.slice(1)) {
      expect(prefix).toMatch(/[_.]$/)
      expect(PREFIXES.filter((other) => other.startsWith(prefix))).toEqual([prefix])
    }
    expect(new Set(PREFIXES).size).toBe(PREFIXES.length)
    expect(PREFIXES.length).toBeLessThanOrEqual(64)
  })

  it('leaves a prefix alone that nothing follows', () => {
    for (const prefix of PREFIXES.slice(1)) {
      const bytes = Buffer.from(prefix)
      expect(splitName(bytes, 0, bytes.length).prefix).toBe(0)
      expect(linesOf(`c0000000 t ${prefix}\n`)).toEqual([`c0000000 t ${prefix} vmlinux`])
    }
  })
})
