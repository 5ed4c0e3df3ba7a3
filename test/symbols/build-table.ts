// Builds symbol tables from text without files or threads, cut as a test wishes.
import type { BuildFacts } from '../../src/symbols/assemble.ts'
import { type BuiltTable, TableBuilder } from '../../src/symbols/build.ts'
import { ChunkParser } from '../../src/symbols/parse.ts'
import { SymbolTable } from '../../src/symbols/table.ts'

/** Runs a generator to its end without looking at the clock. */
export function finish<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

export const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === 'string' ? Buffer.from(text, 'utf8') : text

/** Builds from text; a chunk ends behind each of the newlines whose count is listed in `linesAChunk`, over and over. */
export function build(
  text: string | Uint8Array,
  facts: BuildFacts = {},
  linesAChunk: readonly number[] = [],
): BuiltTable {
  const bytes = bytesOf(text)
  const builder = new TableBuilder(64)
  const parser = new ChunkParser()
  let at = 0
  for (let turn = 0; at < bytes.length; turn++) {
    const lines = linesAChunk.length === 0 ? Number.POSITIVE_INFINITY : linesAChunk[turn % linesAChunk.length]
    at = parser.parse(bytes, at, bytes.length, lines)
    finish(builder.append(parser.take(), bytes))
  }
  return finish(builder.finish(facts))
}

export const tableOf = (text: string | Uint8Array, facts: BuildFacts = {}): SymbolTable =>
  new SymbolTable(build(text, facts).buffer)
