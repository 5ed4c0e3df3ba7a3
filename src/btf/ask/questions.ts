// The options by which types, functions and members are asked for, with their checks.

import { like, nameText, number, type Options, options as optionsOf, text, whole } from '../../core/arguments.ts'
import { type KindName, kindChoice } from '../kinds.ts'
import type { TypeCandidate } from '../read/type.ts'

/** Which types a lookup considers. */
export interface FindOptions {
  /** In any case: `STRUCT`, `struct`. */
  readonly kind?: KindName | Lowercase<KindName> | undefined
  /** The set's exact name; `vmlinux` for the kernel itself. */
  readonly module?: string | undefined
}

/** Which module's types a lookup considers: the set's exact name, `vmlinux` for the kernel itself. */
export interface ModuleOptions {
  readonly module?: string | undefined
}

const FIND_OPTIONS: Options<FindOptions> = { kind: kindChoice, module: nameText }

/** The options of lookups that ask for nothing but the module. */
export const MODULE_OPTIONS: Options<ModuleOptions> = { module: nameText }

/** The options by which functions are asked for. Types are written as in C, such as `struct sk_buff *`; qualifiers do not count. */
export interface FunctionQuestion extends ModuleOptions {
  /** A type that one of the parameters has, through typedefs. */
  readonly takes?: string | undefined
  /** Which parameter has to be of that type, counted from 1; without it, any. */
  readonly as?: number | undefined
  /** The type that is returned, through typedefs; `void` for nothing. */
  readonly returns?: string | undefined
  /** A name, or a pattern (`*`, `?`, `[…]`). */
  readonly name?: string | undefined
}

/** A function has no more parameters than this, whatever BTF says. */
const MOST_PARAMS = 1 << 16

/** The part of a question that is about the prototype. */
export const TYPES_ASKED: Options<Pick<FunctionQuestion, 'takes' | 'as' | 'returns'>> = {
  takes: nameText,
  as: whole(1, MOST_PARAMS),
  returns: nameText,
}

export const FUNCTION_QUESTION: Options<FunctionQuestion> = {
  ...TYPES_ASKED,
  name: text,
  module: nameText,
}

/** Which members are asked for by name. */
export interface MemberQuestion extends ModuleOptions {
  /** Only members of this type, or arrays of it, written as in C. */
  readonly type?: string | undefined
}

export const MEMBER_QUESTION: Options<MemberQuestion> = { type: nameText, module: nameText }

/** A type by its identity. */
export const CANDIDATE = like<TypeCandidate>(
  { module: nameText, id: number },
  "a type's name, or a type with module and id",
)

/** The options of a lookup, with the kind as it is stored. */
export interface FindQuery extends ModuleOptions {
  readonly kind?: KindName | undefined
}

/** @throws UsageError */
export function findQuery(options: FindOptions | undefined, of: string): FindQuery {
  // The check of the kind gives it as it is stored.
  return optionsOf(options, of, FIND_OPTIONS) as FindQuery
}
