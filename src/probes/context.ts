// A kernel as the planner sees it: its symbols by name and place, its types, what its host says, and what is missing.

import type { TypeSet } from '../btf/read/type-set.ts'
import type { Types } from '../btf/types.ts'
import { encodeName } from '../core/bytes.ts'
import { KerndexError } from '../core/errors.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { type FactSource, ProbeFacts } from './facts.ts'
import { MissingFacts } from './missing-facts.ts'
import { kprobeObstacles, trampolineObstacles } from './obstacles.ts'
import { type Caution, NO_CAUTION, type Reason, reason } from './reasons.ts'
import { SuffixIndex } from './suffix.ts'

/** The input of plans: a snapshot is one. */
export interface ProbeSource extends FactSource {
  readonly types: Types
  readonly skipped: { readonly leftOut: { readonly data: number; readonly owners: number } }
}

/** Where names are put to be looked up; KSYM_NAME_LEN. */
const SCRATCH = new Uint8Array(512)

/** A kernel as the planner sees it. */
export class ProbeContext {
  readonly symbols: SymbolTable
  readonly facts: ProbeFacts
  readonly missing: MissingFacts
  /** The type sets that plans have looked into, in the order they were first needed. */
  readonly opened = new Set<string>()
  /** Symbols that the table was told to leave out: names may be used more often than it shows. */
  readonly leftOut: { readonly data: number; readonly owners: number }
  readonly #source: ProbeSource
  readonly #sets = new Map<string, TypeSet | Reason>()
  readonly #modules = new Set<string>()
  #suffixes: SuffixIndex | undefined
  #sections: { readonly text: IdRange | undefined; readonly init: IdRange | undefined } | undefined
  #kprobeObstacles: readonly Reason[] | undefined
  #trampolineObstacles: readonly Reason[] | undefined

  constructor(source: ProbeSource) {
    this.#source = source
    this.symbols = source.symbols
    this.facts = new ProbeFacts(source, (name, owner) => this.functionsNamed(name, owner))
    this.missing = new MissingFacts(this.facts)
    this.leftOut = source.skipped.leftOut
    for (const owner of source.symbols.owners) if (isKernelOrModule(owner)) this.#modules.add(owner)
  }

  /** Works out now, step by step, what nearly every plan needs. */
  *prepare(): Generator<void, void, void> {
    yield* this.facts.prepare()
    void [this.kprobeObstacles(NO_CAUTION), this.trampolineObstacles]
  }

  get types(): Types {
    return this.#source.types
  }

  /** Variants and fragments by base name. */
  get suffixes(): SuffixIndex {
    this.#suffixes ??= new SuffixIndex(this.symbols)
    return this.#suffixes
  }

  /** The reasons against every kprobe on this host, without the cautions that are left to the kernel. */
  kprobeObstacles(allow: ReadonlySet<Caution>): readonly Reason[] {
    this.#kprobeObstacles ??= kprobeObstacles(this.facts)
    const all = this.#kprobeObstacles
    return allow.size === 0 || all.length === 0 ? all : all.filter(({ code }) => !includes(allow, code))
  }

  /** The reasons against every BPF trampoline on this host. */
  get trampolineObstacles(): readonly Reason[] {
    this.#trampolineObstacles ??= trampolineObstacles(this.facts)
    return this.#trampolineObstacles
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
    return this.idsNamed(name).filter(
      (id) => symbols.isText(id) && (owner === undefined || symbols.ownerOf(id) === owner),
    )
  }

  /** Whether a symbol is code of one module. */
  isFunctionOf(id: number, module: string): boolean {
    return this.symbols.isText(id) && this.symbols.ownerOf(id) === module
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
    return this.idsNamed(name).filter(counts).length
  }

  /** Ids of all symbols of a name, in table order. Without a buffer for each name: plans ask for tens of thousands. */
  idsNamed(name: string): number[] {
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
      // A module's own types may be unusable; where all of them are damaged, nothing is known, and no verdict is right.
      if (!(error instanceof KerndexError) || types.failures.get(module) !== error) throw error
      return reason('UNKNOWN_BTF', `No BTF found for ${module}: ${error.message}`)
    }
  }

  /** The ids from one marker of the core up to another. */
  #between(first: string, last: string): IdRange | undefined {
    const start = this.symbols.named(first, { owner: 'vmlinux' })[0]?.address
    const end = this.symbols.named(last, { owner: 'vmlinux' })[0]?.address
    if (start === undefined || end === undefined || end <= start) return undefined
    return { first: this.symbols.lowerBound(start).id, end: this.symbols.lowerBound(end).id }
  }
}

function includes(set: ReadonlySet<string>, value: string): boolean {
  return set.has(value)
}

/** Ids in table order: [first, end). */
interface IdRange {
  readonly first: number
  readonly end: number
}

/** Whether an owner is the kernel or a module, rather than code that the kernel made at run time. */
export function isKernelOrModule(owner: string): boolean {
  return owner !== 'bpf' && !owner.startsWith('__builtin__')
}
