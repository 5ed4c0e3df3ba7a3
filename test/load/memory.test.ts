// Resident memory stays bounded by what is kept, whatever was loaded before, and without any collection by force.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CAPTURE } from '../fixtures.ts'

const LONG = process.env.KERNDEX_LONG !== undefined
/** The loads of which the last may not be larger than the fifth by more than a third. */
const LOADS = LONG ? 200 : 40
const SYMBOLS = 60_000

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kerndex-memory-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What a kernel of that many symbols would print. */
function text(): string {
  const lines = Array.from({ length: SYMBOLS }, (_, i) => {
    return `${(0xffffffff81000000n + BigInt(i) * 48n).toString(16)} t function_number_${i}_of_many\n`
  })
  return lines.join('')
}

const WAYS = ['refresh', 'open and close']
/** A capture with types takes longer to unpack than to load. */
const OF_A_CAPTURE = 'open and close, with types'

it.each(LONG ? [...WAYS, OF_A_CAPTURE] : WAYS)(`${LOADS} times %s`, { timeout: 600_000 }, (what) => {
  const path = what === OF_A_CAPTURE ? CAPTURE : join(folder, 'kallsyms')
  if (path !== CAPTURE) writeFileSync(path, text())
  const program = fileURLToPath(new URL('./memory-worker.mjs', import.meta.url))
  const library = new URL('../../dist/lib/index.js', import.meta.url).href
  const printed = execFileSync(process.execPath, [program, library, what, path, String(LOADS)], { encoding: 'utf8' })
  const resident: number[] = JSON.parse(printed)
  // A load used to leave more than ten megabytes behind, which is four times the fifth's after forty of them.
  expect(resident.at(-1)).toBeLessThan(1.3 * resident[4]!)
})
