// The cache: provisional until checked and replaced in one step, keyed so that a wrong kernel is never opened, private, safe
// against crashes and other writers, and bounded. The running kernel is a directory that the tests change.
import { execFile } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { distrust } from '../../src/core/cache-folder.ts'
import { NoPermissionError, NotReadableError } from '../../src/core/errors.ts'
import type { Kernel } from '../../src/kernel.ts'
import type { CacheReport } from '../../src/load/cached-file.ts'
import { saveSnapshot, snapshotInfo } from '../../src/load/save.ts'
import { type Machine, type OpenOptions, openKernel, openKernelOn } from '../../src/open-kernel.ts'
import { type CacheUser, cacheDirectory, openCache } from '../../src/snapshot/cache.ts'
import { captureSource } from '../../src/sources/capture.ts'
import { fixtureBytes } from '../fixtures.ts'

const run = promisify(execFile)
const WRITER = fileURLToPath(new URL('crash-writer.mjs', import.meta.url))

const BOOT = 'ea7f0c5a-0e0e-4de4-af2f-823d6cd4400f'
const BUILD = '4a5a9b0affb66c437abcd455d2738af879985fa9'

const text = (more: readonly string[] = []) =>
  [
    '0000000000000000 A fixed_percpu_data',
    'ffffffff81000000 T _stext',
    'ffffffff81000010 T vfs_read',
    'ffffffff82000000 D _end',
    'ffffffffc0000000 t nft_init\t[nf_tables]',
    ...more,
    '',
  ].join('\n')
const BPF = 'ffffffffc0400000 t bpf_prog_6deef7357e7b4530_foo\t[bpf]'

function notes(buildId = BUILD): Buffer {
  const head = Buffer.alloc(16)
  head.writeUInt32LE(4, 0)
  head.writeUInt32LE(20, 4)
  head.writeUInt32LE(3, 8)
  head.write('GNU\0', 12)
  return Buffer.concat([head, Buffer.from(buildId, 'hex')])
}

let folder: string
let host: string
let directory: string
let user: CacheUser
let kernels: Kernel[]
const uid = process.geteuid?.() ?? 0

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-cache-'))
  host = join(folder, 'host')
  directory = join(folder, 'cache')
  user = { uid, env: {}, secret: () => undefined }
  kernels = []
  await mkdir(join(host, 'btf'), { recursive: true })
  await writeFile(join(host, 'kallsyms'), text())
  await writeFile(join(host, 'modules'), 'nf_tables 4096 3 - Live 0xffffffffc0000000\n')
  await writeFile(join(host, 'boot_id'), `${BOOT}\n`)
  await writeFile(join(host, 'notes'), notes())
  await writeFile(join(host, 'btf', 'vmlinux'), fixtureBytes('debian-6.1-amd64/btf/vmlinux.gz'))
  await writeFile(join(host, 'btf', 'nf_tables'), fixtureBytes('debian-6.1-amd64/btf/9p.gz'))
})
afterEach(async () => {
  for (const kernel of kernels) await kernel.close()
  await rm(folder, { recursive: true })
})

/** Opens the pretended running kernel. */
async function open(options: OpenOptions = {}): Promise<Kernel> {
  const machine: Machine = { live: () => ({ ...captureSource(host), kind: 'live' }), user }
  const kernel = await openKernelOn(machine, { threads: 0, cache: { directory }, ...options })
  kernels.push(kernel)
  return kernel
}

/** Opens, waits for the check and for whatever is written, and tells what became of the cache. */
async function settled(options: OpenOptions = {}): Promise<{ kernel: Kernel; did: string[]; provisional: boolean }> {
  const kernel = await open(options)
  const { provisional } = kernel
  await kernel.verified()
  await kernel.close()
  return { kernel, provisional, did: kernel.cacheReports.map(({ did }) => did) }
}

