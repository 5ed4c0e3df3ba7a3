// CO-RE relocations: which value a program's access to a kernel type has on this kernel, or why it has none.
import { choice, count, like, text } from '../../core/arguments.ts'
import { BadFormatError, KerndexError, LimitError } from '../../core/errors.ts'
import { KIND_ARRAY, KIND_INT, KIND_PTR } from '../format.ts'
import { enumeratorValue, enumeratorWords, isEnum } from '../kinds.ts'
import { essentialName } from '../read/flavour.ts'
import { sizeOf } from '../read/sizes.ts'
import type { TypeCandidate } from '../read/type.ts'
import { memberAt, skipModifiers } from '../read/type.ts'
import { type TypeSet, typeSet } from '../read/type-set.ts'
import { type Types, typesArgument } from '../types.ts'
import { typesCompatible, typesMatch } from './core-match.ts'
import {
  describeSpec,
  isEnumKind,
  isFieldKind,
  matchEnumerator,
  matchField,
  parseSpec,
  RELOCATION_KINDS,
  type RelocationKind,
  type Spec,
  sameKind,
} from './core-spec.ts'

/** A relocation as a program's `.BTF.ext` has it. */
export interface Relocation {
  readonly kind: RelocationKind
  /** Root type, in the program's own types. */
  readonly typeId: number
  /** Indexes of members and elements, such as `0:1:2`. */
  readonly access: string
}

/**
 * The outcome of a relocation:
 * - `ok`: it has a value.
 * - `poisoned`: nothing in the kernel fits. libbpf makes the instruction invalid, so the program loads only if it never
 *   gets there, for example because it asked with field_exists first.
 * - `failed`: libbpf refuses the whole program.
 */
export type RelocationStatus = 'ok' | 'poisoned' | 'failed'

/** The outcome of a relocation. */
export interface RelocationResult {
  readonly status: RelocationStatus
  /** What is accessed, as the program declares it: `struct task_struct.pid`. */
  readonly access: string
  /** The value the instruction gets; 0 for a field, type or enumerator that does not exist where that was the question. */
  readonly value?: bigint
  /** The value the compiler put there, from the program's own types. */
  readonly localValue?: bigint
  /** Kernel types of that name that were considered, and those that fit. */
  readonly candidates: readonly TypeCandidate[]
  readonly matching: readonly TypeCandidate[]
  /** The memory access has another width than the kernel's field and cannot be adjusted: loads and stores fail. */
  readonly widthDiffers: boolean
  /** Bytes that a load or store of the field accesses, in the kernel and in the program's own types. */
  readonly width?: number
  readonly localWidth?: number
  /** libbpf insists that the instruction holds `localValue`; not for bitfields and ids, where compilers may differ. */
  readonly compared: boolean
  /** Why it is not ok. */
  readonly reason?: string
}

/** The value of a relocation in one set, and what an adjustment of the instruction's width needs to know. */
interface Value {
  readonly value: bigint
  /** Bytes read, for byte offsets of fields that are not bitfields. */
  readonly width?: number
  /** The compiler may have computed another value than this one, which is as right. */
  readonly uncertain?: boolean
  readonly type?: { readonly set: TypeSet; readonly id: number }
}

const KIND = choice(...RELOCATION_KINDS)
const RELOCATION = like<Relocation>({ kind: KIND, typeId: count, access: text }, '{ kind, typeId, access }')

/**
 * Works out relocations of one object on one kernel, in the object's order: once a relocation fits only some of the
 * candidates of a root type, the ones behind it consider only those, as in libbpf.
 */
export class Relocator {
  readonly #local: TypeSet
  readonly #types: Types
  readonly #candidates = new Map<number, TypeCandidate[]>()

  constructor(local: TypeSet, types: Types) {
    this.#local = typeSet(local, 'local')
    this.#types = typesArgument(types, 'types')
  }

  /** The outcome of a relocation on this kernel. Never throws for what a program contains. */
  relocate(asked: Relocation): RelocationResult {
    const { kind, typeId, access } = RELOCATION(asked, 'relocation')
    return this.#relocate({ kind: KIND(kind, 'kind'), typeId, access })
  }

  #relocate(relocation: Relocation): RelocationResult {
    const none = { candidates: [], matching: [], widthDiffers: false, compared: false }
    let local: Spec
    let access = `[${relocation.typeId}]`
    try {
      local = parseSpec(this.#local, relocation.kind, relocation.typeId, relocation.access)
      access = describeSpec(local)
      if (relocation.kind === 'local_type_id') {
        const value = BigInt(relocation.typeId)
        return { status: 'ok', access, value, localValue: value, ...none }
      }
      if (this.#local.nameOf(relocation.typeId) === '') {
        return { status: 'failed', access, ...none, reason: 'anonymous types cannot be relocated' }
      }
      return this.#onKernel(relocation.kind, local, access)
    } catch (error) {
      if (!(error instanceof KerndexError)) throw error
      return { status: 'failed', access, ...none, reason: error.message }
    }
  }

