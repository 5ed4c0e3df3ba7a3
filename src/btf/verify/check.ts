// The kernel's own rules for a BTF blob (kernel/bpf/btf.c), with its wording: header, sections, every type's record.
// The second pass, which follows references, is in check-resolve.ts.
import { flag, like, type Options, options as optionsOf, wrong } from '../../core/arguments.ts'
import { KerndexError } from '../../core/errors.ts'
import {
  HEADER_BYTES,
  infoFlag,
  infoKind,
  infoVlen,
  KIND_ARRAY,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_INT,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_UNION,
  KIND_VAR,
  OLD_HEADER_BYTES,
  type RecordRule,
} from '../format.ts'
import { enumeratorWords, KIND_COUNT, KINDS, type KindName, plainKind } from '../kinds.ts'
import { readHeader } from '../read/header.ts'
import { type BaseShape, indexTypes } from '../read/index-types.ts'
import { isIdentifier, MAX_NAME } from '../read/names.ts'
import { TypeSet, typeSet } from '../read/type-set.ts'
import { findFieldError } from './check-fields.ts'
import { findReferenceError } from './check-resolve.ts'
import { fillIn } from './fill-in.ts'

/** A rule that a blob breaks. */
export interface CheckError {
  /** 0 for the header and the sections. */
  readonly typeId: number
  readonly kind?: KindName
  readonly name?: string
  readonly message: string
}

/** The result of a check. */
export interface CheckResult {
  readonly ok: boolean
  readonly errors: readonly CheckError[]
  /** The values that a loader fills into the types of a BPF object before the kernel sees them; the strict check is of the types with them. */
  readonly filledIn?: readonly string[]
}

/** Most errors that are listed. */
const MAX_ERRORS = 100
const MAX_TYPE_ID = 0xfffff
const MAX_NAME_OFFSET = 0xffffff

/** The base on which a split blob is checked. */
export interface CheckBase {
  readonly set: TypeSet
  readonly shape: BaseShape
}

/** How to check. */
export interface CheckOptions {
  /** The base of a split blob. */
  readonly base?: CheckBase | undefined
  /** Also the kernel's own rules. */
  readonly strict?: boolean | undefined
  /** The blob is a BPF object's, as a compiler left it. */
  readonly object?: boolean | undefined
}

const CHECK_OPTIONS: Options<CheckOptions> = {
  base: like<CheckBase>({ set: typeSet, shape: like({}, 'the shape of a base') }, 'a base, as openTypeFile gives it'),
  strict: flag,
  object: flag,
}

/** Bytes in shared memory: types are read in place. */
function sharedBytes(value: unknown, name: string): void {
  if (!(value instanceof Uint8Array && value.buffer instanceof SharedArrayBuffer)) {
    throw wrong(name, 'a Uint8Array over a SharedArrayBuffer', value)
  }
}

/**
 * Checks a blob by the structural rules that every blob must meet to be read and, if `strict`, by the rules the kernel
 * applies to BTF that is loaded into it. Types of an `object` as clang writes them are checked as a loader hands them over, and
 * the result says what it fills in. Never throws for what a blob contains.
 */
export function checkBtf(bytes: Uint8Array<SharedArrayBuffer>, options?: CheckOptions): CheckResult {
  sharedBytes(bytes, 'bytes')
  const { base, strict = false, object = false } = optionsOf(options, 'checkBtf', CHECK_OPTIONS)
  const split = base !== undefined
  if (strict) {
    const message = headerError(bytes, split)
    if (message !== undefined) return result([{ typeId: 0, message }])
  }
  const { records, failures } = indexTypes([{ name: 'blob', bytes }], base?.shape)
  const failure = failures[0]
  if (failure) return result([fromError(failure.error)])
  let set: TypeSet
  try {
    set = new TypeSet(records[0]!, base?.set)
  } catch (error) {
    if (!(error instanceof KerndexError)) throw error
    return result([fromError(error)])
  }
  if (!strict) return result([])
  if (object && base === undefined) {
    const { bytes: loaded, filled } = fillIn(set, bytes)
    if (filled.length > 0) return { ...checkBtf(loaded, { strict }), filledIn: filled }
  }
  const errors: CheckError[] = []
  if (set.endId - 1 > MAX_TYPE_ID) errors.push({ typeId: 0, message: `Too many types: ${set.endId - 1}` })
  for (let id = set.firstId; id < set.endId && errors.length < MAX_ERRORS; id++) {
    const message = recordError(set, id)
    if (message !== undefined) errors.push(typeError(set, id, message))
  }
  if (errors.length > 0) return result(errors)
  const broken = findReferenceError(set) ?? findFieldError(set)
  return result(broken ? [typeError(set, broken.typeId, broken.message)] : [])
}

const result = (errors: readonly CheckError[]): CheckResult => ({ ok: errors.length === 0, errors })

function fromError(error: KerndexError): CheckError {
  return { typeId: error.place.typeId ?? 0, message: error.message.replace(/^blob: /, '') }
}

