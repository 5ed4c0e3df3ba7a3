// The .BTF.ext section of a BPF object: which instruction has which CO-RE relocation.
import { BadFormatError, UnsupportedError } from '../../core/errors.ts'
import { BTF_MAGIC } from '../format.ts'
import type { TypeSet } from '../read/type-set.ts'
import { RELOCATION_KINDS, type RelocationKind } from './core-spec.ts'

/** A relocation of one instruction. */
export interface ObjectRelocation {
  /** ELF section of the program. */
  readonly section: string
  /** Byte offset of the instruction in the section. */
  readonly instructionOffset: number
  readonly kind: RelocationKind
  readonly typeId: number
  readonly access: string
}

/**
 * The CO-RE relocations of an object, in the order of the section.
 * @throws BadFormatError if it is damaged; UnsupportedError for a version or kind that is not known.
 */
export function readRelocations(bytes: Uint8Array, types: TypeSet): ObjectRelocation[] {
  const bad = (message: string, byteOffset: number) => new BadFormatError(`.BTF.ext: ${message}`, { byteOffset })
  if (bytes.length < 24) throw bad(`${bytes.length} bytes are too few for a header`, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const little = view.getUint16(0, true) === BTF_MAGIC
  if (!little && view.getUint16(0, false) !== BTF_MAGIC) throw bad('Invalid magic', 0)
  if (view.getUint8(2) !== 1) throw new UnsupportedError(`.BTF.ext: Unsupported version ${view.getUint8(2)}`)
  const u32 = (at: number): number => view.getUint32(at, little)
  const headerBytes = u32(4)
  if (headerBytes > bytes.length) throw bad(`hdr_len ${headerBytes} exceeds the section`, 4)
  // Objects of old compilers have no relocations, and a header without their place.
  if (headerBytes < 32 || u32(28) === 0) return []
  const start = headerBytes + u32(24)
  const end = start + u32(28)
  if (end > bytes.length) throw bad('the relocations lie outside the section', 24)
  if (start + 4 > end) throw bad('the relocations are cut short', start)
  const recordBytes = u32(start)
  if (recordBytes < 16 || recordBytes % 4 !== 0) throw bad(`records of ${recordBytes} bytes`, start)
  const relocations: ObjectRelocation[] = []
  for (let at = start + 4; at < end; ) {
    if (at + 8 > end) throw bad('a section of relocations is cut short', at)
    const section = types.nameAt(u32(at))
    const count = u32(at + 4)
    at += 8
    if (count === 0) throw bad('a section without relocations', at - 4)
    if (count * recordBytes > end - at) throw bad(`${count} relocations do not fit`, at - 4)
    for (let i = 0; i < count; i++, at += recordBytes) {
      const kind = RELOCATION_KINDS[u32(at + 12)]
      if (kind === undefined)
        throw new UnsupportedError(`.BTF.ext: relocation kind ${u32(at + 12)}`, { byteOffset: at })
      const typeId = u32(at + 4)
      if (typeId >= types.endId) throw bad(`a relocation of type ${typeId}, which does not exist`, at)
      relocations.push({ section, instructionOffset: u32(at), kind, typeId, access: types.nameAt(u32(at + 8)) })
    }
  }
  return relocations
}
