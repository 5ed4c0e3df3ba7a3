// Whether a symbol is a function at all: the entry of one, in memory that is text.

import type { ProbeContext } from './context.ts'
import type { FunctionSymbol } from './function-symbol.ts'
import { NONE, type Reason, reason } from './reasons.ts'
import { notOffered } from './suffix.ts'

/** Why a symbol is no function that can be probed: not the entry of one, or not in memory that is text. */
export function placeReasons(context: ProbeContext, { id, name, owner }: FunctionSymbol): readonly Reason[] {
  switch (notOffered(name)) {
    case 'fragment':
      return [
        reason('FRAGMENT', `${name} is a part that the compiler cut out of a function, not a function of its own`),
      ]
    case 'padding':
      return [reason('PADDING', `${name} is the padding in front of a function; probe ${name.slice(6)}`)]
    case 'label':
    case 'mapping':
      return [reason('LABEL', `${name} is a label, not a function`)]
  }
  if (owner !== 'vmlinux') {
    if (owner === 'bpf') {
      const what = 'kprobes are refused, and fentry needs the program, not a name'
      return [reason('NOT_TEXT', `${name} is a BPF program: ${what}`)]
    }
    if (owner.startsWith('__builtin__')) {
      return [reason('NOT_TEXT', `${name} is code that the kernel made at run time (${owner})`)]
    }
    return NONE
  }
  switch (context.section(id)) {
    case 'text':
      return NONE
    case 'init':
      return [reason('INIT_TEXT', `${name} is an __init function: its memory was freed after boot`)]
    default:
      return [reason('NOT_TEXT', `${name} is outside of the kernel's text (_stext to _etext)`)]
  }
}
