// A BPF object file against a kernel: which of its CO-RE relocations would fail there, and why.
import { bytes } from '../../core/arguments.ts'
import { type ElfFile, findSection, readElf, sectionBytes } from '../../core/elf.ts'
import { NotFoundError, UnsupportedError } from '../../core/errors.ts'
import { sharedMemory } from '../../core/shared-memory.ts'
import { indexTypes } from '../read/index-types.ts'
import { TypeSet } from '../read/type-set.ts'
import { type Types, typesArgument } from '../types.ts'
import { type ObjectRelocation, readRelocations } from './btf-ext.ts'
import { isLittleEndian, type RelocationResult, Relocator } from './core-relocate.ts'
import { patchOutcome } from './instruction.ts'

/** A relocation of an object with its outcome. */
export interface CheckedRelocation extends ObjectRelocation {
  readonly result: RelocationResult
}

/**
 * Works out every CO-RE relocation of a BPF object on a kernel, in the order they stand in the object, and whether its
 * instruction can take the value.
 * @throws BadFormatError or UnsupportedError if the file cannot be read, or is for machines of the other byte order than
 * the kernel's; NotFoundError if it has no types.
 */
export function checkObject(file: Uint8Array, types: Types): CheckedRelocation[] {
  bytes(file, 'file')
  typesArgument(types, 'types')
  const elf = readElf(file)
  const btf = findSection(elf, '.BTF')
  if (!btf) throw new NotFoundError('the object has no .BTF section: compile it with -g')
  const source = sectionBytes(elf, btf)
  const own = new Uint8Array(sharedMemory(source.length))
  own.set(source)
  const { records, failures } = indexTypes([{ name: 'object', bytes: own }])
  if (failures[0]) throw failures[0].error
  const local = new TypeSet(records[0]!)
  const kernel = types.requireSet('vmlinux')
  if (isLittleEndian(local) !== isLittleEndian(kernel)) {
    const order = (little: boolean): string => (little ? 'little-endian' : 'big-endian')
    throw new UnsupportedError(
      `the object is ${order(isLittleEndian(local))}, the kernel is ${order(isLittleEndian(kernel))}: ` +
        'compile it for that byte order (clang -target bpfel or bpfeb)',
    )
  }
  const ext = findSection(elf, '.BTF.ext')
  if (!ext) return []
  const relocator = new Relocator(local, types)
  return readRelocations(sectionBytes(elf, ext), local).map((relocation) => {
    const result = relocator.relocate(relocation)
    return { ...relocation, result: result.status === 'ok' ? inObject(elf, relocation, result) : result }
  })
}

/** A relocation that has a value, with what becomes of it in its instruction. */
function inObject(
  elf: ElfFile,
  { section, instructionOffset }: ObjectRelocation,
  result: RelocationResult,
): RelocationResult {
  const program = findSection(elf, section)
  if (!program) return { ...result, status: 'failed', reason: `the object has no program in a section ${section}` }
  // Relocations of a function that a linker has dropped may be left over: libbpf does not look at them either.
  if (instructionOffset >= program.size) return result
  return { ...result, ...patchOutcome(sectionBytes(elf, program), instructionOffset, elf.littleEndian, result) }
}
