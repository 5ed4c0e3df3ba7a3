// The loaded modules as /sys/module tells of them, gathered from its thousands of small files into two texts of a line each, as
// captures and snapshots keep them. Waits for the system: some fifteen microseconds a file.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ModuleInfo, parseBuildId, parseModules } from './facts.ts'
import { errorCode } from './reader.ts'
import { type Absence, absenceOf } from './source.ts'

/** Where the running kernel describes its modules. */
export const SYS_MODULE = '/sys/module'

/** The text of a file that captures have and the running kernel has not, gathered from it; undefined for any other file. */
export function gatherNow(what: string): Buffer | Absence | undefined {
  const gather =
    what === 'module_sections' ? gatherSections : what === 'module_identities' ? gatherIdentities : undefined
  if (gather === undefined) return undefined
  const modules = bytesOf('/proc/modules')
  return modules === undefined ? { what, reason: 'there is no /proc/modules' } : gather(parseModules(modules))
}

/**
 * Where each module's sections begin, a line `MODULE SECTION 0xADDRESS` for each. Only root may read them, and addresses that
 * the kernel shows as zero are none.
 */
export function gatherSections(modules: readonly ModuleInfo[], root = SYS_MODULE): Buffer | Absence {
  const what = 'module_sections'
  const lines: string[] = []
  let hidden = false
  let failure: unknown
  for (const { name } of modules) {
    const folder = join(root, name, 'sections')
    for (const section of namesIn(folder)) {
      try {
        const address = readFileSync(join(folder, section), 'latin1').trim()
        if (/^0x0*$/.test(address)) hidden = true
        else lines.push(`${name} ${section} ${address}\n`)
      } catch (error) {
        // A module that has just gone says less than one that may not be read.
        if (failure === undefined || errorCode(failure) === 'ENOENT') failure = error
      }
    }
  }
  if (lines.length > 0) return Buffer.from(lines.join(''), 'latin1')
  if (hidden) return { what, reason: 'the kernel hides addresses from this reader' }
  if (failure !== undefined) return absenceOf(what, failure)
  return { what, reason: modules.length === 0 ? 'no module is loaded' : 'not there' }
}

/**
 * The identity of each module across boots, a line `MODULE BUILD-ID SRCVERSION STATE TAINT` for each, in the order of
 * /proc/modules; `-` stands for what a module does not have. Everybody may read it.
 */
export function gatherIdentities(modules: readonly ModuleInfo[], root = SYS_MODULE): Buffer | Absence {
  if (modules.length === 0) return { what: 'module_identities', reason: 'no module is loaded' }
  const lines = modules.map(({ name, state }) => {
    const read = (file: string) => bytesOf(join(root, name, file))
    const note = read('notes/.note.gnu.build-id')
    const words = [
      note && parseBuildId(note),
      read('srcversion')?.toString('latin1').trim(),
      state,
      read('taint')?.toString('latin1').trim(),
    ]
    return `${name} ${words.map((word) => (word === undefined || word === '' ? '-' : word)).join(' ')}\n`
  })
  return Buffer.from(lines.join(''), 'latin1')
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

function bytesOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