function typeError(set: TypeSet, typeId: number, message: string): CheckError {
  return { typeId, kind: set.kindOf(typeId), name: set.nameOf(typeId), message }
}

/** The first rule the header or the division into sections breaks. */
function headerError(bytes: Uint8Array, split: boolean): string | undefined {
  if (bytes.length < 8) return 'hdr_len not found'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = view.getUint16(0, true) === 0xeb9f
  const headerBytes = view.getUint32(4, little)
  if (little || view.getUint16(0, false) === 0xeb9f) {
    if (headerBytes > bytes.length) return 'btf_header not found'
    for (let i = HEADER_BYTES; i < headerBytes; i++) if (bytes[i] !== 0) return 'Unsupported btf_header'
  }
  // Sections first: the kernel looks at how they tile the blob before it looks into them.
  const magic = little || view.getUint16(0, false) === 0xeb9f
  if (magic && headerBytes >= OLD_HEADER_BYTES) {
    const message = tilingError(view, little, headerBytes, split)
    if (message !== undefined) return message
  }
  try {
    const header = readHeader(bytes, split)
    return header.stringsBytes - 1 > MAX_NAME_OFFSET ? 'Invalid string section' : undefined
  } catch (error) {
    if (!(error instanceof KerndexError)) throw error
    return error.message.replace(/^BTF header: /, '')
  }
}

/** Sections must cover the blob from the header to the end, without gap or overlap, strings last. */
function tilingError(view: DataView, little: boolean, headerBytes: number, split: boolean): string | undefined {
  const total = view.byteLength - headerBytes
  if (!split && total === 0) return 'No data'
  const word = (at: number): number => view.getUint32(at, little)
  const sections = [
    { start: word(8), length: word(12) },
    { start: word(16), length: word(20) },
  ]
  if (headerBytes >= HEADER_BYTES && word(28) > 0) sections.push({ start: word(24), length: word(28) })
  sections.sort((a, b) => a.start - b.start || a.length - b.length)
  let end = 0
  for (const { start, length } of sections) {
    if (start > total) return 'Invalid section offset'
    if (end < start) return 'Unsupported section found'
    if (end > start) return 'Section overlap found'
    if (length > total - end) return 'Total section length too long'
    end += length
  }
  if (end !== total) return 'Unsupported section found'
  if (word(16) + word(20) !== total) return 'String section is not at the end'
  return !split && word(12) === 0 ? 'No type found' : undefined
}

/** The first rule a type breaks by itself, without a look at the types it refers to. */
function recordError(set: TypeSet, id: number): string | undefined {
  const { words } = set
  const at = set.position(id)
  const name = words[at]!
  const info = words[at + 1]!
  const ref = words[at + 2]!
  const kind = infoKind(info)
  const vlen = infoVlen(info)
  const flag = infoFlag(info)
  if (kind === 0 || kind >= KIND_COUNT) return `Invalid kind:${kind}`
  if (name > MAX_NAME_OFFSET) return `Invalid name_offset:${name}`
  for (const rule of KINDS[kind]!.rules) {
    const message = rule === 'own' ? ownError(set, at, kind) : RULES[rule]({ set, name, ref, vlen, flag })
    if (message !== undefined) return message
  }
  return undefined
}

/** The fields of a record that rules for several kinds look at. */
interface Fields {
  readonly set: TypeSet
  readonly name: number
  readonly ref: number
  readonly vlen: number
  readonly flag: boolean
}

const when = (broken: boolean, message: string): string | undefined => (broken ? message : undefined)

const RULES: Readonly<Record<Exclude<RecordRule, 'own'>, (fields: Fields) => string | undefined>> = {
  'no vlen': ({ vlen }) => when(vlen !== 0, 'vlen != 0'),
  'no flag': ({ flag }) => when(flag, 'Invalid btf_info kind_flag'),
  'no name': ({ name }) => when(name !== 0, 'Invalid name'),
  identifier: ({ set, name }) => identifier(set, name),
  'identifier or none': ({ set, name }) => optionalIdentifier(set, name),
  'no type': ({ ref }) => when(ref !== 0, 'type != 0'),
  'a type': ({ ref }) => when(ref === 0, 'Invalid type_id'),
  'valid type': ({ ref }) => when(ref > MAX_TYPE_ID, 'Invalid type_id'),
  'a size': ({ ref }) => when(ref === 0, 'size == 0'),
}

