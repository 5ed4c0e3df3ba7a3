// A plan: what to attach for one or several specifications, in order, and what to say of the rest.

import { TYPES_ASKED } from '../btf/ask/questions.ts'
import { callback, choice, flag, iterable, listOf, nameText, type Options } from '../core/arguments.ts'
import { counted, INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { printable } from '../core/printable.ts'
import { FunctionsByType } from './by-type.ts'
import type { ProbeContext } from './context.ts'
import { EventNames } from './event-names.ts'
import { expand } from './expand.ts'
import { isTrampoline } from './kinds.ts'
import { CAUTIONS, type Caution, type Reason, reason, type Verdict, type Warning } from './reasons.ts'
import { fitsMulti, hasMulti } from './recipe.ts'
import { type ProbeSpec, parseSpec } from './spec.ts'
import type { AmbiguityPolicy, ProbeTarget, TargetSettings } from './target.ts'

/** The options of a plan, beside the specifications. */
export interface PlanOptions {
  /**
   * Take `foo.isra.0`, `foo.constprop.0`, … for kprobes where there is no `foo`. Default false: they are only offered,
   * because their arguments may not be the ones that the source code names.
   */
  readonly looseSuffix?: boolean | undefined
  /** How to treat one name that is several functions; default: say so and attach to none. */
  readonly ambiguous?: AmbiguityPolicy | undefined
  /** Names of the arguments that the probe uses. Functions share a probe only if these agree. */
  readonly args?: readonly string[] | undefined
  /** Attach kprobes by one multi-link where that is possible. */
  readonly multi?: boolean | undefined
  /**
   * Cautions of kerndex's that are left to the kernel: reasons of these codes that say `by: 'kerndex'` do not count, and the
   * verdict is the kernel's. Default none.
   */
  readonly allow?: readonly Caution[] | undefined
  /** Only functions one of whose parameters has this type, written as in C; through typedefs, and qualifiers do not count. */
  readonly takes?: string | undefined
  /** Which parameter has to be of the type of `takes`, counted from 1; without it, any. */
  readonly as?: number | undefined
  /** Only functions that return this type; `void` for nothing. */
  readonly returns?: string | undefined
}

/** The options of `plan`, with their checks. */
export const PLAN_OPTIONS: Options<PlanOptions> = {
  looseSuffix: flag,
  ambiguous: choice<AmbiguityPolicy>('error', 'all', 'first'),
  args: listOf(nameText, 'names of arguments'),
  multi: flag,
  // Made when it is needed: the reasons are in a file that importing kerndex does not read.
  allow: (value, name) => listOf(choice(...CAUTIONS), 'cautions')(value, name),
  ...TYPES_ASKED,
}

/** The plan of one specification. */
export interface SpecPlan {
  readonly spec: ProbeSpec
  /** `ok` if all of its targets are, `no` if it has none that can be attached. */
  readonly verdict: Verdict
  /** The targets to attach, or the one that says why not. */
  readonly targets: readonly ProbeTarget[]
  /** The targets that a glob matched and that cannot be attached to. */
  readonly rejected: readonly ProbeTarget[]
}

/** Functions whose used arguments have the same types and places: they can share a probe. */
export interface ArgumentGroup {
  /** `name: type @ location` of each used argument. */
  readonly signature: string
  readonly targets: readonly ProbeTarget[]
}

const NO_MULTI: Warning = {
  code: 'NO_MULTI',
  message: 'this kernel has no kprobe multi-links (CONFIG_FPROBE): attaching one gives EOPNOTSUPP, attach one by one',
}

/** The functions that one kprobe multi-link takes, each place once. */
export interface MultiList {
  /** Undefined where a name does not tell its function from others; addresses do always. */
  readonly symbols: readonly string[] | undefined
  readonly addresses: readonly bigint[]
  /** How many of the plan's targets are none of them: trampolines, and what ftrace may not be able to hook. */
  readonly leftOut: number
  /** Whether the kernel has such links (CONFIG_FPROBE, since Linux 5.18). */
  readonly supported: boolean
}

/** Targets of a plan that `console.log` shows. */
const MOST_SHOWN = 8

/** The plan of all specifications. */
export class ProbePlan {
  readonly specs: readonly SpecPlan[]
  /**
   * `no` if nothing can be attached, if a single specification cannot, or if the functions disagree about the arguments
   * that are used; `unknown` if a fact is missing for some target; else `ok`. One of several specifications that cannot be
   * attached is a warning.
   */
  readonly verdict: Verdict
  /** Reasons that concern the plan as a whole. */
  readonly reasons: readonly Reason[]
  readonly warnings: readonly Warning[]
  /** What to attach, in order; what is unknown is among it where there is something to try. Attach all of it, or take back what was attached: see `attachAll`. */
  readonly targets: readonly ProbeTarget[]
  /** By the arguments that are used; one group where they agree. Empty where no arguments were named. */
  readonly groups: readonly ArgumentGroup[]
  readonly #context: ProbeContext

  constructor(context: ProbeContext, specs: readonly SpecPlan[], settings: TargetSettings) {
    const { args, multi, events } = settings
    this.#context = context
    this.specs = specs
    this.targets = specs.flatMap(({ targets }) => targets.filter(({ isPlace }) => isPlace))
    events.over(this.targets)
    const failed = specs.filter(({ verdict }) => verdict === 'no')
    const skipped = failed.map(({ spec, targets }): Warning => {
      const why = targets[0]?.reasons.map(({ message }) => message).join('; ')
      return { code: 'SKIPPED', message: `${spec.text} is skipped: ${why}` }
    })
    this.warnings = [...(specs.length > 1 ? skipped : []), ...(multi && !hasMulti(context) ? [NO_MULTI] : [])]
    this.groups = args === undefined || args.length === 0 ? [] : groupByArguments(this.targets, args)
    const differing = this.groups.length > 1 ? disagreement(this.groups) : args && this.#lacking()
    this.reasons =
      differing !== undefined
        ? [differing]
        : this.targets.length === 0
          ? specs.flatMap(({ targets }) => targets[0]?.reasons ?? [])
          : []
    this.verdict =
      differing !== undefined || failed.length === specs.length
        ? 'no'
        : specs.some(({ verdict }) => verdict === 'unknown')
          ? 'unknown'
          : 'ok'
  }

  /** Why functions that lack an argument, beside others that have it, cannot share a probe with those. */
  #lacking(): Reason | undefined {
    const lacking = this.specs
      .flatMap(({ targets }) => targets.flatMap(({ reasons }) => reasons))
      .find(({ code }) => code === 'ARGS_DISAGREE')
    return this.targets.length === 0 ? undefined : lacking
  }

  /** The type sets opened so far for this plan and those before it on the same kernel; vmlinux first. */
  get opened(): readonly string[] {
    return [...this.#context.opened]
  }

  /** The modules that the plan's targets are in, in order. */
  get modules(): readonly string[] {
    return [...new Set(this.targets.flatMap(({ module }) => module ?? []))]
  }

  /** Those of the plan's kprobes that one kprobe multi-link takes. */
  get multi(): MultiList {
    const { symbols } = this.#context
    const able = new Map<bigint, string>()
    let leftOut = 0
    for (const { kind, symbolId: id, offset, address, function: name } of this.targets) {
      const fits = !isTrampoline(kind) && id !== undefined && fitsMulti(this.#context, id, offset)
      if (!fits || address === undefined) leftOut++
      else if (!able.has(address)) able.set(address, name)
    }
    const names = [...able.values()]
    const unique = names.every((name) => symbols.named(name).length === 1)
    return {
      symbols: unique ? names : undefined,
      addresses: [...able.keys()],
      leftOut,
      supported: hasMulti(this.#context),
    }
  }

  [Symbol.iterator](): Iterator<ProbeTarget> {
    return this.targets[Symbol.iterator]()
  }

  /** Everything that was worked out; targets as theirs is. */
  toJSON() {
    const { verdict, reasons, warnings, specs } = this
    return {
      verdict,
      reasons,
      warnings,
      specs: specs.map((each) => ({
        spec: each.spec.text,
        verdict: each.verdict,
        targets: each.targets.map((target) => target.toJSON()),
        rejected: each.rejected.length,
      })),
    }
  }

  toString(): string {
    const specs = printable(this.specs.map(({ spec }) => spec.text).join(', '))
    return `plan of ${specs}: ${this.verdict}, ${counted(this.targets.length, 'target')}`
  }

  /** What `console.log` shows: a line for each of the first targets. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    const { verdict, specs, targets } = this
    const fields = () => ({
      verdict,
      specs: specs.map(({ spec }) => spec.text),
      targets: targets.slice(0, MOST_SHOWN).map(String),
      of: targets.length,
    })
    return inspected('ProbePlan', fields, depth, options, inspect)
  }
}

/**
 * Plans specifications over a kernel.
 * @throws SpecError if one of them cannot be read
 */
export function makePlan(context: ProbeContext, specs: readonly string[], options: PlanOptions = {}): ProbePlan {
  const parsed = specs.map(parseSpec)
  const { looseSuffix = false, ambiguous = 'error', args, multi = false, allow = [] } = options
  const events = new EventNames()
  const home = { context, settings: { looseSuffix, ambiguous, args, multi, allow: new Set(allow), events } }
  const { takes, as, returns } = options
  const byType =
    (takes ?? returns ?? as) === undefined ? undefined : new FunctionsByType(context, { takes, as, returns })
  const plans = parsed.map((spec) => {
    const meant = expand(home, spec)
    const { targets, rejected } = byType === undefined ? meant : byType.among(home, spec, meant)
    const checked = args === undefined ? targets : targets.map((target) => withArguments(target, args))
    const verdicts = new Set(checked.map(({ verdict }) => verdict))
    const verdict: Verdict =
      verdicts.has('ok') || verdicts.has('unknown') ? (verdicts.has('unknown') ? 'unknown' : 'ok') : 'no'
    return { spec, verdict, targets: checked, rejected }
  })
  return new ProbePlan(context, plans, home.settings)
}

/** The target, refused if an argument that the probe uses is not there. */
function withArguments(target: ProbeTarget, used: readonly string[]): ProbeTarget {
  if (target.verdict === 'no') return target
  const { args } = target
  const reasons: Reason[] = []
  for (const wanted of used) {
    const found = args.find(({ name }) => name === wanted)
    if (target.btf === undefined) {
      reasons.push(
        reason(
          'UNKNOWN_ARGUMENTS',
          `No BTF found for ${target.module}:${target.function}: argument ${wanted} is not known`,
          'kerndex',
        ),
      )
    } else if (found === undefined) {
      const names = args.map(({ name }) => name).join(', ')
      reasons.push(
        reason(
          'ARGS_DISAGREE',
          `${target.function} has no argument ${wanted}; it has ${names === '' ? 'none' : names}`,
          'kerndex',
        ),
      )
    } else if (found.location === undefined || found.trusted === 'unknown' || found.trusted === 'no') {
      const what = `where ${target.function} has its argument ${wanted} is not known`
      reasons.push(reason('UNKNOWN_ARGUMENTS', what, 'kerndex'))
    }
  }
  return reasons.length === 0 ? target : target.refused(reasons)
}

function groupByArguments(targets: readonly ProbeTarget[], used: readonly string[]): ArgumentGroup[] {
  const groups = new Map<string, ProbeTarget[]>()
  for (const target of targets) {
    const { args } = target
    const signature = used
      .map((wanted) => {
        const found = args.find(({ name }) => name === wanted)
        return `${wanted}: ${found?.type ?? '?'} @ ${found?.location ?? '?'}`
      })
      .join(', ')
    const same = groups.get(signature)
    if (same === undefined) groups.set(signature, [target])
    else same.push(target)
  }
  return [...groups].map(([signature, members]) => ({ signature, targets: members }))
}

function disagreement(groups: readonly ArgumentGroup[]): Reason {
  const examples = groups.slice(0, 4).map(({ signature, targets }) => `${targets[0]?.function} (${signature})`)
  const more = groups.length > 4 ? `, … ${groups.length - 4} more` : ''
  const message = `the arguments that are used differ, so these functions cannot share a probe: ${examples.join('; ')}${more}`
  return reason('ARGS_DISAGREE', message, 'kerndex')
}

/**
 * Attaches a plan's targets in order through the caller's function, which gives back how to detach. If one fails, all that
 * were attached are detached, the last one first, and the failure is thrown: a plan is attached whole or not at all.
 */
export async function attachAll(
  targets: Iterable<ProbeTarget>,
  attach: (target: ProbeTarget) => Promise<() => Promise<void> | void>,
): Promise<() => Promise<void>> {
  iterable('targets, such as plan.targets')(targets, 'targets')
  callback(attach, 'attach')
  const undo: (() => Promise<void> | void)[] = []
  const detachAll = async () => {
    const failures: unknown[] = []
    for (let detach = undo.pop(); detach !== undefined; detach = undo.pop()) {
      try {
        await detach()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'some probes could not be detached')
  }
  try {
    for (const target of targets) undo.push(await attach(target))
  } catch (error) {
    await detachAll().catch((left: unknown) => {
      throw new AggregateError([error, left], 'attaching failed, and so did taking back what was attached')
    })
    throw error
  }
  return detachAll
}
