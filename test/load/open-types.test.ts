// Types without symbols: only the modules that are asked for are opened; threads make no difference; failures are named.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTypeFile, openTypes } from '../../src/load/open-types.ts'
import { fixture, MODULES } from '../btf/fixtures.ts'

let capture = ''

beforeAll(async () => {
  capture = await mkdtemp(join(tmpdir(), 'kerndex-types-'))
  await mkdir(join(capture, 'btf'))
  for (const name of MODULES) await writeFile(join(capture, 'btf', name), fixture(`deb61/mod/${name}.btf`))
  await writeFile(join(capture, 'btf', 'vmlinux'), fixture('deb61/vmlinux.btf'))
})

afterAll(() => rm(capture, { recursive: true, force: true }))

test('only the modules that are named are opened, and vmlinux', async () => {
  const { types, opened, absences } = await openTypes({ from: capture, modules: ['nf_tables'] })
  expect(opened).toEqual(['vmlinux', 'nf_tables'])
  expect(absences).toEqual([])
  expect(types.sets.map((set) => set.name)).toEqual(opened)
  expect(types.find('nft_ctx').map((each) => each.module)).toEqual(['nf_tables'])
  expect(types.find('veth_priv')).toEqual([])
  await expect(openTypes({ from: capture, modules: ['nope'] })).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test.each([0, 1, 2])('%i threads read the same types', async (threads) => {
  const { types } = await openTypes({ from: capture, threads })
  expect(types.sets.map((set) => set.name).sort()).toEqual(['vmlinux', ...MODULES].sort())
  expect(types.requireMember('nft_ctx.net').type).toBe('struct net *')
  expect([...types.functions('veth_*')].length).toBeGreaterThan(20)
})

test('a damaged module is left out and named, a damaged vmlinux leaves nothing', async () => {
  await writeFile(join(capture, 'btf', 'damaged'), 'not BTF at all, but long enough')
  const { types, absences } = await openTypes({ from: capture })
  expect(absences).toMatchObject([{ what: 'btf/damaged' }])
  expect(types.set('damaged')).toBeUndefined()
  await rm(join(capture, 'btf', 'damaged'))
  const empty = join(capture, 'empty')
  await mkdir(join(empty, 'btf'), { recursive: true })
  await expect(openTypes({ from: empty })).rejects.toMatchObject({ code: 'NOT_READABLE' })
})

test('a single file stands for vmlinux; a module needs its base', async () => {
  const vmlinux = join(capture, 'btf', 'vmlinux')
  const { types } = await openTypes({ from: vmlinux })
  expect(types.find('task_struct', { kind: 'STRUCT' }).length).toBe(1)
  const veth = join(capture, 'btf', 'veth')
  const { set } = await openTypeFile(veth, vmlinux)
  expect(set.base?.size).toBe(100_750)
  await expect(openTypeFile(veth)).rejects.toMatchObject({ code: 'BAD_FORMAT' })
})
