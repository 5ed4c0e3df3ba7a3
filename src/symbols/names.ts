// How a symbol's name is cut into a family prefix and a root, and hashed.
//
// The kernel's build makes families of names from one root: `foo`, `__pfx_foo`, `__ksymtab_foo`, `__SCT__tp_func_foo`, … .
// Keeping each root once and the prefix as a small number takes the names of a real table from 19–25 bytes a symbol to
// about 12. The cut is a pure function of the name, so a name that is looked up is cut the same way.

import { PART_SHIFT } from './constants.ts'

/**
 * The prefixes that are worth a number of their own, chosen by the bytes they save over several distributions' kernels.
 * Each ends in `_` or `.`, the only places where a prefix is looked for, and none begins another, so that the first one
 * found is the only one. A table stores indexes into this list: any change of it is a new layout version.
 */
export const PREFIXES: readonly string[] = [
  '',
  '__pfx_',
  '__cfi_',
  '__ksymtab_',
  '__kstrtab_',
  '__kstrtabns_',
  '__crc_',
  '__UNIQUE_ID_',
  '__addressable_',
  '__export_symbol_',
  '__tracepoint_',
  '__tpstrtab_',
  '__traceiter_',
  '__probestub_',
  '__bpf_trace_',
  '__SCT__tp_func_',
  '__SCK__tp_func_',
  '__SCT__kvm_x86_',
  '__SCK__kvm_x86_',
  '__SCT__lsm_static_call_',
  'trace_event_raw_event_',
  'trace_event_type_funcs_',
  'trace_event_fields_',
  'trace_raw_output_',
  'perf_trace_',
  'event_',
  '__event_',
  'print_fmt_',
  'str__',
  'types__',
  'args__',
  '__syscall_meta__',
  '__p_syscall_meta__',
  '__x64_sys_',
  '__x64_compat_sys_',
  '__ia32_sys_',
  '__ia32_compat_sys_',
  '__arm64_sys_',
  '__arm64_compat_sys_',
  '__s390x_sys_',
  '__se_sys_',
  '__do_sys_',
  '__param_',
  '__setup_',
  '__initcall__kmod_',
  '__mod_',
  '__BTF_ID__func__',
  '__TRACE_SYSTEM_',
  'TRACE_SYSTEM_',
  'dev_attr_',
  'sensor_dev_attr_',
  '__compound_literal.',
  '__already_done.',
  '__func__.',
  'descriptor.',
  'show_',
  'CSWTCH.',
]

/** The longest prefix in bytes: beyond it no prefix needs to be looked for. */
export const LONGEST_PREFIX = Math.max(...PREFIXES.map((prefix) => prefix.length))

/** The value that every hash starts from. */
const HASH_SEED = 0x811c9dc5 | 0
/** The multiplier of a root's hash, a word a step; and that of a prefix's, a byte a step (FNV-1a). */
const ROOT_STEP = 0x9e3779b1 | 0
const PREFIX_STEP = 0x01000193

const UNDERSCORE = 0x5f
const DOT = 0x2e

/**
 * Slots of the open-addressed table that finds a prefix by the hash of its bytes; a power of two, so large that a name
 * that has no prefix nearly always meets an empty slot.
 */
const PREFIX_SLOTS = 2048
/** Prefix numbers by `hash & PREFIX_MASK`; 0 is an empty slot. */
export const prefixBySlot = new Uint8Array(PREFIX_SLOTS)
const PREFIX_MASK = PREFIX_SLOTS - 1
export const prefixHash = new Int32Array(PREFIXES.length)
const prefixBytes: readonly Uint8Array[] = PREFIXES.map((prefix) => Buffer.from(prefix, 'latin1'))

/** Where these have a bit in common for the first byte of a name and its second, a prefix may begin so. */
export const PREFIX_FIRST = new Uint8Array(256)
export const PREFIX_SECOND = new Uint8Array(256)

prefixBytes.forEach((bytes, number) => {
  if (number === 0) return
  const hash = hashPrefix(bytes)
  let slot = hash & PREFIX_MASK
  while (prefixBySlot[slot] !== 0) slot = (slot + 1) & PREFIX_MASK
  prefixBySlot[slot] = number
  prefixHash[number] = hash
  const bit = 1 << (bytes[0]! & 7)
  PREFIX_FIRST[bytes[0]!]! |= bit
  PREFIX_SECOND[bytes[1]!]! |= bit
})

function hashPrefix(bytes: Uint8Array): number {
  let hash = HASH_SEED
  for (const byte of bytes) hash = Math.imul(hash ^ byte, PREFIX_STEP)
  return hash
}

