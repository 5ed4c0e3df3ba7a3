// Which symbols are functions. A kernel's type characters do not say it: on x86 from 6.18 on data is printed as `t` and `T`
// too. What lies in the core kernel's text is told by its section markers, as the kernel's own core_kernel_text() does
// (kernel/extable.c); in modules, whose types come from their ELF sections (kernel/module/kallsyms.c), types are right.

import type { MarkerAddress } from './claims.ts'
import { MARKERS } from './core-memory.ts'
import { isTextType } from './kinds.ts'
import { COUNTS, type SymbolColumns } from './layout.ts'
import { upperBound } from './search.ts'

/** The core kernel's owner number. */
const CORE = 0

/** Core symbols between which there is text: of the kernel, and of its initialisation. */
const TEXT_MARKERS = [MARKERS.text, MARKERS.initText]

/**
 * The words of `counts` that tell which ids lie in the core's text; all 0 where the markers of the kernel's text are not
 * known. `groups` are pairs: upper half, first id.
 */
export function textStretches(
  markers: ReadonlyMap<string, MarkerAddress>,
  groups: Uint32Array,
  low: Uint32Array,
): number[] {
  const idOf = ({ high, low: value }: MarkerAddress): number => {
    for (let g = 0; g < groups.length; g += 2) {
      const first = groups[g + 1]!
      const end = groups[g + 3] ?? low.length
      if (groups[g]! < high) continue
      return groups[g] === high && value > 0 ? upperBound(low, first, end, value - 1) : first
    }
    return low.length
  }
  const [text, initText] = TEXT_MARKERS.map(([begin, end]) => {
    const from = markers.get(begin)
    const to = markers.get(end)
    const ids = from === undefined || to === undefined ? [0, 0] : [idOf(from), idOf(to)]
    return ids[0]! < ids[1]! ? ids : [0, 0]
  })
  return text![1] === 0 ? [0, 0, 0, 0] : [...text!, ...initText!]
}

/**
 * Whether a symbol is text: by its type, and, if it is the core kernel's and the table knows where the core's text is, by its
 * place. `owner` is the number of its owner.
 */
export function isText({ kind, counts }: SymbolColumns, id: number, owner: number): boolean {
  if (!isTextType(kind[id]!)) return false
  const at = COUNTS.text
  if (owner !== CORE || counts[at + 1] === 0) return true
  return (id >= counts[at]! && id < counts[at + 1]!) || (id >= counts[at + 2]! && id < counts[at + 3]!)
}
