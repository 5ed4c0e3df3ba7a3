// Instructions of the kernel's own text that it rewrites or looks up by address, and where it refuses every kprobe with EINVAL
// (check_kprobe_address_safe, kernel/kprobes.c): jump labels, static calls, and those of BUG and WARN. The kernel has a table of
// each between two symbols, which is read from its memory. Modules have tables of their own, which are not read.

import { type Absence, isAbsence } from '../sources/source.ts'
import type { SymbolTable } from '../symbols/table.ts'

/** The mechanism that an instruction is reserved for. */
export type Reserved = 'a jump label' | 'a static call' | 'a BUG or WARN'

interface ReservedTable {
  readonly holds: Reserved
  readonly start: string
  readonly stop: string
  /** The option without which a kernel has no such table. */
  readonly option: string
  /** Bytes from one entry to the next: those that kernels have, the least first, because its multiples fit too. */
  readonly strides: readonly number[]
}

/**
 * Each entry begins with 32 bits, the way from itself to the instruction: struct jump_entry (include/linux/jump_label.h),
 * struct static_call_site (include/linux/static_call_types.h), struct bug_entry (include/asm-generic/bug.h; with the file and
 * line, with a format too, with neither).
 */
const TABLES: readonly ReservedTable[] = [
  {
    holds: 'a jump label',
    start: '__start___jump_table',
    stop: '__stop___jump_table',
    option: 'CONFIG_JUMP_LABEL',
    strides: [16],
  },
  {
    holds: 'a static call',
    start: '__start_static_call_sites',
    stop: '__stop_static_call_sites',
    option: 'CONFIG_HAVE_STATIC_CALL_INLINE',
    strides: [8],
  },
  {
    holds: 'a BUG or WARN',
    start: '__start___bug_table',
    stop: '__stop___bug_table',
    option: 'CONFIG_GENERIC_BUG',
    strides: [8, 12, 16],
  },
]

interface Range {
  readonly start: bigint
  readonly end: bigint
}

function contains({ start, end }: Range, address: bigint): boolean {
  return address >= start && address < end
}

/** The reserved instructions of the kernel's own text. */
export class ReservedCode {
  readonly #text: Range
  readonly #at: ReadonlyMap<bigint, Reserved>

  constructor(text: Range, at: ReadonlyMap<bigint, Reserved>) {
    this.#text = text
    this.#at = at
  }

  /** Whether what is known here tells of an address: it is in the kernel's own text. */
  covers(address: bigint): boolean {
    return contains(this.#text, address)
  }

  /** The mechanism that the instruction at an address is reserved for, if it is. */
  at(address: bigint): Reserved | undefined {
    return this.#at.get(address)
  }
}

/**
 * Reads the tables from the running kernel's memory.
 * @param hasOption whether the kernel was built with an option; undefined where that is not known
 */
export function readReservedCode(
  symbols: SymbolTable,
  memory: (address: bigint, length: number) => Uint8Array | Absence,
  hasOption: (option: string) => boolean | undefined,
): ReservedCode | Absence {
  const addressOf = (name: string): bigint | undefined => {
    return symbols.named(name).find(({ owner }) => owner === 'vmlinux')?.address
  }
  const between = (from: string, to: string): Range | undefined => {
    const [start, end] = [addressOf(from), addressOf(to)]
    return start === undefined || end === undefined || end < start ? undefined : { start, end }
  }
  const text = between('_stext', '_etext')
  // Code that runs at the start alone stands in the same tables.
  const early = between('__init_begin', '__init_end')
  if (text === undefined || early === undefined) {
    return { what: 'reserved code', reason: "the bounds of the kernel's code are not among the symbols" }
  }
  const isCode = (address: bigint) => contains(text, address) || contains(early, address)
  const at = new Map<bigint, Reserved>()
  for (const table of TABLES) {
    if (hasOption(table.option) === false) continue
    const range = between(table.start, table.stop)
    if (range === undefined) return { what: table.start, reason: 'it is not among the symbols' }
    const bytes = memory(range.start, Number(range.end - range.start))
    if (isAbsence(bytes)) return bytes
    const places = table.strides
      .map((stride) => placesOf(bytes, range.start, stride))
      .find((places) => places?.every(isCode))
    if (places === undefined) return { what: table.start, reason: 'its entries have another form than those known' }
    for (const place of places) at.set(place, table.holds)
  }
  return new ReservedCode(text, at)
}

/** The instructions that a table's entries lead to; undefined if it has not a whole number of them. */
function placesOf(bytes: Uint8Array, from: bigint, stride: number): bigint[] | undefined {
  if (bytes.length % stride !== 0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const places: bigint[] = []
  for (let at = 0; at < bytes.length; at += stride) {
    places.push(from + BigInt(at) + BigInt(view.getInt32(at, true)))
  }
  return places
}
