// available_filter_functions cut into names and modules, without a string for each of its tens of thousands of lines.

import type { PackedNames } from '../symbols/lookup-names.ts'
import { NameList } from './name-list.ts'

/** Lines [first, end) that are of one module; `vmlinux` for the core. */
export interface ModuleLines {
  readonly module: string
  readonly first: number
  readonly end: number
}

const NEWLINE = 0x0a
const SPACE = 0x20

/** The names of all lines in order, and the runs of lines that are of one module. */
export function filterLines(text: Uint8Array): {
  readonly names: PackedNames
  readonly modules: readonly ModuleLines[]
} {
  // A line has some 25 bytes.
  const names = new NameList(text.length, text.length / 20)
  const modules: ModuleLines[] = []
  let module = 'vmlinux'
  let first = 0
  // Where the bytes of the module of the last line are; none for the core.
  let moduleStart = 0
  let moduleEnd = 0
  for (let start = 0; start < text.length; ) {
    let nameEnd = start
    while (nameEnd < text.length && text[nameEnd]! > SPACE) nameEnd++
    let end = nameEnd
    while (end < text.length && text[end] !== NEWLINE) end++
    if (nameEnd > start) {
      // Behind the name: ` [module]`.
      const ownStart = nameEnd + 2
      const ownEnd = Math.max(ownStart, end - 1)
      if (!sameBytes(text, moduleStart, moduleEnd, ownStart, ownEnd)) {
        if (names.length > first) modules.push({ module, first, end: names.length })
        first = names.length
        moduleStart = ownStart
        moduleEnd = ownEnd
        module = ownEnd === ownStart ? 'vmlinux' : Buffer.from(text.subarray(ownStart, ownEnd)).toString('latin1')
      }
      names.add(text, start, nameEnd)
    }
    start = end + 1
  }
  if (names.length > first) modules.push({ module, first, end: names.length })
  return { names: names.packed(), modules }
}

function sameBytes(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false
  for (let i = start; i < end; i++) if (bytes[i] !== bytes[otherStart + i - start]) return false
  return true
}
