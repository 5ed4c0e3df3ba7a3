// Where a record keeps names and ids: to list what it refers to, and to rewrite it when a set moves onto another base.
import {
  ELEMENT_WORDS,
  infoKind,
  infoVlen,
  KIND_ARRAY,
  KIND_COUNT,
  KIND_DATASEC,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_STRUCT,
  KIND_UNION,
} from './format.ts'

/** Calls back for each word of the record at `at` that holds a name offset or a type id. */
export function visitWords(
  words: Uint32Array,
  at: number,
  visit: { name(position: number): void; type(position: number): void },
): void {
  const kind = infoKind(words[at + 1]!)
  const vlen = infoVlen(words[at + 1]!)
  visit.name(at)
  if (kind === KIND_INT || kind === KIND_FWD || kind === KIND_FLOAT || kind >= KIND_COUNT) return
  if (kind === KIND_ARRAY) {
    visit.type(at + 3)
    visit.type(at + 4)
    return
  }
  const composite = kind === KIND_STRUCT || kind === KIND_UNION
  const enumeration = kind === KIND_ENUM || kind === KIND_ENUM64
  if (!composite && !enumeration && kind !== KIND_DATASEC) visit.type(at + 2)
  const step = ELEMENT_WORDS[kind]!
  if (step === 0) return
  for (let i = at + 3; i < at + 3 + step * vlen; i += step) {
    if (kind === KIND_DATASEC) visit.type(i)
    else visit.name(i)
    if (composite || kind === KIND_FUNC_PROTO) visit.type(i + 1)
  }
}

/** What the kernel calls the reference at a position of `referencedTypes`. */
export function referenceName(kind: number, position: number): string {
  switch (kind) {
    case KIND_ARRAY:
      return position === 0 ? 'elem' : 'index'
    case KIND_STRUCT:
    case KIND_UNION:
      return 'member'
    case KIND_FUNC_PROTO:
      return position === 0 ? 'return type' : `arg#${position}`
    default:
      return 'type_id'
  }
}

/** The ids a type refers to, in the order they stand in its record. Unknown kinds refer to nothing. */
export function* referencedTypes(words: Uint32Array, at: number): Generator<number> {
  const info = words[at + 1]!
  const kind = infoKind(info)
  const vlen = infoVlen(info)
  switch (kind) {
    case KIND_INT:
    case KIND_FWD:
    case KIND_FLOAT:
    case KIND_ENUM:
    case KIND_ENUM64:
      return
    case KIND_ARRAY:
      yield words[at + 3]!
      yield words[at + 4]!
      return
    case KIND_STRUCT:
    case KIND_UNION:
      for (let i = 0; i < vlen; i++) yield words[at + 4 + 3 * i]!
      return
    case KIND_DATASEC:
      for (let i = 0; i < vlen; i++) yield words[at + 3 + 3 * i]!
      return
    case KIND_FUNC_PROTO:
      yield words[at + 2]!
      for (let i = 0; i < vlen; i++) yield words[at + 4 + 2 * i]!
      return
    default:
      if (kind > 0 && kind < KIND_COUNT) yield words[at + 2]!
  }
}
