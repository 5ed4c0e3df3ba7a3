// The suffixes that compilers append to function names, and what they mean for a probe: is it the entry of a function, and can its
// arguments be trusted.
//
// gcc makes variants of a function (`.isra.0`, `.constprop.0`, `.part.0`, `.cold`), clang and LTO rename static ones
// (`.llvm.HASH`, `.lto_priv.0`). The base is what stands before the first dot, the rule of the kernel
// (kernel/kprobes.c within_kprobe_blacklist), pahole and libbpf.

import type { SymbolTable } from '../symbols/table.ts'

/** A part that a compiler appends. */
export type SuffixPart = 'isra' | 'constprop' | 'part' | 'cold' | 'llvm' | 'lto_priv' | 'localalias'

/**
 * The meanings of a name: a function as written; a variant of one that can be entered; a fragment that is jumped to from
 * the middle of one; a label of assembler code; other names with dots (local data, numbered statics).
 */
export type NameClass = 'plain' | 'variant' | 'fragment' | 'label' | 'other'

/** A symbol's name in its parts. */
export interface NameParts {
  /** The name in the source code; the whole name where no suffix was recognised. */
  readonly base: string
  /** From the first dot on; empty without a suffix. */
  readonly suffix: string
  readonly parts: readonly SuffixPart[]
  readonly class: NameClass
}

/** How far a variant's arguments are those of the prototype. */
export type Trust = 'yes' | 'likely' | 'unknown' | 'no'

/** The parts, and whether each is followed by a number: always, never, or perhaps. */
const PARTS: Readonly<Record<SuffixPart, 'always' | 'perhaps'>> = {
  isra: 'always',
  constprop: 'always',
  part: 'always',
  cold: 'perhaps',
  llvm: 'always',
  lto_priv: 'always',
  localalias: 'perhaps',
}

const FRAGMENTS: ReadonlySet<SuffixPart> = new Set(['part', 'cold'])
/** Parts that say nothing about arguments: the function was renamed, not changed. */
const RENAMED: ReadonlySet<SuffixPart> = new Set(['llvm', 'lto_priv', 'localalias'])

function isPart(text: string): text is SuffixPart {
  return Object.hasOwn(PARTS, text)
}

/** Cuts a symbol's name. A dot at the start, or a part that no compiler appends to a function, leaves it whole. */
export function splitSuffix(name: string): NameParts {
  const dot = name.indexOf('.')
  if (dot < 0) return { base: name, suffix: '', parts: [], class: 'plain' }
  if (dot === 0) return { base: name, suffix: '', parts: [], class: 'label' }
  const pieces = name.slice(dot + 1).split('.')
  const parts: SuffixPart[] = []
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i]!
    if (!isPart(piece)) return { base: name, suffix: '', parts: [], class: 'other' }
    parts.push(piece)
    const numbered = /^\d+$/.test(pieces[i + 1] ?? '')
    if (numbered) i++
    else if (PARTS[piece] === 'always') return { base: name, suffix: '', parts: [], class: 'other' }
  }
  return {
    base: name.slice(0, dot),
    suffix: name.slice(dot),
    parts,
    class: parts.some((part) => FRAGMENTS.has(part)) ? 'fragment' : 'variant',
  }
}

/** Whether a suffix only renames: the compiler changed nothing that a caller sees. */
export function isRenaming(parts: readonly SuffixPart[]): boolean {
  return parts.length > 0 && parts.every((part) => RENAMED.has(part))
}

/** Why a name never is a function that can be offered; undefined if it may be one. */
export type NotOffered = 'label' | 'fragment' | 'padding' | 'mapping'

/**
 * Names that are never offered as functions: those that begin with a dot, `__pfx_` and `__cfi_` (the padding in front of
 * a function), mapping symbols, and fragments.
 */
export function notOffered(name: string): NotOffered | undefined {
  const first = name.charCodeAt(0)
  if (first === 0x2e) return 'label'
  if (first === 0x24) return 'mapping'
  if (first === 0x4c && name.charCodeAt(1) === 0x30) return 'label'
  if (first === 0x5f && (name.startsWith('__pfx_') || name.startsWith('__cfi_'))) return 'padding'
  if (name.includes('.') && splitSuffix(name).class === 'fragment') return 'fragment'
  return undefined
}

/**
 * How far the prototype that BTF has can be trusted for a symbol. pahole gives a changed function's base name a FUNC only
 * where no argument was optimised away, but a pointer may still have become what it points to; so a match is never sure.
 * @param exact BTF has a FUNC of exactly the symbol's name
 * @param base BTF has a FUNC of the base name
 * @param clang the kernel was built with clang, which drops arguments without renaming
 */
export function trustOf(
  name: NameParts,
  btf: { readonly exact: boolean; readonly base: boolean },
  clang: boolean,
): Trust {
  if (name.class === 'fragment' || name.class === 'label') return 'no'
  if (name.class === 'variant' && !btf.exact) {
    if (!btf.base) return 'unknown'
    return isRenaming(name.parts) && !clang ? 'yes' : 'likely'
  }
  if (!btf.exact) return 'unknown'
  return clang ? 'likely' : 'yes'
}

/** A symbol with a suffix. */
export interface SuffixedSymbol {
  readonly id: number
  readonly name: string
  readonly parts: NameParts
}

/** Bases that are looked up one by one, a millisecond each; for more, all names are gone through once. */
const FEW_BASES = 16

/** The function symbols whose names have a dot, by base name. */
export class SuffixIndex {
  readonly #symbols: SymbolTable
  readonly #looked = new Map<string, readonly SuffixedSymbol[]>()
  #all: readonly SuffixedSymbol[] | undefined
  #byBase: ReadonlyMap<string, readonly SuffixedSymbol[]> | undefined

  constructor(symbols: SymbolTable) {
    this.#symbols = symbols
  }

  /** In table order; labels and other dotted names too. */
  get all(): readonly SuffixedSymbol[] {
    this.#all ??= [...this.#symbols.scan('*.*', { kinds: 'text' })].flatMap((id) => this.#suffixed(id))
    return this.#all
  }

  /** The variants and fragments of a base name, in table order. */
  of(base: string): readonly SuffixedSymbol[] {
    if (this.#byBase === undefined) {
      const found = this.#looked.get(base) ?? this.#look(base)
      if (found !== undefined) return found
    }
    this.#byBase ??= byBase(this.all)
    return this.#byBase.get(base) ?? []
  }

  #look(base: string): readonly SuffixedSymbol[] | undefined {
    if (this.#looked.size === FEW_BASES) return undefined
    const found = this.#symbols
      .named(base, { suffixes: true })
      .flatMap(({ id }) => (this.#symbols.isText(id) ? this.#suffixed(id) : []))
      .filter(({ parts }) => parts.parts.length > 0 && parts.base === base)
    this.#looked.set(base, found)
    return found
  }

  #suffixed(id: number): SuffixedSymbol[] {
    const name = this.#symbols.nameOf(id)
    // Padding belongs to the variant it stands in front of.
    return name.startsWith('__pfx_') || name.startsWith('__cfi_') ? [] : [{ id, name, parts: splitSuffix(name) }]
  }
}

function byBase(all: readonly SuffixedSymbol[]): ReadonlyMap<string, readonly SuffixedSymbol[]> {
  const groups = new Map<string, SuffixedSymbol[]>()
  for (const symbol of all) {
    const { base, parts } = symbol.parts
    if (parts.length === 0) continue
    const same = groups.get(base)
    if (same === undefined) groups.set(base, [symbol])
    else same.push(symbol)
  }
  return groups
}
