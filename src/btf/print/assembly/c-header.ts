// A C header of the types of a set and its bases: what its caller, ../c-header.ts, calls.

import {
  STATE_END_ID,
  STATE_KINDS,
  STATE_OUT,
  STATE_OUT_END,
  STATE_RECORDS,
  STATE_STRINGS,
  STATE_STRINGS_END,
  STATE_TEXTS,
} from '../c-constants'
import { openAligns } from './c-align'
import { openDeclarations, putDeclaration } from './c-declare'
import { openNames } from './c-names'
import { define, openOrder } from './c-order'
import { empty, fillings, openText } from './c-text'
import { nameAt, openTypes } from './c-types'

export { inherit } from './c-names'
export { markReferenced } from './c-order'
export { sort } from './c-sort'
export { place } from './c-types'

/** Begins or goes on with the header that a state belongs to, for at most so many steps. */
export function open(state: usize, steps: f64): void {
  openTypes(
    <usize>load<u32>(state, STATE_KINDS),
    <usize>load<u32>(state, STATE_RECORDS),
    load<u32>(state, STATE_END_ID),
    <usize>load<u32>(state, STATE_STRINGS),
    load<u32>(state, STATE_STRINGS_END),
  )
  openText(
    <usize>load<u32>(state, STATE_TEXTS),
    <usize>load<u32>(state, STATE_OUT),
    <usize>load<u32>(state, STATE_OUT_END),
  )
  openNames(state)
  openAligns(state)
  openDeclarations(state)
  openOrder(state, steps)
}

/** Writes definitions of listed types from one on, until there is a piece of text or all are written, and hands it out: which is the next. */
export function defineSome(ids: usize, from: u32, count: u32): u32 {
  const before = fillings
  let i = from
  for (; i < count && fillings === before; i++) define(load<u32>(ids + ((<usize>i) << 2)))
  empty()
  return i
}

/** Hands out the declaration of a name at an offset with a type. */
export function declareName(type: u32, name: u32): void {
  putDeclaration(type, nameAt(name), 1, 0)
  empty()
}
