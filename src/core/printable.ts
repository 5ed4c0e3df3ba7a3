// Text that others wrote, as it may be shown: names in kallsyms and BTF, process names and strings of JSON can hold anything.

/**
 * What a terminal or a page may act on, and what no eye sees: control characters (C0, DEL, C1), the line and paragraph separators, and
 * all that Unicode wants left out of sight, among it the marks that turn the direction of writing: with them names look like others, or like
 * none. Lone surrogates stand for bytes that are no UTF-8 (see `decodeName`).
 */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu
const ESCAPE = '\x1b'

/** A text on one line, with everything escaped that is not for the eye: `\x1b`, `\n`, `\u202e`. */
export function printable(text: string): string {
  // Nearly all are plain, and a loop finds that out sooner than a pattern.
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x20 || unit > 0x7e) return text.replace(UNPRINTABLE, escapeOf)
  }
  return text
}

/** Nothing but what nearly all texts are of; a header has half a million line ends and tabs. */
const PLAIN = /^[\n\t\x20-\x7e]*$/

/** What stands around a coloured word, behind the escape character. */
const COLOUR = /\[\d{1,3}m/y

/** The same for a text of several lines: line ends and tabs stay, and colours if it may have any. */
export function printableLines(text: string, coloured = false): string {
  if (PLAIN.test(text)) return text
  return text.replace(UNPRINTABLE, (unit, at: number) => {
    if (unit === '\n' || unit === '\t') return unit
    COLOUR.lastIndex = at + 1
    return coloured && unit === ESCAPE && COLOUR.test(text) ? unit : escapeOf(unit)
  })
}

/** JSON text without raw control characters; C0 is escaped in any JSON. */
export function printableJson(json: string): string {
  return json.replace(/[\x7f-\x9f\u2028\u2029]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function escapeOf(unit: string): string {
  const code = unit.codePointAt(0) ?? 0
  if (unit === '\n') return '\\n'
  if (unit === '\t') return '\\t'
  if (unit === '\r') return '\\r'
  // A byte that is no UTF-8.
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`
  const digits = code.toString(16)
  if (code > 0xffff) return `\\u{${digits}}`
  return code <= 0xff ? `\\x${digits.padStart(2, '0')}` : `\\u${digits.padStart(4, '0')}`
}
