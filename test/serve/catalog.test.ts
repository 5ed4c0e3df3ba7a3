// A catalogue behind the server: builds that no table is of, asked by build id and debug id, with offsets and no host.

import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openCatalog, writeLayout } from '../../src/catalog.ts'
import { type Kernel, openElf, openKernel } from '../../src/index.ts'
import type { Serving } from '../../src/serve/app.ts'
import { debugIdOf } from '../../src/serve/debug-id.ts'
import { CAPTURE } from '../fixtures.ts'
import { ask, post, start } from './server.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-serve-catalog-'))
let serving: Serving & { readonly url: string }
let kernel: Kernel

beforeAll(async () => {
  const catalog = await openCatalog({ directory: join(folder, 'builds') })
  await catalog.add(CAPTURE)
  serving = await start({ sources: [], catalog })
  kernel = await openKernel({ from: CAPTURE, threads: 0 })
})
afterAll(async () => {
  await serving?.close()
  await kernel?.close()
})

/** Offsets from `_text` of functions, within them and at their starts. */
function offsets(): { readonly at: bigint; readonly name: string; readonly more: number }[] {
  const text = kernel.symbols.named('_text')[0]!.address
  return ['vfs_read', 'ksys_read', 'do_sys_openat2', 'schedule'].flatMap((name) =>
    [0, 5].map((more) => ({ at: kernel.symbols.named(name)[0]!.address + BigInt(more) - text, name, more })),
  )
}

it('answers offsets of a build without any host', async () => {
  const asked = offsets()
  const { frames } = await post<{ frames: { at: string; symbol: string; offset: number; owner: string }[] }>(
    `${serving.url}v1/resolve`,
    { buildId: kernel.host.buildId, offsets: asked.map(({ at }) => `0x${at.toString(16)}`) },
  )
  expect(frames.map(({ symbol, offset, owner }) => [symbol, offset, owner])).toEqual(
    asked.map(({ name, more }) => [name, more, 'vmlinux']),
  )
})

it('answers the same from a table of that build, where there is no catalogue', async () => {
  const plain = await start()
  try {
    const question = { buildId: kernel.host.buildId, offsets: offsets().map(({ at }) => `0x${at.toString(16)}`) }
    expect(await post(`${plain.url}v1/resolve`, question)).toEqual(await post(`${serving.url}v1/resolve`, question))
  } finally {
    await plain.close()
  }
})

it('knows builds by their debug ids', async () => {
  const [{ at, name, more }] = offsets().slice(1) as [ReturnType<typeof offsets>[number]]
  const id = debugIdOf(kernel.host.buildId!)
  const job = { memoryMap: [['vmlinux', id]], stacks: [[[0, Number(at)]]] }
  const { results } = await post<{ results: { stacks: unknown; found_modules: unknown }[] }>(
    `${serving.url}symbolicate/v5`,
    job,
  )
  expect(results[0]).toEqual({
    stacks: [
      [
        {
          ...{ frame: 0, module: 'vmlinux', module_offset: `0x${at.toString(16)}` },
          ...{ function: name, function_offset: `0x${more.toString(16)}` },
        },
      ],
    ],
    found_modules: { [`vmlinux/${id}`]: true },
  })
})

it("gives debuginfod's clients the symbols of a build as ELF, and others 404", async () => {
  const answer = await ask(`${serving.url}buildid/${kernel.host.buildId}/debuginfo`)
  expect(answer.status).toBe(200)
  const file = join(folder, 'vmlinux.debug')
  writeFileSync(file, answer.body)
  const elf = await openElf(file)
  const [text, read] = ['_text', 'vfs_read'].map((name) => kernel.symbols.named(name)[0]!.address)
  // Linked where x86 links it, so that offsets are those of any boot.
  expect(elf.symbols.named('vfs_read')[0]!.address).toBe(0xffffffff81000000n + read! - text!)
  const executable = await ask(`${serving.url}buildid/${kernel.host.buildId}/executable`)
  expect(executable.body.equals(answer.body)).toBe(true)
  for (const other of ['00'.repeat(20), 'x', '..'])
    expect((await ask(`${serving.url}buildid/${other}/debuginfo`)).status).toBe(404)
  expect((await ask(`${serving.url}buildid/${kernel.host.buildId}/source`)).status).toBe(404)
})

const finder = (() => {
  try {
    execFileSync('debuginfod-find', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()
if (!finder) console.warn('debuginfod-find is not tested: it is not there (apt-get install debuginfod)')

it.skipIf(!finder)('is a server that debuginfod-find asks, with the token in the path', async () => {
  const env = { ...process.env, DEBUGINFOD_URLS: serving.url, DEBUGINFOD_CACHE_PATH: join(folder, 'debuginfod') }
  const find = (...args: string[]) => promisify(execFile)('debuginfod-find', args, { env })
  const { stdout } = await find('debuginfo', kernel.host.buildId!)
  const { body } = await ask(`${serving.url}buildid/${kernel.host.buildId}/debuginfo`)
  expect(readFileSync(stdout.trim()).equals(body)).toBe(true)
  await expect(find('debuginfo', '00'.repeat(20))).rejects.toMatchObject({ code: 1 })
})

it('names nothing of a build that nobody has', async () => {
  const body = (value: unknown) => ask(`${serving.url}v1/resolve`, { method: 'POST', body: JSON.stringify(value) })
  expect((await body({ buildId: 'ab'.repeat(20), offsets: ['0x1'] })).status).toBe(404)
  expect((await body({ buildId: '../../etc', offsets: ['0x1'] })).status).toBe(404)
  expect((await body({ offsets: ['0x1'] })).status).toBe(400)
  expect((await body({ buildId: kernel.host.buildId, offsets: [1] })).status).toBe(400)
  // There is no table, and it says so.
  expect((await body({ addresses: ['0x1'] })).status).toBe(404)
  expect((await ask(`${serving.url}readyz`)).status).toBe(200)
})

it('opens a layout as a table of its host', async () => {
  const layout = join(folder, 'host.layout')
  await writeLayout(layout, { from: CAPTURE })
  const placed = await start({
    sources: [{ key: 'host', from: layout }],
    open: (from) => openKernel({ from, threads: 0, catalog: join(folder, 'builds'), ready: 'symbols' }),
  })
  try {
    const { address } = kernel.symbols.named('vfs_read')[0]!
    const { frames } = await post<{ frames: { symbol: string }[] }>(`${placed.url}v1/resolve`, {
      addresses: [`0x${address.toString(16)}`],
    })
    expect(frames[0]!.symbol).toBe('vfs_read')
    const search = await ask(`${placed.url}v1/k/host/search?q=vfs_rea`)
    const found = JSON.parse(search.body.toString()) as { hits: { name: string; address: string }[] }
    expect(found.hits[0]).toMatchObject({ name: 'vfs_read', address: `0x${address.toString(16)}` })
    expect((await ask(`${placed.url}v1/k/host/map`)).status).toBe(200)
    const text = await ask(`${placed.url}v1/text`, {
      method: 'POST',
      body: `${`0x${address.toString(16)}\n`.repeat(8000)}`,
    })
    expect(text.body.toString().split('\n')[0]).toContain('vfs_read')
  } finally {
    await placed.close()
  }
})
