// A new boot of a kernel that the cache has seen at another: ready at once with what is certain, and nothing else. What is certain is told
// by the boots themselves.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BadFormatError } from '../../src/core/errors.ts'
import type { Kernel } from '../../src/kernel.ts'
import { firstAnchor } from '../../src/load/first-lines.ts'
import { attachKernel, type OpenOptions, openKernelOn } from '../../src/open-kernel.ts'
import { SnapshotReader } from '../../src/snapshot/read.ts'
import { captureSource } from '../../src/sources/capture.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { fixtureBytes, fixturePath } from '../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-boots-'))
const user = { uid: process.geteuid?.() ?? 0, env: {}, secret: () => undefined }
const BOOTS = ['11111111', '22222222', '33333333'].map((first) => `${first}-0e0e-4de4-af2f-823d6cd4400f`)

/** Writes a host's files; what is undefined is not there. */
function writeHost(name: string, files: Readonly<Record<string, string | Buffer | undefined>>): string {
  const host = join(folder, name)
  mkdirSync(host, { recursive: true })
  for (const [file, content] of Object.entries(files)) {
    if (content === undefined) rmSync(join(host, file), { force: true })
    else writeFileSync(join(host, file), content)
  }
  return host
}

/** Opens a host as if it were the running kernel. */
async function open(host: string, options: OpenOptions = {}): Promise<Kernel> {
  const live = () => ({ ...captureSource(host), kind: 'live' as const })
  return openKernelOn({ live, user }, { threads: 0, types: false, ...options })
}

/** A cache directory in which a host was left. */
async function cacheOf(host: string, name: string): Promise<string> {
  const directory = join(folder, name)
  const kernel = await open(host, { cache: { directory, wait: true } })
  await kernel.close()
  expect(kernel.cacheReports.map(({ did }) => did)).toContain('stored')
  return directory
}

/** A copy of a cache, and the kernel opened by it before it is checked. */
async function openBy(cache: string, host: string, options: OpenOptions = {}): Promise<Kernel> {
  const directory = mkdtempSync(join(folder, 'cache-'))
  cpSync(cache, directory, { recursive: true })
  return open(host, { cache: { directory }, ...options })
}

/** What an address is answered with, in words. */
function answer(table: SymbolTable, address: bigint): string {
  const match = table.at(address)
  if (match === undefined) return `none ${table.reasonFor(address)}`
  const candidates = match.candidates.map(({ symbol, offset }) => `${symbol.name}+${offset} ${symbol.owner}`)
  return `${match.symbol.name}+${match.offset}/${match.size} ${candidates} ${match.aliases.map(({ name }) => name)}`
}

const lines = (table: SymbolTable) =>
  Array.from(table, ({ address, type, name, owner }) => `${address.toString(16)} ${type} ${name} ${owner}`)

/** Numbers from a seed, from 0 to 1. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Asks for the addresses of all symbols and for random ones near them. Gives how many had an answer that is not "not loaded yet". */
function expectNothingWrong(early: SymbolTable, own: SymbolTable): number {
  const known = new Set(lines(own))
  expect(lines(early).filter((line) => !known.has(line))).toEqual([])
  const next = random(11)
  let answered = 0
  const ask = (address: bigint) => {
    const given = answer(early, address)
    if (given === 'none not_loaded_yet') return
    answered++
    if (given !== answer(own, address)) expect(`${address.toString(16)} ${given}`).toBe(answer(own, address))
  }
  for (let id = 0; id < own.size; id += 7) ask(own.addressOf(id))
  for (let i = 0; i < 15_000; i++) {
    const near = own.addressOf(Math.floor(next() * own.size))
    ask(BigInt.asUintN(64, near + BigInt(Math.floor((next() - 0.3) * 0x3000))))
  }
  return answered
}

const oracle = (file: string) => fixtureBytes(`oracle/${file}`)
const capture = (file: string) => {
  const path = fixturePath(`debian-6.1-amd64/${file}`)
  return existsSync(path) ? readFileSync(path) : fixtureBytes(`debian-6.1-amd64/${file}.gz`)
}
const small = (read: (file: string) => Buffer) => ({ notes: read('notes'), version: read('version') })

