// Why a probe cannot be attached, or cannot be judged: stable codes with words for people.

/** The planner's verdict on a target. */
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
  | 'MID_INSTRUCTION'
  | 'FRAGMENT'
  | 'PADDING'
  | 'LABEL'
  | 'NOT_TEXT'
  | 'INIT_TEXT'
  | 'BLACKLISTED'
  | 'RESERVED'
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
  | 'UNKNOWN_WHICH'
  | 'UNKNOWN_ARCHITECTURE'
  | 'UNKNOWN_RELEASE'
  | 'UNKNOWN_ERROR_INJECTION'
  | 'UNKNOWN_ARGUMENTS'

export type ReasonCode = RefusalCode | UnknownCode

/** The cautions: kerndex refuses these although the kernel may take them; `allow` switches each of them off. */
export const CAUTIONS = [
  'AMBIGUOUS',
  'FRAGMENT',
  'LABEL',
  'OUT_OF_BOUNDS',
  'MODULE_NOT_LOADED',
  'KPROBES_DISABLED',
  'NORETURN',
] as const satisfies readonly RefusalCode[]

export type Caution = (typeof CAUTIONS)[number]

/** Every caution counts. */
export const NO_CAUTION: ReadonlySet<Caution> = new Set()

/** One reason against a verdict of `ok`. */
export interface Reason {
  readonly code: ReasonCode
  readonly message: string
  /** Who refuses: the kernel, or kerndex of its own accord while the kernel may take it. */
  readonly by: 'kernel' | 'kerndex'
}

/** Things worth knowing that do not stand in the way. */
export type WarningCode =
  | 'SUFFIX_MATCH'
  | 'VARIANTS_MISSED'
  | 'DUPLICATE_NAME'
  | 'FIRST_OF_SEVERAL'
  | 'FENTRY_NOT_POSSIBLE'
  | 'LOCKED_DOWN'
  | 'SKIPPED'
  | 'NO_MULTI'

export interface Warning {
  readonly code: WarningCode
  readonly message: string
}

/** No reason at all. */
export const NONE: readonly Reason[] = Object.freeze([])

/** A refusal of the kernel, or a fact that is missing to tell; of kerndex where it concerns what was asked of kerndex alone. */
export function reason(code: ReasonCode, message: string, by: Reason['by'] = 'kernel'): Reason {
  return { code, message, by }
}

/** A refusal of kerndex alone; the message says how to have it left to the kernel. */
export function caution(code: Caution, message: string): Reason {
  const off = `allow ${code} (--allow ${code}, or { allow: ['${code}'] }) leaves it to the kernel`
  return { code, message: `${message}; ${off}`, by: 'kerndex' }
}

/** The verdict that reasons add up to: one refusal is enough for `no`, one missing fact for `unknown`. */
export function verdictOf(reasons: readonly Reason[]): Verdict {
  if (reasons.length === 0) return 'ok'
  return reasons.every(({ code }) => code.startsWith('UNKNOWN_')) ? 'unknown' : 'no'
}

/** Whether one of the reasons is a refusal of the kernel's, or of kerndex's. */
export function isRefused(reasons: readonly Reason[], by: Reason['by']): boolean {
  return reasons.some((each) => each.by === by && !each.code.startsWith('UNKNOWN_'))
}

/** Whether one verdict is better than another: ok before unknown before no. */
export function isBetter(a: Verdict, b: Verdict): boolean {
  return RANK[a] < RANK[b]
}

const RANK: Readonly<Record<Verdict, number>> = { ok: 0, unknown: 1, no: 2 }
