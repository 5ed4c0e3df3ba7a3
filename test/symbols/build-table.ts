// Builds symbol tables from text without files or threads, cut as a test wishes.
import type { BuildFacts } from '../../src/symbols/assemble.ts'
import { type BuiltTable, type Keep, TableBuilder } from '../../src/symbols/build.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { carryOut, Workspace } from '../../src/symbols/workspace.ts'

export const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === 'string' ? Buffer.from(text, 'utf8') : text

const NEWLINE = 0x0a

/** Builds from text; a stretch ends behind each of the newlines whose count is listed in `linesAChunk`, over and over. */
export function build(
  text: string | Uint8Array,
  facts: BuildFacts = {},
  linesAChunk: readonly number[] = [],
  keep: Keep = {},
): BuiltTable {
  const bytes = bytesOf(text)
  const workspace = Workspace.open()
  try {
    const builder = new TableBuilder(workspace, keep)
    let at = 0
    for (let turn = 0; at < bytes.length; turn++) {
      const lines = linesAChunk.length === 0 ? MOST_LINES : linesAChunk[turn % linesAChunk.length]!
      const end = behindLines(bytes, at, lines)
      const room = workspace.bytes(workspace.room(end - at + 1), end - at)
      room.set(bytes.subarray(at, end))
      const number = builder.addText(room)
      workspace.run('scan', number)
      builder.trim(number)
      at = end
    }
    return carryOut(builder.finish(facts), workspace)
  } finally {
    workspace.release()
  }
}

/** Lines of a stretch: fewer than symbols that one may have. */
const MOST_LINES = 50_000

function behindLines(bytes: Uint8Array, from: number, lines: number): number {
  let end = from
  for (let line = 0; line < lines && end < bytes.length; line++) {
    const newline = bytes.indexOf(NEWLINE, end)
    end = newline < 0 ? bytes.length : newline + 1
  }
  return end
}

export const tableOf = (text: string | Uint8Array, facts: BuildFacts = {}): SymbolTable =>
  new SymbolTable(build(text, facts).buffer)

/** Goes through all steps at once. */
export function drained<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}