describe('two boots of 6.1', () => {
  let many: string
  let few: string
  let manyCache: string
  let fewCache: string
  const ofMany = () => ({ kallsyms: oracle('kallsyms.br'), modules: oracle('modules.br') })
  const ofFew = () => ({ kallsyms: capture('kallsyms'), modules: capture('modules') })
  beforeAll(async () => {
    many = writeHost('many', { ...small(oracle), ...ofMany(), boot_id: BOOTS[0] })
    few = writeHost('few', { ...small(capture), ...ofFew(), boot_id: BOOTS[1] })
    manyCache = await cacheOf(many, 'cache-many')
    fewCache = await cacheOf(few, 'cache-few')
  }, 120_000)

  it.each([
    ['of which all modules were seen', () => few, () => manyCache],
    ['of which twelve modules were seen', () => many, () => fewCache],
  ])('%s: ready before anything is parsed, and nothing is wrong', async (_, host, cache) => {
    const own = await open(host())
    const kernel = await openBy(cache(), host())
    expect(kernel.provisional).toBe(true)
    expect(kernel.timing.spans.map(({ work }) => work)).toEqual(['read'])
    const early = kernel.symbols
    // All of the core, and nothing else.
    const core = [...own.symbols].filter(({ owner }) => owner === 'vmlinux')
    expect(early.size).toBe(core.length)
    expect(early.census().aliases).toBe(core.length - new Set(core.map(({ address }) => address)).size)
    expect(early.distinct.names).toBe(new Set(core.map(({ name }) => name)).size)
    expect(expectNothingWrong(early, own.symbols)).toBeGreaterThan(8_000)
    expect(early.named('vfs_read')).toHaveLength(1)
    expect(early.named('ext4_sync_file')).toEqual([])

    expect(await kernel.verified()).toMatchObject({ changed: true, generation: 2 })
    expect(Buffer.from(kernel.symbols.buffer).equals(Buffer.from(own.symbols.buffer))).toBe(true)
    expect(kernel.host).toEqual(own.host)
    await kernel.close()
    expect(kernel.cacheReports.map(({ did }) => did)).toEqual(['opened', 'stored'])
    await own.close()
  })

  it('says of what it does not know yet that it is not loaded', async () => {
    const kernel = await openBy(fewCache, many)
    const early = kernel.snapshot()
    const own = await open(many)
    const bpf = [...own.symbols].find(({ owner }) => owner === 'bpf')!
    const other = [...own.symbols].find(({ owner, type }) => owner === 'ext4' && type === 't')!
    for (const { address } of [bpf, other]) expect(early.symbols.reasonFor(address)).toBe('not_loaded_yet')
    expect(early.symbols.reasonFor(0x1000n)).toBe('user')
    await kernel.close()
    await own.close()
  })

  it('is loaded where addresses are hidden, or where the text does not begin with the image', async () => {
    const hidden = capture('kallsyms')
      .toString('latin1')
      .replace(/^[0-9a-f]{16}/gm, '0'.repeat(16))
    const host = writeHost('hidden', { ...small(capture), ...ofFew(), boot_id: BOOTS[2], kallsyms: hidden })
    await expect(openBy(manyCache, host)).rejects.toMatchObject({ code: 'NO_PERMISSION' })
    const headless = capture('kallsyms')
      .toString('latin1')
      .replace(/^.* (_text|_stext)\n/gm, '')
    writeHost('hidden', { kallsyms: headless })
    const kernel = await openBy(manyCache, host)
    expect(kernel.provisional).toBe(false)
    await kernel.close()
  })

  it('has the types of vmlinux from the file, and those of modules from the kernel', async () => {
    for (const host of [many, few]) {
      mkdirSync(join(host, 'btf'))
      for (const name of ['vmlinux', '9p']) {
        writeFileSync(join(host, 'btf', name), fixtureBytes(`debian-6.1-amd64/btf/${name}.gz`))
      }
    }
    const directory = join(folder, 'cache-types')
    await (await open(many, { types: true, cache: { directory, wait: true } })).close()
    const own = await open(few, { types: true })
    for (const types of [true, 'lazy'] as const) {
      const kernel = await openBy(directory, few, { types })
      expect(kernel.provisional).toBe(true)
      expect(kernel.types.find('task_struct')).toEqual(own.types.find('task_struct'))
      expect(kernel.types.sets.map(({ name }) => name)).toEqual(['vmlinux', '9p'])
      expect(await kernel.verified()).toMatchObject({ changed: true })
      expect(kernel.types.sets.map(({ name, size }) => [name, size])).toEqual(
        own.types.sets.map(({ name, size }) => [name, size]),
      )
      await kernel.close()
      for (const host of [few]) rmSync(join(host, 'btf', '9p'), { force: types === true })
      if (types === true) writeFileSync(join(few, 'btf', '9p'), fixtureBytes('debian-6.1-amd64/btf/9p.gz'))
    }
    await own.close()
    for (const host of [many, few]) rmSync(join(host, 'btf'), { recursive: true })
  }, 60_000)
})

