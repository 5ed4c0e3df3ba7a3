// Memory that is touched beside the thread that will write to it: never written to too early, and still all zeros then.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** Zeros over zeros as late as can be: whatever was written meanwhile is lost. Some arrays are given up before that. */
function late(isGivenUp: () => boolean): NonNullable<Workspace['touch']> {
  return (fresh) => {
    for (const bytes of fresh) if (bytes.some((byte) => byte !== 0)) throw new Error('this memory is in use')
    const givenUp = isGivenUp()
    lastTouch = (async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resume) => setImmediate(resume))
      for (const bytes of fresh) bytes.fill(0)
    })()
    return { over: givenUp ? Promise.resolve() : lastTouch, givenUp }
  }
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
    fc.asyncProperty(
      symbols,
      fc.integer({ min: 1, max: 70 }),
      fc.infiniteStream(fc.boolean()),
      async (some, expected, giveUps) => {
        const text = some.map(({ address, name }) => `${address.toString(16).padStart(16, '0')} T ${name}\n`)
        const bytes = Buffer.from(text.join(''))
        const touch = late(() => giveUps.next().value === true)
        for (const workspace of [{ ...plainWorkspace(), touch }, wasmWorkspace(touch)!]) {
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
      },
    ),
    { numRuns: 40 },
  )
})

test('what was touched is zeros, in every array', async () => {
  const arrays = [3, 0, 700_000, 1_500_001].map((length) => new Uint8Array(new SharedArrayBuffer(length)))
  await touched(arrays)?.over
  for (const bytes of arrays) expect(bytes.every((byte) => byte === 0)).toBe(true)
})

test('nobody waits for long where reads of other files hold all of the threads for files', async () => {
  const script = `
    import { execFileSync } from 'node:child_process'
    import { closeSync, openSync, read } from 'node:fs'
    import { touched } from ${JSON.stringify(new URL('../../dist/src/load/touch.js', import.meta.url).href)}
    const pipe = process.argv[1] + '/pipe'
    execFileSync('mkfifo', [pipe])
    // Open at both ends and empty: a read of it lasts until something is written.
    const end = openSync(pipe, 'r+')
    for (let i = 0; i < 4; i++) read(end, Buffer.alloc(1), 0, 1, null, () => {})
    const touching = touched([new Uint8Array(new SharedArrayBuffer(1 << 21))])
    await touching?.over
    console.log(touching === undefined ? 'not here' : touching.givenUp)
    process.kill(process.pid, 'SIGKILL')`
  const folder = await mkdtemp(join(tmpdir(), 'kerndex-touch-'))
  try {
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script, folder], { encoding: 'utf8' })
    expect(stdout.trim()).toBe(availableParallelism() === 1 ? 'not here' : 'true')
  } finally {
    await rm(folder, { recursive: true })
  }
})
