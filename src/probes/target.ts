// One place that a plan looked at: what it is, whether a probe can be attached there, how, and with which arguments.

import { prototypeOf } from '../btf/ask/functions.ts'
import type { TypeSet } from '../btf/read/type-set.ts'
import { formatAddress } from '../core/address.ts'
import { INSPECT, type Inspect, inspected } from '../core/explain.ts'
import { printable } from '../core/printable.ts'
import { argumentsOf, type FunctionArgument, returnedBy } from './arguments.ts'
import type { ProbeContext } from './context.ts'
import { placeText, returnRegister } from './conventions.ts'
import { type Candidate, candidateOf, type FuncRef, funcOf, trustIn, variantsBeside } from './describe.ts'
import type { EventNames } from './event-names.ts'
import { isTrampoline, PROBE_KINDS, type ProbeKind } from './kinds.ts'
import { lockdownWarning } from './obstacles.ts'
import { siteOf } from './places.ts'
import { type Caution, type Reason, type Verdict, verdictOf, type Warning } from './reasons.ts'
import { type AttachRecipe, recipeFor, recipeToCome } from './recipe.ts'
import { splitSuffix, type Trust } from './suffix.ts'

/** An argument of a target. */
export interface TargetArgument {
  /** Empty if the prototype does not name it. */
  readonly name: string
  /** In C. */
  readonly type: string
  /** Register, stack slot or both at the function's entry; undefined where it is not known, or gone by then. */
  readonly location: string | undefined
  readonly trusted: Trust
}

/** The facts that all targets of a plan share. */
export interface TargetSettings {
  /** Names of the arguments that the probe uses; undefined: all that are there. */
  readonly args: readonly string[] | undefined
  /** Attach by one multi-link where that is possible. */
  readonly multi: boolean
  /** The cautions that are left to the kernel. */
  readonly allow: ReadonlySet<Caution>
  /** Names for kprobe_events, each once in a plan. */
  readonly events: EventNames
}

/** The facts that all targets of one specification in one module share. */
export interface TargetFamily {
  readonly context: ProbeContext
  readonly settings: TargetSettings
  /** The specification as it was given. */
  readonly spec: string
  readonly kind: ProbeKind
  /** The set of their FUNCs, where those are known already. */
  readonly set: TypeSet | undefined
}

/** Facts that few targets have. */
export interface TargetDetails {
  /** Its name, where neither a symbol nor a FUNC has it. */
  readonly function?: string | undefined
  readonly module?: string | undefined
  readonly offset?: number | undefined
  /** Its address was asked for, or is the only thing that tells it apart. */
  readonly byAddress?: boolean | undefined
  /** Its module is not loaded: kprobe_events waits for it. */
  readonly toCome?: boolean | undefined
  readonly warnings?: readonly Warning[] | undefined
  /** Symbols that may have been meant. */
  readonly candidates?: readonly number[] | undefined
  /** The function that was asked for where this is a variant of it. */
  readonly variantOf?: string | undefined
}

const NO_DETAILS: TargetDetails = Object.freeze({})

/** A place, with everything beyond the verdict worked out when it is read: a plan may have a hundred thousand. */
export class ProbeTarget {
  readonly verdict: Verdict
  /** Everything that stands in the way. Empty for `ok`. */
  readonly reasons: readonly Reason[]
  /** The id of its symbol in the table; undefined where there is none. */
  readonly symbolId: number | undefined
  readonly #family: TargetFamily
  readonly #funcId: number | undefined
  readonly #details: TargetDetails

  /** @param funcId its FUNC in the family's set, where that is known already */
  constructor(
    family: TargetFamily,
    symbolId: number | undefined,
    funcId: number | undefined,
    reasons: readonly Reason[],
    details: TargetDetails = NO_DETAILS,
  ) {
    this.verdict = verdictOf(reasons)
    this.reasons = reasons
    this.symbolId = symbolId
    this.#family = family
    this.#funcId = funcId
    this.#details = details
  }

  /** The specification as it was given. */
  get spec(): string {
    return this.#family.spec
  }

  get kind(): ProbeKind {
    return this.#family.kind
  }

  /** The symbol's name; where there is none, the name that was asked for. */
  get function(): string {
    const { function: name } = this.#details
    if (name !== undefined) return name
    if (this.symbolId !== undefined) return this.#context.symbols.nameOf(this.symbolId)
    return this.#func === undefined ? '' : this.#func.set.nameOf(this.#func.id)
  }

  /** `vmlinux` or a module; undefined where nothing was found and none was named. */
  get module(): string | undefined {
    if (this.symbolId !== undefined) return this.#context.symbols.ownerOf(this.symbolId)
    return this.#details.module ?? this.#family.set?.name
  }

