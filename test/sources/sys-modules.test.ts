import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { ModuleInfo } from '../../src/sources/facts.ts'
import { parseModuleSections } from '../../src/sources/module-sections.ts'
import { gatherIdentities, gatherSections } from '../../src/sources/sys-modules.ts'

const root = mkdtempSync(join(tmpdir(), 'kerndex-sys-module-'))
afterAll(() => rmSync(root, { recursive: true }))

function write(path: string, bytes: string | Uint8Array): void {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), bytes)
}

const module = (name: string, state = 'Live'): ModuleInfo => ({ name, size: 4096, state, address: 1n })
const buildIdNote = Buffer.concat([
  Buffer.from(Uint32Array.of(4, 4, 3).buffer),
  Buffer.from('GNU\0'),
  Buffer.from('deadbeef', 'hex'),
])

write('whole/sections/.text', '0xffffffffc0800000\n')
write('whole/sections/.data', '0xffffffffc0802000\n')
write('whole/notes/.note.gnu.build-id', buildIdNote)
write('whole/srcversion', '533BB7E5866E52F63B9ACCB\n')
write('whole/taint', 'OE\n')
write('plain/taint', '\n')
write('hidden/sections/.text', '0x0000000000000000\n')
write('hidden/sections/.data', '0x0000000000000000\n')

test('sections of all modules are one text, in the order of the modules', () => {
  const text = gatherSections([module('plain'), module('whole'), module('gone'), module('hidden')], root)
  expect(String(text)).toBe('whole .data 0xffffffffc0802000\nwhole .text 0xffffffffc0800000\n')
})

test('sections that the kernel hides are an absence with that reason, never addresses', () => {
  expect(gatherSections([module('hidden')], root)).toMatchObject({ reason: expect.stringContaining('hides addresses') })
  expect(gatherSections([module('plain')], root)).toMatchObject({ reason: 'not there' })
  expect(gatherSections([], root)).toMatchObject({ reason: 'no module is loaded' })
})

test('identities say of every module what it is known by, and what it lacks', () => {
  const text = gatherIdentities([module('whole'), module('plain', 'Loading'), module('gone', 'Unloading')], root)
  expect(String(text)).toBe(
    'whole deadbeef 533BB7E5866E52F63B9ACCB Live OE\nplain - - Loading -\ngone - - Unloading -\n',
  )
  expect(gatherIdentities([], root)).toMatchObject({ what: 'module_identities', reason: 'no module is loaded' })
})

test('lines of sections are read whatever stands beside them', () => {
  const text = [
    'm .text 0xffffffffc0800000',
    'm .zero 0x0000000000000000',
    'no address',
    '',
    'm .short 0x1000',
    'm .long 0x1ffffffffc0800000',
    'm .bad 0xffffffffc080000g',
    'n .text 0x00000000c0900000',
    'm .data 0xffffffffc0801000',
  ]
  const read = [...parseModuleSections(Buffer.from(text.join('\n')))].map(([module, { names, name, high, low }]) => [
    module,
    Array.from(name, (number, i) => [names[number], high[i], low[i]]),
  ])
  expect(read).toEqual([
    [
      'm',
      [
        ['.text', 0xffffffff, 0xc0800000],
        ['.short', 0, 0x1000],
      ],
    ],
    ['n', [['.text', 0, 0xc0900000]]],
  ])
})