/** The first rule of its kind's own that a record breaks. */
function ownError(set: TypeSet, at: number, kind: number): string | undefined {
  const { words } = set
  const name = words[at]!
  const ref = words[at + 2]!
  const vlen = infoVlen(words[at + 1]!)
  switch (plainKind(kind)) {
    case KIND_INT:
      return intError(words[at + 3]!, ref)
    case KIND_TYPE_TAG:
      return when(isEmpty(set, name), 'Invalid name')
    case KIND_ARRAY: {
      const [element, index] = [words[at + 3]!, words[at + 4]!]
      if (ref !== 0) return 'size != 0'
      if (element === 0 || element > MAX_TYPE_ID) return 'Invalid elem'
      return when(index === 0 || index > MAX_TYPE_ID, 'Invalid index')
    }
    case KIND_STRUCT:
    case KIND_UNION:
      return memberError(set, at, kind === KIND_UNION)
    case KIND_ENUM:
      if (ref > 8 || !isPowerOfTwo(ref)) return 'Unexpected size'
      return optionalIdentifier(set, name) ?? enumeratorError(set, at, vlen, enumeratorWords(kind))
    case KIND_FUNC:
      return when(vlen > 1, 'Invalid func linkage')
    case KIND_VAR:
      return when(words[at + 3]! > 1, 'Linkage not supported')
    case KIND_DATASEC:
      return sectionName(set, name) ?? sectionError(set, at)
    case KIND_FLOAT:
      return when(![2, 4, 8, 12, 16].includes(ref), 'Invalid type_size')
    case KIND_DECL_TAG:
      if (isEmpty(set, name)) return 'Invalid value'
      if (vlen !== 0) return 'vlen != 0'
      if (ref > MAX_TYPE_ID) return 'Invalid type_id'
      return when((words[at + 3]! | 0) < -1, 'Invalid component_idx')
    default:
      throw new TypeError(`rules of kind ${kind} are missing`)
  }
}

const isPowerOfTwo = (value: number): boolean => value > 0 && (value & (value - 1)) === 0
const roundUpToBytes = (bits: number): number => Math.ceil(bits / 8)

function intError(data: number, size: number): string | undefined {
  if ((data & 0xf0000000) !== 0) return `Invalid int_data:${data.toString(16)}`
  const bits = (data & 0xff) + ((data >>> 16) & 0xff)
  if (bits > 128) return 'nr_bits exceeds 128'
  if (roundUpToBytes(bits) > size) return 'nr_bits exceeds type_size'
  return [0, 1, 2, 4].includes(data >>> 24) ? undefined : 'Unsupported encoding'
}

function memberError(set: TypeSet, at: number, isUnion: boolean): string | undefined {
  const { words } = set
  const info = words[at + 1]!
  const size = words[at + 2]!
  let last = 0
  for (let i = 0; i < infoVlen(info); i++) {
    const member = at + 3 + 3 * i
    const name = words[member]!
    if (name > MAX_NAME_OFFSET) return `Invalid member name_offset:${name}`
    if (optionalIdentifier(set, name)) return 'Invalid name'
    const type = words[member + 1]!
    if (type === 0 || type > MAX_TYPE_ID) return 'Invalid type_id'
    const offset = infoFlag(info) ? words[member + 2]! & 0xffffff : words[member + 2]!
    // The kernel's wording for members out of order as well.
    if ((isUnion && offset !== 0) || last > offset) return `Invalid member bits_offset: ${memberName(set, name)}`
    if (roundUpToBytes(offset) > size) return `Member bits_offset exceeds its struct size: ${memberName(set, name)}`
    last = offset
  }
  return undefined
}

const memberName = (set: TypeSet, name: number): string => (name === 0 ? '(anon)' : set.nameAt(name))

function enumeratorError(set: TypeSet, at: number, vlen: number, step: number): string | undefined {
  for (let i = 0; i < vlen; i++) {
    const name = set.words[at + 3 + step * i]!
    if (name > MAX_NAME_OFFSET) return `Invalid name_offset:${name}`
    if (identifier(set, name)) return 'Invalid name'
  }
  return undefined
}

function sectionError(set: TypeSet, at: number): string | undefined {
  const { words } = set
  const size = words[at + 2]!
  let last = 0
  let sum = 0
  for (let i = 0; i < infoVlen(words[at + 1]!); i++) {
    const entry = at + 3 + 3 * i
    const [type, offset, bytes] = [words[entry]!, words[entry + 1]!, words[entry + 2]!]
    if (type === 0 || type > MAX_TYPE_ID) return 'Invalid type_id'
    if (offset < last || offset >= size) return 'Invalid offset'
    if (bytes === 0 || bytes > size) return 'Invalid size'
    last = offset + bytes
    if (last > size) return 'Invalid offset+size'
    sum += bytes
  }
  return size < sum ? 'Invalid btf_info size' : undefined
}

function isEmpty(set: TypeSet, offset: number): boolean {
  const { bytes, start } = set.locateName(offset)
  return bytes[start] === 0
}

function identifier(set: TypeSet, offset: number): string | undefined {
  const { bytes, start } = set.locateName(offset)
  return isIdentifier(bytes, start) ? undefined : 'Invalid name'
}

function optionalIdentifier(set: TypeSet, offset: number): string | undefined {
  return offset === 0 ? undefined : identifier(set, offset)
}

/** A section's name: any printable characters. */
function sectionName(set: TypeSet, offset: number): string | undefined {
  const { bytes, start } = set.locateName(offset)
  if (offset === 0 || bytes[start] === 0) return 'Invalid name'
  for (let i = start; bytes[i] !== 0; i++) {
    if (i - start === MAX_NAME || bytes[i]! < 0x20 || bytes[i]! > 0x7e) return 'Invalid name'
  }
  return undefined
}
