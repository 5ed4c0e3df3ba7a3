// Where a record keeps names and ids: to list what it refers to, and to rewrite it when a set moves onto another base.
import { infoKind, infoVlen, KIND_ARRAY, KIND_FUNC_PROTO } from '../format.ts'
import { isComposite, KINDS, TYPE_WORDS } from '../kinds.ts'

/** The functions that are called for the words of a record. */
interface Visitor {
  name(position: number): void
  type(position: number): void
}

/** Calls back for each word of the record at `at` that holds a name offset or a type id, in their order. */
export function visitWords(words: Uint32Array, at: number, visit: Visitor): void {
  const info = words[at + 1]!
  const kind = KINDS[infoKind(info)]
  visit.name(at)
  if (kind === undefined) return
  if (kind.refersToType) visit.type(at + 2)
  const { fixed, fixedTypes, elements } = kind
  for (let i = 0; i < fixedTypes; i++) visit.type(at + TYPE_WORDS + i)
  if (elements === undefined) return
  const first = at + TYPE_WORDS + fixed
  const end = first + elements.words * infoVlen(info)
  for (let i = first; i < end; i += elements.words) {
    if (elements.named) visit.name(i)
    if (elements.type !== undefined) visit.type(i + elements.type)
  }
}

/** What the kernel calls the reference at a position of `referencedTypes`. */
export function referenceName(kind: number, position: number): string {
  if (kind === KIND_ARRAY) return position === 0 ? 'elem' : 'index'
  if (kind === KIND_FUNC_PROTO) return position === 0 ? 'return type' : `arg#${position}`
  return isComposite(kind) ? 'member' : 'type_id'
}

/** The ids a type refers to, in the order they stand in its record. Unknown kinds refer to nothing. */
export function referencedTypes(words: Uint32Array, at: number): number[] {
  const ids: number[] = []
  const info = words[at + 1]!
  const kind = KINDS[infoKind(info)]
  if (kind === undefined) return ids
  if (kind.refersToType) ids.push(words[at + 2]!)
  const { fixed, fixedTypes, elements } = kind
  for (let i = 0; i < fixedTypes; i++) ids.push(words[at + TYPE_WORDS + i]!)
  if (elements?.type === undefined) return ids
  const first = at + TYPE_WORDS + fixed + elements.type
  const end = first + elements.words * infoVlen(info)
  for (let i = first; i < end; i += elements.words) ids.push(words[i]!)
  return ids
}
