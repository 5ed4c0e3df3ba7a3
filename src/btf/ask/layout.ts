// How a struct or union lies in memory: offsets, bitfields, holes and padding, worked out from its members.

import { LimitError, UsageError } from '../../core/errors.ts'
import { KIND_ARRAY, KIND_STRUCT, KIND_UNION } from '../format.ts'
import { isComposite } from '../kinds.ts'
import { plainDeclarations } from '../print/c-declare.ts'
import { sizeOf } from '../read/sizes.ts'
import { decodeType, type StructType, skipModifiers } from '../read/type.ts'
import type { TypeSet } from '../read/type-set.ts'

/** Bytes of a cache line on the machines most kernels run on. */
export const CACHE_LINE = 64
/** Deepest nesting of structs without a name that is shown. */
const MAX_NESTING = 64
/** Most members of nested structs in all: hostile nesting doubles them with every level. */
const MAX_NESTED_MEMBERS = 1 << 16

/** A member in its place. All offsets count from the start of the outermost struct. */
export interface LaidOutMember {
  /** Empty for an anonymous struct, union or bitfield. */
  readonly name: string
  /** Id of its type in the set. */
  readonly type: number
  /** The member as C declares it; the type alone where it has no name. */
  readonly declaration: string
  /** Bytes. For a bitfield: of the unit of its type that it lies in. */
  readonly offset: number
  /** Bytes of its type; 0 for a flexible array. */
  readonly size: number
  /** First bit within the unit and width, for bitfields only. */
  readonly bitfield?: { readonly offset: number; readonly bits: number }
  /** Unused bits and bytes after it, before the next member. */
  readonly bitHole: number
  readonly hole: number
  /** The members of a struct or union without a name that is written in place. */
  readonly nested?: Layout
}

/** A struct or union laid out. Sizes are bytes unless they are said to be bits. */
export interface Layout {
  readonly module: string
  readonly id: number
  readonly kind: 'STRUCT' | 'UNION'
  readonly name: string
  readonly size: number
  readonly members: readonly LaidOutMember[]
  /** Unused before the first member. */
  readonly hole: number
  /** Unused after the last member. */
  readonly padding: number
  readonly bitPadding: number
  /** Bytes of all members together, without bitfields. */
  readonly memberBytes: number
  readonly memberBits: number
  readonly holes: number
  readonly holeBytes: number
  readonly bitHoles: number
  readonly holeBits: number
  /** Cache lines touched if it starts at the beginning of one. */
  readonly cacheLines: number
}

/**
 * Lays out a struct or union.
 * @throws UsageError if the type is something else; LimitError if structs without a name are nested absurdly often.
 */
export function layoutOf(set: TypeSet, id: number): Layout {
  const type = decodeType(set, id)
  if (type.kind !== 'STRUCT' && type.kind !== 'UNION') {
    throw new UsageError(`[${id}] ${type.kind} ${type.name} has no members to lay out`)
  }
  return layOut(set, type, 0, 0, { members: MAX_NESTED_MEMBERS })
}

/** Mutable part of a member while its followers are not known. */
type Draft = { -readonly [K in keyof LaidOutMember]: LaidOutMember[K] }

