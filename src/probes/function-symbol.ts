// A text symbol with what judges ask of it, decoded once.

import type { SymbolTable } from '../symbols/table.ts'

/** A symbol that may be a function. */
export interface FunctionSymbol {
  readonly id: number
  readonly name: string
  readonly owner: string
}

/** The symbol of an id. */
export function functionOf({ symbols }: { readonly symbols: SymbolTable }, id: number): FunctionSymbol {
  return { id, name: symbols.nameOf(id), owner: symbols.ownerOf(id) }
}

/** Whether a symbol's type in kallsyms is that of code, weak names included. */
export function isTextType(type: string): boolean {
  return type === 't' || type === 'T' || type === 'w' || type === 'W'
}