const file = () => join(directory, `${BUILD}-${BOOT}.kerndex`)
const tableOf = (kernel: Kernel) => Buffer.from(kernel.symbols.buffer)
const why = (kernel: Kernel) => {
  const report = kernel.cacheReports.find(({ did }) => did === 'ignored')
  return report?.error instanceof Error ? report.error.message : undefined
}

describe('a kernel opened from the cache', () => {
  it('is the one that was loaded: the same table, types and host, and is checked without being replaced', async () => {
    const first = await settled()
    expect(first).toMatchObject({ did: ['stored'], provisional: false })
    const kernel = await open()
    expect(kernel.provisional).toBe(true)
    expect(kernel.generation).toBe(1)
    expect(tableOf(kernel).equals(tableOf(first.kernel))).toBe(true)
    expect(kernel.types.sets.map(({ name, size }) => [name, size])).toEqual(
      first.kernel.types.sets.map(({ name, size }) => [name, size]),
    )
    expect(kernel.types.find('list_head')).toEqual(first.kernel.types.find('list_head'))
    expect(kernel.host).toEqual(first.kernel.host)
    const before = kernel.snapshot()
    expect(await kernel.verified()).toMatchObject({ changed: false, generation: 1 })
    expect(kernel.provisional).toBe(false)
    expect(kernel.snapshot()).toBe(before)
    expect(await kernel.refresh()).toMatchObject({ changed: false })
  })

  it('parses nothing, neither to open nor to check', async () => {
    await settled()
    const kernel = await open()
    const checked = await kernel.verified()
    const work = [...kernel.timing.spans, ...checked.timing.spans].map((span) => span.work)
    expect(new Set(work)).toEqual(new Set(['read']))
  })

  it('is replaced in one step when a bpf program has come, and the file with it', async () => {
    await settled()
    await writeFile(join(host, 'kallsyms'), text([BPF]))
    const kernel = await open()
    const changes: number[] = []
    const published: unknown[] = []
    const listen = (message: unknown) => published.push(message)
    subscribe('kerndex:refresh', listen)
    kernel.subscribe((change) => changes.push(change.difference.symbols.fresh.length))
    const old = kernel.snapshot()
    expect(kernel.provisional).toBe(true)
    expect(kernel.symbols.named('bpf_prog_6deef7357e7b4530_foo')).toEqual([])
    expect(await kernel.verified()).toMatchObject({ changed: true, generation: 2 })
    unsubscribe('kerndex:refresh', listen)
    expect(kernel.provisional).toBe(false)
    expect(kernel.symbols.named('bpf_prog_6deef7357e7b4530_foo')).toHaveLength(1)
    expect(old.symbols.named('bpf_prog_6deef7357e7b4530_foo')).toEqual([])
    expect(changes).toEqual([1])
    expect(published).toHaveLength(1)
    // The types were taken over, not read again.
    expect(kernel.snapshot().handle().types).toEqual(old.handle().types)
    await kernel.close()
    const next = await open()
    expect(next.provisional).toBe(true)
    expect(next.symbols.named('bpf_prog_6deef7357e7b4530_foo')).toHaveLength(1)
    expect(await next.verified()).toMatchObject({ changed: false })
  })

  it('goes on from there: later refreshes see what changes', async () => {
    await settled()
    const kernel = await open()
    await kernel.verified()
    await writeFile(join(host, 'kallsyms'), text([BPF]))
    expect(await kernel.refresh()).toMatchObject({ changed: true, generation: 2 })
    expect(await kernel.refresh()).toMatchObject({ changed: false, generation: 2 })
    await writeFile(join(host, 'kallsyms'), text())
    expect(await kernel.refresh()).toMatchObject({ changed: true, generation: 3 })
  })

  it('reaches a watch as a change', async () => {
    await settled()
    await writeFile(join(host, 'kallsyms'), text([BPF]))
    const kernel = await open()
    const seen: number[] = []
    for await (const change of kernel.watch({ intervalMs: 10, refreshes: 1 })) seen.push(change.generation)
    expect(seen).toEqual([2])
  })

  it('is checked before anyone sees it, if that is asked for', async () => {
    await settled()
    await writeFile(join(host, 'kallsyms'), text([BPF]))
    const kernel = await open({ cache: { directory, wait: true } })
    expect(kernel.provisional).toBe(false)
    expect(kernel.generation).toBe(2)
    expect(kernel.symbols.named('bpf_prog_6deef7357e7b4530_foo')).toHaveLength(1)
  })

  it('stays provisional where the check fails, says why, and can be checked again', async () => {
    await settled()
    const kernel = await open()
    // The addresses vanish between opening and the check.
    await writeFile(join(host, 'kallsyms'), '0000000000000000 T _stext\n0000000000000000 T vfs_read\n')
    await expect(kernel.verified()).rejects.toBeInstanceOf(NoPermissionError)
    expect(kernel.provisional).toBe(true)
    await writeFile(join(host, 'kallsyms'), text())
    expect(await kernel.verified()).toMatchObject({ changed: false })
    expect(kernel.provisional).toBe(false)
  })

  it('can be closed while it is checked: nothing fails, and nothing is announced', async () => {
    await settled()
    const published: unknown[] = []
    const listen = (message: unknown) => published.push(message)
    subscribe('kerndex:refresh', listen)
    const kernel = await open()
    const check = kernel.verified().catch((error: unknown) => error)
    await kernel.close()
    expect(await check).toMatchObject({ code: expect.stringMatching(/ABORTED|CLOSED/) })
    unsubscribe('kerndex:refresh', listen)
    expect(published).toEqual([])
  })

  it('gives types as they are asked for: none, of vmlinux only, all', async () => {
    await settled()
    const none = await open({ types: false })
    expect([none.provisional, none.types.sets.length]).toEqual([true, 0])
    const lazy = await open({ types: 'lazy' })
    expect(lazy.provisional).toBe(true)
    expect(
      lazy
        .snapshot()
        .handle()
        .types.map(({ name }) => name),
    ).toEqual(['vmlinux'])
    expect(lazy.types.requireSet('nf_tables').size).toBeGreaterThan(0)
    expect(await lazy.verified()).toMatchObject({ changed: false })
  })

  it('is loaded where the file has no types and they are wanted, and then has them', async () => {
    await settled({ types: false })
    const { did, kernel } = await settled()
    expect(did).toEqual(['stored'])
    expect(kernel.types.sets).toHaveLength(2)
    expect((await settled()).did).toEqual(['opened'])
  })
})

