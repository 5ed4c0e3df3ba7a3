// `kerndex catalog`, `kerndex layout`, and hosts that are opened by --from LAYOUT --catalog DIR: in one process, as each start takes its time.

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CAPTURE, fixtureBytes } from '../fixtures.ts'
import { kerndexes, type Outcome, objects } from './run.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-cli-catalog-'))
const OTHER = join(folder, 'other')
const DIR = join(folder, 'catalog')
const SECOND = join(folder, 'second')
const LAYOUT = join(folder, 'other.layout')
const SNAPSHOT = join(folder, 'host.kerndex')
const ARCHIVE = join(folder, 'all.tar.gz')
const KERNEL = 'eb4fbcd037e7253717950bf2b93bd5566f47c56f'
const from = ['--from', LAYOUT, '--catalog', DIR]

const text = fixtureBytes('oracle/kallsyms.br').toString('latin1')
const vfsRead = /^([0-9a-f]+) T vfs_read$/m.exec(text)?.[1] ?? ''
const inExt4 = /^([0-9a-f]+) t \S+\t\[ext4\]$/m.exec(text)?.[1] ?? ''

/** What is asked, in this order. */
const LINES = {
  add: ['catalog', 'add', CAPTURE, '--catalog', DIR],
  layout: ['layout', LAYOUT, '--from', OTHER, '--json'],
  layoutAgain: ['layout', LAYOUT, '--from', OTHER],
  layoutForced: ['layout', LAYOUT, '--from', OTHER, '--force'],
  symbol: ['symbol', 'vfs_read', ...from, '--json'],
  address: ['address', `${vfsRead.slice(0, -1)}8`, ...from],
  hole: ['address', inExt4, ...from, '--json'],
  status: ['status', ...from, '--json'],
  save: ['snapshot', 'save', SNAPSHOT, ...from],
  placed: ['symbol', 'vfs_*', ...from, '--format', 'kallsyms'],
  saved: ['symbol', 'vfs_*', '--from', SNAPSHOT, '--format', 'kallsyms'],
  capture: ['symbol', 'x', '--from', CAPTURE, '--catalog', DIR],
  types: ['type', 'task_struct', '--from', LAYOUT],
  nowhere: ['symbol', 'x', '--from', LAYOUT, '--catalog', join(folder, 'none')],
  list: ['catalog', 'list', '--catalog', DIR, '--json'],
  info: ['catalog', 'info', KERNEL, '--catalog', DIR, '--json'],
  noInfo: ['catalog', 'info', 'aabbccddee', '--catalog', DIR],
  export: ['catalog', 'export', ARCHIVE, '--catalog', DIR],
  exportAgain: ['catalog', 'export', ARCHIVE, '--catalog', DIR],
  import: ['catalog', 'import', ARCHIVE, '--catalog', SECOND, '--json'],
  importAgain: ['catalog', 'import', DIR, '--catalog', SECOND, '--json'],
  symbolThere: ['symbol', 'vfs_read', '--from', LAYOUT, '--catalog', SECOND, '--json'],
  prune: ['catalog', 'prune', '--max-bytes', '1000', '--catalog', SECOND, '--json'],
  remove: ['catalog', 'remove', KERNEL, '--catalog', SECOND],
  empty: ['catalog', 'list', '--catalog', SECOND],
} as const

let outcomes: Record<keyof typeof LINES, Outcome>

beforeAll(async () => {
  mkdirSync(OTHER)
  for (const name of ['kallsyms.br', 'module_sections.br', 'modules.br', 'notes', 'version']) {
    writeFileSync(join(OTHER, name.replace('.br', '')), fixtureBytes(`oracle/${name}`))
  }
  const given = await kerndexes(Object.values(LINES))
  // As many as there are lines, in their order.
  outcomes = Object.fromEntries(Object.keys(LINES).map((name, i) => [name, given[i]])) as typeof outcomes
}, 240_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe('a layout and a catalogue', () => {
  it('are a kernel for every command', () => {
    expect(objects(outcomes.symbol.stdout)).toEqual([
      { query: 'vfs_read', symbols: [expect.objectContaining({ address: `0x${vfsRead}`, name: 'vfs_read' })] },
    ])
    expect(outcomes.address.stdout).toContain('vfs_read+0x8/')
  })

  it('tell what they cannot give', () => {
    expect(outcomes.status.code).toBe(0)
    const [facts] = objects(outcomes.status.stdout) as { placement: { missing: { name: string; why: string }[] } }[]
    expect(facts?.placement.missing).toContainEqual({ name: 'ext4', why: 'unknown' })
    expect(outcomes.status.stderr).toContain('not in the catalogue')
    expect(outcomes.status.stderr).toContain('their names only')
    expect(outcomes.hole.code).toBe(1)
    expect(objects(outcomes.hole.stdout)[0]).toMatchObject({ symbol: null, reason: 'unknown_module', owner: 'ext4' })
  })

  it('become a snapshot file', () => {
    expect(outcomes.save.code).toBe(0)
    expect(outcomes.saved.stdout).toBe(outcomes.placed.stdout)
    expect(outcomes.placed.stdout.split('\n').length).toBeGreaterThan(50)
  })

  it('do not go with anything else', () => {
    expect(outcomes.capture.code).toBe(2)
    expect(outcomes.types.code).toBe(3)
    expect(outcomes.types.stderr).toContain('a layout tells only where things lie')
    expect(outcomes.nowhere.code).not.toBe(0)
    expect(outcomes.nowhere.stderr).toContain(KERNEL)
  })
})

describe('kerndex layout', () => {
  it('writes for its owner only, and replaces nothing unasked', () => {
    expect(statSync(LAYOUT).mode & 0o777).toBe(0o600)
    expect(objects(outcomes.layout.stdout)[0]).toMatchObject({ buildId: KERNEL, modules: 418, withoutSections: 0 })
    expect([outcomes.layout.code, outcomes.layoutAgain.code, outcomes.layoutForced.code]).toEqual([0, 2, 0])
  })
})

describe('kerndex catalog', () => {
  it('lists and describes', () => {
    expect(outcomes.add.code).toBe(0)
    const listed = objects(outcomes.list.stdout)
    expect(listed.length).toBe(13)
    expect(listed[0]).toMatchObject({ kind: 'vmlinux', buildId: KERNEL })
    expect(objects(outcomes.info.stdout)[0]).toMatchObject({ symbols: 93883, modules: 12, origin: '_text' })
    expect(outcomes.noInfo.code).toBe(1)
  })

  it('travels, and is emptied', () => {
    expect([outcomes.export.code, outcomes.exportAgain.code]).toEqual([0, 2])
    expect((objects(outcomes.import.stdout)[0] as { added: unknown[] }).added.length).toBe(13)
    expect(objects(outcomes.importAgain.stdout)[0]).toMatchObject({ added: [], known: 13 })
    expect(outcomes.symbolThere.stdout).toBe(outcomes.symbol.stdout)
    expect(objects(outcomes.prune.stdout)).toEqual([{ buildId: KERNEL }])
    expect(outcomes.remove.code).toBe(1)
    expect(outcomes.empty.stdout).toContain('nothing in')
  })
})
