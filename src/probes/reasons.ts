// Why a probe cannot be attached, or cannot be judged: stable codes with words for people.

/** What the planner says of a target. */
export type Verdict = 'ok' | 'no' | 'unknown'

/** Codes of reasons for `no`. */
export type RefusalCode =
  | 'NOT_FOUND'
  | 'NO_MATCH'
  | 'MODULE_NOT_LOADED'
  | 'NOT_A_FUNCTION'
  | 'AMBIGUOUS'
  | 'OUT_OF_BOUNDS'
  | 'BAD_RETPROBE'
  | 'FRAGMENT'
  | 'PADDING'
  | 'LABEL'
  | 'NOT_TEXT'
  | 'INIT_TEXT'
  | 'BLACKLISTED'
  | 'NOTRACE'
  | 'KPROBES_OFF'
  | 'KPROBES_DISABLED'
  | 'FTRACE_OFF'
  | 'LOCKDOWN'
  | 'NO_TRAMPOLINE'
  | 'NO_BTF'
  | 'BTF_NO_ADDRESS'
  | 'DENIED'
  | 'NORETURN'
  | 'TOO_MANY_ARGS'
  | 'UNSUPPORTED_PROTOTYPE'
  | 'NOT_ERROR_INJECTABLE'
  | 'ARGS_DISAGREE'

/** Codes of reasons for `unknown`: each names a fact that is missing. */
export type UnknownCode =
  | 'UNKNOWN_TRACEABLE'
  | 'UNKNOWN_WHICH_TRACEABLE'
  | 'UNKNOWN_BLACKLIST'
  | 'UNKNOWN_BTF'
  | 'UNKNOWN_INSTRUCTION'
  | 'UNKNOWN_LOCKDOWN'
  | 'UNKNOWN_ARCHITECTURE'
  | 'UNKNOWN_RELEASE'
  | 'UNKNOWN_ERROR_INJECTION'
  | 'UNKNOWN_ARGUMENTS'

export type ReasonCode = RefusalCode | UnknownCode

/** One reason against a verdict of `ok`. */
export interface Reason {
  readonly code: ReasonCode
  readonly message: string
}

/** Things worth knowing that do not stand in the way. */
export type WarningCode =
  | 'SUFFIX_MATCH'
  | 'VARIANTS_MISSED'
  | 'DUPLICATE_NAME'
  | 'FIRST_OF_SEVERAL'
  | 'FENTRY_NOT_POSSIBLE'
  | 'SKIPPED'
  | 'NO_MULTI'

export interface Warning {
  readonly code: WarningCode
  readonly message: string
}

/** No reason at all. */
export const NONE: readonly Reason[] = Object.freeze([])

export function reason(code: ReasonCode, message: string): Reason {
  return { code, message }
}

/** The verdict that reasons add up to: one refusal is enough for `no`, one missing fact for `unknown`. */
export function verdictOf(reasons: readonly Reason[]): Verdict {
  if (reasons.length === 0) return 'ok'
  return reasons.every(({ code }) => code.startsWith('UNKNOWN_')) ? 'unknown' : 'no'
}

/** Whether one verdict is better than another: ok before unknown before no. */
export function isBetter(a: Verdict, b: Verdict): boolean {
  return RANK[a] < RANK[b]
}

const RANK: Readonly<Record<Verdict, number>> = { ok: 0, unknown: 1, no: 2 }
