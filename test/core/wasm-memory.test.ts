// The one WebAssembly memory: arrays that are cut from it do not touch each other and outlast its growth.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openWasm } from '../../src/core/wasm-memory.ts'
import { STEP_NAMES } from '../../src/load/crew-thread.ts'
import { LOOPS_WASM } from '../../src/symbols/loops-wasm.ts'

test('what is no module of this engine is told, not thrown', () => {
  expect(openWasm('AAAA')).toBeUndefined()
  expect(openWasm('AAAA')).toBeUndefined()
})

test('arrays are zeroed, aligned, apart from each other, and stay through growth', () => {
  const wasm = openWasm(LOOPS_WASM)
  if (wasm === undefined) throw new Error('no WebAssembly with threads and vectors here')
  const { memory } = wasm
  const arrays: Uint8Array[] = []
  for (let i = 0; i < 40; i++) {
    // Together far more than the memory begins with.
    const array = memory.allocate(i % 3 === 0 ? i + 1 : 1_000_003)
    expect(array.byteOffset % 16).toBe(0)
    expect(array.every((byte) => byte === 0)).toBe(true)
    array.fill(i + 1)
    arrays.push(array)
  }
  arrays.forEach((array, i) => {
    expect(array.every((byte) => byte === i + 1)).toBe(true)
    expect(memory.has(array)).toBe(true)
  })
  expect(memory.has(new Uint8Array(4))).toBe(false)
})

test('every step takes the same three numbers, the other loops what their declarations say', () => {
  const exports = openWasm(LOOPS_WASM)!.exports as Record<string, unknown>
  const parameters = Object.entries(exports).flatMap(([name, value]) =>
    typeof value === 'function' ? [[name, value.length] as const] : [],
  )
  const others: Record<string, number> = { countLines: 2, cutOf: 2, slotsFor: 1, digest: 3 }
  for (const [name, count] of parameters) expect(count, name).toBe(others[name] ?? 3)
  const names = new Set(parameters.map(([name]) => name))
  for (const step of STEP_NAMES) expect(names).toContain(step)
  expect(names.size).toBe(STEP_NAMES.length + Object.keys(others).length)
})

test('an engine without WebAssembly is told of, by a typed error', () => {
  const library = new URL('../../dist/lib/index.js', import.meta.url).href
  const script = `import { openKernel } from ${JSON.stringify(library)}
    await openKernel({ from: process.argv[1], threads: 0 }).catch((error) => console.log(error.code, error.message))`
  const text = fileURLToPath(new URL('../../fixtures/edge/edge.kallsyms', import.meta.url))
  const run = ['--jitless', '--input-type=module', '-e', script, text]
  expect(execFileSync(process.execPath, run, { encoding: 'utf8' })).toMatch(/^UNSUPPORTED .*--jitless/)
})
