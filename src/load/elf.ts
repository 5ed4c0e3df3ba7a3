// The symbols of an ELF file, from a path or from bytes: a table with the same lookups as a kernel's.

import { choice, type Options, options as optionsOf, path, signal } from '../core/arguments.ts'
import { type ElfFile, ET_REL, readElf, SHT_NOBITS } from '../core/elf.ts'
import { KerndexError } from '../core/errors.ts'
import { until } from '../core/until.ts'
import { readBlob } from '../sources/blob.ts'
import { FileParts } from '../sources/parts.ts'
import { type BuiltElf, elfTable, symbolSections } from '../symbols/elf.ts'
import type { ElfTable } from '../symbols/elf-entries.ts'
import { SymbolTable } from '../symbols/table.ts'
import { Workspace } from '../symbols/workspace.ts'
import { Crew } from './crew.ts'
import { Pacer } from './pacer.ts'
import { Timeline } from './timeline.ts'

export interface ElfOptions {
  /** Which symbols: default 'all', which is `.symtab` and what only `.dynsym` has. */
  readonly table?: ElfTable | undefined
  readonly signal?: AbortSignal | undefined
}

const ELF_OPTIONS: Options<ElfOptions> = { table: choice<ElfTable>('symtab', 'dynsym', 'all'), signal }

/** The symbols of an ELF file, and what its symbol sections hold beside them. */
export interface ElfSymbols extends Omit<BuiltElf, 'buffer'> {
  /** The table. `new SymbolTable(symbols.buffer)` attaches it in any thread, without a copy. */
  readonly symbols: SymbolTable
  /** Whether addresses are made of a section's number (upper half) and an offset (lower half): objects, kernel modules. */
  readonly relocatable: boolean
  /** e_machine, such as 62 for x86-64, 183 for arm64. */
  readonly machine: number
  readonly is64: boolean
  readonly littleEndian: boolean
}

/** Bytes read between two looks at the clock. */
const PIECE = 1024 * 1024

/**
 * Opens an executable, a library, an object, a kernel module or a vmlinux: a path (`.gz` is unpacked), of which only the
 * sections that are needed are read, or the bytes of the whole file.
 * @throws NotFoundError if it has no such symbols; BadFormatError if it is no ELF file or damaged; UnsupportedError if its
 * symbols are compressed; NotReadableError, NoPermissionError, LimitError, AbortedError; UsageError for a wrong option
 */
export async function openElf(file: string | URL | Uint8Array, options?: ElfOptions): Promise<ElfSymbols> {
  const { table = 'all', signal } = optionsOf(options, 'openElf', ELF_OPTIONS)
  const from = file instanceof Uint8Array ? file : path(file, 'file')
  return until(open(from, table, new Pacer(signal)), signal, 'the load')
}

async function open(from: string | Uint8Array, table: ElfTable, pacer: Pacer): Promise<ElfSymbols> {
  pacer.check()
  if (from instanceof Uint8Array) return build(readElf(from), table, pacer)
  try {
    if (!from.endsWith('.gz')) return await openParts(from, table, pacer)
    return await build(
      readElf((await readBlob(from, async () => (pacer.due ? pacer.pause() : undefined))).bytes),
      table,
      pacer,
    )
  } catch (error) {
    throw withPath(error, from)
  }
}

/** Reads only what the table is made of. */
async function openParts(path: string, table: ElfTable, pacer: Pacer): Promise<ElfSymbols> {
  const parts = new FileParts(path)
  try {
    const file = readElf(parts.bytes, (offset, length) => parts.fill(offset, length))
    for (const { type, offset, size } of symbolSections(file, table)) {
      const end = Math.min(offset + size, type === SHT_NOBITS ? 0 : parts.bytes.length)
      for (let at = offset; at < end; at += PIECE) {
        parts.fill(at, Math.min(PIECE, end - at))
        if (pacer.due) await pacer.pause()
      }
    }
    return await build(file, table, pacer)
  } finally {
    parts.close()
  }
}

async function build(file: ElfFile, table: ElfTable, pacer: Pacer): Promise<ElfSymbols> {
  const workspace = Workspace.open()
  const crew = new Crew(workspace, undefined, 1, pacer, new Timeline())
  let built: BuiltElf
  try {
    built = await crew.carryOut(elfTable(file, table, workspace))
  } finally {
    await crew.end()
    workspace.release()
  }
  const { buffer, ...rest } = built
  const { type, machine, is64, littleEndian } = file
  return { symbols: new SymbolTable(buffer), relocatable: type === ET_REL, machine, is64, littleEndian, ...rest }
}

/** Says in an error about a file's bytes which file it was. */
function withPath(error: unknown, path: string): unknown {
  if (error instanceof KerndexError && error.place.path === undefined && error.code !== 'ABORTED') {
    error.message = `${path}: ${error.message}`
    Object.assign(error.place, { path })
  }
  return error
}
