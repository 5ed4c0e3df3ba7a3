import { expect, test } from 'vitest'
import { loadKernel } from '../../src/load/load.ts'
import type { Source } from '../../src/sources/source.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { fakeSource } from './sources.ts'

/** A module in pieces: behind its last read-only symbol lie three pages of sections that have none. */
const TEXT = [
  'ffffffff81000000 T _stext',
  'ffffffff81200000 B _end',
  'ffffffffc0000000 d data\t[m]',
  'ffffffffc0002000 r constant\t[m]',
  'ffffffffc1000000 t function\t[m]',
].join('\n')
const SECTIONS = [
  'm .data 0xffffffffc0000000',
  'm .rodata 0xffffffffc0002000',
  'm .orc_unwind 0xffffffffc0004800',
  'm .init.data 0xffffffffc0007000',
  'm .text 0xffffffffc1000000',
].join('\n')
const FACTS = { modules: Buffer.from('m 24576 0 - Live 0xffffffffc1000000\n'), module_sections: Buffer.from(SECTIONS) }
/** In the last of those pages, and in the one behind them, which is never mapped. */
const INSIDE = 0xffffffffc0005fffn
const BEHIND = 0xffffffffc0006000n

const live = (facts: Record<string, Buffer>): Source => ({
  ...fakeSource(Buffer.from(TEXT), { facts }),
  kind: 'live',
  description: 'a running kernel',
})

test('a capture’s sections say where the pieces of a module end', async () => {
  const { handle } = await loadKernel(fakeSource(Buffer.from(TEXT), { facts: FACTS }), 1, { types: false })
  const table = new SymbolTable(handle.symbols)
  expect(table.at(INSIDE)?.symbol.name).toBe('constant')
  expect(table.at(BEHIND)).toBeUndefined()
})

test('the running kernel’s are read only if they are asked for', async () => {
  const plain = await loadKernel(live(FACTS), 1, { types: false })
  expect(new SymbolTable(plain.handle.symbols).at(INSIDE)).toBeUndefined()
  const { handle } = await loadKernel(live(FACTS), 1, { types: false, sections: true })
  const table = new SymbolTable(handle.symbols)
  expect(table.at(INSIDE)?.symbol.name).toBe('constant')
  expect(table.at(BEHIND)).toBeUndefined()
})

test('those that were asked for and cannot be had are an absence', async () => {
  const missing = (facts: Record<string, Buffer>, sections: boolean) =>
    loadKernel(live(facts), 1, { types: false, sections }).then(({ handle }) =>
      handle.host.absences.map(({ what }) => what).includes('module_sections'),
    )
  expect(await missing({}, true)).toBe(true)
  expect(await missing({}, false)).toBe(false)
  expect(await missing(FACTS, true)).toBe(false)
})
