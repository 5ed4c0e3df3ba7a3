// The facts of a host's own files about probes, each read when first asked for: lists of functions, configuration, lockdown.

import { atOnce } from '../core/steps.ts'
import { type Absence, type FactFile, isAbsence } from '../sources/source.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { ARCHITECTURES, type Architecture, architectureOf } from './architectures.ts'
import { Blacklist } from './blacklist.ts'
import { denyList } from './deny-lists.ts'
import { FilterFunctions } from './filter-functions.ts'
import { FilterSites } from './filter-sites.ts'
import { atLeast, parseVersion, type Release, SKIPS_ENDBR_SINCE } from './kernel-rules.ts'
import { type ReservedCode, readReservedCode } from './reserved-code.ts'
import { TraceableByName, TraceableBySite, type TraceableFunctions } from './traceable.ts'

/** The source of facts: a snapshot is one. */
export interface FactSource {
  readonly symbols: SymbolTable
  readonly host: { readonly release: string | undefined; readonly source: string }
  /** The bytes of one of the host's files, or why there are none. */
  fact(name: FactFile): Uint8Array | Absence
  /** Bytes of the kernel's memory, or why they cannot be had: only the running kernel's can. */
  memory(address: bigint, length: number): Uint8Array | Absence
}

/** How strictly the kernel is locked down (/sys/kernel/security/lockdown). */
export type Lockdown = 'none' | 'integrity' | 'confidentiality'

/** Symbols of which a table of the whole kernel has more: only then does a missing name mean anything. */
const WHOLE_KERNEL = 10_000

/** The facts of one host. */
export class ProbeFacts {
  readonly #source: FactSource
  readonly #functionsNamed: (name: string, owner: string) => readonly number[]
  #architecture: { readonly found: Architecture | undefined } | undefined
  #release: { readonly found: Release | undefined } | undefined
  #clang: boolean | undefined
  #hasEndbr: boolean | undefined
  #traceable: TraceableFunctions | Absence | undefined
  #sites: { readonly found: FilterSites | undefined } | undefined
  #blacklist: Blacklist | Absence | undefined
  #errorInjection: ReadonlySet<string> | Absence | undefined
  #denied: { readonly found: ReadonlySet<string> | undefined } | undefined
  #noreturn: { readonly found: ReadonlySet<string> | undefined } | undefined
  #reserved: ReservedCode | Absence | undefined
  #config: { readonly text: string | undefined } | undefined
  readonly #options = new Map<string, boolean | undefined>()

  /** @param functionsNamed ids of the text symbols of a name and owner */
  constructor(source: FactSource, functionsNamed: (name: string, owner: string) => readonly number[]) {
    this.#source = source
    this.#functionsNamed = functionsNamed
  }

  get release(): Release | undefined {
    this.#release ??= { found: parseVersion(this.#source.host.release, this.#text('version')) }
    return this.#release.found
  }

  get architecture(): Architecture | undefined {
    this.#architecture ??= { found: architectureOf((name) => this.#has(name)) }
    return this.#architecture.found
  }

  /** The kernel was built with clang; false where nothing says so. */
  get clang(): boolean {
    this.#clang ??= /\bclang version\b/i.test(this.#text('version') ?? '')
    return this.#clang
  }

  /**
   * Whether functions of x86-64 may begin with an ENDBR64 that kprobes step over: not where the kernel surely was built
   * without indirect branch tracking.
   */
  get hasEndbr(): boolean {
    this.#hasEndbr ??=
      (this.architecture === undefined || ARCHITECTURES[this.architecture].step === undefined) &&
      atLeast(this.release, ...SKIPS_ENDBR_SINCE) !== false &&
      !this.lacks('ibt_save', 'CONFIG_X86_KERNEL_IBT')
    return this.#hasEndbr
  }

  /** Functions to which no tracing program attaches, where the kernel's symbols list them. */
  get denied(): ReadonlySet<string> | undefined {
    this.#denied ??= { found: denyList(this.#source.symbols, 'btf_id_deny') }
    return this.#denied.found
  }

  /** Functions on which fexit is refused, where the kernel's symbols list them: none where they only have the other list. */
  get noreturn(): ReadonlySet<string> | undefined {
    this.#noreturn ??= {
      found: denyList(this.#source.symbols, 'noreturn_deny') ?? (this.denied === undefined ? undefined : new Set()),
    }
    return this.#noreturn.found
  }

  /** The functions that ftrace can hook, or why they are not known. */
  get traceable(): TraceableFunctions | Absence {
    this.#traceable ??= atOnce(this.#findTraceable())
    return this.#traceable
  }

