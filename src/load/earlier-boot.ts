// The running kernel's symbols from the file of an earlier boot of the same build: its core, moved to where it is now.

import { moveBoot } from '../catalog/next-boot.ts'
import type { Handle } from '../snapshot/snapshot.ts'
import type { Source } from '../sources/source.ts'
import { SymbolTable } from '../symbols/table.ts'
import { firstAnchor } from './first-lines.ts'

/**
 * What is certain of the running kernel; undefined where addresses are hidden from this process, or nothing is. `read` gives the earlier
 * boot's symbols; it is called last, because they are on their way.
 * @throws NotReadableError, and what `read` throws
 */
export async function symbolsOfEarlier(
  read: () => Promise<SharedArrayBuffer>,
  source: Source,
): Promise<Pick<Handle, 'symbols' | 'names'> | undefined> {
  const anchor = await firstAnchor(source.openSymbols())
  if (anchor === undefined) return undefined
  const earlier = await read()
  const symbols = moveBoot(new SymbolTable(earlier), anchor)
  return symbols && { symbols, names: [earlier] }
}
