// What the planner knows of a kernel: its symbols and types, and what the host's files say, each read when first needed.

import type { TypeSet } from '../btf/type-set.ts'
import type { Types } from '../btf/types.ts'
import { KerndexError } from '../core/errors.ts'
import { type Absence, type FactFile, isAbsence } from '../sources/source.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { Blacklist } from './blacklist.ts'
import type { Architecture } from './conventions.ts'
import { FilterFunctions } from './filter-functions.ts'
import { FilterSites } from './filter-sites.ts'
import { ARCHITECTURE_SYMBOLS, parseVersion, type Release } from './kernel-rules.ts'
import { type Reason, reason } from './reasons.ts'
import { SuffixIndex } from './suffix-index.ts'

/** What plans are made from: a snapshot is one. */
export interface ProbeSource {
  readonly symbols: SymbolTable
  readonly types: Types
  readonly host: { readonly release: string | undefined; readonly source: string }
  /** The bytes of one of the host's files, or why there are none. */
  fact(name: FactFile): Uint8Array | Absence
}

/** Symbols of which a table of the whole kernel has more: only then does a missing name mean anything. */
const WHOLE_KERNEL = 10_000

/** A kernel as the planner sees it. */
export class ProbeContext {
  readonly symbols: SymbolTable
  readonly release: Release | undefined
  /** The type sets that plans have looked into, in the order they were first needed. */
  readonly opened = new Set<string>()
  readonly #source: ProbeSource
  readonly #kept = new Map<string, unknown>()
  readonly #sets = new Map<string, TypeSet | Reason>()

  constructor(source: ProbeSource) {
    this.#source = source
    this.symbols = source.symbols
    this.release = parseVersion(source.host.release)
  }