  #onKernel(kind: RelocationKind, local: Spec, access: string): RelocationResult {
    const candidates = this.#find(local.rootId)
    const own = valueIn(kind, local)
    const localWidth = own.width !== undefined && { localWidth: own.width }
    const common = { access, candidates, localValue: own.value, ...localWidth, compared: own.uncertain !== true }
    const matching: TypeCandidate[] = []
    let chosen: { spec: Spec; value: Value } | undefined
    for (const each of candidates) {
      const spec = match(kind, local, this.#types.requireSet(each.module), each.id)
      if (!spec) continue
      const value = valueIn(kind, spec)
      matching.push(each)
      if (!chosen) chosen = { spec, value }
      else if (spec.bitOffset !== chosen.spec.bitOffset || value.value !== chosen.value.value) {
        const [first, second] = [place(matching[0]!), place(each)]
        const reason = `ambiguous: ${chosen.value.value} in ${first}, ${value.value} in ${second}`
        return { ...common, status: 'failed', matching, widthDiffers: false, reason }
      }
    }
    if (chosen) {
      this.#candidates.set(local.rootId, matching)
      const { value, width } = chosen.value
      const widthDiffers = !widthFits(own, chosen.value)
      return { ...common, status: 'ok', matching, value, ...(width !== undefined && { width }), widthDiffers }
    }
    const reason = absentReason(candidates, this.#local, local)
    // Questions about existence, and relocations of types, have an answer for what is not there.
    if (kind === 'field_exists' || !(isFieldKind(kind) || kind === 'enumval_value')) {
      return { ...common, status: 'ok', matching, value: 0n, widthDiffers: false, reason }
    }
    return { ...common, status: 'poisoned', matching, widthDiffers: false, reason }
  }

  /** Kernel types of the same essential name and kind: those of vmlinux or, if it has none, those of modules. */
  #find(rootId: number): TypeCandidate[] {
    const known = this.#candidates.get(rootId)
    if (known) return known
    const kind = this.#local.kindNumberOf(rootId)
    const name = essentialName(this.#local.nameOf(rootId))
    const fits = (each: TypeCandidate): boolean =>
      sameKind(kind, this.#types.requireSet(each.module).kindNumberOf(each.id))
    let found = this.#types.findEssential(name, { module: 'vmlinux' }).filter(fits)
    if (found.length === 0) found = this.#types.findEssential(name).filter(fits)
    this.#candidates.set(rootId, found)
    return found
  }
}

const place = (each: TypeCandidate): string => `${each.module} [${each.id}]`

function absentReason(candidates: readonly TypeCandidate[], set: TypeSet, local: Spec): string {
  const name = `${set.kindOf(local.rootId)} ${essentialName(set.nameOf(local.rootId))}`
  if (candidates.length === 0) return `the kernel has no ${name}`
  return `no ${name} of the kernel fits: ${candidates.map(place).join(', ')}`
}

function match(kind: RelocationKind, local: Spec, target: TypeSet, targetId: number): Spec | undefined {
  if (isEnumKind(kind)) return matchEnumerator(local, target, targetId)
  if (isFieldKind(kind)) return matchField(local, target, targetId)
  const pair = { local: local.set, localId: local.rootId, target, targetId }
  const fits = kind === 'type_matches' ? typesMatch(pair) : typesCompatible(pair)
  return fits ? { set: target, rootId: targetId, accessors: [], steps: [], bitOffset: 0 } : undefined
}

/** The value of a relocation whose access has been found. */
function valueIn(kind: RelocationKind, spec: Spec): Value {
  switch (kind) {
    case 'field_exists':
    case 'type_exists':
    case 'type_matches':
    case 'enumval_exists':
      return { value: 1n }
    case 'local_type_id':
    case 'target_type_id':
      // Linking may renumber types without touching instructions.
      return { value: BigInt(spec.rootId), uncertain: true }
    case 'type_size':
      return { value: BigInt(requireSize(spec.set, spec.rootId)) }
    case 'enumval_value':
      return { value: enumValue(spec) }
    default:
      return fieldValue(kind, spec)
  }
}

function requireSize(set: TypeSet, id: number): number {
  const size = sizeOf(set, id)
  if (size === undefined)
    throw new BadFormatError(`[${id}] ${set.kindOf(id)} ${set.nameOf(id)} has no size`, { typeId: id })
  return size
}

function enumValue({ set, accessors }: Spec): bigint {
  const { typeId, index } = accessors[0]!
  const own = set.owner(typeId) ?? set
  const at = own.position(typeId)
  const step = enumeratorWords(own.kindNumberOf(typeId))
  // As C converts an int to 64 bits.
  const extended = step === 2
  return BigInt.asUintN(64, enumeratorValue(own.words, at + 3 + step * index, step, extended))
}

function fieldValue(kind: RelocationKind, spec: Spec): Value {
  const { set, bitOffset } = spec
  const accessor = spec.accessors.at(-1)!
  if (accessor.name === undefined) {
    if (kind === 'byte_sz') return { value: BigInt(requireSize(set, accessor.typeId)) }
    if (kind !== 'byte_off') throw new BadFormatError(`${kind} cannot be asked of an array element`)
    if (bitOffset % 8 !== 0) throw new BadFormatError(`an array element in the middle of a byte, at bit ${bitOffset}`)
    return { value: BigInt(bitOffset / 8), ...loadWidth(set, accessor.typeId) }
  }
  const member = memberAt(set, accessor.typeId, accessor.index)
  const type = skipModifiers(set, member.type)
  const unit = member.bits > 0 ? loadUnit(spec, type, member.bits) : plainUnit(spec, type)
  // Which load reads a bitfield is the compiler's choice; how many bits it has, and whether they are signed, is not.
  const uncertain = member.bits > 0
  switch (kind) {
    case 'byte_off':
      return { value: BigInt(unit.offset), uncertain, ...(member.bits === 0 && loadWidth(set, type)) }
    case 'byte_sz':
      return { value: BigInt(unit.size), uncertain }
    case 'signed':
      return { value: isSigned(set, type) ? 1n : 0n }
    case 'lshift_u64': {
      const bits = bitOffset - unit.offset * 8
      // The bits of a field count from the other end in big-endian machines.
      const shift = isLittleEndian(set) ? 64 - (bits + unit.bits) : (8 - unit.size) * 8 + bits
      return { value: BigInt.asUintN(64, BigInt(shift)), uncertain }
    }
    default:
      return { value: BigInt.asUintN(64, BigInt(64 - unit.bits)) }
  }
}

interface Unit {
  readonly offset: number
  readonly size: number
  readonly bits: number
}

function plainUnit({ set, bitOffset }: Spec, type: number): Unit {
  const size = requireSize(set, type)
  return { offset: Math.floor(bitOffset / 8), size, bits: size * 8 }
}

/** The smallest aligned load that reads a whole bitfield. */
function loadUnit({ set, bitOffset }: Spec, type: number, bits: number): Unit {
  let size = set.refOf(type)
  if (size === 0) throw new BadFormatError(`[${type}] a bitfield of a type without size`, { typeId: type })
  let offset = Math.floor(bitOffset / 8 / size) * size
  while (bitOffset + bits - offset * 8 > size * 8) {
    if (size >= 8) throw new LimitError('a bitfield that no 64-bit load can read')
    size *= 2
    offset = Math.floor(bitOffset / 8 / size) * size
  }
  return { offset, size, bits }
}

/** Bytes a load of a field reads: of an array, one element. */
function loadWidth(set: TypeSet, type: number): Pick<Value, 'width' | 'type'> {
  let element = skipModifiers(set, type)
  for (let depth = 0; depth < 32 && set.kindNumberOf(element) === KIND_ARRAY; depth++) {
    element = skipModifiers(set, set.word(element, 3))
  }
  return { width: requireSize(set, element), type: { set, id: type } }
}

function isSigned(set: TypeSet, type: number): boolean {
  const kind = set.kindNumberOf(type)
  return isEnum(kind) ? set.flagOf(type) : kind === KIND_INT && isSignedInt(set, type)
}

const isSignedInt = (set: TypeSet, id: number): boolean => (set.word(id, 3) & (1 << 24)) !== 0

const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
/** Whether a set was written for a machine that stores the low byte first. */
export const isLittleEndian = (set: TypeSet): boolean => HOST_IS_LITTLE !== set.foreign

/** Widths may differ for pointers and for unsigned integers: there a narrower or wider load gives the same value. */
function widthFits(local: Value, target: Value): boolean {
  if (local.width === target.width || !local.type || !target.type) return true
  const [a, b] = [local.type, target.type]
  const kinds = [a.set.kindNumberOf(a.id), b.set.kindNumberOf(b.id)]
  if (kinds[0] === KIND_PTR && kinds[1] === KIND_PTR) return true
  const unsigned = (each: { set: TypeSet; id: number }): boolean => ((each.set.word(each.id, 3) >>> 24) & 0xf) !== 1
  return kinds[0] === KIND_INT && kinds[1] === KIND_INT && unsigned(a) && unsigned(b)
}