describe('a file that is replaced by a load without types', () => {
  it.each([false, 'lazy'] as const)('(%s) keeps those it had, as long as they are still right', async (types) => {
    await settled()
    await writeFile(join(host, 'kallsyms'), text([BPF]))
    expect((await settled({ types })).did).toEqual(['opened', 'stored'])
    const kernel = await open()
    expect(kernel.provisional).toBe(true)
    expect(kernel.symbols.size).toBe(6)
    expect(kernel.types.sets.map(({ name }) => name)).toEqual(['vmlinux', 'nf_tables'])
    expect(await kernel.verified()).toMatchObject({ changed: false })
    const path = join(host, 'btf', 'nf_tables')
    await rm(path)
    await writeFile(path, fixtureBytes('debian-6.1-amd64/btf/9pnet.gz'))
    await writeFile(join(host, 'kallsyms'), text())
    await settled({ types })
    const later = await open()
    expect(await later.verified()).toMatchObject({ changed: true })
    expect(later.types.requireSet('nf_tables').size).not.toBe(kernel.types.requireSet('nf_tables').size)
  })
})

describe('a file is not opened', () => {
  const opensFresh = async (reason?: RegExp) => {
    const { kernel, provisional } = await settled()
    expect(provisional).toBe(false)
    if (reason !== undefined) expect(why(kernel)).toMatch(reason)
    expect(kernel.symbols.named('vfs_read')).toHaveLength(1)
    return kernel
  }

  it('for another build; another boot of the same gets what is certain of it, and its types', async () => {
    await settled()
    await writeFile(join(host, 'boot_id'), `${BOOT.replace('ea7f', 'ea80')}\n`)
    const { kernel, did, provisional } = await settled()
    expect({ did, provisional }).toEqual({ did: ['opened', 'stored'], provisional: true })
    expect(kernel.timing.spans.filter(({ work, what }) => work === 'index' && what === 'vmlinux')).toEqual([])
    expect(kernel.types.find('list_head')).toHaveLength(1)
    expect(await readdir(directory)).toHaveLength(2)
    await writeFile(join(host, 'notes'), notes(BUILD.replace('4a', '4b')))
    const other = await opensFresh()
    expect(other.timing.spans.some(({ work, what }) => work === 'index' && what === 'vmlinux')).toBe(true)
    expect(await readdir(directory)).toHaveLength(3)
  })

  it('for another state of the modules; uses of a module are no state', async () => {
    await settled()
    await writeFile(join(host, 'modules'), 'nf_tables 4096 9 nft_nat, Live 0xffffffffc0000000\n')
    expect((await settled()).provisional).toBe(true)
    await writeFile(join(host, 'modules'), 'nf_tables 4096 9 nft_nat, Live 0xffffffffc0001000\n')
    await opensFresh()
    await writeFile(join(host, 'modules'), '')
    await rm(join(host, 'btf', 'nf_tables'))
    await writeFile(join(host, 'kallsyms'), text().replace(/.*nf_tables.*\n/, ''))
    const kernel = await opensFresh()
    expect(kernel.types.sets.map(({ name }) => name)).toEqual(['vmlinux'])
    expect(kernel.symbols.named('nft_init')).toEqual([])
  })

  it('whose module was replaced by another of the same name without being noticed', async () => {
    await settled()
    const path = join(host, 'btf', 'nf_tables')
    await rm(path)
    await writeFile(path, fixtureBytes('debian-6.1-amd64/btf/9pnet.gz'))
    const kernel = await open()
    const before = kernel.types.requireSet('nf_tables').size
    expect(await kernel.verified()).toMatchObject({ changed: true })
    expect(kernel.types.requireSet('nf_tables').size).not.toBe(before)
  })

  it('by whoever may not see addresses', async () => {
    await settled()
    await writeFile(join(host, 'kallsyms'), text().replace(/^[0-9a-f]{16}/gm, '0'.repeat(16)))
    await expect(open()).rejects.toBeInstanceOf(NoPermissionError)
    await rm(join(host, 'kallsyms'))
    await expect(open()).rejects.toMatchObject({ code: 'NOT_READABLE' })
  })

  it('where others may read it, and is written anew', async () => {
    await settled()
    for (const mode of [0o640, 0o604, 0o620, 0o601, 0o644]) {
      await chmod(file(), mode)
      await opensFresh(/others may use it/)
      expect((await stat(file())).mode & 0o777).toBe(0o600)
    }
  })

  it('where it is a link or has a second name', async () => {
    await settled()
    const elsewhere = join(folder, 'elsewhere')
    await rename(file(), elsewhere)
    await symlink(elsewhere, file())
    await opensFresh(/cannot be read/)
    expect((await lstat(file())).isFile()).toBe(true)
    await link(file(), join(folder, 'second'))
    await opensFresh(/2 names/)
    await mkdir(join(folder, 'aside'))
    await rm(file())
    await mkdir(file())
    await opensFresh(/not a regular file/)
  })

  it('where it, or the directory, belongs to somebody else', async () => {
    await settled()
    const mine = { uid, mode: 0o100600, nlink: 1 }
    expect(distrust(mine, uid, 'file')).toBeUndefined()
    expect(distrust({ ...mine, uid: uid + 1 }, uid, 'file')).toMatch(/belongs to user/)
    expect(distrust({ ...mine, mode: 0o040700, nlink: 2 }, uid, 'directory')).toBeUndefined()
    expect(distrust({ ...mine, mode: 0o040710, nlink: 2 }, uid, 'directory')).toMatch(/others may use it/)
    // The same files, seen by another user.
    user = { ...user, uid: uid + 1 }
    await opensFresh(/belongs to user/)
    if (uid === 0) {
      user = { ...user, uid }
      await chown(file(), 12_345, 12_345)
      await opensFresh(/belongs to user 12345/)
    }
  })

  it('where others may use the directory, or it is a link', async () => {
    await settled()
    await chmod(directory, 0o755)
    await opensFresh(/others may use it/)
    await chmod(directory, 0o700)
    expect((await settled()).provisional).toBe(true)
    const elsewhere = join(folder, 'elsewhere')
    await rename(directory, elsewhere)
    await symlink(elsewhere, directory)
    await opensFresh(/no directory/)
  })

  it('where it is damaged, cut, or of another layout, and is written anew', async () => {
    await settled()
    const whole = await readFile(file())
    const version = Buffer.from(whole)
    version.writeUInt32LE(99, 4)
    const flipped = Buffer.from(whole)
    flipped[whole.readUInt32LE(16) + 100]! ^= 1
    const swapped = Buffer.from(whole)
    swapped.subarray(0, swapped.length & ~3).swap32()
    for (const content of [whole.subarray(0, 3000), version, flipped, swapped, Buffer.alloc(0), Buffer.alloc(9000)]) {
      await writeFile(file(), content)
      const kernel = await opensFresh()
      expect(why(kernel)).toBeDefined()
      expect((await settled()).provisional).toBe(true)
    }
  })

  it("nor are types that are damaged: they are the kernel's, and the file is written anew", async () => {
    const { kernel: first } = await settled()
    const whole = await readFile(file())
    const { symbolBytes } = snapshotInfo(file())
    for (const ask of [
      (kernel: Kernel) => kernel.types.find('list_head'),
      (kernel: Kernel) => kernel.types.get(7),
      (kernel: Kernel) => kernel.types.sets.map(({ name, size }) => [name, size]),
      (kernel: Kernel) => kernel.types.functions('vfs_read').next().value?.name,
    ]) {
      const damaged = Buffer.from(whole)
      for (let at = whole.readUInt32LE(16) + symbolBytes; at < whole.length; at += 65_536) damaged[at + 9]! ^= 1
      await writeFile(file(), damaged)
      const kernel = await open()
      expect(kernel.provisional).toBe(true)
      expect(ask(kernel)).toEqual(ask(first))
      expect(why(kernel)).toMatch(/damaged/)
      await kernel.verified()
      await kernel.close()
      expect(kernel.cacheReports.map(({ did }) => did)).toEqual(['opened', 'ignored', 'stored'])
      expect((await readFile(file())).equals(whole)).toBe(true)
    }
  })

  it('that says it is of another kernel than its name', async () => {
    await settled()
    await writeFile(join(host, 'boot_id'), `${BOOT.replace('ea7f', 'ea80')}\n`)
    await rename(file(), file().replace('ea7f', 'ea80'))
    await opensFresh()
  })
})

