// Where the kernel lets a member of a struct lie: by its type, its offset and, for a bitfield, its width (the
// `check_member` and `check_kflag_member` functions of kinds, kernel/bpf/btf.c).

import { KIND_FLOAT, KIND_INT } from '../format.ts'
import { isEnum } from '../kinds.ts'
import type { TypeSet } from '../read/type-set.ts'

/** A type with a size, reached through modifiers. */
export interface Sized {
  readonly id: number
  readonly size: number
}

/** Where a member lies, in bits. */
export interface MemberPlace {
  readonly offset: number
  /** Width of a bitfield; 0 for any other member. */
  readonly bits: number
  /** The struct is one that has bitfields. */
  readonly flag: boolean
}

/** The place that a member's third word says, in a struct with the flag or without. */
export function placeOf(word: number, flag: boolean): MemberPlace {
  return { offset: flag ? word & 0xffffff : word, bits: flag ? word >>> 24 : 0, flag }
}

/** An int that is a whole number of bytes and begins at the first bit. */
export function isRegularInt(set: TypeSet, id: number): boolean {
  if (set.kindNumberOf(id) !== KIND_INT) return false
  const data = set.word(id, 3)
  const bits = data & 0xff
  return ((data >>> 16) & 0xff) === 0 && [8, 16, 32, 64, 128].includes(bits)
}

/** Why a member cannot lie where it is said to. `pointer` is the size of one. */
export function memberError(
  set: TypeSet,
  structSize: number,
  sized: Sized,
  place: MemberPlace,
  pointer: number,
): string | undefined {
  const { offset, bits, flag } = place
  const kind = set.kindNumberOf(sized.id)
  if (kind === KIND_INT) return intMemberError(set, structSize, sized.id, place)
  if (isEnum(kind) && flag) {
    if (bits === 0 && offset % 8 !== 0) return 'Member is not byte aligned'
    if (bits > 32) return 'Invalid member bitfield_size'
    return structSize < Math.ceil((offset + (bits || 32)) / 8) ? 'Member exceeds struct_size' : undefined
  }
  if (bits > 0) return 'Invalid member bitfield_size'
  if (kind === KIND_FLOAT) {
    if (offset % (8 * Math.min(pointer, sized.size)) !== 0) return 'Member is not properly aligned'
  } else if (offset % 8 !== 0) return 'Member is not byte aligned'
  return structSize - Math.floor(offset / 8) < sized.size ? 'Member exceeds struct_size' : undefined
}

function intMemberError(
  set: TypeSet,
  structSize: number,
  id: number,
  { offset, bits, flag }: MemberPlace,
): string | undefined {
  const data = set.word(id, 3)
  const ownBits = data & 0xff
  let start = offset
  let width = bits
  if (flag) {
    if (!isRegularInt(set, id)) return 'Invalid member base type'
    if (bits === 0) {
      if (offset % 8 !== 0) return 'Invalid member offset'
      width = ownBits
    } else if (bits > ownBits) return 'Invalid member bitfield_size'
  } else {
    start = offset + ((data >>> 16) & 0xff)
    if (start > 0xffffffff) return 'bits_offset exceeds U32_MAX'
    width = ownBits
  }
  const copied = width + (start % 8)
  if (copied > 128) return 'nr_copy_bits exceeds 128'
  return structSize - Math.floor(start / 8) < Math.ceil(copied / 8) ? 'Member exceeds struct_size' : undefined
}
