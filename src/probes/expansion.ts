// What expansion works in and gives: a kernel, what the caller asked for, and targets.

import type { ProbeContext } from './context.ts'
import type { FuncRef } from './describe.ts'
import type { Reason } from './reasons.ts'
import type { ProbeKind } from './spec.ts'
import { ProbeTarget, type TargetDetails, type TargetSettings } from './target.ts'

/** What to do with one name that stands for several functions. */
export type AmbiguityPolicy = 'error' | 'all' | 'first'

/** What expansion depends on beside the specification. */
export interface ExpandSettings extends TargetSettings {
  /** Take a variant such as `foo.isra.0` where there is no `foo`. */
  readonly looseSuffix: boolean
  readonly ambiguous: AmbiguityPolicy
}

/** What targets are made in. */
export interface Home {
  readonly context: ProbeContext
  readonly settings: ExpandSettings
}

/** What a specification means: targets that can be attached or perhaps, and those that a glob matched in vain. */
export interface Expansion {
  readonly targets: readonly ProbeTarget[]
  readonly rejected: readonly ProbeTarget[]
}

/** A target in one piece. */
export interface TargetParts extends TargetDetails {
  readonly spec: string
  readonly kind: ProbeKind
  /** Its symbol, if there is one. */
  readonly id?: number | undefined
  /** A FUNC that is already known. */
  readonly func?: FuncRef | undefined
  readonly reasons: readonly Reason[]
}

export function targetOf({ context, settings }: Home, parts: TargetParts): ProbeTarget {
  const { spec, kind, id, func, reasons, ...details } = parts
  return new ProbeTarget({ context, settings, spec, kind, set: func?.set }, id, func?.id, reasons, details)
}