describe('two boots of a kernel that allocates text and data of modules by themselves', () => {
  // Per-cpu variables of modules are listed behind the core's, wherever there was room.
  const text = `${fixtureBytes('debian-7.3-amd64/kallsyms.br').toString('latin1')}ffffffff8b600000 D __per_cpu_end\n`
  const modules = fixtureBytes('debian-7.3-amd64/modules.br').toString('latin1')
  const notes = readFileSync(fixturePath('debian-6.1-amd64/notes'))
  const names = modules
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0]!)
  const SLIDE = 0x1260_0000n
  const baseOf = (name: string) => BigInt(new RegExp(`^${name} .* (0x[0-9a-f]+)`, 'm').exec(modules)![1]!)
  const byAddress = [...names].sort((a, b) => (baseOf(a) < baseOf(b) ? -1 : 1))
  /** The text of modules moves apart, and their data to somewhere else. */
  const moved = (owner: string, type: string): bigint => {
    if (owner === '') return SLIDE
    return 'tT'.includes(type) ? BigInt(byAddress.indexOf(owner)) * 0x2000n - 0x100_0000n : 0x1000_0000n
  }
  const elsewhere = text.replace(
    /^([0-9a-f]{16}) (.) (\S+)(?:\t\[(\S+)\])?$/gm,
    (line, digits, type, name, owner = '') => {
      const address = BigInt(`0x${digits}`)
      if (address < 0x1_0000_0000n || owner === 'bpf' || owner.startsWith('__builtin__')) return line
      const now = BigInt.asUintN(64, address + moved(owner, type))
      return `${now.toString(16).padStart(16, '0')} ${type} ${name}${owner === '' ? '' : `\t[${owner}]`}`
    },
  )
  const variable = `${(0xffffffff8b600008n + SLIDE).toString(16)} a jfs_counter\t[jfs]\n`
  const listed = modules.replace(/^(\S+)(.*) 0x([0-9a-f]+)/gm, (_, name, rest, digits) => {
    return `${name}${rest} 0x${(BigInt(`0x${digits}`) + moved(name, 't')).toString(16)}`
  })

  it('has the core', async () => {
    const before = writeHost('seven', {
      kallsyms: text,
      modules,
      notes,
      boot_id: BOOTS[0],
      version: 'Linux version 7.3',
    })
    const after = writeHost('eight', {
      kallsyms: elsewhere + variable,
      modules: listed,
      notes,
      boot_id: BOOTS[1],
      version: 'Linux version 7.3',
    })
    const own = await open(after)
    const kernel = await openBy(await cacheOf(before, 'cache-seven'), after)
    expect(kernel.provisional).toBe(true)
    const early = kernel.symbols
    expect(early.owners).toEqual(['vmlinux'])
    expect(expectNothingWrong(early, own.symbols)).toBeGreaterThan(20)
    await kernel.verified()
    expect(Buffer.from(kernel.symbols.buffer).equals(Buffer.from(own.symbols.buffer))).toBe(true)
    await kernel.close()
    await own.close()
  })
})

describe('two boots that were recorded', () => {
  it.each([
    ['6.12', 'a', 'b'],
    ['6.12', 'b', 'a'],
    ['7.3', 'a', 'b'],
    ['7.3', 'b', 'a'],
    ['6.12-arm64', 'a', 'b'],
    ['6.12-arm64', 'b', 'a'],
  ])('of %s: the core of %s is that of %s, and all of it is there', async (kernel, before, after) => {
    const hostOf = (boot: string) => {
      const own = `two-boots/${kernel}/${boot}`
      const files = readdirSync(fixturePath(own)).map((file): [string, Buffer] => {
        return [file.replace('.br', ''), fixtureBytes(`${own}/${file}`)]
      })
      return writeHost(`recorded-${kernel}-${boot}`, Object.fromEntries(files))
    }
    const cache = await cacheOf(hostOf(before), `cache-${kernel}-${before}`)
    const own = await open(hostOf(after))
    const opened = await openBy(cache, hostOf(after))
    expect(opened.provisional).toBe(true)
    expect(opened.symbols.owners).toEqual(['vmlinux'])
    expect(opened.symbols.size).toBe([...own.symbols].filter((symbol) => symbol.owner === 'vmlinux').length)
    expect(expectNothingWrong(opened.symbols, own.symbols)).toBeGreaterThan(500)
    await opened.verified()
    expect(Buffer.from(opened.symbols.buffer).equals(Buffer.from(own.symbols.buffer))).toBe(true)
    await opened.close()
    await own.close()
  })
})

