// A single file of kallsyms text as a source: symbols and nothing else.

import { openReader } from './reader.ts'
import type { Source } from './source.ts'

/** The kallsyms text in one file, plain or `.gz`. */
export function fileSource(path: string): Source {
  const absent = (what: string) => ({ what, reason: 'a single kallsyms file holds symbols only' })
  return {
    kind: 'file',
    description: path,
    openSymbols: () => openReader(path),
    btfFiles: async () => absent('btf'),
    fact: async (name) => absent(name),
    factPaths: () => [],
  }
}
