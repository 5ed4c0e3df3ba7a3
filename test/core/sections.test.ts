import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadFormatError, KerndexError, LimitError, UnsupportedError } from '../../src/core/errors.ts'
import { allocateSections, type Layout, readSections } from '../../src/core/sections.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { edge } from '../fixtures.ts'
import { build } from '../symbols/build-table.ts'

const layout = {
  what: 'test buffer',
  magic: 0x12345678,
  version: 3,
  sections: ['a', 'b', 'c'],
} as const satisfies Layout<string>

/** A changed copy of a buffer's u32 words. */
function changed(buffer: SharedArrayBuffer, change: (words: Uint32Array) => void): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(buffer.byteLength)
  const words = new Uint32Array(copy)
  words.set(new Uint32Array(buffer))
  change(words)
  return copy
}

/** The beginning of a buffer. */
function cut(buffer: SharedArrayBuffer, bytes: number): SharedArrayBuffer {
  const copy = new SharedArrayBuffer(bytes)
  new Uint8Array(copy).set(new Uint8Array(buffer, 0, bytes))
  return copy
}

describe('sections', () => {
  const { buffer, sections } = allocateSections(layout, { a: 1, b: 0, c: 17 })

  it('are read back where they were put, aligned and apart', () => {
    expect(readSections(layout, buffer)).toEqual(sections)
    expect(Object.values(sections).every(({ offset }) => offset % 8 === 0)).toBe(true)
    expect(sections.b.offset).toBeGreaterThanOrEqual(sections.a.offset + 1)
    expect(sections.c.offset + 17).toBeLessThanOrEqual(buffer.byteLength)
  })

  it('refuse other magic numbers, other versions and the other byte order, each with its own words', () => {
    expect(() =>
      readSections(
        layout,
        changed(buffer, (w) => (w[0] = 1)),
      ),
    ).toThrow(BadFormatError)
    expect(() =>
      readSections(
        layout,
        changed(buffer, (w) => (w[1] = 4)),
      ),
    ).toThrow(/version 4/)
    expect(() =>
      readSections(
        layout,
        changed(buffer, (w) => (w[1] = 4)),
      ),
    ).toThrow(UnsupportedError)
    const foreign = changed(buffer, (words) => {
      const bytes = Buffer.from(words.buffer)
      bytes.swap32()
    })
    expect(() => readSections(layout, foreign)).toThrow(UnsupportedError)
    expect(() => readSections(layout, foreign)).toThrow(/byte order/)
  })

  it('refuse every truncation', () => {
    for (let bytes = 0; bytes < buffer.byteLength; bytes++) {
      expect(() => readSections(layout, cut(buffer, bytes)), `${bytes} bytes`).toThrow(BadFormatError)
    }
  })

  it('refuse what is no SharedArrayBuffer', () => {
    const plain: unknown = new ArrayBuffer(64)
    expect(() => readSections(layout, plain as SharedArrayBuffer)).toThrow(BadFormatError)
  })

  it('never give a section outside of the buffer, whatever the header says', () => {
    fc.assert(
      fc.property(fc.nat(10), fc.oneof(fc.nat(200), fc.integer({ min: 0, max: 2 ** 32 - 1 })), (word, value) => {
        const broken = changed(buffer, (words) => (words[word] = value))
        try {
          for (const { offset, length } of Object.values(readSections(layout, broken))) {
            expect(offset + length).toBeLessThanOrEqual(broken.byteLength)
          }
        } catch (error) {
          expect(error).toBeInstanceOf(KerndexError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('say when the whole would be too large', () => {
    expect(() => allocateSections(layout, { a: 2 ** 32, b: 0, c: 0 })).toThrow(LimitError)
  })
})

describe('a symbol table of broken bytes', () => {
  const { buffer } = build(edge('edge'))
  it('is refused in every truncation', () => {
    for (let bytes = 0; bytes < buffer.byteLength; bytes += 4) {
      expect(() => new SymbolTable(cut(buffer, bytes))).toThrow(KerndexError)
    }
  })

  it('is refused where a header word is off, or answers without leaving its bounds', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 })), (word, value) => {
        const broken = changed(buffer, (words) => (words[word] = value))
        try {
          const table = new SymbolTable(broken)
          table.at(0xffffffff81000018n)
        } catch (error) {
          expect(error).toBeInstanceOf(KerndexError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
