// What is wrong with a type, in words: the compiled walk tells the rule that is broken, and where.

import { BadFormatError, type KerndexError, UnsupportedError } from '../../core/errors.ts'
import { infoKind, infoVlen, KIND_FUNC_PROTO } from '../format.ts'
import { isEnum, type KindLayout, kindName, typeWords } from '../kinds.ts'
import { referencedTypes, referenceName } from './references.ts'
import { BAD_ELEMENT_NAME, BAD_LENGTH, BAD_NAME, CUT_SHORT } from './walk-constants.ts'

/** Where a walk is in a blob. */
interface WalkPlace {
  /** The blob. */
  readonly words: Uint32Array
  /** The word at which the type begins that has the id `id`, and the word at which types end. */
  readonly at: number
  readonly end: number
  readonly id: number
  readonly layout: KindLayout | undefined
}

/** The error for the type at which a walk stopped. `broken`: the word that breaks the rule, where it is not the record's first. */
export function typeError(wrong: number, found: WalkPlace & { readonly broken: number }): KerndexError {
  const { words, at, end, broken, id, layout } = found
  if (wrong === CUT_SHORT) return badType(words, at, id, 'the record is cut short by the end of the section')
  const info = words[at + 1]!
  const kind = infoKind(info)
  switch (wrong) {
    case BAD_NAME:
      return badType(words, at, id, `Invalid name_offset:${words[at]}`)
    case BAD_LENGTH: {
      const length = typeWords(kind, infoVlen(info), layout)
      return badType(words, at, id, `needs ${length * 4} bytes, ${(end - at) * 4} are left`)
    }
    case BAD_ELEMENT_NAME: {
      if (kind === KIND_FUNC_PROTO) return badType(words, at, id, `Invalid arg#${(broken - at - 1) / 2}`)
      const what = isEnum(kind) ? 'enumerator' : 'member'
      return badType(words, at, id, `Invalid ${what} name_offset:${words[broken]}`)
    }
  }
  const place = { byteOffset: at * 4, typeId: id }
  if (kind === 0) return new BadFormatError(`[${id}] Invalid kind:0`, place)
  return new UnsupportedError(`[${id}] Invalid kind:${kind}: newer than kerndex, and no layout gives its size`, place)
}

/**
 * The error for a blob of which some type refers to `highest`, an id from `limit` on, which no type has. Looks for that type from
 * the blob's first on.
 */
export function referenceError(
  { words, at: first, end, id: firstId, layout }: WalkPlace,
  highest: number,
  limit: number,
): KerndexError {
  let id = firstId
  for (let at = first; at < end; id++) {
    const info = words[at + 1]!
    const kind = infoKind(info)
    const position = referencedTypes(words, at).findIndex((ref) => ref >= limit)
    if (position >= 0) {
      const ref = referencedTypes(words, at)[position]
      return badType(words, at, id, `Invalid ${referenceName(kind, position)}: type_id ${ref}, ids end at ${limit - 1}`)
    }
    at += typeWords(kind, infoVlen(info), layout)
  }
  return new BadFormatError(`BTF: a type refers to id ${highest}; ids end at ${limit - 1}`)
}

function badType(words: Uint32Array, at: number, typeId: number, message: string): BadFormatError {
  const kind = at + 1 < words.length ? kindName(infoKind(words[at + 1]!)) : 'type'
  return new BadFormatError(`[${typeId}] ${kind} ${message}`, { byteOffset: at * 4, typeId })
}