  /** Does now, step by step, what takes the longest of all that plans need. */
  *prepare(): Generator<void, void, void> {
    if (this.#traceable !== undefined) return
    const found = yield* this.#findTraceable()
    this.#traceable ??= found
    yield
    void this.blacklist
  }

  /** Their sites, where the kernel lists them and this reader may see them. */
  get sites(): FilterSites | undefined {
    this.#sites ??= { found: atOnce(this.#findSites()) }
    return this.#sites.found
  }

  get blacklist(): Blacklist | Absence {
    if (this.#blacklist === undefined) {
      const bytes = this.#source.fact('kprobes_blacklist')
      this.#blacklist = isAbsence(bytes) ? bytes : new Blacklist(Buffer.from(bytes).toString('latin1'))
    }
    return this.#blacklist
  }

  /** Instructions of the kernel's own text on which no kprobe may sit, or why they are not known. */
  get reserved(): ReservedCode | Absence {
    const { symbols } = this.#source
    this.#reserved ??= readReservedCode(
      symbols,
      (address, length) => this.#source.memory(address, length),
      (option) => this.config(option),
    )
    return this.#reserved
  }

  /** Functions whose errors may be injected, as `module:name`; or why that is not known. */
  get errorInjection(): ReadonlySet<string> | Absence {
    if (this.#errorInjection === undefined) {
      const bytes = this.#source.fact('error_injection_list')
      this.#errorInjection = isAbsence(bytes) ? bytes : parseInjectionList(Buffer.from(bytes).toString('latin1'))
    }
    return this.#errorInjection
  }

  /** Kprobes were disarmed as a whole. */
  get kprobesDisarmed(): boolean {
    return this.#text('kprobes_enabled')?.trim() === '0'
  }

  /** Kprobes may sit on functions that ftrace cannot hook (CONFIG_KPROBE_EVENTS_ON_NOTRACE). */
  get kprobesOnNotrace(): boolean {
    return this.config('CONFIG_KPROBE_EVENTS_ON_NOTRACE') === true
  }

  /** `none` where nothing tells. */
  get lockdown(): Lockdown {
    const level = /\[(\w+)\]/.exec(this.#text('lockdown') ?? '')?.[1]
    return level === 'integrity' || level === 'confidentiality' ? level : 'none'
  }

  /** Whether an option is built in or a module; undefined where the configuration is not known. */
  config(option: string): boolean | undefined {
    if (!this.#options.has(option)) {
      this.#config ??= { text: this.#text('config') }
      const { text } = this.#config
      this.#options.set(option, text === undefined ? undefined : new RegExp(`^${option}=[ym]$`, 'm').test(text))
    }
    return this.#options.get(option)
  }

  /** Whether the kernel surely lacks something: its configuration says so, or without one a whole table has not the function. */
  lacks(symbol: string, option: string): boolean {
    if (this.#has(symbol) || this.config(option) === true) return false
    return this.#source.symbols.size > WHOLE_KERNEL || this.config(option) === false
  }

  *#findSites(): Generator<void, FilterSites | undefined, void> {
    const bytes = this.#source.fact('available_filter_functions_addrs')
    if (isAbsence(bytes)) return undefined
    yield
    const sites = yield* FilterSites.reading(bytes)
    return sites.hidden || sites.count === 0 ? undefined : sites
  }

  *#findTraceable(): Generator<void, TraceableFunctions | Absence, void> {
    const { symbols } = this.#source
    this.#sites ??= { found: yield* this.#findSites() }
    if (this.sites !== undefined) return yield* TraceableBySite.of(symbols, this.sites)
    const what = 'available_filter_functions'
    const bytes = this.#source.fact(what)
    if (isAbsence(bytes)) return bytes
    // No kernel that has the file has it empty; a copy that failed is.
    if (bytes.length === 0) return { what, reason: 'it is empty' }
    yield
    return new TraceableByName(symbols, yield* FilterFunctions.reading(bytes), this.#functionsNamed)
  }

  #has(symbol: string): boolean {
    return this.#source.symbols.named(symbol).length > 0
  }

  #text(name: FactFile): string | undefined {
    const bytes = this.#source.fact(name)
    return isAbsence(bytes) ? undefined : Buffer.from(bytes).toString('latin1')
  }
}

/** Lines `name<tab>type`, with ` [module]` behind a module's name (lib/error-inject.c ei_seq_show). */
function parseInjectionList(text: string): Set<string> {
  const names = new Set<string>()
  for (const line of text.split('\n')) {
    const [, name, module] = /^(\S+)(?: \[([^\]]+)\])?\t/.exec(line) ?? []
    if (name !== undefined) names.add(`${module ?? 'vmlinux'}:${name}`)
  }
  return names
}
