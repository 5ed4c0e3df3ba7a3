// The kernel's words in lines of JSON, as journald, containers and collectors write them.

import { isDigit, skipBlanks } from '../characters.ts'

/** Under which keys of JSON a logger has the kernel's words, the surest first. */
export const MESSAGE_KEYS = ['"MESSAGE"', '"log"', '"message"', '"msg"'] as const
/** The mark that `journalctl -o export` puts in front of the words. */
export const EXPORTED = 'MESSAGE='

/** Where the value of a member of JSON begins, whose key is given in quotes; the text's length if there is none. */
export function memberAt(text: string, key: string, from: number): number {
  const at = text.indexOf(key, from)
  if (at < 0) return text.length
  const colon = skipBlanks(text, at + key.length)
  return text[colon] === ':' ? skipBlanks(text, colon + 1) : text.length
}

/**
 * The words of a line of journald's JSON that has them as a list of bytes, as it does where they hold control characters or no
 * UTF-8; undefined of any other line. `most` bytes are read.
 */
export function wordsInBytes(text: string, most: number): string | undefined {
  if (text.charCodeAt(0) !== 123) return undefined
  let at = memberAt(text, MESSAGE_KEYS[0], 0)
  if (text[at] !== '[') return undefined
  let words = ''
  for (at++; words.length < most; at++) {
    let byte = 0
    const first = at
    for (; isDigit(text.charCodeAt(at)) && at < first + 3; at++) byte = byte * 10 + text.charCodeAt(at) - 48
    if (at === first) break
    words += String.fromCharCode(byte & 255)
    if (text[at] !== ',') break
    if (text[at + 1] === ' ') at++
  }
  return words
}
