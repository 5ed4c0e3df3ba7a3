// `kerndex catalog`, `kerndex layout`, and hosts that are opened by --from LAYOUT --catalog DIR.

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CAPTURE, fixtureBytes } from '../fixtures.ts'
import { kerndex, objects } from './run.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-cli-catalog-'))
const OTHER = join(folder, 'other')
const DIR = join(folder, 'catalog')
const LAYOUT = join(folder, 'other.layout')
const KERNEL = 'eb4fbcd037e7253717950bf2b93bd5566f47c56f'
const from = ['--from', LAYOUT, '--catalog', DIR]

beforeAll(async () => {
  mkdirSync(OTHER)
  for (const name of ['kallsyms.br', 'module_sections.br', 'modules.br', 'notes', 'version']) {
    writeFileSync(join(OTHER, name.replace('.br', '')), fixtureBytes(`oracle/${name}`))
  }
  expect((await kerndex(['catalog', 'add', CAPTURE, '--catalog', DIR])).code).toBe(0)
  expect((await kerndex(['layout', LAYOUT, '--from', OTHER])).code).toBe(0)
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

describe('a layout and a catalogue', () => {
  it('are a kernel for every command', async () => {
    const text = fixtureBytes('oracle/kallsyms.br').toString('latin1')
    const address = /^([0-9a-f]+) T vfs_read$/m.exec(text)?.[1] ?? ''
    const found = await kerndex(['symbol', 'vfs_read', ...from, '--json'])
    expect(objects(found.stdout)).toEqual([
      { query: 'vfs_read', symbols: [expect.objectContaining({ address: `0x${address}`, name: 'vfs_read' })] },
    ])
    const at = await kerndex(['address', `${address.slice(0, -1)}8`, ...from])
    expect(at.stdout).toContain('vfs_read+0x8/')
    const resolved = await kerndex(['resolve', ...from], { stdin: `[<${address}>] ?\n` })
    expect(resolved.stdout).toContain('vfs_read')
  }, 30_000)

  it('tell what they cannot give', async () => {
    const { stdout, stderr, code } = await kerndex(['status', ...from, '--json'])
    expect(code).toBe(0)
    const [facts] = objects(stdout) as { placement: { missing: { name: string; why: string }[] } }[]
    expect(facts?.placement.missing).toContainEqual({ name: 'ext4', why: 'unknown' })
    expect(stderr).toContain('not in the catalogue')
    expect(stderr).toContain('their names only')
    const text = fixtureBytes('oracle/kallsyms.br').toString('latin1')
    const hole = /^([0-9a-f]+) t \S+\t\[ext4\]$/m.exec(text)?.[1] ?? ''
    const missed = await kerndex(['address', hole, ...from, '--json'])
    expect(missed.code).toBe(1)
    expect(objects(missed.stdout)[0]).toMatchObject({ symbol: null, reason: 'unknown_module', owner: 'ext4' })
  }, 30_000)

  it('become a snapshot file', async () => {
    const file = join(folder, 'host.kerndex')
    expect((await kerndex(['snapshot', 'save', file, ...from])).code).toBe(0)
    const [a, b] = await Promise.all(
      [from, ['--from', file]].map((source) => kerndex(['symbol', 'vfs_*', ...source, '--format', 'kallsyms'])),
    )
    expect(b?.stdout).toBe(a?.stdout)
    expect(a?.stdout.split('\n').length).toBeGreaterThan(50)
  }, 30_000)

  it('do not go with anything else', async () => {
    expect((await kerndex(['symbol', 'x', '--from', CAPTURE, '--catalog', DIR])).code).toBe(2)
    const types = await kerndex(['type', 'task_struct', ...from])
    expect(types.code).toBe(3)
    expect(types.stderr).toContain('a layout tells only where things lie')
    const other = await kerndex(['symbol', 'x', '--from', LAYOUT, '--catalog', join(folder, 'none')])
    expect(other.code).not.toBe(0)
    expect(other.stderr).toContain(KERNEL)
  }, 30_000)
})

describe('kerndex layout', () => {
  it('writes for its owner only, and replaces nothing unasked', async () => {
    expect(statSync(LAYOUT).mode & 0o777).toBe(0o600)
    expect((await kerndex(['layout', LAYOUT, '--from', OTHER])).code).toBe(2)
    const again = await kerndex(['layout', LAYOUT, '--from', OTHER, '--force', '--json'])
    expect(again.code).toBe(0)
    expect(objects(again.stdout)[0]).toMatchObject({ buildId: KERNEL, modules: 418, withoutSections: 0 })
  }, 30_000)
})

describe('kerndex catalog', () => {
  it('lists and describes', async () => {
    const listed = objects((await kerndex(['catalog', 'list', '--catalog', DIR, '--json'])).stdout)
    expect(listed.length).toBe(13)
    expect(listed[0]).toMatchObject({ kind: 'vmlinux', buildId: KERNEL })
    const info = await kerndex(['catalog', 'info', KERNEL, '--catalog', DIR, '--json'])
    expect(objects(info.stdout)[0]).toMatchObject({ kind: 'vmlinux', symbols: 93883, modules: 12, origin: '_text' })
    expect((await kerndex(['catalog', 'info', 'aabbccddee', '--catalog', DIR])).code).toBe(1)
  }, 30_000)

  it('travels, and is emptied', async () => {
    const file = join(folder, 'all.tar.gz')
    const second = join(folder, 'second')
    expect((await kerndex(['catalog', 'export', file, '--catalog', DIR])).code).toBe(0)
    expect((await kerndex(['catalog', 'export', file, '--catalog', DIR])).code).toBe(2)
    const taken = await kerndex(['catalog', 'import', file, '--catalog', second, '--json'])
    expect((objects(taken.stdout)[0] as { added: unknown[] }).added.length).toBe(13)
    const again = await kerndex(['catalog', 'import', DIR, '--catalog', second, '--json'])
    expect(objects(again.stdout)[0]).toMatchObject({ added: [], known: 13 })
    const found = await kerndex(['symbol', 'vfs_read', '--from', LAYOUT, '--catalog', second, '--json'])
    expect(found.stdout).toBe((await kerndex(['symbol', 'vfs_read', ...from, '--json'])).stdout)
    const pruned = await kerndex(['catalog', 'prune', '--max-bytes', '1000', '--catalog', second, '--json'])
    expect(objects(pruned.stdout)).toEqual([{ buildId: KERNEL }])
    expect((await kerndex(['catalog', 'remove', KERNEL, '--catalog', second])).code).toBe(1)
    expect((await kerndex(['catalog', 'list', '--catalog', second])).stdout).toContain('nothing in')
  }, 60_000)
})
