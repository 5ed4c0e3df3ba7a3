// What a snapshot leaves for later: module types and the files that probe plans need, here and in another thread.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Kernel } from '../../src/kernel.ts'
import { attachKernel, openKernel } from '../../src/open-kernel.ts'
import { fixture } from '../btf/fixtures.ts'
import { DEBIAN } from '../probes/fixtures.ts'

let capture = ''
const SPECS = ['fentry:nf_tables:nft_trans_alloc_gfp', 'kprobe:vfs_read', 'kprobe:asm_exc_bounds', 'fentry:br_dev_*']

beforeAll(async () => {
  capture = await mkdtemp(join(tmpdir(), 'kerndex-later-'))
  await mkdir(join(capture, 'btf'))
  await writeFile(join(capture, 'kallsyms'), DEBIAN.kallsyms)
  await writeFile(join(capture, 'available_filter_functions'), DEBIAN.filter)
  await writeFile(join(capture, 'kprobes_blacklist'), DEBIAN.blacklist)
  await writeFile(join(capture, 'version'), DEBIAN.version)
  await writeFile(join(capture, 'btf', 'vmlinux'), fixture('deb61/vmlinux.btf'))
  for (const name of ['nf_tables', 'bridge', 'ext4']) {
    await writeFile(join(capture, 'btf', name), fixture(`deb61/mod/${name}.btf`))
  }
})

afterAll(() => rm(capture, { recursive: true, force: true }))

const answers = (kernel: Pick<Kernel, 'probes'>) =>
  [...kernel.probes.plan(SPECS).specs].flatMap(({ targets }) => targets.map((target) => target.toJSON()))

test('lazy or not, preloaded or not, here or there: the plans are the same', async () => {
  await using eager = await openKernel({ from: capture, threads: 0, probes: true })
  const expected = JSON.stringify(answers(eager))
  expect(expected).toContain('"verdict":"ok"')
  await using lazy = await openKernel({ from: capture, threads: 0, types: 'lazy' })
  expect(lazy.types.records.map(({ name }) => name)).toEqual(['vmlinux'])
  expect(JSON.stringify(answers(lazy))).toBe(expected)
  // The types of ext4 were never asked for.
  expect(lazy.types.records.map(({ name }) => name)).toEqual(['vmlinux', 'nf_tables', 'bridge'])
  await using both = await openKernel({ from: capture, threads: 0, types: 'lazy', probes: true })
  expect(JSON.stringify(answers(attachKernel(structuredClone(both.handle()))))).toBe(expected)

  const index = new URL('../../dist/lib/index.js', import.meta.url).href
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
     import(${JSON.stringify(index)}).then(({ attachKernel }) => {
       const plan = attachKernel(workerData.handle).probes.plan(workerData.specs)
       parentPort.postMessage(JSON.stringify(plan.specs.flatMap(({ targets }) => targets.map((target) => target.toJSON()))))
     })`,
    { eval: true, workerData: { handle: lazy.handle(), specs: SPECS } },
  )
  const there = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  expect(there).toBe(expected)
  await worker.terminate()
})

test('a refresh with lazy types publishes nothing where nothing has changed', async () => {
  await using kernel = await openKernel({ from: capture, threads: 0, types: 'lazy', probes: true })
  expect(await kernel.refresh()).toMatchObject({ changed: false, generation: 1 })
})

test('only the modules that were asked for are left for later', async () => {
  await using kernel = await openKernel({ from: capture, threads: 0, types: 'lazy', modules: ['nf_tables'] })
  expect(kernel.types.set('nf_tables')?.name).toBe('nf_tables')
  expect(kernel.types.set('bridge')).toBeUndefined()
})

test('a fact that cannot be read says so, and one that is not asked for is not read', async () => {
  await using kernel = await openKernel({ from: capture, threads: 0, types: false })
  const snapshot = kernel.snapshot()
  expect(snapshot.fact('lockdown')).toEqual({ what: 'lockdown', reason: 'not there' })
  expect(snapshot.fact('kprobes_blacklist')).toEqual(Buffer.from(DEBIAN.blacklist))
  expect(snapshot.fact('module_sections')).toMatchObject({ what: 'module_sections' })
  await using file = await openKernel({ from: join(capture, 'kallsyms'), threads: 0 })
  expect(file.snapshot().fact('kprobes_blacklist')).toMatchObject({ reason: expect.stringContaining('symbols only') })
})
