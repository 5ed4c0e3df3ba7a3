// Sizes and alignments of types, by the rules libbpf uses (btf__resolve_size, btf__align_of), bounded on every input.

import { number } from '../../core/arguments.ts'
import { infoFlag, infoVlen, MAX_DEPTH } from '../format.ts'
import { isComposite, isDeclaration, KINDS } from '../kinds.ts'
import { type TypeSet, typeSet } from './type-set.ts'

/** Deepest nesting of structs and modifiers whose alignment is worked out. Real kernels stay below 40. */
const MAX_NESTING = 256
const MAX_U32 = 0xffffffff

/** Spellings of `long`: the size of such an INT is that of a pointer on every Linux ABI. */
const LONGS = [
  'long',
  'long int',
  'int long',
  'unsigned long',
  'long unsigned',
  'unsigned long int',
  'unsigned int long',
  'long unsigned int',
  'long int unsigned',
  'int unsigned long',
  'int long unsigned',
]

/** Bytes of a pointer on the machine a set was made for: 4 or 8; 8 where the types do not say. */
export function pointerSize(set: TypeSet): number {
  typeSet(set, 'set')
  return sizesOf(set).pointer
}

/**
 * Size of a type in bytes, following modifiers and multiplying arrays. `undefined` for what has none: void, functions,
 * forward declarations, chains of more than 32 links, and arrays of 4 GiB or more.
 */
export function sizeOf(set: TypeSet, id: number): number | undefined {
  typeSet(set, 'set')
  let elements = 1
  let at = number(id, 'id')
  for (let depth = 0; depth < MAX_DEPTH && at !== 0; depth++) {
    switch (KINDS[set.kindNumberOf(at)]?.size) {
      case 'own':
        return total(elements, set.refOf(at))
      case 'pointer':
        return total(elements, pointerSize(set))
      case 'its type':
        at = set.refOf(at)
        break
      case 'elements':
        elements *= set.word(at, 5)
        if (elements > MAX_U32) return undefined
        at = set.word(at, 3)
        break
      default:
        return undefined
    }
  }
  return undefined
}

function total(elements: number, size: number): number | undefined {
  const bytes = elements * size
  return bytes > MAX_U32 ? undefined : bytes
}

/**
 * Alignment of a type in bytes; 1 for a packed struct, as far as its layout shows that it is packed. `undefined` for
 * types that have none.
 */
export function alignOf(set: TypeSet, id: number): number | undefined {
  typeSet(set, 'set')
  const align = sizesOf(set).align(number(id, 'id'), 0)
  return align > 0 ? align : undefined
}

const caches = new WeakMap<TypeSet, Sizes>()

/** What is known of a set's sizes, for who asks of many of its types. */
export function sizesOf(set: TypeSet): Sizes {
  let sizes = caches.get(set)
  if (!sizes) {
    sizes = new Sizes(set)
    caches.set(set, sizes)
  }
  return sizes
}

/** The alignments that have been worked out for one set; for types below its first id the base is asked. */
export class Sizes {
  readonly pointer: number
  readonly #set: TypeSet
  readonly #base: Sizes | undefined
  /** By own type: 0 not known yet, -1 none, else the alignment. */
  #aligns: Int32Array | undefined

  constructor(set: TypeSet) {
    this.#set = set
    this.#base = set.base && sizesOf(set.base)
    this.pointer = this.#base && this.#base.pointer > 0 ? this.#base.pointer : longSize(set)
  }

  /** 0 or less if the type has no alignment. */
  align(id: number, depth: number): number {
    const set = this.#set
    if (id === 0 || depth > MAX_NESTING) return 0
    if (id < set.firstId) return this.#base ? this.#base.align(id, depth) : 0
    if (id >= set.endId) return 0
    this.#aligns ??= new Int32Array(set.size)
    const slot = id - set.firstId
    const known = this.#aligns[slot]!
    if (known !== 0) return known
    const found = this.#work(id, depth)
    this.#aligns[slot] = found > 0 ? found : -1
    return found
  }

  #work(id: number, depth: number): number {
    const set = this.#set
    const kind = set.kindNumberOf(id)
    if (isComposite(kind)) return this.#struct(id, depth)
    // Sections and tags have a size, or refer to what has one, but nothing is laid out as they are.
    if (isDeclaration(kind)) return 0
    switch (KINDS[kind]?.size) {
      case 'own':
        return Math.min(this.pointer, set.refOf(id))
      case 'pointer':
        return this.pointer
      case 'its type':
        return this.align(set.refOf(id), depth + 1)
      case 'elements':
        return this.align(set.word(id, 3), depth + 1)
      default:
        return 0
    }
  }

  #struct(id: number, depth: number): number {
    const { words } = this.#set
    const at = this.#set.position(id)
    const info = words[at + 1]!
    const end = at + 3 + 3 * infoVlen(info)
    const flag = infoFlag(info)
    let most = 1
    for (let member = at + 3; member < end; member += 3) {
      const align = this.align(words[member + 1]!, depth + 1)
      if (align <= 0) return align
      if (align > most) most = align
      const offset = words[member + 2]!
      const bitfield = flag && offset >>> 24 !== 0
      if (!bitfield && offset % (8 * align) !== 0) return 1
    }
    return words[at + 2]! % most === 0 ? most : 1
  }
}

/** The size of the first INT in order of ids that is some spelling of `long`. */
function longSize(set: TypeSet): number {
  let first = set.endId
  let size = 8
  for (const name of LONGS) {
    for (const id of set.idsNamed(name, 'INT')) {
      const bytes = set.refOf(id)
      if ((bytes === 4 || bytes === 8) && id < first) {
        first = id
        size = bytes
      }
    }
  }
  return size
}
