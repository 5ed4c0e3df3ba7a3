// The kernel's second pass over a blob's types: every reference leads to a type that may stand there and has a size, no
// type contains itself, members lie inside their struct. Depth-first over an explicit stack, at most 32 deep.

import {
  infoFlag,
  infoVlen,
  KIND_ARRAY,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
  KIND_VOID,
  MAX_DEPTH,
} from '../format.ts'
import { hasNoSize, hasSize, isComposite, isDeclaration, isModifier, needsResolving } from '../kinds.ts'
import { isIdentifier } from '../read/names.ts'
import { referencedTypes } from '../read/references.ts'
import { pointerSize, sizeOf } from '../read/sizes.ts'
import { skipModifiers } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'
import { isRegularInt, memberError, placeOf, type Sized } from './member-place.ts'

/** A reference that breaks a rule: the type it stands in and the kernel's words for it. */
export interface ReferenceError {
  readonly typeId: number
  readonly message: string
}

/** The first reference that breaks a rule. Every record must have passed the checks of its own. */
export function findReferenceError(set: TypeSet): ReferenceError | undefined {
  const resolver = new Resolver(set)
  for (let id = set.firstId; id < set.endId; id++) {
    const error = resolver.check(id)
    if (error) return error
  }
  return findLongChain(set)
}

/** Chains of typedefs, qualifiers and tags must end within 32 links. */
function findLongChain(set: TypeSet): ReferenceError | undefined {
  for (let id = set.firstId; id < set.endId; id++) {
    let at = id
    for (let links = 0; isModifier(set.kindNumberOf(at)); links++) {
      if (links === MAX_DEPTH) return { typeId: id, message: 'Max chain length or cycle detected' }
      at = set.refOf(at)
    }
  }
  return undefined
}

/** A pointer inside a struct may lead back to the struct: what ends a chain depends on where the walk began. */
const ANYTHING = 0
const FROM_POINTER = 1
const FROM_STRUCT = 2

const UNSEEN = 0
const UNDER_WAY = 1
const RESOLVED = 2

interface Frame {
  readonly id: number
  /** First member that is not done yet. */
  next: number
}

/** What a step of the walk ends with: go on with another type first, this one is done, or a rule is broken. */
type Step = { readonly push: number } | { readonly error: string } | undefined

class Resolver {
  readonly #set: TypeSet
  readonly #states: Uint8Array
  /** By own type: the type behind it, and for arrays the size of the whole. */
  readonly #targets: Uint32Array
  readonly #arraySizes: Float64Array
  readonly #pointer: number
  readonly #stack: Frame[] = []
  #mode = ANYTHING

  constructor(set: TypeSet) {
    this.#set = set
    this.#states = new Uint8Array(set.size)
    this.#targets = new Uint32Array(set.size)
    this.#arraySizes = new Float64Array(set.size)
    this.#pointer = pointerSize(set)
  }

  /** Checks a type and all that it leads to, as far as that has not been done. */
  check(id: number): ReferenceError | undefined {
    const kind = this.#kind(id)
    if (needsResolving(kind) && !this.#isResolved(id)) {
      const error = this.#resolve(id)
      if (error) return error
    }
    return kind === KIND_FUNC_PROTO ? this.#checkProto(id) : undefined
  }

