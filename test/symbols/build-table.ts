// Builds symbol tables from text without files or threads, cut as a test wishes.
import { expect } from 'vitest'
import type { BuildFacts } from '../../src/symbols/assemble.ts'
import { type BuiltTable, TableBuilder } from '../../src/symbols/build.ts'
import { plainWorkspace } from '../../src/symbols/loops.ts'
import { ChunkParser } from '../../src/symbols/parse.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { wasmWorkspace } from '../../src/symbols/wasm.ts'
import type { Steps, Workspace } from '../../src/symbols/workspace.ts'

/** Runs a generator to its end without looking at the clock. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

export const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === 'string' ? Buffer.from(text, 'utf8') : text

/**
 * Builds from text; a chunk ends behind each of the newlines whose count is listed in `linesAChunk`, over and over. Every table
 * is built twice, by the plain loops and by the compiled ones, and both have to be the same to the last byte.
 */
export function build(
  text: string | Uint8Array,
  facts: BuildFacts = {},
  linesAChunk: readonly number[] = [],
): BuiltTable {
  const plain = buildIn(plainWorkspace(), text, facts, linesAChunk)
  const compiled = buildIn(compiledWorkspace(), text, facts, linesAChunk)
  const { buffer, ...rest } = plain
  const { buffer: other, ...otherRest } = compiled
  if (Buffer.compare(Buffer.from(buffer), Buffer.from(other)) !== 0) {
    throw new Error('the compiled loops build another table than the plain ones')
  }
  expect(otherRest).toEqual(rest)
  return plain
}

/** A workspace with the compiled loops, which every engine that runs these tests has. */
export function compiledWorkspace(): Workspace {
  const workspace = wasmWorkspace()
  if (workspace === undefined) throw new Error('no WebAssembly with threads and vectors here')
  return workspace
}

function buildIn(
  workspace: Workspace,
  text: string | Uint8Array,
  facts: BuildFacts,
  linesAChunk: readonly number[],
): BuiltTable {
  const bytes = workspace.reach('text', bytesOf(text))
  const builder = new TableBuilder(workspace, 64)
  const parser = new ChunkParser(workspace)
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
