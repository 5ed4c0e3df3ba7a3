// The order of a header: definitions behind those of what they need, forward declarations where types need each other. The algorithm is
// that of libbpf's btf_dump, which defines the order.

import {
  ARRAY,
  DONE,
  ENUM,
  FORWARD,
  KIND_ELEMENT_TYPE,
  KIND_FIXED,
  KIND_FIXED_TYPES,
  KIND_REFERS,
  MAX_RECURSION,
  POINTER,
  PROTOTYPE,
  QUALIFIER,
  REFUSED_CIRCLE,
  REFUSED_KIND,
  REFUSED_RECURSION,
  REFUSED_STEPS,
  SCALAR,
  STATE_FORWARDED,
  STATE_ORDERED,
  STATE_QUEUE,
  STATE_REFERENCED,
  STATE_WRITTEN,
  TEXT_END,
  TEXT_MISSING,
  TEXT_MISSING_END,
  TEXT_TYPEDEF,
  TEXT_VA_LIST,
  TYPE_TAG,
  TYPEDEF,
  UNDER_WAY,
  UNKNOWN,
  UNSEEN,
} from '../c-constants'
import { putForward, putStruct, putStructTag, putTypedef } from './c-declare'
import { putEnum } from './c-enum'
import { put, putName, putText, textAt } from './c-text'
import {
  elementWords,
  endId,
  isComposite,
  isNamed,
  kindOf,
  nameOf,
  recordOf,
  refOf,
  refuse,
  roleOf,
  sameName,
  vlenOf,
} from './c-types'

const SPACE: u8 = 0x20

/** By id: how far the order is, and how far writing; whether a declaration stands there; whether anything but a result is of that type. */
let ordered: usize = 0
let written: usize = 0
let forwarded: usize = 0
let referenced: usize = 0
/** Types to be written, in their order. */
let queue: usize = 0
let queued: u32 = 0
let depth: u32 = 0
/** Steps left: hostile types reach each other in exponentially many ways. */
let steps: i64 = 0

export function openOrder(state: usize, most: f64): void {
  ordered = <usize>load<u32>(state, STATE_ORDERED)
  written = <usize>load<u32>(state, STATE_WRITTEN)
  forwarded = <usize>load<u32>(state, STATE_FORWARDED)
  referenced = <usize>load<u32>(state, STATE_REFERENCED)
  queue = <usize>load<u32>(state, STATE_QUEUE)
  steps = <i64>most
}

/** Ids past the end have no state. */
function stateOf(states: usize, id: u32): u32 {
  return id < endId ? <u32>load<u8>(states + id) : UNSEEN
}

function setState(states: usize, id: u32, state: u32): void {
  if (id < endId) store<u8>(states + id, <u8>state)
}

/**
 * Notes what types from an id on refer to, but for a function's result: an anonymous enum that nothing else uses stands alone. Says how many
 * names there may be.
 */
export function markReferenced(from: u32): u32 {
  let names: u32 = 0
  for (let id = from; id < endId; id++) {
    const record = recordOf(id)
    const kind = kindOf(record)
    const role = roleOf(record)
    if (isNamed(record) && (isComposite(role) || role === ENUM || role === TYPEDEF)) names++
    if (load<u8>(kind, KIND_REFERS) !== 0) setState(referenced, refOf(record), 1)
    const fixedTypes = <usize>load<u8>(kind, KIND_FIXED_TYPES)
    for (let i: usize = 0; i < fixedTypes; i++) setState(referenced, load<u32>(record + (i << 2), 12), 1)
    const words = elementWords(record)
    const count = words > 0 ? vlenOf(record) : 0
    const element = <usize>load<u8>(kind, KIND_ELEMENT_TYPE)
    if (role === ENUM) names += count
    if (element === 0) continue
    let type = record + 12 + ((<usize>load<u8>(kind, KIND_FIXED) + element - 1) << 2)
    for (let left = count; left > 0; left--, type += words << 2) setState(referenced, load<u32>(type), 1)
  }
  return names
}

function enter(id: u32): void {
  if (++depth > <u32>MAX_RECURSION) refuse(REFUSED_RECURSION, id)
  if (--steps < 0) refuse(REFUSED_STEPS, id)
}

/** Writes the definition of a type, after those of the types it needs, as far as they are not written yet. */
export function define(id: u32): void {
  depth = 0
  queued = 0
  order(id, false)
  for (let i: u32 = 0; i < queued; i++) emit(load<u32>(queue + ((<usize>i) << 2)), 0)
}

function enqueue(id: u32): void {
  store<u32>(queue + ((<usize>queued) << 2), id)
  queued++
}

/**
 * Queues a type behind the types that must be defined before it. True if the referring type needs the whole definition rather than a
 * forward declaration: it does unless a pointer and a name lie between.
 */
function order(id: u32, throughPointer: bool): bool {
  const state = stateOf(ordered, id)
  if (state === DONE) return true
  const record = recordOf(id)
  const role = roleOf(record)
  const named = isNamed(record)
  if (state === UNDER_WAY) {
    if (isComposite(role) && throughPointer && named) return false
    refuse(REFUSED_CIRCLE, id)
  }
  enter(id)
  const strong = orderKind(id, record, role, named, throughPointer)
  depth--
  return strong
}

