// The running kernel as a source: /proc, /sys and tracefs.

import { readdirSync } from 'node:fs'
import { release } from 'node:os'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { NotReadableError } from '../core/errors.ts'
import { KERNEL_MEMORY } from './kernel-memory.ts'
import { openReader } from './reader.ts'
import { absenceOf, type FactFile, type Source, vmlinuxFirst } from './source.ts'
import { gatherNow, SYS_MODULE } from './sys-modules.ts'
import { takenNow, takenText } from './taken.ts'
import { readRegularFile } from './whole-file.ts'

const BTF = '/sys/kernel/btf'

/** Where the live host keeps what a capture calls by a short name; the first path that exists counts. */
const PATHS: Readonly<Record<FactFile, readonly string[]>> = {
  taken: [],
  modules: ['/proc/modules'],
  module_sections: [SYS_MODULE],
  module_identities: [SYS_MODULE],
  notes: ['/sys/kernel/notes'],
  version: ['/proc/version'],
  boot_id: ['/proc/sys/kernel/random/boot_id'],
  available_filter_functions: tracing('available_filter_functions'),
  available_filter_functions_addrs: tracing('available_filter_functions_addrs'),
  kprobes_blacklist: ['/sys/kernel/debug/kprobes/blacklist'],
  kprobes_enabled: ['/sys/kernel/debug/kprobes/enabled'],
  error_injection_list: ['/sys/kernel/debug/error_injection/list'],
  lockdown: ['/sys/kernel/security/lockdown'],
  config: ['/proc/config.gz', `/boot/config-${release()}`, `/lib/modules/${release()}/config`],
}

function tracing(name: string): string[] {
  return [`/sys/kernel/tracing/${name}`, `/sys/kernel/debug/tracing/${name}`]
}

/** The running kernel. */
export function liveSource(): Source {
  return {
    kind: 'live',
    description: `the running kernel (${release()})`,
    openSymbols() {
      if (process.platform !== 'linux') {
        throw new NotReadableError(`no running Linux kernel here: this is ${process.platform}; name a capture instead`)
      }
      return openReader('/proc/kallsyms')
    },
    async btfFiles() {
      try {
        // At once: the directory is in memory, and a promise of its names costs more than they do.
        return vmlinuxFirst(readdirSync(BTF).map((module) => ({ module, path: `${BTF}/${module}` })))
      } catch (error) {
        return absenceOf('btf', error)
      }
    },
    factPaths: (name) => PATHS[name],
    memoryPath: KERNEL_MEMORY,
    async fact(name) {
      if (name === 'taken') return Buffer.from(takenText(takenNow()))
      const gathered = gatherNow(name)
      if (gathered !== undefined) return gathered
      let last: unknown = Object.assign(new Error('the live host has no such file'), { code: 'ENOENT' })
      for (const path of PATHS[name]) {
        try {
          const bytes = await readRegularFile(path)
          return path.endsWith('.gz') ? await promisify(gunzip)(bytes) : bytes
        } catch (error) {
          last = error
        }
      }
      return absenceOf(name, last)
    },
  }
}
