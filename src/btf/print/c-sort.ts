// The order in which bpftool puts types of a C header by default: by rank of kind, name, and a hash of the contents.

import { LimitError } from '../../core/errors.ts'
import {
  infoKind,
  infoVlen,
  KIND_ARRAY,
  KIND_CONST,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_FLOAT,
  KIND_FUNC_PROTO,
  KIND_INT,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_VOLATILE,
} from '../format.ts'
import { isComposite, isEnum } from '../kinds.ts'
import type { TypeSet } from '../read/type-set.ts'
import { mostText } from './raw.ts'

const LAST_RANK = 10
/** Longest chain of references that is followed. */
const MAX_CHAIN = 256

/**
 * All ids in the order of bpftool's sorted header. Like bpftool, which counts from 1 in a list that starts at 0, the
 * first type in the order is left out unless another one needs it.
 * @throws LimitError for names out of all proportion
 */
export function sortForC(set: TypeSet): Uint32Array {
  const count = set.endId
  const ranks = new Uint8Array(count)
  const sortNames: string[] = new Array(count)
  const ownNames: string[] = new Array(count)
  let left = mostText(set)
  for (let id = 0; id < count; id++) {
    ranks[id] = rank(set, id)
    ownNames[id] = set.nameOf(id)
    sortNames[id] = sortName(set, id)
    left -= ownNames[id]!.length + sortNames[id]!.length
    if (left < 0) throw new LimitError('the names of the types grow out of all proportion to them')
  }
  const hashes = new ContentHashes(set)
  const ids = Uint32Array.from({ length: count }, (_, id) => id)
  ids.sort((a, b) => {
    if (ranks[a] !== ranks[b]) return ranks[a]! - ranks[b]!
    if (sortNames[a] !== sortNames[b]) return sortNames[a]! < sortNames[b]! ? -1 : 1
    if (ownNames[a] !== ownNames[b]) return ownNames[a]! < ownNames[b]! ? -1 : 1
    return hashes.compare(a, b) || a - b
  })
  return ids.subarray(1)
}

/** Whether a kind takes its place in the order from the type it refers to. */
function isReference(kind: number): boolean {
  return (
    kind === KIND_TYPE_TAG ||
    kind === KIND_CONST ||
    kind === KIND_PTR ||
    kind === KIND_VOLATILE ||
    kind === KIND_RESTRICT ||
    kind === KIND_TYPEDEF ||
    kind === KIND_DECL_TAG
  )
}

function rank(set: TypeSet, id: number): number {
  let named = false
  let at = id
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const kind = set.kindNumberOf(at)
    if (set.word(at, 0) !== 0) named = true
    if (isEnum(kind)) return named ? 1 : 0
    if (kind === KIND_INT || kind === KIND_FLOAT) return 2
    if (!named) return LAST_RANK
    if (isComposite(kind)) return 3
    if (kind === KIND_FUNC_PROTO) return 4
    if (kind === KIND_ARRAY) at = set.word(at, 3)
    else if (isReference(kind)) at = set.refOf(at)
    else return LAST_RANK
  }
  return LAST_RANK
}

function sortName(set: TypeSet, id: number): string {
  let at = id
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const kind = set.kindNumberOf(at)
    if (kind === KIND_ARRAY) at = set.word(at, 3)
    else if (isReference(kind)) at = set.refOf(at)
    else if (isEnum(kind) && at === id && set.word(id, 0) === 0) {
      // An anonymous enum is known by its first enumerator.
      return set.vlenOf(id) > 0 ? set.nameAt(set.word(id, 3)) : ''
    } else return set.nameOf(at)
  }
  return ''
}

/** 64-bit hashes of what types contain, in two halves, worked out only for types that need telling apart. */
class ContentHashes {
  readonly #set: TypeSet
  /** Kept hashes by 2 × id, + 1 where members count: high half × 2^32 would not fit a number. */
  readonly #kept = new Map<number, { high: number; low: number }>()
  #high = 0
  #low = 0

  constructor(set: TypeSet) {
    this.#set = set
  }

  compare(a: number, b: number): number {
    const x = this.#hash(a, true, 0)
    const y = this.#hash(b, true, 0)
    return x.high - y.high || x.low - y.low
  }

  #hash(id: number, withMembers: boolean, depth: number): { high: number; low: number } {
    const key = 2 * id + (withMembers ? 1 : 0)
    const kept = this.#kept.get(key)
    if (kept) return kept
    const [high, low] = [this.#high, this.#low]
    this.#high = 0
    this.#low = 0
    if (depth < MAX_CHAIN && id !== 0) this.#contents(id, withMembers, depth)
    const hash = { high: this.#high, low: this.#low }
    this.#high = high
    this.#low = low
    this.#kept.set(key, hash)
    return hash
  }

  /** hash = hash × 31 + value, modulo 2^64. */
  #add(high: number, low: number): void {
    const product = this.#low * 31 + low
    const carry = Math.floor(product / 0x100000000)
    this.#low = product % 0x100000000
    this.#high = (this.#high * 31 + high + carry) % 0x100000000
  }

  #addName(offset: number): void {
    if (offset === 0) return
    const { bytes, start } = this.#set.locateName(offset)
    let high = 0
    let low = 0
    for (let i = start; bytes[i] !== 0; i++) {
      // The bytes are C chars, which are signed.
      const byte = (bytes[i]! << 24) >> 24
      const product = low * 31 + byte
      const carry = Math.floor(product / 0x100000000)
      low = product - carry * 0x100000000
      high = (high * 31 + carry) % 0x100000000
      if (high < 0) high += 0x100000000
    }
    this.#add(high, low)
  }

  #addType(id: number, withMembers: boolean, depth: number): void {
    const { high, low } = this.#hash(id, withMembers, depth + 1)
    this.#add(high, low)
  }

  #contents(id: number, withMembers: boolean, depth: number): void {
    const own = this.#set.owner(id)!
    const { words } = own
    const at = own.position(id)
    const info = words[at + 1]!
    const kind = infoKind(info)
    this.#addName(words[at]!)
    if (isEnum(kind)) {
      const step = kind === KIND_ENUM ? 2 : 3
      for (let i = 0; i < infoVlen(info); i++) this.#addName(words[at + 3 + step * i]!)
    } else if (isComposite(kind)) {
      if (!withMembers) return
      for (let i = 0; i < infoVlen(info); i++) {
        this.#addName(words[at + 3 + 3 * i]!)
        this.#addType(words[at + 4 + 3 * i]!, false, depth)
      }
    } else if (kind === KIND_ARRAY) {
      this.#add(0, words[at + 5]!)
      this.#addType(words[at + 3]!, withMembers, depth)
    } else if (isReference(kind)) this.#addType(words[at + 2]!, withMembers, depth)
  }
}
