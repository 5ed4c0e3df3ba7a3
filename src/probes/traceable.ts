// Which functions ftrace can hook, by symbol: from the names it lists, or from the addresses of its sites where it tells them.
//
// Names alone do not say which of several functions of one name is listed. The order does: ftrace keeps its records by
// address (ftrace_process_locs, kernel/trace/ftrace.c), the core's and each module's, so that a listed name lies between
// the functions listed before and behind it. That is relied on only where all other lines of the list bear it out.

import type { PackedNames } from '../symbols/lookup-names.ts'
import type { SymbolTable } from '../symbols/table.ts'
import { filterLines, type ModuleLines } from './filter-lines.ts'
import type { FilterSites } from './filter-sites.ts'

/** Whether ftrace can hook a function; `which`: some of several of that name can, and nothing says which. */
export type Traceable = 'yes' | 'no' | 'which'

const NO = 0
const YES = 1
const WHICH = 2

/** One line of the list whose name is that of several functions: where its function lies, as ids in table order. */
interface Doubtful {
  /** The functions listed before and behind it, which nothing else can be. */
  readonly after: number
  before: number
  /** Symbols of the name. */
  readonly ids: readonly number[]
}

/** The traceable functions of one symbol table. */
export class TraceableFunctions {
  readonly #symbols: SymbolTable
  readonly #marks: Uint8Array

  private constructor(symbols: SymbolTable) {
    this.#symbols = symbols
    this.#marks = new Uint8Array(symbols.size)
  }

  /** From the text of available_filter_functions: `name`, or `name [module]`, a line (t_show, kernel/trace/ftrace.c). */
  static fromNames(symbols: SymbolTable, text: Uint8Array): TraceableFunctions {
    const traceable = new TraceableFunctions(symbols)
    const { names, modules } = filterLines(text)
    for (const lines of modules) traceable.#addModule(lines, names)
    return traceable
  }

  /** From the sites of available_filter_functions_addrs: a function is traceable if one lies in it. */
  static fromSites(symbols: SymbolTable, sites: FilterSites): TraceableFunctions {
    const traceable = new TraceableFunctions(symbols)
    const marks = traceable.#marks
    for (const id of symbols.findMany(sites.addresses).ids) if (id < marks.length) marks[id] = YES
    return traceable
  }

  /** Whether ftrace can hook the function of a symbol. The list has one name for a site: that of one alias. */
  of(id: number): Traceable {
    let best = this.#marks[id]!
    if (best === YES) return 'yes'
    const symbols = this.#symbols
    const address = symbols.addressOf(id)
    const owner = symbols.ownerOf(id)
    for (const step of [-1, 1]) {
      for (let alias = id + step; alias >= 0 && alias < symbols.size; alias += step) {
        if (symbols.addressOf(alias) !== address) break
        const mark = this.#marks[alias]!
        if (mark === NO || symbols.ownerOf(alias) !== owner) continue
        if (mark === YES) return 'yes'
        best = WHICH
      }
    }
    return best === WHICH ? 'which' : 'no'
  }

  /** Marks what a run of lines of one module lists. */
  #addModule({ module, first, end }: ModuleLines, names: PackedNames): void {
    const symbols = this.#symbols
    const marks = this.#marks
    const { starts, ids } = symbols.namedMany(names, first, end)
    const doubtful = new Map<number, Doubtful[]>()
    const open: Doubtful[] = []
    let inOrder = true
    let last = -1
    for (let line = 0; line + 1 < starts.length; line++) {
      const from = starts[line]!
      const own = this.#functionsOf(module, ids, from, starts[line + 1]!)
      if (typeof own === 'number') {
        if (own < 0) continue
        marks[own] = YES
        if (own <= last) inOrder = false
        last = own
        for (const each of open.splice(0)) each.before = own
        continue
      }
      const doubt: Doubtful = { after: last, before: symbols.size, ids: own }
      open.push(doubt)
      const same = doubtful.get(own[0]!)
      if (same === undefined) doubtful.set(own[0]!, [doubt])
      else same.push(doubt)
    }
    for (const lines of doubtful.values()) this.#settle(lines, inOrder)
  }

  /** Of ids[from, to), those that are functions of a module: the only one, -1 for none, or all of several. */
  #functionsOf(module: string, ids: Uint32Array, from: number, to: number): number | number[] {
    let only = -1
    let several: number[] | undefined
    for (let i = from; i < to; i++) {
      const id = ids[i]!
      if (!this.#isFunction(id, module)) continue
      if (only < 0) only = id
      else if (several === undefined) several = [only, id]
      else several.push(id)
    }
    return several ?? only
  }

  #isFunction(id: number, module: string): boolean {
    return isTextType(this.#symbols.typeOf(id)) && this.#symbols.ownerOf(id) === module
  }

  /** Marks the functions of one name, of which some lines are listed. */
  #settle(lines: readonly Doubtful[], inOrder: boolean): void {
    const { ids } = lines[0]!
    if (this.#places(ids) <= lines.length) {
      this.#mark(ids, YES)
      return
    }
    for (const { after, before } of lines) {
      const between = inOrder ? ids.filter((id) => id > after && id < before) : ids
      const listed = inOrder ? lines.filter((each) => each.after === after).length : lines.length
      this.#mark(between, this.#places(between) <= listed ? YES : WHICH)
    }
  }

  #mark(ids: readonly number[], mark: typeof NO | typeof YES | typeof WHICH): void {
    for (const id of ids) this.#marks[id] = mark
  }

  /** How many addresses symbols have; equal ones are neighbours. */
  #places(ids: readonly number[]): number {
    return new Set(ids.map((id) => this.#symbols.addressOf(id))).size
  }
}

/** Whether a symbol's type in kallsyms is that of code, in the kernel's text or a weak name of it. */
export function isTextType(type: string): boolean {
  return type === 't' || type === 'T' || type === 'w' || type === 'W'
}
