// The raw dump: one type a line with its fields, byte for byte what `bpftool btf dump … format raw` prints.

import { LimitError } from '../../core/errors.ts'
import { printable } from '../../core/printable.ts'
import {
  infoFlag,
  infoVlen,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_FUNC,
  KIND_FWD,
  KIND_INT,
  KIND_STRUCT,
  KIND_UNION,
  KIND_VAR,
} from '../format.ts'
import { enumeratorValue, enumeratorWords, KINDS, type Kind, plainKind, TYPE_WORDS } from '../kinds.ts'
import { type TypeSet, typeSet } from '../read/type-set.ts'

const INT_ENCODINGS: Readonly<Record<number, string>> = { 0: '(none)', 1: 'SIGNED', 2: 'CHAR', 4: 'BOOL' }
const LINKAGES = ['static', 'global', 'extern']

/** Characters collected before a piece is handed out. */
const PIECE = 1 << 16

/**
 * Characters that a set may become as text: many types may share one name that is as long as the blob, and definitions in place
 * double with every level.
 */
export function mostText({ record, base }: TypeSet): number {
  return (1 << 24) + 16 * (record.blobLength + (base?.record.blobLength ?? 0))
}

/** The raw dump of a set's own types, in pieces that end with a newline. @throws LimitError for text out of all proportion */
export function* dumpRaw(set: TypeSet): Generator<string> {
  typeSet(set, 'set')
  let text = ''
  let left = mostText(set)
  for (let id = set.firstId; id < set.endId; id++) {
    for (const part of rawType(set, id)) {
      left -= part.length
      if (left < 0) throw new LimitError('the text grows out of all proportion to the types')
      text += part
      if (text.length > PIECE) {
        yield text
        text = ''
      }
    }
  }
  if (text !== '') yield text
}

/** One type of the raw dump, in pieces, because a struct may have millions of members. */
export function* rawType(set: TypeSet, id: number): Generator<string> {
  const own = set.owner(id)
  if (!own) return
  const { words } = own
  const at = own.position(id)
  const info = words[at + 1]!
  const ref = words[at + 2]!
  const vlen = infoVlen(info)
  const flag = infoFlag(info)
  const name = (offset: number): string => (offset === 0 ? '(anon)' : printable(own.nameAt(offset)))
  const kind = rawKind(own, id)
  const head = `[${id}] ${kind} '${name(words[at]!)}'`
  const number = own.kindNumberOf(id)
  switch (plainKind(number)) {
    case KIND_INT: {
      const data = words[at + 3]!
      const encoding = INT_ENCODINGS[(data >>> 24) & 0xf] ?? 'UNKN'
      yield `${head} size=${ref} bits_offset=${(data >>> 16) & 0xff} nr_bits=${data & 0xff} encoding=${encoding}\n`
      return
    }
    case KIND_STRUCT:
    case KIND_UNION:
      yield `${head} size=${ref} vlen=${vlen}`
      for (let m = at + 3; m < at + 3 + 3 * vlen; m += 3) {
        const offset = words[m + 2]!
        const bits = flag ? offset >>> 24 : 0
        const member = `\n\t'${name(words[m]!)}' type_id=${words[m + 1]} bits_offset=${flag ? offset & 0xffffff : offset}`
        yield bits === 0 ? member : `${member} bitfield_size=${bits}`
      }
      break
    case KIND_ENUM: {
      yield `${head} encoding=${flag ? 'SIGNED' : 'UNSIGNED'} size=${ref} vlen=${vlen}`
      const step = enumeratorWords(number)
      const suffix = step === 2 ? '' : flag ? 'LL' : 'ULL'
      for (let m = at + 3; m < at + 3 + step * vlen; m += step) {
        yield `\n\t'${name(words[m]!)}' val=${enumeratorValue(words, m, step, flag)}${suffix}`
      }
      break
    }
    case KIND_FWD:
      yield `${head} fwd_kind=${flag ? 'union' : 'struct'}\n`
      return
    case KIND_FUNC:
      yield `${head} type_id=${ref} linkage=${LINKAGES[vlen] ?? '(unknown)'}\n`
      return
    case KIND_VAR:
      yield `${head} type_id=${ref}, linkage=${LINKAGES[words[at + 3]!] ?? '(unknown)'}\n`
      return
    case KIND_DATASEC:
      yield `${head} size=${ref} vlen=${vlen}`
      for (let m = at + 3; m < at + 3 + 3 * vlen; m += 3) {
        const type = words[m]!
        const what = `${rawKind(own, type)} '${name(own.word(type, 0))}'`
        yield `\n\ttype_id=${type} offset=${words[m + 1]} size=${words[m + 2]} (${what})`
      }
      break
    case KIND_DECL_TAG:
      yield `${head} type_id=${ref} component_idx=${words[at + 3]! | 0}\n`
      return
    default:
      yield* wordsByRow(head, KINDS[number], words, at, name)
  }
  yield '\n'
}

/** A type whose words all stand as they are, by the names that its row gives them; nothing of a kind that has no row. */
function* wordsByRow(
  head: string,
  kind: Kind | undefined,
  words: Uint32Array,
  at: number,
  name: (offset: number) => string,
): Generator<string> {
  let text = head
  if (kind?.third !== undefined) text += ` ${kind.third}=${words[at + 2]}`
  let next = at + TYPE_WORDS
  for (const word of kind?.words ?? []) text += ` ${word}=${words[next++]}`
  const element = kind?.element
  if (element === undefined) {
    yield text
    return
  }
  const vlen = infoVlen(words[at + 1]!)
  yield `${text} vlen=${vlen}`
  for (let left = vlen; left > 0; left--) {
    let separator = '\n\t'
    text = ''
    for (const word of element) {
      const value = words[next++]!
      text += word === 'name' ? `${separator}'${name(value)}'` : `${separator}${word}=${value}`
      separator = ' '
    }
    yield text
  }
}

/** The kind's name as the raw dump writes it: void is unknown there too. */
function rawKind(set: TypeSet, id: number): string {
  const kind = set.kindOf(id)
  return kind === 'VOID' ? 'UNKNOWN' : kind
}
