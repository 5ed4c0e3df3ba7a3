// Lists of sections against a reader of single lines that knows no tricks.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ModuleSections, parseModuleSections } from '../../src/sources/module-sections.ts'
import { fixtureBytes } from '../fixtures.ts'

/** The sections of each module as lines, from a regular expression for each line. */
function plainly(text: string): Map<string, string[]> {
  const modules = new Map<string, string[]>()
  let last: string | undefined
  let own: string[] = []
  for (const line of text.split('\n')) {
    // A module's name may have no blank in it; a section's may.
    const [, module, section, digits] = /^([^ ]*) (.*?) 0x([0-9a-f]{1,16})$/is.exec(line) ?? []
    if (module === undefined || BigInt(`0x${digits}`) === 0n) continue
    if (module !== last) own = []
    last = module
    own.push(`${section} ${BigInt(`0x${digits}`).toString(16)}`)
    // Sections of a module stand behind each other; what comes of it later does not count.
    if (!modules.has(module)) modules.set(module, own)
  }
  return modules
}

const parsed = (text: Buffer) =>
  new Map(
    [...parseModuleSections(text)].map(([module, { names, name, high, low }]: [string, ModuleSections]) => [
      module,
      Array.from(name, (number, i) => `${names[number]} ${((BigInt(high[i]!) << 32n) | BigInt(low[i]!)).toString(16)}`),
    ]),
  )

describe('the sections of modules', () => {
  it('are those of a plain reader, on a capture', () => {
    const text = fixtureBytes('debian-6.1-amd64/module_sections.gz')
    const modules = parsed(text)
    expect(modules.size).toBeGreaterThan(10)
    expect(modules).toEqual(plainly(text.toString('latin1')))
  })

  it('are those of a plain reader, on lines of any form', () => {
    const word = fc.constantFrom('a', 'ab', 'abc', '', 'long_module_name', '.text', '.text.0x1', '0x1', '\xff', '\r')
    const digits = fc.constantFrom(
      '0',
      '1',
      'fF',
      '0'.repeat(16),
      'ffffffffc0000000',
      '12345678',
      '1'.repeat(17),
      'g',
      '',
    )
    const line = fc.tuple(word, word, digits, fc.constantFrom('', ' ', 'x')).map(([module, section, address, rest]) => {
      return `${module} ${section} 0x${address}${rest}`
    })
    const text = fc.array(
      fc.oneof({ weight: 4, arbitrary: line }, fc.string({ unit: 'binary-ascii', maxLength: 12 })),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(text, (lines) => {
        const all = lines.join('\n')
        expect(parsed(Buffer.from(all, 'latin1'))).toEqual(plainly(all))
      }),
      { numRuns: 500 },
    )
  })

  it('keep their names apart where hashes are the same', () => {
    // In the hash of the reader 'Aa' and 'BB' are the same, and so is whatever is made of them.
    const pairs = Array.from({ length: 64 }, (_, i) =>
      [...i.toString(2).padStart(6, '0')].map((bit) => (bit === '0' ? 'Aa' : 'BB')).join(''),
    )
    const text = Array.from({ length: 4 }, (_, m) =>
      pairs.map((name, i) => `m${m} ${name} 0x${(i + 1).toString(16)}\n`).join(''),
    ).join('')
    expect(parsed(Buffer.from(text))).toEqual(plainly(text))
  })
})