describe('writing', () => {
  it('leaves files that only their owner can read, in a directory that only he can list', async () => {
    await settled()
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    expect(await readdir(directory)).toEqual([`${BUILD}-${BOOT}.kerndex`])
    expect((await stat(file())).mode & 0o777).toBe(0o600)
  })

  it('is not done for what only a capability shows, and not without a build id or a boot id', async () => {
    user = { ...user, secret: () => 'seen by a capability' }
    expect(why((await settled()).kernel)).toMatch(/seen by a capability/)
    user = { ...user, secret: () => undefined }
    await rm(join(host, 'notes'))
    expect(why((await settled()).kernel)).toMatch(/no build id/)
    await expect(readdir(directory)).rejects.toThrow()
  })

  it('that cannot be done is reported and harms nothing', async () => {
    await writeFile(directory, 'a file where the directory should be')
    const reports: CacheReport[] = []
    const listen = (message: unknown) => reports.push(message as CacheReport)
    subscribe('kerndex:cache', listen)
    const { kernel } = await settled()
    unsubscribe('kerndex:cache', listen)
    expect(kernel.symbols.size).toBe(5)
    expect(kernel.cacheReports.map(({ did }) => did)).toEqual(['ignored', 'ignored'])
    expect(String(kernel.cacheReports[1]?.error)).toMatch(/cannot be written/)
    expect(reports).toEqual(kernel.cacheReports)
  })

  it('is not done for loads of some symbols, nor for captures', async () => {
    for (const options of [{ modules: ['nf_tables'] }, { symbols: { text: true, data: [] } }] as const) {
      expect((await settled(options)).did).toEqual([])
    }
    const kernel = await openKernel({ from: host, threads: 0, cache: { directory } })
    await kernel.close()
    expect(kernel.cacheReports).toEqual([])
    await expect(readdir(directory)).rejects.toThrow()
  })

  it('cut by a crash before any of its pieces leaves the old file whole', async () => {
    const [before, after] = [join(folder, 'before'), join(folder, 'after')]
    await saveSnapshot((await open({ cache: false })).snapshot(), after)
    await writeFile(join(host, 'kallsyms'), text([BPF]))
    await saveSnapshot((await open({ cache: false })).snapshot(), before)
    const target = join(folder, 'target')
    let died = 0
    for (let piece = 0; ; piece++) {
      await rm(target, { force: true })
      await writeFile(target, await readFile(before))
      const outcome = await run(process.execPath, [WRITER, after, target, String(piece)]).then(
        () => 'wrote',
        (error: { signal?: string }) => error.signal,
      )
      const symbols = async () => {
        const kernel = await openKernel({ from: target, threads: 0 })
        return kernel.symbols.size
      }
      if (outcome === 'wrote') {
        expect(await symbols()).toBe(5)
        break
      }
      expect(outcome).toBe('SIGKILL')
      died++
      expect(await symbols()).toBe(6)
    }
    // Before the header, each part, the flush and the rename.
    expect(died).toBeGreaterThanOrEqual(6)
    // Each writer removed what the one before it left, and the last one finished.
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('by several processes at once gives one whole file', async () => {
    const source = join(folder, 'source')
    await saveSnapshot((await open({ cache: false })).snapshot(), source)
    const target = join(folder, 'target')
    await Promise.all(Array.from({ length: 4 }, () => run(process.execPath, [WRITER, source, target, '-1'])))
    const kernel = await openKernel({ from: target, threads: 0 })
    expect(kernel.symbols.size).toBe(5)
    expect((await readdir(folder)).sort()).toEqual(['host', 'source', 'target'])
  })

  it('by several kernels of one process at once gives one whole file', async () => {
    await Promise.all(Array.from({ length: 6 }, () => settled()))
    expect(await readdir(directory)).toHaveLength(1)
    expect((await settled()).provisional).toBe(true)
  })
})

describe('the room that the cache takes', () => {
  const boots = async (count: number, maxBytes?: number) => {
    for (let boot = 0; boot < count; boot++) {
      await writeFile(join(host, 'boot_id'), `${String(boot).padStart(8, '0')}${BOOT.slice(8)}\n`)
      await settled({ types: false, cache: { directory, maxBytes } })
      // Used one after the other, an hour apart, whatever the clock's grain.
      for (const name of await readdir(directory)) {
        const number = Number(name.slice(BUILD.length + 1, BUILD.length + 9))
        await utimes(join(directory, name), 1e9 + number * 3600, 1e9 + number * 3600)
      }
    }
    return (await readdir(directory)).map((name) => Number(name.slice(BUILD.length + 1, BUILD.length + 9))).sort()
  }

  it('is bounded: what was used longest ago goes', async () => {
    expect(await boots(1)).toEqual([0])
    const [name] = await readdir(directory)
    const { size } = await stat(join(directory, name!))
    await rm(directory, { recursive: true })
    expect(await boots(5, Math.ceil(size * 3.5))).toEqual([2, 3, 4])
  })

  it('is none where even one file is too large', async () => {
    expect(await boots(2, 1000)).toEqual([])
  })

  it('does not grow by what crashed processes leave, nor are files of others touched', async () => {
    await settled()
    const stale = join(directory, '.kerndex-0123-7-8-89abcdef.tmp')
    const young = join(directory, '.kerndex-0123-7-8-89abcdee.tmp')
    await writeFile(stale, 'x')
    await utimes(stale, 1e9, 1e9)
    await writeFile(young, 'x')
    await writeFile(join(directory, 'notes.txt'), 'mine')
    await writeFile(join(host, 'kallsyms'), text([BPF]))
    await settled()
    expect((await readdir(directory)).sort()).toEqual(
      [file(), young, 'notes.txt'].map((path) => path.replace(`${directory}/`, '')).sort(),
    )
    const cache = await openCache({ directory }, user)
    expect((await cache.clear()).sort()).toEqual([file(), young].sort())
    expect(await readdir(directory)).toEqual(['notes.txt'])
  })

  it('is listed with what is in it, and what is wrong with it', async () => {
    await settled()
    await writeFile(join(directory, `${BUILD}-${BOOT.replace('ea7f', 'ea80')}.kerndex`), 'junk', { mode: 0o600 })
    const cache = await openCache({ directory }, user)
    const entries = await cache.list()
    expect(entries.map(({ bootId, sets }) => [bootId.slice(0, 4), sets]).sort()).toEqual([
      ['ea7f', 2],
      ['ea80', 0],
    ])
    expect(entries.filter(({ problem }) => problem !== undefined)).toHaveLength(1)
    expect(await (await openCache({ directory: join(folder, 'none') }, user)).list()).toEqual([])
  })
})

describe('the directory', () => {
  it('is the one of XDG_CACHE_HOME, or in HOME', async () => {
    const of = (env: CacheUser['env']) => cacheDirectory({ ...user, env })
    expect(of({ XDG_CACHE_HOME: '/x/cache', HOME: folder })).toBe('/x/cache/kerndex')
    expect(of({ HOME: folder })).toBe(join(folder, '.cache', 'kerndex'))
    expect(of({ XDG_CACHE_HOME: '', HOME: folder })).toBe(join(folder, '.cache', 'kerndex'))
    expect(of({ XDG_CACHE_HOME: 'relative', HOME: folder })).toBe(join(folder, '.cache', 'kerndex'))
    expect(() => of({})).toThrow(NotReadableError)
    expect(() => of({ HOME: join(folder, 'gone') })).toThrow(/does not exist/)
    expect(() => cacheDirectory({ ...user, uid: uid + 1, env: { HOME: folder } })).toThrow(/belongs to user/)
  })

  it('is made where it is not, and without one all works', async () => {
    user = { ...user, env: { HOME: folder } }
    expect((await settled({ cache: true })).did).toEqual(['stored'])
    expect((await stat(join(folder, '.cache', 'kerndex'))).mode & 0o777).toBe(0o700)
    expect((await settled({ cache: true })).provisional).toBe(true)
    user = { ...user, env: {} }
    const { kernel } = await settled({ cache: true })
    expect(why(kernel)).toMatch(/neither XDG_CACHE_HOME nor HOME/)
    expect(kernel.symbols.size).toBe(5)
  })

  it('is not touched unless the cache is asked for', async () => {
    user = { ...user, env: { HOME: folder } }
    await settled({ cache: false })
    expect(await readdir(folder)).toEqual(['host'])
  })
})
