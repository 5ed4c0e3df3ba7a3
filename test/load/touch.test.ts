// Memory that is touched beside the thread that will write to it: never written to too early, and still all zeros then.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Pacer } from '../../src/load/pacer.ts'
import { touched } from '../../src/load/touch.ts'
import { TableBuilder } from '../../src/symbols/build.ts'
import { plainWorkspace } from '../../src/symbols/loops.ts'
import { ChunkParser } from '../../src/symbols/parse.ts'
import { wasmWorkspace } from '../../src/symbols/wasm.ts'
import type { Workspace } from '../../src/symbols/workspace.ts'
import { build } from '../symbols/build-table.ts'

let lastTouch = Promise.resolve()

/** Zeros over zeros as late as can be: whatever was written meanwhile is lost. */
function late(fresh: readonly Uint8Array[]): Promise<void> {
  for (const bytes of fresh) if (bytes.some((byte) => byte !== 0)) throw new Error('this memory is in use')
  lastTouch = (async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise((resume) => setImmediate(resume))
    for (const bytes of fresh) bytes.fill(0)
  })()
  return lastTouch
}

const symbols = fc.array(
  fc.record({ address: fc.bigInt(1n, 0xffff_ffffn), name: fc.stringMatching(/^[a-z_]{1,9}$/) }),
  {
    minLength: 1,
    maxLength: 60,
  },
)

test('a table is the same however late its memory is ready', async () => {
  await fc.assert(
    fc.asyncProperty(symbols, fc.integer({ min: 1, max: 70 }), async (some, expected) => {
      const text = some.map(({ address, name }) => `${address.toString(16).padStart(16, '0')} T ${name}\n`)
      const bytes = Buffer.from(text.join(''))
      for (const workspace of [{ ...plainWorkspace(), touch: late }, wasmWorkspace(late)] as Workspace[]) {
        const builder = new TableBuilder(workspace, expected)
        const parser = new ChunkParser(workspace)
        const here = workspace.reach('text', bytes)
        const pacer = new Pacer()
        for (let at = 0; at < here.length; ) {
          at = parser.parse(here, at, here.length, 7)
          await pacer.drive(builder.append(parser.take(), here))
        }
        const { buffer } = await pacer.drive(builder.finish())
        await lastTouch
        expect(Buffer.from(buffer).equals(Buffer.from(build(bytes).buffer))).toBe(true)
      }
    }),
    { numRuns: 40 },
  )
})

test('what was touched is zeros, in every array', async () => {
  const arrays = [3, 0, 700_000, 1_500_001].map((length) => new Uint8Array(new SharedArrayBuffer(length)))
  await touched(arrays)
  for (const bytes of arrays) expect(bytes.every((byte) => byte === 0)).toBe(true)
})
