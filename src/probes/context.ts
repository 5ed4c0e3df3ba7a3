// What the planner knows of a kernel: its symbols and types, and what the host's files say, each read when first needed.

import type { TypeSet } from '../btf/type-set.ts'
import type { Types } from '../btf/types.ts'
import { encodeName } from '../core/bytes.ts'
import { KerndexError } from '../core/errors.ts'
import { type Absence, type FactFile, isAbsence } from '../sources/source.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { Blacklist } from './blacklist.ts'
import type { Architecture } from './conventions.ts'
import { FilterFunctions } from './filter-functions.ts'
import { FilterSites } from './filter-sites.ts'
import { ARCHITECTURE_SYMBOLS, atLeast, parseVersion, type Release, TRAMPOLINES_SINCE } from './kernel-rules.ts'
import { type Reason, reason } from './reasons.ts'
import { SuffixIndex } from './suffix-index.ts'

/** What plans are made from: a snapshot is one. */
export interface ProbeSource {
  readonly symbols: SymbolTable
  readonly types: Types
  readonly host: { readonly release: string | undefined; readonly source: string }
  readonly skipped: { readonly leftOut: { readonly data: number; readonly owners: number } }
  /** The bytes of one of the host's files, or why there are none. */
  fact(name: FactFile): Uint8Array | Absence
}

/** Symbols of which a table of the whole kernel has more: only then does a missing name mean anything. */
const WHOLE_KERNEL = 10_000
/** Where names are put to be looked up; KSYM_NAME_LEN. */
const SCRATCH = new Uint8Array(512)

/** A kernel as the planner sees it. */
export class ProbeContext {
  readonly symbols: SymbolTable
  readonly release: Release | undefined
  /** The type sets that plans have looked into, in the order they were first needed. */
  readonly opened = new Set<string>()
  /** Symbols that the table was told to leave out: names may be used more often than it shows. */
  readonly leftOut: { readonly data: number; readonly owners: number }
  readonly #source: ProbeSource
  readonly #sets = new Map<string, TypeSet | Reason>()
  readonly #modules = new Set<string>()
  #architecture: { readonly found: Architecture | undefined } | undefined
  #clang: boolean | undefined
  #filter: FilterFunctions | Absence | undefined
  #sites: { readonly found: FilterSites | undefined } | undefined
  #blacklist: Blacklist | Absence | undefined
  #errorInjection: ReadonlySet<string> | Absence | undefined
  #suffixes: SuffixIndex | undefined
  #sections: { readonly text: IdRange | undefined; readonly init: IdRange | undefined } | undefined
  #kprobeReasons: readonly Reason[] | undefined
  #trampolineReasons: readonly Reason[] | undefined
  #config: { readonly text: string | undefined } | undefined

  constructor(source: ProbeSource) {
    this.#source = source
    this.symbols = source.symbols
    this.leftOut = source.skipped.leftOut
    this.release = parseVersion(source.host.release)
    for (const owner of source.symbols.owners) if (isKernelOrModule(owner)) this.#modules.add(owner)
  }

  /** Works out now what nearly every plan needs. */
  prepare(): void {
    void [this.filter, this.sites, this.blacklist, this.kprobeReasons, this.trampolineReasons]
  }

