// A C header of a set: definitions in an order that compiles, forward declarations where needed, kfunc prototypes. Byte
// for byte what `bpftool btf dump … format c` prints, whose algorithm (libbpf's btf_dump) defines the order.

import { choice, count, listOf, type Options, options as optionsOf } from '../../core/arguments.ts'
import { KIND_FUNC } from '../format.ts'
import { within } from '../read/memory.ts'
import { type TypeSet, typeSet } from '../read/type-set.ts'
import { CHeader, HeaderMemory } from './c-header.ts'

/** The component that a tag of a whole type names. */
const WHOLE_TYPE = 0xffffffff

/** What a header holds and in which order. */
export interface CDumpOptions {
  /** Order of ids, or the order bpftool sorts types in by default, which survives rebuilds of the kernel better. */
  readonly order?: 'sorted' | 'ids'
  /** Only these types and what they need. */
  readonly roots?: readonly number[]
}

/** The options of `dumpC`. */
export const C_DUMP_OPTIONS: Options<CDumpOptions> = {
  order: choice('sorted', 'ids'),
  roots: listOf(count, 'ids of types'),
}

export const HEADER = `#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif

#ifndef __weak
#define __weak __attribute__((weak))
#endif

#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif

`

export const FOOTER = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

#endif /* __VMLINUX_H__ */
`

/**
 * The C header of a set, its bases included, in pieces.
 * @throws BadFormatError for types that C cannot express, such as a struct that contains itself; LimitError if they are
 * nested absurdly deep.
 */
export function* dumpC(set: TypeSet, options?: CDumpOptions): Generator<string> {
  typeSet(set, 'set')
  const { roots: wanted, order } = optionsOf(options, 'dumpC', C_DUMP_OPTIONS)
  const memory = new HeaderMemory()
  try {
    const header = within(() => new CHeader(memory, set))
    yield HEADER
    yield* header.define(wanted ?? order ?? 'sorted')
    if (!wanted) yield kfuncs(header, set)
    yield FOOTER
  } finally {
    memory.close()
  }
}

/** Prototypes of the functions that are tagged as callable from BPF, by name. */
export function kfuncs(header: CHeader, set: TypeSet): string {
  const fast = new Set(tagged(set, 'bpf_fastcall'))
  const named = tagged(set, 'bpf_kfunc').map((id) => ({ id, name: set.nameOf(id) }))
  named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  let text = '\n/* BPF kfuncs */\n#ifndef BPF_NO_KFUNC_PROTOTYPES\n'
  for (const { id } of named) {
    text += `extern ${fast.has(id) ? '__bpf_fastcall ' : ''}${header.declare(set.refOf(id), set.word(id, 0))} __weak __ksym;\n`
  }
  return `${text}#endif\n\n`
}

/** The functions that have a tag, in the order of the tags. */
function tagged(set: TypeSet, tag: string): number[] {
  const below = set.base ? tagged(set.base, tag) : []
  const own = set.idsNamed(tag, 'DECL_TAG').filter((id) => set.word(id, 3) === WHOLE_TYPE)
  return [...below, ...own.map((id) => set.refOf(id)).filter((id) => set.kindNumberOf(id) === KIND_FUNC)]
}
