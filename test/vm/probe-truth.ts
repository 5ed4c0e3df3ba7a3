// What a kernel says to attempts to attach, and how a plan's verdict compares with it. Pure.
import type { PlanOptions, ProbePlan, Probes } from 'kerndex'
import type { Outcome } from './outcome.ts'

/** What came of one attempt. Errors are names such as `EINVAL`; an empty one means that it went well. */
export interface AttemptTruth {
  /** The kind of place that it was chosen for. */
  readonly class: string
  readonly kind: 'kprobe' | 'kretprobe' | 'fprobe' | 'fentry' | 'fexit' | 'fmod_ret'
  /** What the kernel was given, and what kerndex is asked about: `[MODULE:]FUNCTION[+OFFSET]` or an address. */
  readonly target: string
  /** Of defining or loading it. */
  readonly refused: string
  /** What the kernel says of that. */
  readonly said: string
  /** Of enabling or attaching it; undefined where that was not tried. */
  readonly enabling?: string
}

/** A line for kprobe_events that a plan printed, and what the kernel said to it. */
export interface LineTruth {
  readonly line: string
  readonly refused: string
  readonly said: string
}

/** How a plan's verdict compares with what the kernel did. */
export function compareAttempt(check: string, probes: Probes, truth: AttemptTruth): Outcome {
  const { kind, target, said } = truth
  const refused = truth.refused || truth.enabling || ''
  // Loading a program asks less than attaching it.
  const onlyLoaded = refused === '' && truth.enabling === undefined && /^f(entry|exit|mod_ret)$/.test(kind)
  const kernel = onlyLoaded ? 'loads' : refused === '' ? 'takes' : 'refuses'
  const spec = `${kind === 'fprobe' ? 'kprobe' : kind}:${target}`
  const { kerndex, codes } = kind === 'fprobe' ? multiVerdict(probes, spec) : verdictOn(probes, spec)
  const wrong =
    kerndex === 'unknown' ||
    (kernel === 'takes'
      ? kerndex === 'no' || kerndex === 'caution, then no'
      : kernel === 'refuses' &&
        (OKS.includes(kerndex) || (SAID_OTHERWISE.includes(kerndex) && !/not unique/.test(said))))
  return {
    check: `${check}, ${kind}`,
    class: `${truth.class}${codes === '' ? '' : ` ${codes}`}`,
    kernel,
    kerndex,
    wrong,
    subject: `${spec}: the kernel ${refused === '' ? 'takes it' : `${refused} ${said}`}, kerndex ${kerndex} ${codes}`,
  }
}

/** What kerndex refuses although the kernel may not, switched off. */
const ALL_CAUTIONS = [
  'AMBIGUOUS',
  'FRAGMENT',
  'LABEL',
  'OUT_OF_BOUNDS',
  'MODULE_NOT_LOADED',
  'KPROBES_DISABLED',
  'NORETURN',
] as const satisfies PlanOptions['allow']

const OKS = ['ok', 'caution, then ok']
const SAID_OTHERWISE = ['ok, said otherwise', 'caution, then ok, said otherwise']

/**
 * `ok`, also where the plan names the function otherwise because others share its name; `no` where the kernel is said to refuse; `unknown`; `caution`
 * where kerndex alone refuses, with the verdict that is left without its cautions. With the reasons' codes.
 */
function verdictOn(probes: Probes, spec: string) {
  const plan = probes.plan(spec)
  const reasons = plan.specs.flatMap(({ targets, rejected }) => {
    return [...targets, ...rejected].flatMap((target) => target.reasons)
  })
  const codes = [...new Set(reasons.map(({ code }) => code))].sort().join('+')
  if (plan.verdict !== 'no' || reasons.some(({ by }) => by === 'kernel')) return { kerndex: inWords(plan, spec), codes }
  return { kerndex: `caution, then ${inWords(probes.plan(spec, { allow: ALL_CAUTIONS }), spec)}`, codes }
}

/** Whether a multi-link takes it, which is an fprobe. */
function multiVerdict(probes: Probes, spec: string) {
  const { addresses } = probes.plan(spec, { multi: true, ambiguous: 'first', allow: ALL_CAUTIONS }).multi
  return { kerndex: addresses.length > 0 ? 'ok' : 'no', codes: '' }
}

function inWords(plan: ProbePlan, spec: string): string {
  const [, place = ''] = /^\w+:(.*)$/.exec(spec) ?? []
  const asWritten = place.startsWith('0x') ? 'address' : place.includes(':') ? 'module:name' : 'name'
  const otherwise = plan.targets.some(({ kind, attach }) => {
    return kind.startsWith('k') && attach !== undefined && attach.method !== 'multi' && attach.method !== asWritten
  })
  return plan.verdict === 'ok' && otherwise ? 'ok, said otherwise' : plan.verdict
}

/** A printed line as it stands. */
export function compareLine(check: string, { line, refused, said }: LineTruth): Outcome {
  return {
    check,
    class: line.startsWith('r') ? 'kretprobe' : 'kprobe',
    kernel: refused === '' ? 'takes' : 'refuses',
    kerndex: 'prints',
    wrong: refused !== '',
    subject: `${line}: the kernel ${refused === '' ? 'takes it' : `${refused} ${said}`}`,
  }
}
