// The names with compiler suffixes among a kernel's functions: which variants and fragments a base name has, and how many
// there are of each kind.

import type { SymbolTable } from '../symbols/table.ts'
import { type NameParts, splitSuffix } from './suffix.ts'

/** A symbol with a suffix. */
export interface SuffixedSymbol {
  readonly id: number
  readonly name: string
  readonly parts: NameParts
}

/** Every function symbol whose name has a dot, by base name. */
export class SuffixIndex {
  /** In table order; labels and other dotted names too. */
  readonly all: readonly SuffixedSymbol[]
  readonly #byBase = new Map<string, SuffixedSymbol[]>()

  constructor(symbols: SymbolTable) {
    const all: SuffixedSymbol[] = []
    for (const id of symbols.scan('*.*', { kinds: 'text' })) {
      const name = symbols.nameOf(id)
      // Padding belongs to the variant it stands in front of.
      if (name.startsWith('__pfx_') || name.startsWith('__cfi_')) continue
      const symbol = { id, name, parts: splitSuffix(name) }
      all.push(symbol)
      if (symbol.parts.parts.length === 0) continue
      const same = this.#byBase.get(symbol.parts.base)
      if (same === undefined) this.#byBase.set(symbol.parts.base, [symbol])
      else same.push(symbol)
    }
    this.all = all
  }

  /** The variants and fragments of a base name, in table order. */
  of(base: string): readonly SuffixedSymbol[] {
    return this.#byBase.get(base) ?? []
  }
}