function orderKind(id: u32, record: usize, role: u32, named: bool, throughPointer: bool): bool {
  if (role === POINTER) {
    const strong = order(refOf(record), true)
    setState(ordered, id, DONE)
    return strong
  }
  if (role === ARRAY) return order(load<u32>(record, 12), false)
  if (role === QUALIFIER || role === TYPE_TAG) return order(refOf(record), throughPointer)
  if (isComposite(role)) {
    if (throughPointer && named) return false
    setState(ordered, id, UNDER_WAY)
    let member = record + 16
    for (let left = vlenOf(record); left > 0; left--, member += 12) order(load<u32>(member), false)
    if (named) enqueue(id)
    setState(ordered, id, DONE)
    return true
  }
  if (role === ENUM || role === FORWARD) {
    if (named || stateOf(referenced, id) === 0) enqueue(id)
    setState(ordered, id, DONE)
    return true
  }
  if (role === TYPEDEF) {
    const strong = order(refOf(record), throughPointer)
    if (throughPointer && !strong) return false
    enqueue(id)
    setState(ordered, id, DONE)
    return true
  }
  if (role === PROTOTYPE) {
    let strong = order(refOf(record), throughPointer)
    let param = record + 16
    for (let left = vlenOf(record); left > 0; left--, param += 8) {
      if (order(load<u32>(param), throughPointer)) strong = true
    }
    return strong
  }
  if (role === UNKNOWN) refuse(REFUSED_KIND, id)
  // Void, scalars, functions, variables, sections and declaration tags need no definition.
  setState(ordered, id, DONE)
  return false
}

/** Writes a queued type, after forward declarations of what it refers to. `container` is the type it is part of. */
function emit(id: u32, container: u32): void {
  const state = stateOf(written, id)
  if (state === DONE) return
  const record = recordOf(id)
  const role = roleOf(record)
  if (state === UNDER_WAY) {
    if (stateOf(forwarded, id) === 0) emitForward(id, record, role, container)
    return
  }
  enter(id)
  if (isComposite(role)) emitStruct(id, record, role, container)
  else if (role === POINTER || role === QUALIFIER || role === TYPE_TAG) emit(refOf(record), container)
  else if (role === ARRAY) emit(load<u32>(record, 12), container)
  else if (role === TYPEDEF) {
    setState(written, id, UNDER_WAY)
    emit(refOf(record), id)
    if (stateOf(forwarded, id) === 0) emitTypedef(id, record)
    setState(written, id, DONE)
  } else if (role === PROTOTYPE) {
    emit(refOf(record), container)
    let param = record + 16
    for (let left = vlenOf(record); left > 0; left--, param += 8) emit(load<u32>(param), container)
  } else if (role === ENUM) {
    if (container === 0) {
      putEnum(id, 0)
      putText(TEXT_END)
    }
    setState(written, id, DONE)
  } else if (role === FORWARD) {
    putForward(id)
    putText(TEXT_END)
    setState(written, id, DONE)
  } else if (role === SCALAR) {
    emitMissing(nameOf(record))
    setState(written, id, DONE)
  }
  depth--
}

function emitStruct(id: u32, record: usize, role: u32, container: u32): void {
  const anonymous = !isNamed(record)
  setState(written, id, UNDER_WAY)
  if (container === 0 || anonymous) {
    const inside = anonymous ? container : id
    let member = record + 16
    for (let left = vlenOf(record); left > 0; left--, member += 12) emit(load<u32>(member), inside)
  } else if (stateOf(forwarded, id) === 0 && id !== container) declareTag(id, role)
  if (container === 0) {
    putStruct(id, 0)
    putText(TEXT_END)
  }
  setState(written, id, container === 0 ? DONE : UNSEEN)
}

function declareTag(id: u32, role: u32): void {
  putStructTag(id, role)
  putText(TEXT_END)
  setState(forwarded, id, 1)
}

/** Something refers to a type whose definition is being written. */
function emitForward(id: u32, record: usize, role: u32, container: u32): void {
  if (isComposite(role)) {
    // A type may name itself without a declaration; one without a name cannot be declared.
    if (id !== container && isNamed(record)) declareTag(id, role)
  } else if (role === TYPEDEF) {
    emitTypedef(id, record)
    setState(forwarded, id, 1)
  }
}

function emitTypedef(id: u32, record: usize): void {
  // Every compiler has this one.
  if (sameName(nameOf(record), textAt(TEXT_VA_LIST))) return
  putTypedef(id)
  putText(TEXT_END)
}

/** Defines a scalar that GCC knows by itself and clang does not. */
function emitMissing(name: usize): void {
  for (let text = TEXT_MISSING; text < TEXT_MISSING_END; text += 2) {
    if (!sameName(name, textAt(text))) continue
    putText(TEXT_TYPEDEF)
    putText(text + 1)
    put(SPACE)
    putName(name)
    putText(TEXT_END)
  }
}
