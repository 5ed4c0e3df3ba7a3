// The one WebAssembly memory: arrays that are cut from it do not touch each other and outlast its growth.
import { expect, test } from 'vitest'
import { openWasm } from '../../src/core/wasm-memory.ts'
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
