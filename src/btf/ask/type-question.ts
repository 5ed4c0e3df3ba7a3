// A type as somebody asks for it, in C: `struct sk_buff *`, `const char *`, `unsigned long`, `gfp_t`. Only the text is here.
import { UsageError } from '../../core/errors.ts'

/** A question for a type. */
export interface TypeQuestion {
  /** `struct`, `union` or `enum` where the question says so. */
  readonly keyword: 'struct' | 'union' | 'enum' | undefined
  /** How the name may be spelled in BTF: GCC and clang spell the numbers of C differently. */
  readonly names: readonly string[]
  /** How many pointers lead to it. */
  readonly pointers: number
}

const QUALIFIERS: ReadonlySet<string> = new Set(['const', 'volatile', 'restrict', '__restrict'])
const KEYWORDS: ReadonlySet<string> = new Set(['struct', 'union', 'enum'])
const MOST_POINTERS = 16

/** Words of C's numbers, for which order does not count and `int` may be left out. */
const NUMBER_WORDS: ReadonlySet<string> = new Set([
  'signed',
  'unsigned',
  'char',
  'short',
  'int',
  'long',
  '__int128',
  'double',
  'float',
])

/** By their words in the order of the alphabet, without an `int` or `signed` that says nothing: how compilers spell them. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  char: ['char'],
  'char signed': ['signed char'],
  'char unsigned': ['unsigned char'],
  short: ['short int', 'short'],
  'short unsigned': ['short unsigned int', 'unsigned short'],
  int: ['int'],
  unsigned: ['unsigned int'],
  long: ['long int', 'long'],
  'long unsigned': ['long unsigned int', 'unsigned long'],
  'long long': ['long long int', 'long long'],
  'long long unsigned': ['long long unsigned int', 'unsigned long long'],
  __int128: ['__int128'],
  '__int128 unsigned': ['__int128 unsigned', 'unsigned __int128'],
  float: ['float'],
  double: ['double'],
  'double long': ['long double'],
}

/**
 * Reads a type as C writes it. Qualifiers are left out: a question for functions that take a `struct file *` means those that take
 * a `const struct file *` too.
 * @throws UsageError for anything but a name, maybe with struct, union or enum in front, and stars behind it
 */
export function parseTypeQuestion(text: string): TypeQuestion {
  const words: string[] = []
  let pointers = 0
  let keyword: TypeQuestion['keyword']
  for (const token of tokens(text)) {
    if (token === '*') {
      if (words.length === 0 || ++pointers > MOST_POINTERS) throw unreadable(text)
    } else if (QUALIFIERS.has(token)) continue
    else if (pointers > 0 || '()[];,'.includes(token)) throw unreadable(text)
    else if (KEYWORDS.has(token)) {
      if (keyword !== undefined || words.length > 0) throw unreadable(text)
      keyword = token as 'struct' | 'union' | 'enum'
    } else words.push(token)
  }
  const names = spellings(words)
  if (names === undefined || (keyword !== undefined && words.length > 1)) throw unreadable(text)
  return { keyword, names, pointers }
}

/** Words and stars. Blanks part words, and so do the marks that C would go on with. */
function* tokens(text: string): Generator<string> {
  let word = ''
  for (const unit of text) {
    const isMark = '*()[];,'.includes(unit)
    if (!isMark && unit.trim() !== '') {
      word += unit
      continue
    }
    if (word !== '') yield word
    word = ''
    if (isMark) yield unit
  }
  if (word !== '') yield word
}

function spellings(words: readonly string[]): readonly string[] | undefined {
  const [first, ...others] = words
  if (first === undefined) return undefined
  if (!words.every((word) => NUMBER_WORDS.has(word))) return others.length === 0 ? [first] : undefined
  const isChar = words.includes('char')
  const telling = words.filter((word) => word !== 'int' && (word !== 'signed' || isChar)).sort()
  return NUMBERS[telling.length === 0 ? 'int' : telling.join(' ')]
}

function unreadable(text: string): UsageError {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return new UsageError(
    `${JSON.stringify(shown)} cannot be read as a type: write it as in C, such as 'struct sk_buff *'; a pointer to a function ` +
      'is asked for by the name of its typedef',
  )
}
