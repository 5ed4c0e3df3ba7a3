// What kinds of types have in common, as the kernel's checks see it.
import {
  KIND_ARRAY,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
  KIND_VAR,
  KIND_VOID,
} from './format.ts'
import { isModifier } from './type.ts'

export const isStruct = (kind: number): boolean => kind === KIND_STRUCT || kind === KIND_UNION
/** Kinds that refer to others and that nothing may refer to, except each other. */
export const isSourceOnly = (kind: number): boolean =>
  kind === KIND_VAR || kind === KIND_DECL_TAG || kind === KIND_DATASEC

export function hasSize(kind: number): boolean {
  return (
    kind === KIND_INT ||
    isStruct(kind) ||
    kind === KIND_ENUM ||
    kind === KIND_ENUM64 ||
    kind === KIND_DATASEC ||
    kind === KIND_FLOAT
  )
}

export function hasNoSize(kind: number): boolean {
  return (
    kind === KIND_VOID || kind === KIND_FWD || kind === KIND_FUNC || kind === KIND_FUNC_PROTO || kind === KIND_DECL_TAG
  )
}

export function needsResolving(kind: number): boolean {
  return (
    isModifier(kind) ||
    kind === KIND_PTR ||
    isStruct(kind) ||
    kind === KIND_ARRAY ||
    isSourceOnly(kind) ||
    kind === KIND_FUNC
  )
}
