// Which functions ftrace can hook: by the names that it lists, or by the addresses of its sites where it tells them.
//
// Names alone do not say which of several functions of one name is listed. The order does: ftrace keeps its records by
// address (ftrace_process_locs, kernel/trace/ftrace.c), the core's and each module's, so that a listed function lies
// between those that are listed before and behind it. That is relied on only where the neighbours bear it out.

import type { SymbolTable } from '../symbols/table.ts'
import type { FilterFunctions, FilterLine } from './filter-functions.ts'
import type { FilterSites } from './filter-sites.ts'

/** A symbol that may be a function, with what judges ask of it, decoded once. */
export interface FunctionSymbol {
  readonly id: number
  readonly name: string
  readonly owner: string
}

/** Whether ftrace can hook a function; `which`: some of several of that name can, and nothing says which. */
export type Traceable = 'yes' | 'no' | 'which'

/** The traceable functions of one symbol table. */
export interface TraceableFunctions {
  /**
   * Whether ftrace can hook a function.
   * @param same how many functions of its module have its name, where that is known already
   */
  of(symbol: FunctionSymbol, same?: number): Traceable
}

/** Sites that are looked up in one step. */
const SLICE = 8192

/** From the sites of available_filter_functions_addrs: a function is traceable if one lies in it. */
export class TraceableBySite implements TraceableFunctions {
  readonly #symbols: SymbolTable
  readonly #marks: Uint8Array

  private constructor(symbols: SymbolTable, marks: Uint8Array) {
    this.#symbols = symbols
    this.#marks = marks
  }

  static *of(symbols: SymbolTable, { addresses }: FilterSites): Generator<void, TraceableBySite, void> {
    const marks = new Uint8Array(symbols.size)
    for (let from = 0; from < addresses.length; from += SLICE) {
      for (const id of symbols.findMany(addresses.subarray(from, from + SLICE)).ids)
        if (id < marks.length) marks[id] = 1
      yield
    }
    return new TraceableBySite(symbols, marks)
  }

  of({ id, owner }: FunctionSymbol): Traceable {
    if (this.#marks[id] === 1) return 'yes'
    return aliasesOf(this.#symbols, id, owner).some((alias) => this.#marks[alias] === 1) ? 'yes' : 'no'
  }
}

/** From the names of available_filter_functions. A site has one name there: that of one alias. */
export class TraceableByName implements TraceableFunctions {
  readonly #symbols: SymbolTable
  readonly #functionsNamed: (name: string, owner: string) => readonly number[]
  readonly #filter: FilterFunctions
  /** For names of which fewer are listed than there are functions: what is said of each. */
  readonly #settled = new Map<string, ReadonlyMap<number, Traceable>>()

  /**
   * @param functionsNamed ids of the text symbols of a name and owner
   */
  constructor(
    symbols: SymbolTable,
    filter: FilterFunctions,
    functionsNamed: (name: string, owner: string) => readonly number[],
  ) {
    this.#symbols = symbols
    this.#functionsNamed = functionsNamed
    this.#filter = filter
  }

  of({ id, name, owner }: FunctionSymbol, same?: number): Traceable {
    let best: Traceable = 'no'
    const listed = this.#filter.occurrences(name, owner)
    if (listed > 0) {
      if (same !== undefined && same <= listed) return 'yes'
      best = this.#among(id, name, owner, listed)
    }
    for (const alias of best === 'yes' ? [] : aliasesOf(this.#symbols, id, owner)) {
      const other = this.#symbols.nameOf(alias)
      const times = this.#filter.occurrences(other, owner)
      const said = times === 0 ? 'no' : this.#among(alias, other, owner, times)
      if (said !== 'no') best = said
      if (said === 'yes') break
    }
    return best
  }

  /** The answer that the lines of a name give for one function of that name. */
  #among(id: number, name: string, owner: string, listed: number): Traceable {
    const ids = this.#functionsNamed(name, owner)
    if (this.#places(ids) <= listed) return 'yes'
    const key = `${owner}:${name}`
    let settled = this.#settled.get(key)
    if (settled === undefined) {
      settled = this.#settle(name, owner, ids)
      this.#settled.set(key, settled)
    }
    return settled.get(id) ?? 'no'
  }

  /** Finds the function of each line between the neighbours of the line. */
  #settle(name: string, owner: string, ids: readonly number[]): ReadonlyMap<number, Traceable> {
    const found = new Map<number, Traceable>()
    // Lines between the same neighbours, by those.
    const ranges = new Map<string, { readonly between: readonly number[]; lines: number }>()
    for (const position of this.#filter.positions(name, owner)) {
      const before = this.#neighbours(this.#filter.before(position), owner).toReversed()
      const behind = this.#neighbours(this.#filter.behind(position), owner)
      const around = [...before, ...behind]
      const inOrder = around.length > 1 && around.every((id, i) => i === 0 || around[i - 1]! < id)
      const after = before.at(-1) ?? -1
      const until = behind[0] ?? this.#symbols.size
      const key = inOrder ? `${after} ${until}` : 'anywhere'
      const range = ranges.get(key) ?? {
        between: inOrder ? ids.filter((id) => id > after && id < until) : ids,
        lines: 0,
      }
      range.lines++
      ranges.set(key, range)
    }
    for (const { between, lines } of ranges.values()) {
      const said = this.#places(between) <= lines ? 'yes' : 'which'
      for (const id of between) if (found.get(id) !== 'yes') found.set(id, said)
    }
    return found
  }

  /** The functions of the next lines of a module whose names only they have. */
  #neighbours(lines: Iterable<FilterLine>, owner: string): number[] {
    const ids: number[] = []
    let looked = 0
    for (const { name, module } of lines) {
      if (module !== owner || looked++ === MOST_LOOKED) break
      const own = this.#functionsNamed(name, owner)
      if (own.length === 1) ids.push(own[0]!)
      if (ids.length === NEIGHBOURS) break
    }
    return ids
  }

  /** How many addresses symbols have. */
  #places(ids: readonly number[]): number {
    return ids.length < 2 ? ids.length : new Set(ids.map((id) => this.#symbols.addressOf(id))).size
  }
}

/** How many neighbours on each side have to be in order, and lines that are looked at for them. */
const NEIGHBOURS = 4
const MOST_LOOKED = 64

/** The other symbols of an owner that start where one does: neighbours in the table. */
function aliasesOf(symbols: SymbolTable, id: number, owner: string): number[] {
  const aliases: number[] = []
  const address = symbols.addressOf(id)
  for (const step of [-1, 1]) {
    for (let alias = id + step; alias >= 0 && alias < symbols.size; alias += step) {
      if (symbols.addressOf(alias) !== address) break
      if (symbols.ownerOf(alias) === owner) aliases.push(alias)
    }
  }
  return aliases
}
