// The types in a file's bytes: raw BTF as it is, or the sections of an ELF file (vmlinux, a module, a BPF object).

import { type ElfSection, type Fetch, findSection, isElf, readElf, sectionBytes } from '../../core/elf.ts'
import { NotFoundError } from '../../core/errors.ts'
import { sharedMemory } from '../../core/shared-memory.ts'

/** The BTF of a file, in shared memory. */
export interface FileBtf {
  readonly btf: Uint8Array<SharedArrayBuffer>
  /** The distilled base of a module that was built outside the kernel's tree. */
  readonly distilledBase?: Uint8Array<SharedArrayBuffer>
  /** It is a BPF object, in whose types a loader has yet to fill in what clang leaves open. */
  readonly object?: boolean
}

/** Machine number of BPF (EM_BPF, include/uapi/linux/elf-em.h). */
const EM_BPF = 247

/**
 * Takes the BTF out of a file. Of an ELF file, `fetch` is told of each range of the bytes before it is looked at.
 * @throws NotFoundError if an ELF file has none; BadFormatError or UnsupportedError if it cannot be read.
 */
export function extractBtf(bytes: Uint8Array, fetch: Fetch = () => {}): FileBtf {
  fetch(0, Math.min(4, bytes.length))
  if (!isElf(bytes)) {
    fetch(0, bytes.length)
    return { btf: toShared(bytes) }
  }
  const elf = readElf(bytes, fetch)
  const take = (section: ElfSection): Uint8Array<SharedArrayBuffer> => {
    const range = sectionBytes(elf, section)
    if (range.length > 0) fetch(section.offset, range.length)
    return toShared(range)
  }
  const section = findSection(elf, '.BTF')
  if (!section) throw new NotFoundError('the ELF file has no .BTF section: it was built without BTF, or was stripped')
  const base = findSection(elf, '.BTF.base')
  return {
    btf: take(section),
    ...(base && { distilledBase: take(base) }),
    ...(elf.machine === EM_BPF && { object: true }),
  }
}

function toShared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(sharedMemory(bytes.length))
  copy.set(bytes)
  return copy
}