function layOut(set: TypeSet, struct: StructType, start: number, depth: number, budget: { members: number }): Layout {
  const members: Draft[] = []
  const gaps = new Gaps(struct.size * 8)
  let hole = 0
  let memberBytes = 0
  let memberBits = 0
  for (const member of struct.members) {
    if (depth > 0 && --budget.members < 0) {
      throw new LimitError(`[${struct.id}] more than ${MAX_NESTED_MEMBERS} members in nested structs`, {
        typeId: struct.id,
      })
    }
    const size = sizeOf(set, member.type) ?? 0
    const unit = member.bits > 0 && size > 0 ? Math.floor(member.bitOffset / (size * 8)) * size : undefined
    const offset = unit ?? Math.floor(member.bitOffset / 8)
    const gap = gaps.next(member.bitOffset, member.bits, offset, size)
    const previous = members.at(-1)
    if (struct.kind === 'STRUCT') {
      if (previous) Object.assign(previous, gap)
      else hole = gap.hole
    }
    if (member.bits > 0) memberBits += member.bits
    else memberBytes += size
    const nested = depth < MAX_NESTING ? nestedStruct(set, member.type) : undefined
    members.push({
      name: member.name,
      type: member.type,
      declaration: declare(set, member.type, member.name),
      offset: start + offset,
      size,
      ...(member.bits > 0 && { bitfield: { offset: member.bitOffset - offset * 8, bits: member.bits } }),
      bitHole: 0,
      hole: 0,
      ...(nested && { nested: layOut(set, nested, start + offset, depth + 1, budget) }),
    })
  }
  const end = struct.kind === 'STRUCT' ? gaps.end() : { bitPadding: 0, padding: 0 }
  const holes = [hole, ...members.map((each) => each.hole)].filter((each) => each > 0)
  const bitHoles = members.map((each) => each.bitHole).filter((each) => each > 0)
  return {
    module: struct.module,
    id: struct.id,
    kind: struct.kind,
    name: struct.name,
    size: struct.size,
    members,
    hole,
    ...end,
    memberBytes,
    memberBits,
    holes: holes.length,
    holeBytes: sum(holes),
    bitHoles: bitHoles.length,
    holeBits: sum(bitHoles),
    cacheLines: Math.ceil(struct.size / CACHE_LINE),
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

/** The struct or union without a name that a member's type is, directly or as an array's element. */
function nestedStruct(set: TypeSet, id: number): StructType | undefined {
  const kind = set.kindNumberOf(id)
  if ((kind !== KIND_STRUCT && kind !== KIND_UNION) || set.word(id, 0) !== 0) return undefined
  const type = decodeType(set, id)
  return type.kind === 'STRUCT' || type.kind === 'UNION' ? type : undefined
}

/** A member's declaration on one line: a struct written in place is cut to its keyword. */
function declare(set: TypeSet, type: number, name: string): string {
  const kind = set.kindNumberOf(type)
  if (isComposite(kind) && set.word(type, 0) === 0) {
    const keyword = kind === KIND_STRUCT ? 'struct' : 'union'
    return name === '' ? keyword : `${keyword} ${name}`
  }
  const text = plainDeclarations(set).declare(type, name).replace(/\s+/g, ' ')
  // The kernel writes arrays without a count where BTF has 0 of them.
  return set.kindNumberOf(skipModifiers(set, type)) === KIND_ARRAY ? text.replace(/\[0\]$/, '[]') : text
}

/** Follows the bits of a struct from member to member and tells what is unused between them. */
class Gaps {
  readonly #total: number
  /** All bits before this one are accounted for. */
  #seen = 0
  /** End of the unit that the bitfields under way share, and that unit's width. */
  #unitEnd: number
  #unitBits = 0
  #inBitfield = false

  constructor(totalBits: number) {
    this.#total = totalBits
    this.#unitEnd = totalBits
  }

  /** The gap before a member: `bits` of a bitfield or 0; `offset` and `size` in bytes of its unit or itself. */
  next(start: number, bits: number, offset: number, size: number): { bitHole: number; hole: number } {
    const gap = { bitHole: 0, hole: 0 }
    const end = start + (bits > 0 ? bits : size * 8)
    if (this.#inBitfield) {
      // The rest of the unit counts in bits, what is behind it in bytes.
      const stop = Math.min(start, this.#unitEnd)
      gap.bitHole = stop - this.#seen
      this.#seen = stop
    }
    if (bits > 0) {
      const unitStart = offset * 8
      if (this.#seen < unitStart && unitStart <= start) {
        gap.hole = offset - Math.floor(this.#seen / 8)
        this.#seen = unitStart
      }
      gap.bitHole += start - this.#seen
      if (end > this.#unitEnd || size * 8 > this.#unitBits) {
        this.#unitBits = size * 8
        this.#unitEnd = unitStart + this.#unitBits
        // It may begin in one unit and end in the next.
        if (end > this.#unitEnd) this.#unitEnd += this.#unitBits
      }
      this.#inBitfield = true
    } else {
      gap.hole = Math.floor(start / 8) - Math.floor(this.#seen / 8)
      this.#inBitfield = false
      this.#unitBits = 0
      this.#unitEnd = end
    }
    this.#seen = end
    // Overlapping members leave nothing between them.
    return { bitHole: Math.max(gap.bitHole, 0), hole: Math.max(gap.hole, 0) }
  }

  end(): { bitPadding: number; padding: number } {
    let bitPadding = 0
    if (this.#inBitfield) {
      const stop = Math.min(this.#total, this.#unitEnd)
      bitPadding = Math.max(stop - this.#seen, 0)
      this.#seen = stop
    }
    return { bitPadding, padding: Math.max(Math.floor((this.#total - this.#seen) / 8), 0) }
  }
}