  get architecture(): Architecture | undefined {
    this.#architecture ??= {
      found: ARCHITECTURE_SYMBOLS.find(([name]) => this.symbols.named(name).length > 0)?.[1],
    }
    return this.#architecture.found
  }

  /** The kernel was built with clang; false where nothing says so. */
  get clang(): boolean {
    this.#clang ??= /\bclang version\b/i.test(this.#text('version') ?? '')
    return this.#clang
  }

  /** The functions that ftrace can hook, by name; or why that is not known. */
  get filter(): FilterFunctions | Absence {
    if (this.#filter === undefined) {
      const bytes = this.#source.fact('available_filter_functions')
      this.#filter = isAbsence(bytes) ? bytes : new FilterFunctions(bytes)
    }
    return this.#filter
  }

  /** Their sites, where the kernel lists them and this reader may see them. */
  get sites(): FilterSites | undefined {
    if (this.#sites === undefined) {
      const bytes = this.#source.fact('available_filter_functions_addrs')
      const sites = isAbsence(bytes) ? undefined : new FilterSites(bytes)
      this.#sites = { found: sites === undefined || sites.hidden || sites.count === 0 ? undefined : sites }
    }
    return this.#sites.found
  }

  get blacklist(): Blacklist | Absence {
    if (this.#blacklist === undefined) {
      const bytes = this.#source.fact('kprobes_blacklist')
      this.#blacklist = isAbsence(bytes) ? bytes : new Blacklist(Buffer.from(bytes).toString('latin1'))
    }
    return this.#blacklist
  }

  /** Functions whose errors may be injected, as `module:name`; or why that is not known. */
  get errorInjection(): ReadonlySet<string> | Absence {
    if (this.#errorInjection === undefined) {
      const bytes = this.#source.fact('error_injection_list')
      this.#errorInjection = isAbsence(bytes) ? bytes : parseInjectionList(Buffer.from(bytes).toString('latin1'))
    }
    return this.#errorInjection
  }

  /** Variants and fragments by base name. */
  get suffixes(): SuffixIndex {
    this.#suffixes ??= new SuffixIndex(this.symbols)
    return this.#suffixes
  }

  /**
   * Where a core symbol lies: in the kernel's text, in its init text, or in neither. `text` where the markers that tell
   * are missing.
   */
  section(id: number): 'text' | 'init' | 'other' {
    this.#sections ??= { text: this.#between('_stext', '_etext'), init: this.#between('_sinittext', '_einittext') }
    const { text, init } = this.#sections
    if (text === undefined || (id >= text.first && id < text.end)) return 'text'
    return init !== undefined && id >= init.first && id < init.end ? 'init' : 'other'
  }

  /** What stands in the way of every kprobe on this host. */
  get kprobeReasons(): readonly Reason[] {
    this.#kprobeReasons ??= this.#findKprobeReasons()
    return this.#kprobeReasons
  }

  /** What stands in the way of every BPF trampoline on this host. */
  get trampolineReasons(): readonly Reason[] {
    this.#trampolineReasons ??= this.#findTrampolineReasons()
    return this.#trampolineReasons
  }

  /** Kprobes may sit on functions that ftrace cannot hook (CONFIG_KPROBE_EVENTS_ON_NOTRACE). */
  get kprobesOnNotrace(): boolean {
    return this.config('CONFIG_KPROBE_EVENTS_ON_NOTRACE') === true
  }

  /** Whether an option is built in or a module; undefined where the configuration is not known. */
  config(option: string): boolean | undefined {
    this.#config ??= { text: this.#text('config') }
    const { text } = this.#config
    return text === undefined ? undefined : new RegExp(`^${option}=[ym]$`, 'm').test(text)
  }

  /** A module's types, opened when first asked for; or why there are none. */
  typeSet(module: string): TypeSet | Reason {
    let found = this.#sets.get(module)
    if (found === undefined) {
      found = this.#openSet(module)
      this.#sets.set(module, found)
    }
    return found
  }

  /** Whether a module is loaded, as far as the symbols tell; `vmlinux` always is. */
  isLoaded(module: string): boolean {
    return this.#modules.has(module)
  }

  /** Ids of the text symbols of a name, with owner if one is given. */
  functionsNamed(name: string, owner?: string): number[] {
    const { symbols } = this
    const ids = this.#idsNamed(name)
    const wanted = (id: number) =>
      isTextType(symbols.typeOf(id)) && (owner === undefined || symbols.ownerOf(id) === owner)
    return ids.every(wanted) ? ids : ids.filter(wanted)
  }

  /**
   * How many symbols kprobes find under a name, as the kernel counts them: of every type, in the core and its modules, or
   * in one of them.
   */
  countNamed(name: string, owner?: string): number {
    const { symbols } = this
    const counts = (id: number) => {
      const each = symbols.ownerOf(id)
      return owner === undefined ? isKernelOrModule(each) : each === owner
    }
    return this.#idsNamed(name).filter(counts).length
  }

  /** `idsNamed` without a buffer for each name: plans ask for tens of thousands. */
  #idsNamed(name: string): number[] {
    if (name.length > SCRATCH.length) return this.symbols.idsNamed(encodeName(name))
    for (let i = 0; i < name.length; i++) {
      const unit = name.charCodeAt(i)
      if (unit > 0x7f) return this.symbols.idsNamed(encodeName(name))
      SCRATCH[i] = unit
    }
    return this.symbols.idsNamed(SCRATCH, name.length)
  }

  #openSet(module: string): TypeSet | Reason {
    const { types, host } = this.#source
    const how = `a kernel with CONFIG_DEBUG_INFO_BTF shows it as /sys/kernel/btf/${module}`
    try {
      const set = types.set(module)
      if (set === undefined) {
        return reason('UNKNOWN_BTF', `No BTF found for ${module}: ${host.source} has none; ${how}`)
      }
      this.opened.add(module)
      return set
    } catch (error) {
      if (!(error instanceof KerndexError)) throw error
      return reason('UNKNOWN_BTF', `No BTF found for ${module}: ${error.message}`)
    }
  }

  #findKprobeReasons(): Reason[] {
    if (this.#lacks('register_kprobe', 'CONFIG_KPROBES')) {
      return [reason('KPROBES_OFF', 'the kernel was built without kprobes (CONFIG_KPROBES)')]
    }
    const reasons = this.#lockdown()
    if (this.#text('kprobes_enabled')?.trim() === '0') {
      const how = 'write 1 to /sys/kernel/debug/kprobes/enabled'
      reasons.push(reason('KPROBES_DISABLED', `kprobes are disarmed and would never fire: ${how}`))
    }
    return reasons
  }

  #findTrampolineReasons(): Reason[] {
    if (this.#lacks('register_ftrace_direct', 'CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS')) {
      const what = 'the kernel was built without direct calls from ftrace'
      return [reason('FTRACE_OFF', `${what} (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)`)]
    }
    if (this.#lacks('bpf_trampoline_link_prog', 'CONFIG_BPF_JIT')) {
      return [reason('NO_TRAMPOLINE', 'the kernel was built without BPF trampolines (CONFIG_BPF_JIT)')]
    }
    const { architecture, release } = this
    if (architecture === undefined) {
      const what = 'no symbol tells the architecture, and with it whether BPF trampolines exist'
      return [reason('UNKNOWN_ARCHITECTURE', what), ...this.#lockdown()]
    }
    const [major, minor] = TRAMPOLINES_SINCE[architecture]
    const able = atLeast(release, major, minor)
    if (able === true) return this.#lockdown()
    if (able === undefined) return [RELEASE_UNKNOWN, ...this.#lockdown()]
    return [reason('NO_TRAMPOLINE', `BPF trampolines exist on ${architecture} since Linux ${major}.${minor}`)]
  }

  #lockdown(): Reason[] {
    const level = /\[(\w+)\]/.exec(this.#text('lockdown') ?? '')?.[1]
    if (level === 'confidentiality') {
      return [reason('LOCKDOWN', 'the kernel is locked down (confidentiality): probes are refused with EPERM')]
    }
    // Mainline refuses kprobes from confidentiality on; distributions' kernels draw the line elsewhere.
    if (level === 'integrity') {
      const what = 'the kernel is locked down (integrity): some kernels refuse probes with EPERM then'
      return [reason('UNKNOWN_LOCKDOWN', what)]
    }
    return []
  }

  /** Whether the kernel surely lacks something: its configuration says so, or a whole table has not the function. */
  #lacks(symbol: string, option: string): boolean {
    if (this.symbols.named(symbol).length > 0) return false
    return this.symbols.size > WHOLE_KERNEL || this.config(option) === false
  }

  /** The ids from one marker of the core up to another. */
  #between(first: string, last: string): IdRange | undefined {
    const start = this.symbols.named(first, { owner: 'vmlinux' })[0]?.address
    const end = this.symbols.named(last, { owner: 'vmlinux' })[0]?.address
    if (start === undefined || end === undefined || end <= start) return undefined
    return { first: this.symbols.lowerBound(start).id, end: this.symbols.lowerBound(end).id }
  }

  #text(name: FactFile): string | undefined {
    const bytes = this.#source.fact(name)
    return isAbsence(bytes) ? undefined : Buffer.from(bytes).toString('latin1')
  }
}

/** The kernel's version decides, and is not known. */
export const RELEASE_UNKNOWN: Reason = reason(
  'UNKNOWN_RELEASE',
  "the kernel's release is not known, and with it the limits of its trampolines: put a copy of /proc/version into the capture",
)

/** Ids in table order: [first, end). */
interface IdRange {
  readonly first: number
  readonly end: number
}

/** Whether an owner is the kernel or a module, rather than code that the kernel made at run time. */
export function isKernelOrModule(owner: string): boolean {
  return owner !== 'bpf' && !owner.startsWith('__builtin__')
}

function isTextType(type: string): boolean {
  return type === 't' || type === 'T' || type === 'w' || type === 'W'
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