  get architecture(): Architecture | undefined {
    return this.#keep('architecture', () => {
      const known = ARCHITECTURE_SYMBOLS.find(([name]) => this.symbols.named(name).length > 0)
      return known?.[1]
    })
  }

  /** The kernel was built with clang; false where nothing says so. */
  get clang(): boolean {
    return this.#keep('clang', () => /\bclang version\b/i.test(this.#text('version') ?? ''))
  }

  /** The functions that ftrace can hook, by name; or why that is not known. */
  get filter(): FilterFunctions | Absence {
    return this.#keep('filter', () => {
      const bytes = this.#source.fact('available_filter_functions')
      return isAbsence(bytes) ? bytes : new FilterFunctions(bytes)
    })
  }

  /** Their sites, where the kernel lists them and this reader may see them. */
  get sites(): FilterSites | undefined {
    return this.#keep('sites', () => {
      const bytes = this.#source.fact('available_filter_functions_addrs')
      const sites = isAbsence(bytes) ? undefined : new FilterSites(bytes)
      return sites === undefined || sites.hidden || sites.count === 0 ? undefined : sites
    })
  }

  get blacklist(): Blacklist | Absence {
    return this.#keep('blacklist', () => {
      const bytes = this.#source.fact('kprobes_blacklist')
      return isAbsence(bytes) ? bytes : new Blacklist(Buffer.from(bytes).toString('latin1'))
    })
  }

  /** Functions whose errors may be injected, as `module:name`; or why that is not known. */
  get errorInjection(): ReadonlySet<string> | Absence {
    return this.#keep('errorInjection', () => {
      const bytes = this.#source.fact('error_injection_list')
      if (isAbsence(bytes)) return bytes
      const names = new Set<string>()
      for (const line of Buffer.from(bytes).toString('latin1').split('\n')) {
        const [, name, module] = /^(\S+)(?: \[([^\]]+)\])?\t/.exec(line) ?? []
        if (name !== undefined) names.add(`${module ?? 'vmlinux'}:${name}`)
      }
      return names
    })
  }

  /** Variants and fragments by base name. */
  get suffixes(): SuffixIndex {
    return this.#keep('suffixes', () => new SuffixIndex(this.symbols))
  }

  /** The start and end of the core's text, and of its init text; undefined where the markers are missing. */
  get text(): { readonly start: bigint; readonly end: bigint } | undefined {
    return this.#keep('text', () => this.#between('_stext', '_etext'))
  }

  get initText(): { readonly start: bigint; readonly end: bigint } | undefined {
    return this.#keep('initText', () => this.#between('_sinittext', '_einittext'))
  }

  /** What stands in the way of every kprobe on this host. */
  get kprobeReasons(): readonly Reason[] {
    return this.#keep('kprobeReasons', () => {
      if (this.#lacks('register_kprobe', 'CONFIG_KPROBES')) {
        return [reason('KPROBES_OFF', 'the kernel was built without kprobes (CONFIG_KPROBES)')]
      }
      const reasons = this.#lockdown()
      if (this.#text('kprobes_enabled')?.trim() === '0') {
        const how = 'write 1 to /sys/kernel/debug/kprobes/enabled'
        reasons.push(reason('KPROBES_DISABLED', `kprobes are disarmed and would never fire: ${how}`))
      }
      return reasons
    })
  }

  /** What stands in the way of every BPF trampoline on this host. */
  get trampolineReasons(): readonly Reason[] {
    return this.#keep('trampolineReasons', () => {
      if (this.#lacks('register_ftrace_direct', 'CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS')) {
        const what = 'the kernel was built without direct calls from ftrace'
        return [reason('FTRACE_OFF', `${what} (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)`)]
      }
      if (this.#lacks('bpf_trampoline_link_prog', 'CONFIG_BPF_JIT')) {
        return [reason('NO_TRAMPOLINE', 'the kernel was built without BPF trampolines (CONFIG_BPF_JIT)')]
      }
      return this.#lockdown()
    })
  }

  /** Kprobes may sit on functions that ftrace cannot hook (CONFIG_KPROBE_EVENTS_ON_NOTRACE). */
  get kprobesOnNotrace(): boolean {
    return this.#keep('kprobesOnNotrace', () => this.config('CONFIG_KPROBE_EVENTS_ON_NOTRACE') === true)
  }

  /** Whether an option is built in or a module; undefined where the configuration is not known. */
  config(option: string): boolean | undefined {
    const text = this.#keep('config', () => this.#text('config'))
    if (text === undefined) return undefined
    return new RegExp(`^${option}=[ym]$`, 'm').test(text)
  }

  /** A module's types, opened when first asked for; or why there are none. */
  typeSet(module: string): TypeSet | Reason {
    const kept = this.#sets.get(module)
    if (kept !== undefined) return kept
    const found = this.#openSet(module)
    this.#sets.set(module, found)
    return found
  }

  /** Whether a module is loaded, as far as the symbols tell. */
  isLoaded(module: string): boolean {
    return this.symbols.owners.includes(module)
  }

  /** Ids of the text symbols of a name, with owner if one is given. */
  functionsNamed(name: string, owner?: string): number[] {
    const within = owner === undefined ? {} : { owner }
    return this.symbols
      .named(name, within)
      .filter(({ type }) => /[tTwW]/.test(type))
      .map(({ id }) => id)
  }

  #openSet(module: string): TypeSet | Reason {
    const how = `it has no BTF of ${module}; a kernel with CONFIG_DEBUG_INFO_BTF shows it as /sys/kernel/btf/${module}`
    try {
      const set = this.#source.types.set(module)
      if (set === undefined)
        return reason('UNKNOWN_BTF', `No BTF found for ${module} in ${this.#source.host.source}: ${how}`)
      this.opened.add(module)
      return set
    } catch (error) {
      if (!(error instanceof KerndexError)) throw error
      return reason('UNKNOWN_BTF', `No BTF found for ${module}: ${error.message}`)
    }
  }

  #lockdown(): Reason[] {
    const level = /\[(\w+)\]/.exec(this.#text('lockdown') ?? '')?.[1]
    if (level === 'confidentiality') {
      return [reason('LOCKDOWN', 'the kernel is locked down (confidentiality): probes are refused with EPERM')]
    }
    // Mainline refuses kprobes from confidentiality on; distributions' kernels draw the line elsewhere.
    if (level === 'integrity') {
      return [
        reason('UNKNOWN_LOCKDOWN', 'the kernel is locked down (integrity): some kernels refuse probes with EPERM then'),
      ]
    }
    return []
  }

  /** Whether the kernel surely lacks something: its configuration says so, or a whole table has not the function. */
  #lacks(symbol: string, option: string): boolean {
    if (this.symbols.named(symbol).length > 0) return false
    return this.symbols.size > WHOLE_KERNEL || this.config(option) === false
  }

  #between(first: string, last: string): { start: bigint; end: bigint } | undefined {
    const start = this.symbols.named(first, { owner: 'vmlinux' })[0]?.address
    const end = this.symbols.named(last, { owner: 'vmlinux' })[0]?.address
    return start === undefined || end === undefined || end <= start ? undefined : { start, end }
  }

  #text(name: FactFile): string | undefined {
    const bytes = this.#source.fact(name)
    return isAbsence(bytes) ? undefined : Buffer.from(bytes).toString('latin1')
  }

  #keep<T>(key: string, make: () => T): T {
    // Each key is used with one type only, by the accessor of its name.
    if (!this.#kept.has(key)) this.#kept.set(key, make())
    return this.#kept.get(key) as T
  }
}
