// Prototypes that a BPF trampoline cannot pass on: btf_distill_func_proto (kernel/bpf/btf.c) and the limits of each architecture.

import {
  infoVlen,
  KIND_ENUM,
  KIND_FLOAT,
  KIND_FUNC_PROTO,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
} from '../btf/format.ts'
import { isEnum, plainKind } from '../btf/kinds.ts'
import { sizeOf } from '../btf/read/sizes.ts'
import { skipModifiers } from '../btf/read/type.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import { ARCHITECTURES, type Since } from './architectures.ts'
import type { FuncRef } from './describe.ts'
import type { ProbeFacts } from './facts.ts'
import { atLeast, LARGEST_STRUCT_ARGUMENT, MOST_ARGUMENTS, UNION_ARGUMENTS_SINCE } from './kernel-rules.ts'
import { RELEASE_UNKNOWN } from './obstacles.ts'
import { NONE, type Reason, reason } from './reasons.ts'

const ORDINARY_ARGUMENTS = 5

/** Why the prototype of a FUNC stands in the way of a trampoline. Empty: it does not. */
export function prototypeReasons(facts: ProbeFacts, { set, id }: FuncRef, name: string): readonly Reason[] {
  const proto = set.refOf(id)
  const own = set.owner(proto)
  if (own === undefined || set.kindNumberOf(proto) !== KIND_FUNC_PROTO) {
    return [reason('UNSUPPORTED_PROTOTYPE', `${name} has no prototype in ${set.name}'s BTF`)]
  }
  const at = own.position(proto)
  if (isOrdinary(set, own, at)) return NONE
  const reasons: Reason[] = []
  const refuse = (what: string) => reasons.push(reason('UNSUPPORTED_PROTOTYPE', `The function ${name} ${what}`))
  if (!isReturnable(set, own.words[at + 2]!)) {
    refuse('returns a struct or another value that a trampoline cannot pass on')
  }
  const count = infoVlen(own.words[at + 1]!)
  if (count > MOST_ARGUMENTS) {
    reasons.push(reason('TOO_MANY_ARGS', `The function ${name} has ${count} arguments, more than ${MOST_ARGUMENTS}`))
    return reasons
  }
  let words = 0
  let structs = false
  let unions = false
  for (let i = 0; i < count; i++) {
    const type = own.words[at + 4 + 2 * i]!
    if (type === 0) {
      refuse('has variable arguments')
      return reasons
    }
    const size = argumentSize(set, type)
    if (size === 0 || size > LARGEST_STRUCT_ARGUMENT) {
      const what = size === 0 ? 'a type that cannot be passed' : `a value of ${size} bytes`
      refuse(
        `has as argument ${i + 1} ${what}; structs and unions of up to ${LARGEST_STRUCT_ARGUMENT} bytes are supported`,
      )
      return reasons
    }
    const kind = set.kindNumberOf(skipModifiers(set, type))
    if (kind === KIND_STRUCT) structs = true
    else if (kind === KIND_UNION) unions = true
    words += Math.ceil(size / 8)
  }
  const since = limitReasons(facts, name, { words, structs, unions })
  return since.length === 0 && reasons.length === 0 ? NONE : [...reasons, ...since]
}

/** Most functions: up to five arguments of one word each, which every architecture's trampolines always passed. */
function isOrdinary(set: TypeSet, own: TypeSet, at: number): boolean {
  const { words } = own
  const count = infoVlen(words[at + 1]!)
  if (count > ORDINARY_ARGUMENTS) return false
  const scalars = Scalars.of(set)
  const returned = words[at + 2]!
  if (returned !== 0 && !scalars.has(returned)) return false
  for (let i = 0; i < count; i++) if (!scalars.has(words[at + 4 + 2 * i]!)) return false
  return true
}

const scalarsOf = new WeakMap<TypeSet, Scalars>()

/** Which types are numbers and pointers of one word: functions have few different ones, so each is looked at once. */
class Scalars {
  readonly #set: TypeSet
  readonly #base: Scalars | undefined
  readonly #known: Uint8Array

  private constructor(set: TypeSet) {
    this.#set = set
    this.#base = set.base === undefined ? undefined : Scalars.of(set.base)
    this.#known = new Uint8Array(set.size)
  }

  static of(set: TypeSet): Scalars {
    let scalars = scalarsOf.get(set)
    if (scalars === undefined) {
      scalars = new Scalars(set)
      scalarsOf.set(set, scalars)
    }
    return scalars
  }

  has(type: number): boolean {
    const own = type - this.#set.firstId
    if (own < 0) return this.#base?.has(type) ?? false
    const known = this.#known[own]
    if (known !== UNSEEN) return known === SCALAR
    const is = this.#isScalar(skipModifiers(this.#set, type))
    this.#known[own] = is ? SCALAR : OTHER
    return is
  }

  #isScalar(id: number): boolean {
    const kind = this.#set.kindNumberOf(id)
    return kind === KIND_PTR || ((kind === KIND_INT || isEnum(kind)) && this.#set.refOf(id) <= 8)
  }
}

const UNSEEN = 0
const SCALAR = 1
const OTHER = 2

/** Bytes of an argument as __get_type_size counts them; 0 for what it refuses (floats, what has no size). */
function argumentSize(set: TypeSet, type: number): number {
  const id = skipModifiers(set, type)
  switch (plainKind(set.kindNumberOf(id))) {
    case KIND_PTR:
      return 8
    case KIND_INT:
    case KIND_ENUM:
      return set.refOf(id)
    case KIND_STRUCT:
    case KIND_UNION:
      return sizeOf(set, id) ?? 0
    default:
      return 0
  }
}

function isReturnable(set: TypeSet, type: number): boolean {
  const kind = set.kindNumberOf(skipModifiers(set, type))
  return kind !== KIND_STRUCT && kind !== KIND_UNION && kind !== KIND_FLOAT
}

/** What depends on the kernel's version and architecture. */
function limitReasons(
  facts: ProbeFacts,
  name: string,
  { words, structs, unions }: { readonly words: number; readonly structs: boolean; readonly unions: boolean },
): Reason[] {
  const reasons: Reason[] = []
  const { architecture } = facts
  const since = ([major, minor]: Since, what: string, code: 'UNSUPPORTED_PROTOTYPE' | 'TOO_MANY_ARGS') => {
    const able = atLeast(facts.release, major, minor)
    if (able === false) reasons.push(reason(code, `${what}: supported since Linux ${major}.${minor}`))
    else if (able === undefined && reasons.length === 0) reasons.push(RELEASE_UNKNOWN)
  }
  if (structs && architecture !== undefined) {
    const what = `The function ${name} has a struct as argument`
    since(ARCHITECTURES[architecture].trampolines.structsSince, what, 'UNSUPPORTED_PROTOTYPE')
  }
  if (unions) since(UNION_ARGUMENTS_SINCE, `The function ${name} has a union as argument`, 'UNSUPPORTED_PROTOTYPE')
  const limit = architecture === undefined ? undefined : ARCHITECTURES[architecture].trampolines
  if (limit === undefined || words <= limit.words) return reasons
  const what = `The function ${name} has ${words} argument words, more than ${limit.words}`
  if (limit.moreSince === undefined) reasons.push(reason('TOO_MANY_ARGS', what))
  else since(limit.moreSince, what, 'TOO_MANY_ARGS')
  return reasons
}