  #kind(id: number): number {
    return this.#set.kindNumberOf(id)
  }

  #isResolved(id: number): boolean {
    return id < this.#set.firstId ? id > 0 : this.#states[id - this.#set.firstId] === RESOLVED
  }

  /** Whether a walk of the current mode ends at a kind. */
  #isSink(kind: number): boolean {
    if (this.#mode === ANYTHING) return !needsResolving(kind)
    if (isModifier(kind)) return false
    return this.#mode === FROM_POINTER ? kind !== KIND_PTR : kind !== KIND_ARRAY && !isComposite(kind)
  }

  /** The type to be walked first, if it is to be. */
  #pending(id: number): Step {
    return this.#isSink(this.#kind(id)) || this.#isResolved(id) ? undefined : { push: id }
  }

  #push(id: number): string | undefined {
    if (this.#stack.length === MAX_DEPTH) return `Exceeded max resolving depth:${MAX_DEPTH}`
    const slot = id - this.#set.firstId
    if (this.#states[slot] !== UNSEEN) return 'Loop detected'
    this.#states[slot] = UNDER_WAY
    this.#stack.push({ id, next: 0 })
    const kind = this.#kind(id)
    if (this.#mode === ANYTHING) {
      if (kind === KIND_PTR) this.#mode = FROM_POINTER
      else if (isComposite(kind) || kind === KIND_ARRAY) this.#mode = FROM_STRUCT
    }
    return undefined
  }

  #resolve(id: number): ReferenceError | undefined {
    this.#mode = ANYTHING
    this.#stack.length = 0
    let error = this.#push(id)
    let at = id
    for (let frame = this.#stack.at(-1); frame && error === undefined; frame = this.#stack.at(-1)) {
      at = frame.id
      const step = this.#step(frame)
      if (step === undefined) {
        this.#states[at - this.#set.firstId] = RESOLVED
        this.#stack.pop()
      } else if ('push' in step) {
        error = this.#push(step.push)
      } else error = step.error
    }
    return error === undefined ? undefined : { typeId: at, message: error }
  }

  #step(frame: Frame): Step {
    const kind = this.#kind(frame.id)
    if (isModifier(kind)) return this.#modifier(frame.id)
    switch (kind) {
      case KIND_PTR:
        return this.#pointerTo(frame.id)
      case KIND_ARRAY:
        return this.#array(frame.id)
      case KIND_STRUCT:
      case KIND_UNION:
        return this.#struct(frame)
      case KIND_VAR:
        return this.#variable(frame.id)
      case KIND_FUNC:
        return this.#function(frame.id)
      case KIND_DECL_TAG:
        return this.#tag(frame.id)
      case KIND_DATASEC:
        return this.#section(frame)
      default:
        return this.#references(frame)
    }
  }

  /** Of a kind without rules of its own only this is checked: the types that it refers to exist and keep their own rules. */
  #references(frame: Frame): Step {
    const set = this.#set
    const ids = referencedTypes(set.words, set.position(frame.id))
    for (; frame.next < ids.length; frame.next++) {
      const ref = ids[frame.next]!
      if (ref >= set.endId) return { error: 'Invalid type_id' }
      const pending = this.#pending(ref)
      if (pending) return pending
    }
    return this.#target(frame.id, 0)
  }

  #target(id: number, target: number): undefined {
    this.#targets[id - this.#set.firstId] = target
  }

  /** The type behind a modifier or pointer that has been resolved. */
  #behind(id: number): number {
    if (id >= this.#set.firstId) return this.#targets[id - this.#set.firstId]!
    // Types of the base are not walked: they have been checked with it.
    return skipModifiers(this.#set, isModifier(this.#kind(id)) ? id : this.#set.refOf(id))
  }

  /** The type with a size that an id stands for; `undefined` if there is none. */
  #sized(id: number): Sized | undefined {
    const kind = this.#kind(id)
    if (hasNoSize(kind)) return undefined
    if (isModifier(kind) || kind === KIND_VAR) {
      const target = this.#behind(id)
      const behind = this.#kind(target)
      return isModifier(behind) || behind === KIND_VAR ? undefined : this.#sized(target)
    }
    if (hasSize(kind)) return { id, size: this.#set.refOf(id) }
    if (kind === KIND_PTR) return { id, size: this.#pointer }
    if (kind !== KIND_ARRAY) return undefined
    const own = id >= this.#set.firstId
    return { id, size: own ? this.#arraySizes[id - this.#set.firstId]! : (sizeOf(this.#set, id) ?? 0) }
  }

  /** What a modifier or pointer refers to: something with a size, or void, a forward declaration, a prototype. */
  #settle(id: number, ref: number): Step {
    const sized = this.#sized(ref)
    if (sized) return this.#target(id, sized.id)
    const target = this.#isResolved(ref) ? this.#behind(ref) : ref
    const found = needsResolving(this.#kind(ref)) ? target : ref
    const kind = this.#kind(found)
    if (kind !== KIND_VOID && kind !== KIND_FWD && kind !== KIND_FUNC_PROTO) return { error: 'Invalid type_id' }
    return this.#target(id, found)
  }

  #modifier(id: number): Step {
    const ref = this.#set.refOf(id)
    if (isDeclaration(this.#kind(ref))) return { error: 'Invalid type_id' }
    return this.#pending(ref) ?? this.#settle(id, ref)
  }

  /** A modifier may have been resolved as far as a pointer: the walk goes on from there. */
  #pointerBehind(ref: number): Step {
    if (!isModifier(this.#kind(ref))) return undefined
    const target = this.#behind(ref)
    return this.#kind(target) === KIND_PTR ? this.#pending(target) : undefined
  }

  #pointerTo(id: number): Step {
    const ref = this.#set.refOf(id)
    if (isDeclaration(this.#kind(ref))) return { error: 'Invalid type_id' }
    return this.#pending(ref) ?? this.#pointerBehind(ref) ?? this.#settle(id, ref)
  }

  #variable(id: number): Step {
    const ref = this.#set.refOf(id)
    if (isDeclaration(this.#kind(ref))) return { error: 'Invalid type_id' }
    const pending = this.#pending(ref) ?? this.#pointerBehind(ref)
    if (pending) return pending
    const sized = this.#sized(ref)
    return sized ? this.#target(id, sized.id) : { error: 'Invalid type_id' }
  }

  #array(id: number): Step {
    const set = this.#set
    const [element, index, count] = [set.word(id, 3), set.word(id, 4), set.word(id, 5)]
    if (!this.#mayBeMember(index)) return { error: 'Invalid index' }
    const indexPending = this.#pending(index)
    if (indexPending) return indexPending
    const sizedIndex = this.#sized(index)
    if (!sizedIndex || !isRegularInt(this.#set, sizedIndex.id)) return { error: 'Invalid index' }
    if (!this.#mayBeMember(element)) return { error: 'Invalid elem' }
    const elementPending = this.#pending(element)
    if (elementPending) return elementPending
    const sized = this.#sized(element)
    if (!sized) return { error: 'Invalid elem' }
    if (this.#kind(sized.id) === KIND_INT && !isRegularInt(this.#set, sized.id))
      return { error: 'Invalid array of int' }
    if (count > 0 && sized.size > Math.floor(0xffffffff / count)) return { error: 'Array size overflows!' }
    this.#arraySizes[id - set.firstId] = sized.size * count
    return this.#target(id, sized.id)
  }

  #mayBeMember(id: number): boolean {
    const kind = this.#kind(id)
    return !hasNoSize(kind) && !isDeclaration(kind)
  }

  #struct(frame: Frame): Step {
    const own = this.#set
    const at = own.position(frame.id)
    const info = own.words[at + 1]!
    for (; frame.next < infoVlen(info); frame.next++) {
      const member = at + 3 + 3 * frame.next
      const type = own.words[member + 1]!
      if (!this.#mayBeMember(type)) return { error: 'Invalid member' }
      const pending = this.#pending(type)
      if (pending) return pending
      const sized = this.#sized(type)
      const place = placeOf(own.words[member + 2]!, infoFlag(info))
      const error = sized ? memberError(own, own.words[at + 2]!, sized, place, this.#pointer) : 'Invalid member'
      if (error !== undefined) {
        const name = own.words[member]!
        return { error: `${error}: ${name === 0 ? '(anon)' : own.nameAt(name)}` }
      }
    }
    return this.#target(frame.id, 0)
  }

  #section(frame: Frame): Step {
    const set = this.#set
    const at = set.position(frame.id)
    // The variables of a section are walked each on its own.
    this.#mode = ANYTHING
    for (; frame.next < infoVlen(set.words[at + 1]!); frame.next++) {
      const entry = at + 3 + 3 * frame.next
      const variable = set.words[entry]!
      if (this.#kind(variable) !== KIND_VAR) return { error: 'Not a VAR kind member' }
      const pending = this.#pending(variable)
      if (pending) return pending
      const sized = this.#sized(set.refOf(variable))
      if (!sized) return { error: 'Invalid type' }
      if (set.words[entry + 2]! < sized.size) return { error: 'Invalid size' }
    }
    return this.#target(frame.id, 0)
  }

  #function(id: number): Step {
    const set = this.#set
    const proto = set.refOf(id)
    const own = set.owner(proto)
    if (!own || this.#kind(proto) !== KIND_FUNC_PROTO) return { error: 'Invalid type_id' }
    const at = own.position(proto)
    for (let i = 0; i < infoVlen(own.words[at + 1]!); i++) {
      // The last one, of type void, stands for variable arguments and has no name.
      if (own.words[at + 3 + 2 * i] === 0 && own.words[at + 4 + 2 * i] !== 0) return { error: `Invalid arg#${i + 1}` }
    }
    return this.#target(id, proto)
  }

  #tag(id: number): Step {
    const set = this.#set
    const ref = set.refOf(id)
    const kind = this.#kind(ref)
    if (kind !== KIND_FUNC && !isComposite(kind) && kind !== KIND_VAR && kind !== KIND_TYPEDEF) {
      return { error: 'Invalid type_id' }
    }
    const pending = this.#pending(ref)
    if (pending) return pending
    const component = set.word(id, 3)
    if (component !== 0xffffffff) {
      if (kind === KIND_VAR || kind === KIND_TYPEDEF) return { error: 'Invalid component_idx' }
      const parts = set.vlenOf(isComposite(kind) ? ref : set.refOf(ref))
      if (component >= parts) return { error: 'Invalid component_idx' }
    }
    return this.#target(id, ref)
  }

  #checkProto(id: number): ReferenceError | undefined {
    const set = this.#set
    const { words } = set
    const at = set.position(id)
    const result = words[at + 2]!
    if (result !== 0) {
      const failure = this.#valueError(id, result, 'Invalid return type')
      if (failure) return failure
    }
    let count = infoVlen(words[at + 1]!)
    if (count > 0 && words[at + 3 + 2 * count - 1] === 0) {
      if (words[at + 3 + 2 * count - 2] !== 0) return { typeId: id, message: `Invalid arg#${count}` }
      count--
    }
    for (let i = 0; i < count; i++) {
      const name = words[at + 3 + 2 * i]!
      const message = `Invalid arg#${i + 1}`
      const place = set.locateName(name)
      if (name !== 0 && !isIdentifier(place.bytes, place.start)) return { typeId: id, message }
      const failure = this.#valueError(id, words[at + 4 + 2 * i]!, message)
      if (failure) return failure
    }
    return undefined
  }

  /** A value that is passed or returned must have a size. */
  #valueError(proto: number, type: number, message: string): ReferenceError | undefined {
    const kind = this.#kind(type)
    if (isDeclaration(kind)) return { typeId: proto, message }
    if (needsResolving(kind) && !this.#isResolved(type)) {
      const error = this.#resolve(type)
      if (error) return error
    }
    return this.#sized(type) ? undefined : { typeId: proto, message }
  }
}
