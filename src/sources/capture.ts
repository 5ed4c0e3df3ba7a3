// A capture directory as a source: raw files of one host at one moment, plain or `.gz`.

import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { NotReadableError } from '../core/errors.ts'
import { openReader } from './reader.ts'
import { absenceOf, type Source, vmlinuxFirst } from './source.ts'
import { readRegularFile } from './whole-file.ts'

const unpack = promisify(gunzip)

/** The most bytes an optional file may unpack to: tens of times what the largest kernels have. */
const LARGEST_FACT = 256 * 1024 * 1024

/** The capture in a directory: `kallsyms`, and optionally `btf/NAME`, `modules`, `notes`, `version` and others. */
export function captureSource(directory: string): Source {
  return {
    kind: 'capture',
    description: directory,
    openSymbols() {
      const plain = join(directory, 'kallsyms')
      const path = [plain, `${plain}.gz`].find((candidate) => existsSync(candidate))
      if (path === undefined) {
        throw new NotReadableError(`${directory} is no capture: it has neither kallsyms nor kallsyms.gz`, {
          path: plain,
        })
      }
      return openReader(path)
    },
    async btfFiles() {
      const folder = join(directory, 'btf')
      const names = await readdir(folder).catch((error: unknown) => absenceOf('btf', error))
      if (!Array.isArray(names)) return names
      const all = new Set(names)
      const once = names.filter((name) => !(name.endsWith('.gz') && all.has(name.slice(0, -'.gz'.length))))
      return vmlinuxFirst(once.map((name) => ({ module: name.replace(/\.gz$/, ''), path: join(folder, name) })))
    },
    factPaths: (name) => [join(directory, name), join(directory, `${name}.gz`)],
    async fact(name) {
      const path = join(directory, name)
      try {
        return await readRegularFile(path)
      } catch (error) {
        const packed = await readRegularFile(`${path}.gz`).catch(() => undefined)
        if (packed === undefined) return absenceOf(name, error)
        return unpack(packed, { maxOutputLength: LARGEST_FACT }).catch((damage: unknown) => absenceOf(name, damage))
      }
    },
  }
}