describe('names that are still in the file when a kernel is ready', () => {
  let host: string
  let later: string
  let cache: string
  beforeAll(async () => {
    const files = { ...small(capture), kallsyms: capture('kallsyms'), modules: capture('modules') }
    host = writeHost('named', { ...files, boot_id: BOOTS[0] })
    later = writeHost('named-later', { ...files, boot_id: BOOTS[1] })
    cache = await cacheOf(host, 'cache-named')
  }, 60_000)

  /** A copy of the cache in which one byte of the names of each table is another. */
  function damaged(): string {
    const directory = mkdtempSync(join(folder, 'damaged-'))
    cpSync(cache, directory, { recursive: true })
    const path = join(directory, readdirSync(directory).find((name) => name.endsWith('.kerndex'))!)
    const reader = new SnapshotReader(path)
    reader.close()
    const content = readFileSync(path)
    for (const { offset, length } of [reader.plan.symbols, reader.plan.core])
      content[offset + Math.floor(length / 2)]! ^= 1
    writeFileSync(path, content)
    return directory
  }

  const held = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      const link = `/proc/self/fd/${fd}`
      return existsSync(link) && readlinkSync(link).startsWith(folder) && readlinkSync(link).includes('.kerndex')
    })

  it.each([
    ['this boot', () => host],
    ['another boot', () => later],
  ])('are there for handles, and when it is closed at once: by a file of %s', async (_, of) => {
    const own = await open(of())
    const wanted = own.symbols.named('vfs_read').map(({ address }) => address)
    const kernel = await openBy(cache, of())
    expect(kernel.provisional).toBe(true)
    const attached = attachKernel(kernel.handle())
    expect(attached.symbols.named('vfs_read').map(({ address }) => address)).toEqual(wanted)
    await kernel.close()

    const closed = await openBy(cache, of())
    const reader = closed.snapshot()
    await closed.close()
    expect(reader.symbols.at(wanted[0]!)?.symbol.name).toBe('vfs_read')
    expect(reader.symbols.scan('vfs_rea*').next().done).toBe(false)
    expect(held()).toEqual([])
    await own.close()
  })

  it.each([
    ['this boot', () => host],
    ['another boot', () => later],
  ])('are an error where they are damaged, until the check has replaced them: by a file of %s', async (_, of) => {
    const own = await open(of())
    const directory = damaged()
    const kernel = await open(of(), { cache: { directory } })
    const early = kernel.symbols
    const vfsRead = own.symbols.require('vfs_read').address
    // Places are right, and no wrong name is given, at the first question and at the next.
    expect(early.sizeOf(early.lowerBound(vfsRead).id)).toBe(own.symbols.require('vfs_read').size)
    for (let times = 0; times < 2; times++) {
      expect(() => early.at(vfsRead)?.symbol.name).toThrow(BadFormatError)
      expect(() => early.named('vfs_read')).toThrow(/is damaged/)
      expect(() => kernel.handle()).toThrow(BadFormatError)
    }
    expect(await kernel.verified()).toMatchObject({ changed: true })
    expect(kernel.symbols.at(vfsRead)?.symbol.name).toBe('vfs_read')
    await kernel.close()
    expect(kernel.cacheReports.map(({ did }) => did)).toEqual(['opened', 'ignored', 'stored'])
    expect(held()).toEqual([])
    const again = await open(of(), { cache: { directory } })
    expect(again.provisional).toBe(true)
    expect(again.symbols.named('vfs_read')).toHaveLength(1)
    await again.close()
    await own.close()
  })
})

describe('what the first lines tell', () => {
  const anchorOf = (text: string, pieceBytes = 4096) => {
    let rest = Buffer.from(text)
    return firstAnchor({
      sizeHint: 0,
      identity: '',
      read(target) {
        const count = Math.min(rest.length, target.length, pieceBytes)
        target.set(rest.subarray(0, count))
        rest = rest.subarray(count)
        return count
      },
      close() {},
    })
  }
  const perCpu = Array.from({ length: 400 }, (_, i) => `${i.toString(16).padStart(16, '0')} A variable_${i}\n`).join('')

  it.each([1, 7, 100, 4096])('is where the image begins, in reads of %i bytes', async (bytes) => {
    const text = `${perCpu}ffffffff9a000000 T startup_64\nffffffff9a000000 T _stext\nffffffff9a000000 T _text\n`
    expect(await anchorOf(text, bytes)).toEqual({ name: '_stext', address: 0xffffffff9a000000n })
  })

  it('is nothing where it does not begin early, or at zero', async () => {
    expect(await anchorOf('ffffffff9a000000 T _stext_more\nffffffff9a000000 T _text\t[mod]\n')).toBeUndefined()
    expect(await anchorOf('0000000000000000 T _text\n')).toBeUndefined()
    expect(await anchorOf('')).toBeUndefined()
    expect(await anchorOf(`${perCpu.repeat(10)}ffffffff9a000000 T _text\n`)).toBeUndefined()
  })
})

afterAll(() => rmSync(folder, { recursive: true }))
