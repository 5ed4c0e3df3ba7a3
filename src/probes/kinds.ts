// The kinds of probes, a row each: how they are spelled, by what they are attached, when they fire and what they are refused for. A new
// kind is a row here, and what it is refused for beyond that in trampoline-reasons.ts or kprobe-reasons.ts.

/** The row of a kind of probe. */
interface KindRow {
  /** Another spelling that other tools have for it. */
  readonly alias?: string
  /** Attached by a BPF trampoline, to a whole function that is found by its name in BTF; or a breakpoint or ftrace's call. */
  readonly by: 'trampoline' | 'kprobe'
  /** It fires when the function returns. */
  readonly returns: boolean
  /** A program may use it to change what the function returns (BPF_MODIFY_RETURN). */
  readonly modifies?: boolean
  /** The function's arguments are still known when the probe fires. */
  readonly keepsArguments: boolean
  /** bpftrace has attach points of the kind; `at any offset` in a function. */
  readonly bpftrace: 'at any offset' | 'at the entry' | 'none'
}

const ROWS = {
  kprobe: { by: 'kprobe', returns: false, keepsArguments: true, bpftrace: 'at any offset' },
  // Not even at the offset behind an ENDBR64.
  kretprobe: { by: 'kprobe', returns: true, keepsArguments: false, bpftrace: 'at the entry' },
  fentry: { alias: 'kfunc', by: 'trampoline', returns: false, keepsArguments: true, bpftrace: 'at the entry' },
  fexit: { alias: 'kretfunc', by: 'trampoline', returns: true, keepsArguments: true, bpftrace: 'at the entry' },
  fmod_ret: { by: 'trampoline', returns: false, modifies: true, keepsArguments: true, bpftrace: 'none' },
} as const satisfies Readonly<Record<string, KindRow>>

type Rows = typeof ROWS

/** The kinds that can be attached. */
export type ProbeKind = keyof Rows
type KindsBy<By> = { [Kind in ProbeKind]: Rows[Kind]['by'] extends By ? Kind : never }[ProbeKind]
/** The kinds that are attached as BPF trampolines. */
export type TrampolineKind = KindsBy<'trampoline'>
/** The kinds that are attached as kprobes. */
export type KprobeKind = KindsBy<'kprobe'>

/** The rows, by kind. */
export const PROBE_KINDS: Readonly<Record<ProbeKind, KindRow>> = ROWS

/** A trampoline, and what is taken where none can be attached. */
export type BestKinds = readonly [TrampolineKind, KprobeKind]

/** Words that may stand in place of a kind: the best one there is, in the order of preference. */
const BEST = {
  entry: ['fentry', 'kprobe'],
  return: ['fexit', 'kretprobe'],
} as const satisfies Readonly<Record<string, BestKinds>>
type BestKind = keyof typeof BEST

/** A kind, or the word for the best one at a function's entry or return. */
export type AskedKind = ProbeKind | BestKind

/** Kinds as they are spelled, in any of their spellings. */
export const SPELLINGS: ReadonlyMap<string, AskedKind> = new Map<string, AskedKind>([
  ...names(ROWS).map((kind) => [kind, kind] as const),
  ...names(ROWS).flatMap((kind) => {
    const { alias } = PROBE_KINDS[kind]
    return alias === undefined ? [] : [[alias, kind] as const]
  }),
  ...names(BEST).map((asked) => [asked, asked] as const),
])

/** The kinds that can be asked for, each in the spelling that kerndex itself uses. */
export const ASKED_KINDS: readonly AskedKind[] = [...new Set(SPELLINGS.values())]

/** A table's own keys. */
function names<Row extends object>(table: Row): (keyof Row)[] {
  return Object.keys(table) as (keyof Row)[] // Its own.
}

/** Whether the best is asked for, not one kind. */
export function isBest(asked: AskedKind): asked is BestKind {
  return asked in BEST
}

/** The kinds that are the best, in the order of preference. */
export function bestOf(asked: BestKind): BestKinds {
  return BEST[asked]
}

/** The kind of a target for which nothing was found: the one that was asked for, or the first of the best. */
export function firstKind(asked: AskedKind): ProbeKind {
  return isBest(asked) ? BEST[asked][0] : asked
}

/** The kind of kprobe that an address is probed by. */
export function kprobeKind(asked: AskedKind): KprobeKind {
  return isReturn(asked) ? BEST.return[1] : BEST.entry[1]
}

/** Whether a kind's probes can only sit at a whole function, found by name. */
export function isTrampoline(kind: AskedKind): kind is TrampolineKind {
  return !isBest(kind) && PROBE_KINDS[kind].by === 'trampoline'
}

/** Whether a kind fires when the function returns. */
export function isReturn(kind: AskedKind): boolean {
  return PROBE_KINDS[firstKind(kind)].returns
}
