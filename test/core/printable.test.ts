// Text of others as it is shown.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { printable, printableJson, printableLines } from '../../src/core/printable.ts'

describe('what others wrote, made printable', () => {
  it.each([
    ['vfs_read.isra.0', 'vfs_read.isra.0'],
    ['größe_δ', 'größe_δ'],
    ['\x1b[31mred\x1b[0m', '\\x1b[31mred\\x1b[0m'],
    ['a\nb\tc\rd', 'a\\nb\\tc\\rd'],
    ['\x7f\x80\x9b31m\0', '\\x7f\\x80\\x9b31m\\x00'],
    ['user\u202etxt.exe', 'user\\u202etxt.exe'],
    // Nothing of these is seen: spaces without width, fillers, a mark for Arabic, a tag.
    ['a\u200bb\u2060\u3164\u00ad', 'a\\u200bb\\u2060\\u3164\\xad'],
    ['\u061ctxt\u{e0041}', '\\u061ctxt\\u{e0041}'],
    ['\udc9b31m', '\\x9b31m'],
    ['\ud800 alone', '\\ud800 alone'],
    ['😀 in two', '😀 in two'],
  ])('%j is %j', (text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  it('keeps lines, and colours only where there may be some', () => {
    expect(printableLines('a\n\tb\x1b[1m')).toBe('a\n\tb\\x1b[1m')
    expect(printableLines('\x1b[1ma\x1b[22m\x1b]0;title\x07\x1b[2J', true)).toBe(
      '\x1b[1ma\x1b[22m\\x1b]0;title\\x07\\x1b[2J',
    )
  })

  it('leaves nothing for a terminal to act on, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
        expect(printable(text)).not.toMatch(/[\0-\x1f\x7f-\x9f]/)
        const json = printableJson(JSON.stringify(text))
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
        expect(json).not.toMatch(/[\0-\x1f\x7f-\x9f]/)
        expect(JSON.parse(json)).toBe(text)
      }),
    )
  })
})
