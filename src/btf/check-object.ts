// A BPF object file against a kernel: which of its CO-RE relocations would fail there, and why.
import { type ElfFile, findSection, readElf, sectionBytes } from '../core/elf.ts'
import { NotFoundError } from '../core/errors.ts'
import { type ObjectRelocation, readRelocations } from './btf-ext.ts'
import { type RelocationResult, Relocator } from './core-relocate.ts'
import { indexTypes } from './index-types.ts'
import { TypeSet } from './type-set.ts'
import type { Types } from './types.ts'

/** A relocation of an object with its outcome. */
export interface CheckedRelocation extends ObjectRelocation {
  readonly result: RelocationResult
}

const CLASS_LDX = 1
const CLASS_ST = 2
const CLASS_STX = 3

/**
 * Works out every CO-RE relocation of a BPF object on a kernel, in the order they stand in the object.
 * @throws BadFormatError or UnsupportedError if the file cannot be read; NotFoundError if it has no types.
 */
export function checkObject(file: Uint8Array, types: Types): CheckedRelocation[] {
  const elf = readElf(file)
  const btf = findSection(elf, '.BTF')
  if (!btf) throw new NotFoundError('the object has no .BTF section: compile it with -g')
  const source = sectionBytes(elf, btf)
  const bytes = new Uint8Array(new SharedArrayBuffer(source.length))
  bytes.set(source)
  const { records, failures } = indexTypes([{ name: 'object', bytes }])
  if (failures[0]) throw failures[0].error
  const local = new TypeSet(records[0]!)
  const ext = findSection(elf, '.BTF.ext')
  if (!ext) return []
  const relocator = new Relocator(local, types)
  return readRelocations(sectionBytes(elf, ext), local).map((relocation) => {
    const result = relocator.relocate(relocation)
    if (!result.widthDiffers || !accessesMemory(elf, relocation)) return { ...relocation, result }
    const reason = 'the field has another width than the program reads, and is signed: the access cannot be adjusted'
    return { ...relocation, result: { ...result, status: 'poisoned', reason } }
  })
}

/** Whether the instruction loads or stores: only then does the width of the field matter. */
function accessesMemory(elf: ElfFile, { section, instructionOffset }: ObjectRelocation): boolean {
  const program = findSection(elf, section)
  if (!program || instructionOffset >= program.size) return false
  const instructionClass = sectionBytes(elf, program)[instructionOffset]! & 7
  return instructionClass === CLASS_LDX || instructionClass === CLASS_ST || instructionClass === CLASS_STX
}
