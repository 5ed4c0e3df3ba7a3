// The types in a file's bytes: raw BTF as it is, or the sections of an ELF file (vmlinux, a module, a BPF object).
import { findSection, isElf, readElf, sectionBytes } from '../core/elf.ts'
import { NotFoundError } from '../core/errors.ts'

/** The BTF of a file, in shared memory. */
export interface FileBtf {
  readonly btf: Uint8Array<SharedArrayBuffer>
  /** The distilled base of a module that was built outside the kernel's tree. */
  readonly distilledBase?: Uint8Array<SharedArrayBuffer>
}

/**
 * Takes the BTF out of a file.
 * @throws NotFoundError if an ELF file has none; BadFormatError or UnsupportedError if it cannot be read.
 */
export function extractBtf(bytes: Uint8Array): FileBtf {
  if (!isElf(bytes)) return { btf: toShared(bytes) }
  const elf = readElf(bytes)
  const section = findSection(elf, '.BTF')
  if (!section) throw new NotFoundError('the ELF file has no .BTF section: it was built without BTF, or was stripped')
  const base = findSection(elf, '.BTF.base')
  return {
    btf: toShared(sectionBytes(elf, section)),
    ...(base && { distilledBase: toShared(sectionBytes(elf, base)) }),
  }
}

function toShared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}
