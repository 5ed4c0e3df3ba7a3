// Characters by their codes, and where runs of blanks and digits begin and end, for decoders that read lines character by character.

export const TAB = 9
export const SPACE = 32
export const HASH = 35
export const PAREN_OPEN = 40
export const PAREN_CLOSE = 41
export const MINUS = 45
export const POINT = 46
export const SLASH = 47
export const COLON = 58
export const LESS = 60
export const GREATER = 62
export const QUESTION = 63
/** Square brackets. */
export const OPEN = 91
export const CLOSE = 93

/** No number of a header has more digits. */
const MOST_DIGITS = 20

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

export function isHexDigit(code: number): boolean {
  return isDigit(code) || (code >= 97 && code <= 102)
}

export function isLetter(code: number): boolean {
  return (code >= 65 && code <= 90) || (code >= 97 && code <= 122)
}

/** A space, a tab or a carriage return. */
export function isBlank(code: number): boolean {
  return code === SPACE || code === TAB || code === 13
}

/** Whether a line has nothing but blanks. */
export function isBlankLine(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > SPACE) return false
  return true
}

export function isWordStart(text: string, at: number): boolean {
  return at === 0 || text.charCodeAt(at - 1) === SPACE
}

/** Where the blanks end that begin here. */
export function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && isBlank(text.charCodeAt(at))) at++
  return at
}

/** Where the digits end that begin here. */
export function digitsEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && isDigit(text.charCodeAt(at))) at++
  return at
}

/** Where the lower-case hexadecimal digits end that begin here. */
export function hexEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && isHexDigit(text.charCodeAt(at))) at++
  return at
}

/** Where the spaces end that begin here. */
export function behindSpaces(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) === SPACE) at++
  return at
}

/** Where the spaces begin that end here. */
export function beforeSpaces(text: string, end: number): number {
  let at = end
  while (at > 0 && text.charCodeAt(at - 1) === SPACE) at--
  return at
}

/** Where the digits begin that end here. */
export function digitsBefore(text: string, end: number): number {
  let at = end
  while (at > 0 && end - at < MOST_DIGITS && isDigit(text.charCodeAt(at - 1))) at--
  return at
}

/** Where the hexadecimal digits end that begin here; a few more than an address has are looked at. */
export function hexDigitsEnd(text: string, from: number): number {
  let at = from
  while (at < text.length && at - from <= 16 && isHexDigit(text.charCodeAt(at))) at++
  return at
}