  /** Bytes from the symbol's start. */
  get offset(): number {
    return this.#details.offset ?? 0
  }

  /** The same place with further reasons. */
  refused(reasons: readonly Reason[]): ProbeTarget {
    const all = [...this.reasons, ...reasons]
    return new ProbeTarget(this.#family, this.symbolId, this.#funcId, all, this.#details)
  }

  /** Other functions that may have been meant: the several of an ambiguous name, or the variants of a missing one. */
  get candidates(): readonly Candidate[] {
    return (this.#details.candidates ?? []).map((id) => candidateOf(this.#context, id))
  }

  /** Whether it names a function that a probe can be tried on: `ok`, or `unknown` with everything but certainty. */
  get isPlace(): boolean {
    if (this.verdict === 'no') return false
    if (this.symbolId === undefined) return this.#details.toCome === true
    return this.#funcId !== undefined || !isTrampoline(this.kind)
  }

  /** The symbol's address. */
  get address(): bigint | undefined {
    return this.symbolId === undefined ? undefined : this.#context.symbols.addressOf(this.symbolId)
  }

  /** Bytes of the function. */
  get size(): number | undefined {
    return this.symbolId === undefined ? undefined : this.#context.symbols.sizeOf(this.symbolId)
  }

  /**
   * Where the probe comes to be: the `__fentry__` site for a trampoline, and on x86-64 for a kprobe at the entry, which the
   * kernel moves behind an ENDBR64. Where the sites are not known, the symbol's address and offset.
   */
  get probeAddress(): bigint | undefined {
    const { address } = this
    if (address === undefined) return undefined
    return this.#site ?? address + BigInt(this.offset)
  }

  /** Whether the probe address was read from the kernel, or is the symbol's for want of its list of sites. */
  get probeAddressKnown(): boolean {
    const { architecture } = this.#context.facts
    if (this.address === undefined) return false
    if (this.#site !== undefined || (!isTrampoline(this.kind) && this.offset > 0)) return true
    return !isTrampoline(this.kind) && architecture !== undefined && architecture !== 'x86_64'
  }

  /** The FUNC that describes it, by type set and id; undefined where BTF has none. */
  get btf(): { readonly module: string; readonly id: number } | undefined {
    const func = this.#func
    return func === undefined ? undefined : { module: func.set.name, id: func.id }
  }

  /** The prototype in C, as BTF has it. */
  get prototype(): string | undefined {
    const func = this.#func
    return func === undefined ? undefined : prototypeOf(func.set, func.id)
  }

  /** Whether the symbol has the name that was asked for, or is a variant of it that the compiler made. */
  get match(): 'exact' | 'suffix' {
    return this.#details.variantOf === undefined ? 'exact' : 'suffix'
  }

  /** The compiler's suffix, such as `.isra.0`; empty without one. */
  get suffix(): string {
    return splitSuffix(this.function).suffix
  }

  /** How far the arguments are those of the prototype. */
  get argsTrusted(): Trust {
    return trustIn(this.#context, this.function, this.#func)
  }

  /** All arguments of the prototype, in order. */
  get args(): readonly TargetArgument[] {
    const { architecture } = this.#context.facts
    const trusted = this.argsTrusted
    // Behind the entry, and when a function has returned, registers hold something else; fexit has kept the arguments.
    const there = this.#atEntry && PROBE_KINDS[this.kind].keepsArguments && this.symbolId !== undefined
    return this.declaredArguments.map(({ name, type, place }) => ({
      name,
      type,
      location:
        place === undefined || architecture === undefined || !there ? undefined : placeText(architecture, place),
      trusted: there ? trusted : 'no',
    }))
  }

  /** The returned value: its type in C, and the register it is in when a function has returned. */
  get returns(): { readonly type: string; readonly location: string | undefined } | undefined {
    const func = this.#func
    if (func === undefined) return undefined
    const { architecture } = this.#context.facts
    const { type, inRegister } = returnedBy(func.set, func.id)
    return { type, location: inRegister && architecture !== undefined ? returnRegister(architecture) : undefined }
  }

  /** The arguments as BTF declares them, with their places. */
  get declaredArguments(): readonly FunctionArgument[] {
    const func = this.#func
    return func === undefined ? [] : argumentsOf(func.set, func.id, this.#context.facts.architecture)
  }

  /** Other variants of the same function that are entered on their own: calls through them are missed. */
  get variants(): readonly Candidate[] {
    return this.symbolId === undefined ? [] : variantsBeside(this.#context, this.symbolId)
  }

  /** Remarks that are no reason against the target. */
  get warnings(): readonly Warning[] {
    const lockdown = this.verdict === 'no' ? undefined : lockdownWarning(this.#context.facts, isTrampoline(this.kind))
    const given = [...(this.#details.warnings ?? []), ...(lockdown === undefined ? [] : [lockdown])]
    const { variants } = this
    if (variants.length === 0 || this.verdict === 'no') return given
    const names = [...new Set(variants.map((each) => each.function))].join(', ')
    const message = `calls through ${names} are missed: the compiler made variants of ${splitSuffix(this.function).base}`
    return [...given, { code: 'VARIANTS_MISSED', message }]
  }

  /** How to attach; undefined where the verdict is `no`, or where nothing is known to attach to. */
  get attach(): AttachRecipe | undefined {
    const { symbolId: id } = this
    if (!this.isPlace) return undefined
    const { settings } = this.#family
    const { args } = settings
    const event = settings.events.of(this)
    const { byAddress = false } = this.#details
    if (id === undefined) {
      return recipeToCome({
        kind: this.kind,
        symbol: this.function,
        module: this.module ?? '',
        offset: this.offset,
        event,
      })
    }
    const { kind, offset, btf, declaredArguments: declared } = this
    const trusted = this.argsTrusted === 'yes' || this.argsTrusted === 'likely'
    const fetched = this.#atEntry && trusted ? declared.filter(({ name }) => args?.includes(name) ?? true) : []
    const func = trusted ? this.#func : undefined
    const returned = func === undefined ? undefined : returnedBy(func.set, func.id).format
    const place = { kind, id, offset, byAddress, btf, declared, fetched, returned, event }
    return recipeFor(this.#context, settings, place)
  }

  /** Addresses as text, and null for what there is not. */
  toJSON() {
    const { returns, address, probeAddress } = this
    return {
      spec: this.spec,
      kind: this.kind,
      function: this.function,
      module: this.module ?? null,
      verdict: this.verdict,
      reasons: this.reasons,
      warnings: this.warnings,
      address: hex(address),
      probeAddress: hex(probeAddress),
      probeAddressKnown: this.probeAddressKnown,
      offset: this.offset,
      size: this.size ?? null,
      attach: attachRow(this.attach),
      btf: this.btf ?? null,
      prototype: this.prototype ?? null,
      args: this.args.map((each) => ({ ...each, location: each.location ?? null })),
      returns: returns === undefined ? null : { type: returns.type, location: returns.location ?? null },
      argsTrusted: this.argsTrusted,
      match: this.match,
      suffix: this.suffix,
      candidates: this.candidates.map((each) => ({ ...each, address: hex(each.address) })),
    }
  }

  get #context(): ProbeContext {
    return this.#family.context
  }

  get #func(): FuncRef | undefined {
    const { set } = this.#family
    if (set !== undefined && this.#funcId !== undefined) return { set, id: this.#funcId }
    return this.symbolId === undefined ? undefined : funcOf(this.#context, this.symbolId)
  }

  /** Nothing of the function has run but an ENDBR64. */
  get #atEntry(): boolean {
    return this.offset === 0 || (this.#site !== undefined && this.#site === this.probeAddress)
  }

  get #site(): bigint | undefined {
    return this.symbolId === undefined ? undefined : siteOf(this.#context, this.kind, this.symbolId, this.offset)
  }

  /** `kprobe:module:function ok`, with the codes of what stands in the way. */
  toString(): string {
    const offset = this.offset === 0 ? '' : `+0x${this.offset.toString(16)}`
    const codes = this.reasons.map(({ code }) => code).join(', ')
    const name = printable(`${this.kind}:${this.module ?? '*'}:${this.function}${offset}`)
    return `${name} ${this.verdict}${codes === '' ? '' : ` (${codes})`}`
  }

  /** What `console.log` shows. */
  [INSPECT](depth: number, options: object, inspect: Inspect): string {
    return inspected('ProbeTarget', () => this.toJSON(), depth, options, inspect)
  }
}

function hex(value: bigint | undefined): string | null {
  return value === undefined ? null : formatAddress(value)
}

function attachRow(attach: AttachRecipe | undefined) {
  if (attach === undefined) return null
  const { address, btf = null, bpftrace = null, kprobeEvents = null } = attach
  return { ...attach, address: hex(address), btf, bpftrace, kprobeEvents }
}

/** How to treat one name that stands for several functions. */
export type AmbiguityPolicy = 'error' | 'all' | 'first'

/** The options of an expansion, beside the specification. */
export interface ExpandSettings extends TargetSettings {
  /** Take a variant such as `foo.isra.0` where there is no `foo`. */
  readonly looseSuffix: boolean
  readonly ambiguous: AmbiguityPolicy
}

/** The context in which targets are made. */
export interface Home {
  readonly context: ProbeContext
  readonly settings: ExpandSettings
}

/** The targets of a specification: those that can be attached or perhaps can, and those that a glob matched in vain. */
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
