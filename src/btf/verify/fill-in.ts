// Fills into the types of a BPF object what a loader does before it hands them to the kernel: clang leaves the sizes of sections, the
// places of variables and everything external open (libbpf, bpf_object_fixup_btf and bpf_object__collect_externs).
import { BTF_MAGIC, infoVlen, KIND_DATASEC, KIND_FUNC, KIND_INT, KIND_VAR, OLD_HEADER_BYTES } from '../format.ts'
import { TYPE_WORDS } from '../kinds.ts'
import { readHeader } from '../read/header.ts'
import type { TypeSet } from '../read/type-set.ts'

/** Types as a loader hands them over. */
export interface FilledIn {
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** What was open, in words. */
  readonly filled: readonly string[]
}

/** Linkage of variables and functions that another object has (btf_func_linkage, BTF_VAR_GLOBAL_EXTERN). */
const EXTERN = 2
const GLOBAL = 1
const INT_BYTES = 4
const ENTRY_WORDS = 3

/** Fills in what a loader does. `bytes` are those of the set, which has no base. */
export function fillIn(set: TypeSet, bytes: Uint8Array): FilledIn {
  const filled: string[] = []
  const words: number[] = []
  const added: number[] = []
  let ids = set.endId
  let int = 0
  const add = (...record: number[]): number => {
    added.push(...record)
    return ids++
  }
  const intType = (): number => {
    int ||= findInt(set) ?? add(0, (KIND_INT << 24) >>> 0, INT_BYTES, INT_BYTES * 8)
    return int
  }
  const openProtos = new Map<number, number>()
  for (let id = set.firstId; id < set.endId; id++) {
    if (set.kindNumberOf(id) === KIND_FUNC && set.vlenOf(id) === EXTERN) {
      openProtos.set(set.refOf(id), set.word(id, 0))
      filled.push(`FUNC ${set.nameOf(id)} is external: a loader makes it a function of the object`)
    }
  }
  for (let id = set.firstId; id < set.endId; id++) {
    const at = set.position(id)
    const end = id + 1 < set.endId ? set.position(id + 1) : set.typesEnd
    const record = [...set.words.subarray(at, end)]
    const kind = set.kindNumberOf(id)
    const name = openProtos.get(id)
    if (kind === KIND_FUNC && set.vlenOf(id) === EXTERN) record[1] = (record[1]! & 0xff000000) | GLOBAL
    else if (kind === KIND_VAR && record[3] === EXTERN) {
      record[3] = GLOBAL
      record[2] = intType()
      filled.push(`VAR ${set.nameOf(id)} is external: a loader gives it a place and the type int`)
    } else if (kind === KIND_DATASEC && record[2] === 0) fillSection(set, id, record, filled, intType, add)
    else if (name !== undefined) {
      // Prototypes of external functions may leave their parameters without names.
      for (let i = 0; i < infoVlen(record[1]!); i++) if (record[4 + 2 * i] !== 0) record[3 + 2 * i] ||= name
    }
    for (const word of record) words.push(word >>> 0)
  }
  for (const word of added) words.push(word >>> 0)
  return { bytes: blobOf(Uint32Array.from(words), stringsOf(bytes)), filled }
}

/** A section without a size: its variables one behind the other. */
function fillSection(
  set: TypeSet,
  id: number,
  record: number[],
  filled: string[],
  intType: () => number,
  add: (...record: number[]) => number,
): void {
  let end = 0
  for (let at = TYPE_WORDS; at + ENTRY_WORDS <= record.length; at += ENTRY_WORDS) {
    const entry = record[at]!
    const kind = set.owner(entry) === undefined ? undefined : set.kindNumberOf(entry)
    const external = kind === KIND_FUNC || (kind === KIND_VAR && set.word(entry, 3) === EXTERN)
    if (kind === KIND_FUNC) record[at] = add(set.word(entry, 0), (KIND_VAR << 24) >>> 0, intType(), GLOBAL)
    if (external) record[at + 2] = INT_BYTES
    record[at + 1] = end
    end += record[at + 2]!
  }
  record[2] = end
  const entries = infoVlen(record[1]!)
  const what = entries === 1 ? 'the place of its variable' : `the places of its ${entries} variables`
  filled.push(`DATASEC ${set.nameOf(id)} has no size: a loader fills it in, and ${what}`)
}

function findInt(set: TypeSet): number | undefined {
  for (let id = set.firstId; id < set.endId; id++) {
    if (
      set.kindNumberOf(id) === KIND_INT &&
      set.refOf(id) === INT_BYTES &&
      (set.word(id, 3) & 0xffffff) === INT_BYTES * 8
    )
      return id
  }
  return undefined
}

function stringsOf(bytes: Uint8Array): Uint8Array {
  const { stringsStart, stringsBytes } = readHeader(bytes, false)
  return bytes.subarray(stringsStart, stringsStart + stringsBytes)
}

/** A blob in this machine's byte order, as every type was read. */
function blobOf(types: Uint32Array, strings: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const bytes = new Uint8Array(new SharedArrayBuffer(OLD_HEADER_BYTES + types.byteLength + strings.length))
  const header = Uint32Array.of(0, OLD_HEADER_BYTES, 0, types.byteLength, types.byteLength, strings.length)
  bytes.set(new Uint8Array(header.buffer), 0)
  bytes.set(new Uint8Array(Uint16Array.of(BTF_MAGIC).buffer), 0)
  bytes[2] = 1
  bytes.set(new Uint8Array(types.buffer), OLD_HEADER_BYTES)
  bytes.set(strings, OLD_HEADER_BYTES + types.byteLength)
  return bytes
}
