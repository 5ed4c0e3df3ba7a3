// Where a record keeps names and ids: positions of the words to rewrite when a set moves onto another base.
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
