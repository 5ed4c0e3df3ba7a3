// A symbol as a place for a probe: is it a function at all, in memory that is text, and where does a probe on it come to be?

import type { SymbolTable } from '../symbols/table.ts'
import type { ProbeContext } from './context.ts'
import { isTrampoline, type ProbeKind } from './kinds.ts'
import { type Caution, caution, NONE, type Reason, reason } from './reasons.ts'
import { notOffered } from './suffix.ts'
import type { FunctionSymbol } from './traceable.ts'

/** The symbol of an id. */
export function functionOf({ symbols }: { readonly symbols: SymbolTable }, id: number): FunctionSymbol {
  return { id, name: symbols.nameOf(id), owner: symbols.ownerOf(id) }
}

/** Why the kernel has no function there: it is in memory that is no text. */
export function memoryReasons(context: ProbeContext, { id, name, owner }: FunctionSymbol): readonly Reason[] {
  if (owner === 'bpf') {
    const what = 'kprobes are refused, and fentry needs the program, not a name'
    return [reason('NOT_TEXT', `${name} is a BPF program: ${what}`)]
  }
  if (owner.startsWith('__builtin__')) {
    return [reason('NOT_TEXT', `${name} is code that the kernel made at run time (${owner})`)]
  }
  if (owner !== 'vmlinux') return NONE
  switch (context.section(id)) {
    case 'text':
      return NONE
    case 'init':
      return [reason('INIT_TEXT', `${name} is an __init function: its memory was freed after boot`)]
    default:
      return [reason('NOT_TEXT', `${name} is outside of the kernel's text (_stext to _etext)`)]
  }
}

/**
 * Why a symbol is no function that can be probed. A part of a function, and a label, are kerndex's cautions: the kernel takes
 * what is an instruction.
 */
export function placeReasons(
  context: ProbeContext,
  symbol: FunctionSymbol,
  allow: ReadonlySet<Caution>,
): readonly Reason[] {
  const { name } = symbol
  const memory = memoryReasons(context, symbol)
  const kind = notOffered(name)
  switch (kind) {
    case undefined:
      return memory
    case 'padding': {
      // is_cfi_preamble_symbol (kernel/kprobes.c).
      const what = `${name} is the padding in front of a function; probe ${name.slice(6)}`
      return [reason('PADDING', what), ...memory]
    }
    case 'fragment': {
      if (allow.has('FRAGMENT')) return memory
      const what = `${name} is a part that the compiler cut out of a function, not a function of its own`
      return [caution('FRAGMENT', what), ...memory]
    }
    default:
      return allow.has('LABEL') ? memory : [caution('LABEL', `${name} is a label, not a function`), ...memory]
  }
}

/** Whether globs offer a name: never padding, and parts of functions and labels only where they are allowed. */
export function isOffered(name: string, allow: ReadonlySet<Caution>): boolean {
  const kind = notOffered(name)
  if (kind === undefined) return true
  return kind !== 'padding' && allow.has(kind === 'fragment' ? 'FRAGMENT' : 'LABEL')
}

/** Whether a symbol is the entry of a function in text, as far as its name and place tell. */
export function isFunctionPlace(context: ProbeContext, symbol: FunctionSymbol): boolean {
  return notOffered(symbol.name) === undefined && memoryReasons(context, symbol).length === 0
}

/**
 * The `__fentry__` site that a probe lands on: any trampoline's, and on x86-64 that of a kprobe at the entry, which the
 * kernel moves behind an ENDBR64. Undefined elsewhere in a function, and where no site is known.
 */
export function siteOf(context: ProbeContext, kind: ProbeKind, id: number, offset: number): bigint | undefined {
  const { symbols, facts } = context
  const start = symbols.addressOf(id)
  const site = facts.sites?.within(start, symbols.sizeOf(id))
  if (site === undefined || isTrampoline(kind)) return site
  const atEntry = offset === 0 || start + BigInt(offset) === site
  return atEntry && facts.architecture === 'x86_64' && site - start <= 4n ? site : undefined
}
