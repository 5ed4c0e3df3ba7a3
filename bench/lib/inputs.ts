// What is measured: the running kernel and captures. Packed captures are unpacked into a temporary directory first, so that
// a load and its yardstick read the same plain files.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { KerndexError, openKernel } from '../../src/index.ts'

/** A kernel to measure with. All files are plain. */
export interface Input {
  readonly name: string
  /** What `openKernel` takes. */
  readonly from: string | undefined
  readonly kallsyms: string
  readonly btf: readonly string[]
  /** The small files that a load reads as well. */
  readonly facts: readonly string[]
  readonly symbols: number
}

/** The files that a load reads, with or without types. */
export function filesOf(input: Input, types: boolean): string[] {
  return [input.kallsyms, ...(types ? input.btf : []), ...input.facts]
}

/** The file with vmlinux's types, if the input has one. */
export function vmlinuxOf({ btf }: Input): string | undefined {
  return btf.find((file) => basename(file) === 'vmlinux')
}

const FACTS = ['modules', 'notes', 'version', 'boot_id']
const LIVE_FACTS = ['/proc/modules', '/sys/kernel/notes', '/proc/sys/kernel/random/boot_id']

/** Directories below a given one in which captures are looked for. */
const DEPTH = 3

/**
 * Prepares the running kernel and every capture at or below the directories, only those named in `only` if there are
 * any, hands them to `use` and removes the unpacked files. What cannot be loaded is reported through `skip`.
 */
export async function withInputs(
  directories: readonly string[],
  only: readonly string[],
  skip: (name: string, why: string) => void,
  use: (inputs: readonly Input[]) => Promise<void>,
): Promise<void> {
  const wanted = (name: string) => only.length === 0 || only.includes(name)
  const captures = directories.flatMap((directory) => capturesIn(directory, DEPTH))
  const scratch = mkdtempSync(join(tmpdir(), 'kerndex-bench-'))
  try {
    const candidates: Omit<Input, 'symbols'>[] = wanted('live') ? [liveInput()] : []
    for (const capture of captures) if (wanted(basename(capture))) candidates.push(unpack(capture, scratch))
    const inputs: Input[] = []
    for (const candidate of candidates) {
      try {
        const kernel = await openKernel({ from: candidate.from, threads: 0, types: false })
        inputs.push({ ...candidate, symbols: kernel.symbols.size })
      } catch (error) {
        if (!(error instanceof KerndexError)) throw error
        skip(candidate.name, error.message)
      }
    }
    for (const name of only) {
      if (!candidates.some((candidate) => candidate.name === name)) skip(name, 'no capture of this name; give --data')
    }
    await use(inputs)
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

function liveInput(): Omit<Input, 'symbols'> {
  const folder = '/sys/kernel/btf'
  const btf = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
  return { name: 'live', from: undefined, kallsyms: '/proc/kallsyms', btf, facts: LIVE_FACTS.filter(existsSync) }
}

/** The captures at or below a directory. */
function capturesIn(directory: string, depth: number): string[] {
  const entries = readdirSync(directory, { withFileTypes: true })
  if (entries.some(({ name }) => name === 'kallsyms' || name === 'kallsyms.gz')) return [directory]
  if (depth === 0) return []
  return entries.flatMap((entry) => (entry.isDirectory() ? capturesIn(join(directory, entry.name), depth - 1) : []))
}

/** Copies what a load reads of a capture, unpacked. */
function unpack(capture: string, scratch: string): Omit<Input, 'symbols'> {
  const name = basename(capture)
  const target = mkdtempSync(join(scratch, `${name}-`))
  const copy = (file: string, to: string) => {
    const bytes = readFileSync(file)
    const path = join(to, basename(file, '.gz'))
    writeFileSync(path, file.endsWith('.gz') ? gunzipSync(bytes) : bytes)
    return path
  }
  const present = (file: string) => [file, `${file}.gz`].filter((path) => existsSync(path)).slice(0, 1)
  const blobs = join(capture, 'btf')
  const hasTypes = existsSync(blobs) && statSync(blobs).isDirectory()
  if (hasTypes) mkdirSync(join(target, 'btf'))
  return {
    name,
    from: target,
    kallsyms: present(join(capture, 'kallsyms')).map((file) => copy(file, target))[0]!,
    btf: hasTypes ? readdirSync(blobs).map((file) => copy(join(blobs, file), join(target, 'btf'))) : [],
    facts: FACTS.flatMap((fact) => present(join(capture, fact))).map((file) => copy(file, target)),
  }
}