/** The hash of a root, the bytes [start, end): four a step, the last step filled up with zeros. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_SEED
  let i = start
  for (; i + 4 <= end; i += 4) {
    hash = Math.imul(
      hash ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)),
      ROOT_STEP,
    )
    hash ^= hash >>> 15
  }
  if (i < end) {
    let word = 0
    for (let shift = 0; i < end; i++, shift += 8) word |= bytes[i]! << shift
    hash = Math.imul(hash ^ word, ROOT_STEP)
    hash ^= hash >>> 15
  }
  return hash
}

/** The number of the prefix whose bytes are [start, end) and hash to `hash`, or 0. */
function prefixAt(bytes: Uint8Array, start: number, end: number, hash: number): number {
  for (let slot = hash & PREFIX_MASK; ; slot = (slot + 1) & PREFIX_MASK) {
    const number = prefixBySlot[slot]!
    if (number === 0) return 0
    if (prefixHash[number] === hash && equalBytes(prefixBytes[number]!, bytes, start, end)) return number
  }
}

/** The number of the listed prefix with which the name [start, end) begins, if something follows it; else 0. */
export function prefixOf(bytes: Uint8Array, start: number, end: number): number {
  const limit = Math.min(end - 1, start + LONGEST_PREFIX)
  if (limit <= start + 1 || (PREFIX_FIRST[bytes[start]!]! & PREFIX_SECOND[bytes[start + 1]!]!) === 0) return 0
  let hash = HASH_SEED
  for (let i = start; i < limit; i++) {
    const byte = bytes[i]!
    hash = Math.imul(hash ^ byte, PREFIX_STEP)
    if ((byte !== UNDERSCORE && byte !== DOT) || prefixBySlot[hash & PREFIX_MASK] === 0) continue
    const prefix = prefixAt(bytes, start, i + 1, hash)
    if (prefix !== 0) return prefix
  }
  return 0
}

/** How many bytes each prefix has. */
export const PREFIX_LENGTH = Uint8Array.from(PREFIXES, (prefix) => prefix.length)

function equalBytes(expected: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (expected.length !== end - start) return false
  for (let i = 0; i < expected.length; i++) if (bytes[start + i] !== expected[i]) return false
  return true
}

/** A name's prefix number, where its root begins and the root's hash. */
export interface SplitName {
  readonly prefix: number
  readonly rootStart: number
  readonly rootHash: number
}

/** Cuts the name [start, end) behind the listed prefix that it begins with, if something follows it. */
export function splitName(bytes: Uint8Array, start: number, end: number): SplitName {
  const prefix = prefixOf(bytes, start, end)
  const rootStart = start + PREFIX_LENGTH[prefix]!
  return { prefix, rootStart, rootHash: hashBytes(bytes, rootStart, end) }
}

/**
 * The hash of a whole name from its parts: it decides the bucket and the fingerprint in the name index. Its upper bits are those of
 * the root's hash, by which roots and names are shared out into parts that different threads can work on.
 */
export function nameHash(rootHash: number, prefix: number): number {
  let hash = Math.imul(rootHash ^ (rootHash >>> 15) ^ Math.imul(prefix, 0x9e3779b1), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash ^= hash >>> 16
  return ((rootHash & PART_BITS) | (hash & ~PART_BITS)) >>> 0
}

/** The bits of a hash that say to which part a root belongs. */
const PART_BITS = -1 << PART_SHIFT

/** Bits of a name's hash that its bucket does not already imply, moved to where entries carry them. */
export function fingerprint(hash: number): number {
  return Math.imul(hash, 0x9e3779b1)
}

/**
 * Whether the name at `start` is a mapping symbol (`$x`, `$d`, …) or a local label (`.L…`, `L0…`), which are names but
 * never the answer to an address (is_mapping_symbol, include/linux/module_symbol.h). No listed prefix begins so.
 */
export function isLabel(bytes: Uint8Array, start: number): boolean {
  // By tables, because a branch for what comes up once in thousands of names would have the caller compiled twice.
  return (LABEL_FIRST[bytes[start]!]! & LABEL_SECOND[bytes[start + 1] ?? 0]!) !== 0
}

/** Bits that stand for `$…`, `.L…` and `L0…`, by the first byte of a name and by the second. */
export const LABEL_FIRST = new Uint8Array(256)
export const LABEL_SECOND = new Uint8Array(256).fill(1)
LABEL_FIRST[0x24] = 1 // $
LABEL_FIRST[DOT] = 2
LABEL_SECOND[0x4c]! |= 2 // L
LABEL_FIRST[0x4c] = 4
LABEL_SECOND[0x30]! |= 4 // 0
