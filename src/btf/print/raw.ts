// The raw dump: one type a line with its fields, byte for byte what `bpftool btf dump … format raw` prints.

import { LimitError } from '../../core/errors.ts'
import { printable } from '../../core/printable.ts'
import {
  infoFlag,
  infoVlen,
  KIND_ARRAY,
  KIND_CONST,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
  KIND_VOLATILE,
} from '../format.ts'
import { enumeratorValue, enumeratorWords, plainKind } from '../kinds.ts'
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
    case KIND_PTR:
    case KIND_CONST:
    case KIND_VOLATILE:
    case KIND_RESTRICT:
    case KIND_TYPEDEF:
    case KIND_TYPE_TAG:
      yield `${head} type_id=${ref}\n`
      return
    case KIND_ARRAY:
      yield `${head} type_id=${words[at + 3]} index_type_id=${words[at + 4]} nr_elems=${words[at + 5]}\n`
      return
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
    case KIND_FUNC_PROTO:
      yield `${head} ret_type_id=${ref} vlen=${vlen}`
      for (let m = at + 3; m < at + 3 + 2 * vlen; m += 2) yield `\n\t'${name(words[m]!)}' type_id=${words[m + 1]}`
      break
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
    case KIND_FLOAT:
      yield `${head} size=${ref}\n`
      return
    case KIND_DECL_TAG:
      yield `${head} type_id=${ref} component_idx=${words[at + 3]! | 0}\n`
      return
  }
  yield `${kind === 'UNKNOWN' ? head : ''}\n`
}

/** The kind's name as the raw dump writes it: void is unknown there too. */
function rawKind(set: TypeSet, id: number): string {
  const kind = set.kindOf(id)
  return kind === 'VOID' ? 'UNKNOWN' : kind
}
