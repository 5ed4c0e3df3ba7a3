// Symbols before types: what is there at once, what waits for the rest, what a lookup does that comes too early, here and in
// another thread, and what refreshes, ends and failures make of a load that is under way.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { copyFile, mkdir, mkdtemp, open, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Kernel } from '../../src/kernel.ts'
import { saveSnapshot, snapshotInfo } from '../../src/load/save.ts'
import { attachKernel, type Machine, type OpenOptions, openKernel, openKernelOn } from '../../src/open-kernel.ts'
import type { Handle, Snapshot } from '../../src/snapshot/snapshot.ts'
import { captureSource } from '../../src/sources/capture.ts'
import { fixture } from '../btf/fixtures.ts'

const TEXT = 'ffffffff81000000 T _stext\nffffffff81000010 T vfs_read\nffffffffc0000000 t nft_init\t[nf_tables]\n'
const SPECS = ['fentry:nf_tables:nft_trans_alloc_gfp', 'kprobe:vfs_read']
const BUILD = '4a5a9b0affb66c437abcd455d2738af879985fa9'

let folder = ''
let capture = ''
let file = ''
let expected = ''
const kernels: Kernel[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-ready-'))
  capture = join(folder, 'capture')
  file = join(folder, 'host.kerndex')
  await mkdir(join(capture, 'btf'), { recursive: true })
  const note = Buffer.concat([
    Buffer.from(Uint32Array.of(4, 20, 3).buffer),
    Buffer.from('GNU\0'),
    Buffer.from(BUILD, 'hex'),
  ])
  await writeFile(join(capture, 'notes'), note)
  await writeFile(join(capture, 'boot_id'), 'ea7f0c5a-0e0e-4de4-af2f-823d6cd4400f\n')
  await writeFile(join(capture, 'modules'), 'nf_tables 4096 3 - Live 0xffffffffc0000000\n')
  await writeFile(join(capture, 'kallsyms'), TEXT)
  await writeFile(join(capture, 'btf', 'vmlinux'), fixture('deb61/vmlinux.btf'))
  for (const name of ['nf_tables', 'bridge']) {
    await writeFile(join(capture, 'btf', name), fixture(`deb61/mod/${name}.btf`))
  }
  await writeFile(join(capture, 'btf', 'damaged'), 'not BTF at all, but long enough')
  await using whole = await openKernel({ from: capture, threads: 0 })
  await saveSnapshot(whole.snapshot(), file)
  expected = answers(whole)
  expect(expected).toContain('nft_trans_alloc_gfp')
  expect(whole.host.absences).toContainEqual({ what: 'btf/damaged', reason: expect.any(String) })
})
afterEach(async () => {
  for (const kernel of kernels.splice(0)) await kernel.close()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What a kernel says of its types, its plans, and of what is missing. */
function answers({ types, probes, host }: Pick<Kernel, 'types' | 'probes' | 'host'>): string {
  const sets = types.sets.map(({ name, size }) => [name, size])
  const found = ['list_head', 'nft_ctx', 'nft_trans_alloc_gfp'].map((name) => types.find(name))
  const plans = probes.plan(SPECS).specs.flatMap(({ targets }) => targets.map((target) => target.toJSON()))
  const absences = host.absences.filter(({ what }) => what.startsWith('btf'))
  return JSON.stringify([sets, found, plans, absences])
}

async function early(options: OpenOptions = {}): Promise<Kernel> {
  const kernel = await openKernel({ from: capture, threads: 0, ready: 'symbols', ...options })
  kernels.push(kernel)
  return kernel
}

/** Whether a snapshot's types are still to be loaded. */
const isPending = (snapshot: Snapshot | Kernel) => snapshot.handle().later.pending !== undefined

const ways: [string, () => OpenOptions][] = [
  ['a capture', () => ({})],
  ['a capture, with threads', () => ({ threads: 2 })],
  ['a snapshot file', () => ({ from: file })],
]

test.each(ways)('%s: symbols at once, types when they are waited for', async (_, options) => {
  const kernel = await early(options())
  const pinned = kernel.snapshot()
  expect(isPending(kernel)).toBe(true)
  expect(kernel.symbols.named('vfs_read')).toHaveLength(1)
  await kernel.ready('symbols')
  expect(isPending(kernel)).toBe(true)
  await kernel.ready()
  expect(isPending(kernel)).toBe(false)
  // In the same generation, and in what was held before.
  expect([kernel.generation, kernel.snapshot() === pinned]).toEqual([1, true])
  expect(pinned.handle().types.length).toBe(3)
  expect(kernel.timing.typesMs).toBeGreaterThanOrEqual(kernel.timing.readyMs)
  expect(answers(kernel)).toBe(expected)
  expect(await kernel.refresh()).toMatchObject({ changed: false, generation: 1 })
})

test.each(ways)('%s: a lookup that comes too early loads the types itself', async (_, options) => {
  const kernel = await early(options())
  expect(isPending(kernel)).toBe(true)
  const { types } = kernel
  expect(types.sets).toHaveLength(3)
  expect(isPending(kernel)).toBe(false)
  expect(answers(kernel)).toBe(expected)
  await kernel.ready('types')
  // What was being loaded meanwhile is not put in its place.
  expect(kernel.types).toBe(types)
  expect(await kernel.refresh()).toMatchObject({ changed: false, generation: 1 })
  expect(kernel.handle().types[0]).toBe(types.records[0])
})

test('a lookup amid the load: its types stay, whatever the load comes to', async () => {
  const kernel = await early({ from: file })
  // The load began in this turn, and takes several.
  await setImmediate()
  expect(isPending(kernel)).toBe(true)
  const { types } = kernel
  expect(types.sets).toHaveLength(3)
  expect(isPending(kernel)).toBe(false)
  await kernel.refresh()
  expect(kernel.handle().types[0]).toBe(types.records[0])
  expect(answers(kernel)).toBe(expected)
})

test.each(ways)('%s: an early handle answers the same in another thread', async (_, options) => {
  const kernel = await early(options())
  const handle = kernel.handle()
  expect(handle.later.pending).toBeDefined()
  expect(handle.types).toEqual([])
  expect(answers(attachKernel(structuredClone(handle)))).toBe(expected)
  expect(JSON.stringify(await inWorker(handle))).toBe(JSON.stringify(JSON.parse(expected)[1]))
  await kernel.ready()
  expect(await inWorker(kernel.handle())).toEqual(JSON.parse(expected)[1])
})

function inWorker(handle: Handle): Promise<unknown> {
  const index = new URL('../../dist/lib/index.js', import.meta.url).href
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
     import(${JSON.stringify(index)}).then(({ attachKernel }) => {
       const { types } = attachKernel(workerData)
       parentPort.postMessage(['list_head', 'nft_ctx', 'nft_trans_alloc_gfp'].map((name) => types.find(name)))
     })`,
    { eval: true, workerData: handle },
  )
  const answer = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  return answer.finally(() => worker.terminate())
}

test('lazy modules stay lazy, and no types are none', async () => {
  const lazy = await early({ types: 'lazy' })
  expect(lazy.types.records.map(({ name }) => name)).toEqual(['vmlinux'])
  expect(lazy.types.find('nft_ctx')).toHaveLength(1)
  const none = await early({ types: false })
  expect(isPending(none)).toBe(false)
  await none.ready('types')
  expect(none.types.sets).toEqual([])
  await expect(openKernel({ from: capture, ready: 'types' as 'all' })).rejects.toMatchObject({ code: 'USAGE' })
})

test('a refresh waits for the types that are being loaded, and a watch sees only whole snapshots', async () => {
  const kernel = await early()
  const before = kernel.snapshot()
  await writeFile(join(capture, 'kallsyms'), `${TEXT}ffffffffc0400000 t bpf_prog_1_foo\t[bpf]\n`)
  try {
    for await (const { after } of kernel.watch({ intervalMs: 10, refreshes: 1 })) expect(isPending(after)).toBe(false)
  } finally {
    await writeFile(join(capture, 'kallsyms'), TEXT)
  }
  expect(kernel.generation).toBe(2)
  // Taken over, not read again.
  expect(kernel.handle().types).toEqual(before.handle().types)
  expect(kernel.handle().types[0]).toBe(before.handle().types[0])
})

test('the waiting ends with its signal, the loading with that of the call or with the kernel', async () => {
  const kernel = await early()
  await expect(kernel.ready('types', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  const control = new AbortController()
  const waiting = kernel.ready('types', { signal: control.signal })
  control.abort()
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
  await kernel.ready('types')

  const call = new AbortController()
  const aborted = await early({ signal: call.signal })
  call.abort()
  await expect(aborted.ready()).rejects.toMatchObject({ code: 'ABORTED' })
  // It is only the loading behind the symbols that has failed.
  expect(answers(aborted)).toBe(expected)
  await aborted.ready()

  for (const options of [{}, { threads: 2 }]) {
    const closed = await early(options)
    const snapshot = closed.snapshot()
    const ready = closed.ready()
    ready.catch(() => {})
    await closed.close()
    await expect(ready).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(closed.ready()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(answers(snapshot)).toBe(expected)
  }
})

test('after a failure a refresh loads what is missing', async () => {
  const call = new AbortController()
  const kernel = await early({ signal: call.signal })
  call.abort()
  await expect(kernel.ready()).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await kernel.refresh()).toMatchObject({ changed: true, generation: 2 })
  await kernel.ready()
  expect(answers(kernel)).toBe(expected)
})

test('the channel tells when the types are there, and why they are not', async () => {
  const heard: unknown[] = []
  const listen = (message: unknown) => heard.push(message)
  subscribe('kerndex:ready', listen)
  await (await early()).ready()
  const call = new AbortController()
  const kernel = await early({ signal: call.signal })
  call.abort()
  await kernel.ready().catch(() => {})
  unsubscribe('kerndex:ready', listen)
  expect(heard).toEqual([
    { part: 'types', generation: 1 },
    { part: 'types', generation: 1, error: expect.objectContaining({ code: 'ABORTED' }) },
  ])
})

/** A copy of the snapshot file with a byte of its types changed. */
async function damagedCopy(from: string, to: string): Promise<void> {
  await copyFile(from, to)
  const { symbolBytes } = snapshotInfo(from)
  const target = await open(to, 'r+')
  await target.write(Buffer.from([0xa5, 0x5a]), 0, 2, symbolBytes + 3_000_000)
  await target.close()
}

test('damage of a snapshot file is found before anything is said of its types', async () => {
  const damaged = join(folder, 'damaged.kerndex')
  await damagedCopy(file, damaged)
  const kernel = await early({ from: damaged })
  const handle = kernel.handle()
  expect(kernel.symbols.named('vfs_read')).toHaveLength(1)
  expect(() => kernel.types.sets).toThrow(/damaged/)
  await expect(kernel.ready('types')).rejects.toMatchObject({ code: 'BAD_FORMAT', place: { path: damaged } })
  expect(() => kernel.types.records).toThrow(/damaged/)
  expect(() => kernel.types.requireSet('bridge')).toThrow(/damaged/)
  expect(() => attachKernel(handle).types).toThrow(/damaged/)
})

test('a snapshot file answers by name and id before its types are loaded, and the same', async () => {
  await using whole = await openKernel({ from: capture, threads: 0 })
  const kernel = await early({ from: file })
  for (const name of ['list_head', 'nft_ctx', 'task_struct', 'int', 'no_such_type', '', 'a\0b']) {
    expect(kernel.types.find(name)).toEqual(whole.types.find(name))
    expect(kernel.types.find(name, { kind: 'STRUCT' })).toEqual(whole.types.find(name, { kind: 'STRUCT' }))
    const module = 'nf_tables'
    expect(kernel.types.find(name, { module })).toEqual(whole.types.find(name, { module }))
  }
  expect(kernel.types.find('int', { module: 'nobody' })).toEqual([])
  for (let id = 1; id < 20_000; id += 531) expect(kernel.types.get(id)).toEqual(whole.types.get(id))
  expect(isPending(kernel)).toBe(true)
  // What needs more is loaded, and nothing of it twice.
  expect(answers(kernel)).toBe(expected)
  expect(isPending(kernel)).toBe(false)
  expect(kernel.types.find('list_head')).toEqual(whole.types.find('list_head'))
})

test('a kernel of which everything was asked has its types in every handle, whatever becomes of the file', async () => {
  const path = join(folder, 'promised.kerndex')
  await copyFile(file, path)
  const kernel = await openKernel({ from: path, threads: 0 })
  kernels.push(kernel)
  expect(kernel.types.find('list_head')).toHaveLength(1)
  await rm(path)
  const handle = kernel.handle()
  expect(handle.later.pending).toBeUndefined()
  expect(handle.types).toHaveLength(3)
  expect(answers(attachKernel(structuredClone(handle)))).toBe(expected)
  await kernel.ready()
  expect(kernel.handle().types[0]).toBe(handle.types[0])
  expect(answers(kernel)).toBe(expected)
})

test('a lookup by name finds the damage that it comes across', async () => {
  const damaged = join(folder, 'names.kerndex')
  await copyFile(file, damaged)
  const { symbolBytes, bytes } = snapshotInfo(file)
  const target = await open(damaged, 'r+')
  // Every piece of what lies behind the symbols.
  for (let at = symbolBytes + 70_000; at < bytes; at += 65_536) await target.write(Buffer.from([0xa5, 0x5a]), 0, 2, at)
  await target.close()
  const kernel = await early({ from: damaged })
  for (const ask of [() => kernel.types.find('list_head'), () => kernel.types.get(1)]) {
    expect(ask).toThrow(expect.objectContaining({ code: 'BAD_FORMAT', place: { path: damaged } }))
  }
})

test('a snapshot file is let go of when its types are there, whoever read them', async () => {
  const own = join(folder, 'own.kerndex')
  await copyFile(file, own)
  const held = async () => {
    const links = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    )
    return links.filter((path) => path === own).length
  }
  for (const settle of [() => {}, (kernel: Kernel) => kernel.types.sets, (kernel: Kernel) => kernel.close()]) {
    const kernel = await early({ from: own })
    expect(await held()).toBe(1)
    await settle(kernel)
    await kernel.refresh().catch(() => {})
    // The descriptor is closed on another thread.
    await expect.poll(held).toBe(0)
  }
})

test('a snapshot file that is replaced is read as it was, or not at all', async () => {
  const path = join(folder, 'moved.kerndex')
  await copyFile(file, path)
  const kernel = await early({ from: path })
  const handle = kernel.handle()
  await using bare = await openKernel({ from: join(capture, 'kallsyms'), threads: 0 })
  await saveSnapshot(bare.snapshot(), `${path}.new`)
  await rename(`${path}.new`, path)
  expect(() => attachKernel(handle).types).toThrow(/was replaced/)
  expect(answers(kernel)).toBe(expected)
})

test('the cache: written once the types are there, opened for its symbols, mended where its types are damaged', async () => {
  const directory = join(folder, 'cache')
  const user = { uid: process.geteuid?.() ?? 0, env: {}, secret: () => undefined }
  const machine: Machine = { live: () => ({ ...captureSource(capture), kind: 'live' }), user }
  const again = async (settle: (kernel: Kernel) => unknown) => {
    const kernel = await openKernelOn(machine, { threads: 0, ready: 'symbols', cache: { directory } })
    kernels.push(kernel)
    expect(isPending(kernel)).toBe(true)
    await settle(kernel)
    expect(answers(kernel)).toBe(expected)
    await kernel.verified()
    await kernel.close()
    return kernel.cacheReports.map(({ did }) => did)
  }
  expect(await again((kernel) => kernel.ready())).toEqual(['stored'])
  expect(await again((kernel) => kernel.ready())).toEqual(['opened'])
  expect(await again(() => {})).toEqual(['opened'])
  const path = join(directory, `${BUILD}-ea7f0c5a-0e0e-4de4-af2f-823d6cd4400f.kerndex`)
  for (const settle of [
    (kernel: Kernel) => kernel.ready(),
    () => {},
    (kernel: Kernel) => expect(kernel.types.get(1)?.id).toBe(1),
  ]) {
    await damagedCopy(path, `${path}.new`)
    await rename(`${path}.new`, path)
    expect(await again(settle)).toEqual(['opened', 'ignored', 'stored'])
    expect(await again((kernel) => kernel.ready())).toEqual(['opened'])
  }
})
