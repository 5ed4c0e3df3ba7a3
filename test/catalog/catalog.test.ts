// The catalogue: entries of one boot, placed on others. What a placed table has to be is what those boots said themselves.

import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import type { Kernel } from '../../src/kernel.ts'
import { CatalogStore } from '../../src/load/catalog-store.ts'
import { openElf } from '../../src/load/elf.ts'
import { parseLayout, readLayout, writeLayout } from '../../src/load/layout-file.ts'
import { saveSnapshot } from '../../src/load/save.ts'
import { type Catalog, filesOf, openCatalog } from '../../src/open-catalog.ts'
import { openKernel } from '../../src/open-kernel.ts'
import type { Reader } from '../../src/reader.ts'
import { kallsymsText } from '../../src/symbols/print.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { CAPTURE, fixtureBytes } from '../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-catalog-'))
const OTHER = join(folder, 'other')
const KERNEL = 'eb4fbcd037e7253717950bf2b93bd5566f47c56f'

/** Another boot of the kernel of CAPTURE, with hundreds of modules, a bpf program, trampolines and kprobes. */
function writeOther(): void {
  mkdirSync(OTHER)
  for (const name of ['kallsyms.br', 'module_sections.br', 'modules.br', 'notes', 'version']) {
    writeFileSync(join(OTHER, name.replace('.br', '')), fixtureBytes(`oracle/${name}`))
  }
}

let catalog: Catalog
let whole: Catalog
/** The other boot, from what CAPTURE tells of the kernel and twelve modules; CAPTURE, from what the other boot tells. */
let predicted: Reader
let back: Reader
let own: SymbolTable
let ownBack: SymbolTable

beforeAll(async () => {
  writeOther()
  catalog = await openCatalog({ directory: join(folder, 'catalog') })
  whole = await openCatalog({ directory: join(folder, 'whole') })
  await catalog.add(CAPTURE)
  await whole.add(OTHER)
  await writeLayout(join(folder, 'other.layout'), { from: OTHER })
  await writeLayout(join(folder, 'capture.layout'), { from: CAPTURE })
  predicted = await catalog.place(readLayout(join(folder, 'other.layout')))
  back = await whole.place(readLayout(join(folder, 'capture.layout')))
  own = (await openKernel({ from: OTHER, types: false, threads: 0 })).symbols
  ownBack = (await openKernel({ from: CAPTURE, types: false, threads: 0 })).symbols
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

/** Every symbol as a line, sorted by table order. */
const lines = (table: SymbolTable, keep: (owner: string, type: string, address: bigint) => boolean) =>
  Array.from(table, ({ address, type, name, owner }) => ({ address, type, name, owner }))
    .filter(({ owner, type, address }) => keep(owner, type, address))
    .map(({ address, type, name, owner }) => `${address.toString(16)} ${type} ${name} ${owner}`)

/** What an address is answered with, in words. */
function answer(table: SymbolTable, address: bigint): string {
  const match = table.at(address)
  if (match === undefined) return `none ${table.reasonFor(address)} ${table.ownerAt(address)}`
  const candidates = match.candidates.map(({ symbol, offset }) => `${symbol.name}+${offset} [${symbol.owner}]`)
  return `${match.symbol.name}+${match.offset}/${match.size} ${candidates} ${match.aliases.map(({ name }) => name)}`
}

describe('a host from a catalogue and a layout', () => {
  const isPerCpu = (owner: string, address: bigint) => owner !== 'vmlinux' && address < 0x100000n

  it('has every symbol of that boot whose build is known, at its place, but for modules per-cpu ones', () => {
    const known = new Set(predicted.symbols.owners)
    for (const { name } of predicted.host.placement?.missing ?? []) known.delete(name)
    expect(known.size).toBe(1 + 12 + 3)
    expect(lines(predicted.symbols, () => true)).toEqual(
      lines(own, (owner, _, address) => known.has(owner) && !isPerCpu(owner, address)),
    )
  })

  it('has all of it where all builds are known', () => {
    expect(back.host.placement?.missing).toEqual([])
    expect(lines(back.symbols, () => true)).toEqual(lines(ownBack, (owner, _, address) => !isPerCpu(owner, address)))
  })

  it('answers 20,000 addresses as that boot does', () => {
    const below = seededRandom(7)
    for (let i = 0; i < 20_000; i++) {
      const near = ownBack.addressOf(below(ownBack.size))
      const address = BigInt.asUintN(64, near + BigInt(below(0x2000) - 0x999))
      if (answer(back.symbols, address) !== answer(ownBack, address)) {
        expect(`${address.toString(16)} ${answer(back.symbols, address)}`).toBe(answer(ownBack, address))
      }
    }
  })

  it('finds names as that boot does, in its order', () => {
    const below = seededRandom(8)
    for (let i = 0; i < 2000; i++) {
      const name = ownBack.nameOf(below(ownBack.size))
      const places = (table: SymbolTable) =>
        table.named(name).flatMap(({ address, owner }) => (isPerCpu(owner, address) ? [] : [`${address} ${owner}`]))
      expect(places(back.symbols)).toEqual(places(ownBack))
    }
    expect([...back.symbols.scan('vfs_r*')].map((id) => back.symbols.nameOf(id))).toEqual(
      [...ownBack.scan('vfs_r*')].map((id) => ownBack.nameOf(id)),
    )
  })

  it('owns what the kernel made as it ran', () => {
    const text = fixtureBytes('oracle/kallsyms.br').toString('latin1').split('\n')
    for (const owner of ['bpf', '__builtin__ftrace', '__builtin__kprobes']) {
      const listed = text.filter((line) => line.endsWith(`\t[${owner}]`)).map((line) => line.split(/[ \t]/)[2])
      expect(listed.length).toBeGreaterThan(0)
      const found = [...predicted.symbols].filter((symbol) => symbol.owner === owner).map(({ name }) => name)
      expect(found.sort()).toEqual(listed.sort())
    }
  })

  it('leaves a hole for a module that it does not know, and says which', () => {
    const { missing = [] } = predicted.host.placement ?? {}
    expect(missing.length).toBe(418 - 12)
    const symbol = [...own].find(({ owner, type }) => owner === 'ext4' && type === 't')!
    expect(missing.some(({ name }) => name === 'ext4')).toBe(true)
    expect(predicted.symbols.at(symbol.address)).toBeUndefined()
    expect(predicted.symbols.reasonFor(symbol.address)).toBe('unknown_module')
    expect(predicted.symbols.ownerAt(symbol.address)).toBe('ext4')
    const resolved = predicted.stacks.resolve(BigUint64Array.of(symbol.address), { depth: 1 })
    expect(resolved).toBeDefined()
  })

  it.each([
    ['holes', () => predicted],
    ['all modules', () => back],
  ])('is the same in a snapshot file, with %s', async (_, of) => {
    const path = join(folder, 'placed.kerndex')
    await saveSnapshot(of(), path, { replace: true })
    const kernel = await openKernel({ from: path, threads: 0 })
    expect(kernel.host.placement).toEqual(of().host.placement)
    const text = (table: SymbolTable) => Buffer.concat([...kallsymsText(table, 16)])
    expect(text(kernel.symbols).equals(text(of().symbols))).toBe(true)
    const random = seededRandom(3)
    for (let i = 0; i < 4_000; i++) {
      const near = own.addressOf(random(own.size))
      const address = BigInt.asUintN(64, near + BigInt(random(0x4000) - 0x1000))
      expect(answer(kernel.symbols, address)).toBe(answer(of().symbols, address))
    }
    for (const name of ['vfs_read', '__func__.0', 'init_module', 'never'])
      expect(kernel.symbols.named(name).map(({ id }) => id)).toEqual(
        of()
          .symbols.named(name)
          .map(({ id }) => id),
      )
    await kernel.close()
  })

  it('says which modules only their names speak for, as one side knows no more', () => {
    const known = ownBack.owners.slice(1).sort()
    expect([...(predicted.host.placement?.byName ?? [])].sort()).toEqual(known)
    expect([...(back.host.placement?.byName ?? [])].sort()).toEqual(known)
  })

  it('gives no names of another build to a module of the same name', async () => {
    const now = readLayout(join(folder, 'capture.layout'))
    const identified = await openCatalog({ directory: join(folder, 'identified') })
    const ids = now.modules.map(({ name }, i) => `${name} ${String(i).padStart(40, 'a')} - Live -\n`)
    const from = join(folder, 'with-identities')
    cpSync(CAPTURE, from, { recursive: true })
    writeFileSync(join(from, 'module_identities'), ids.join(''))
    await identified.add(from)
    const own = now.modules.map((module, i) => ({ ...module, buildId: String(i).padStart(40, 'a') }))
    const foreign = own.map((module, i) => (i === 0 ? { ...module, buildId: 'bb'.repeat(20) } : module))
    const { name } = now.modules[0]!
    const { address } = [...ownBack].find(({ owner, type }) => owner === name && type === 't')!
    expect((await identified.place({ ...now, modules: own })).host.placement).toMatchObject({ missing: [], byName: [] })
    const outOfTree = { ...own[0]!, taint: 'OE' }
    const larger = { ...own[0]!, bytes: own[0]!.bytes + 0x1000 }
    const { sections } = own[0]!
    const low = sections!.low.map((low, i) => (sections!.names[sections!.name[i]!] === '.text' ? low + 0x1000 : low))
    const apart = { ...own[0]!, sections: { ...sections!, low } }
    const hosts = [
      // One catalogue knows the build of its module, the other only its name: there all speaks against it that can.
      await identified.place({ ...now, modules: foreign }),
      await whole.place({ ...now, modules: [outOfTree, ...own.slice(1)] }),
      await whole.place({ ...now, modules: [larger, ...own.slice(1)] }),
      await whole.place({ ...now, modules: [apart, ...own.slice(1)] }),
    ]
    for (const { symbols, host } of hosts) {
      expect(host.placement?.missing).toContainEqual(expect.objectContaining({ name, why: 'other build' }))
      expect(symbols.at(address)).toBeUndefined()
      // The last has its text elsewhere.
      const known = host === hosts.at(-1)!.host ? ['gap', 'hidden'] : ['unknown_module', name]
      expect([symbols.reasonFor(address), symbols.ownerAt(address)]).toEqual(known)
      expect([...symbols].filter(({ owner }) => owner === name)).toEqual([])
    }
  })

  it('knows modules by their names where one side knows no more, and by both where there are both', async () => {
    const now = readLayout(join(folder, 'capture.layout'))
    const own = now.modules.map((module, i) => ({ ...module, buildId: String(i).padStart(40, 'a') }))
    const names = now.modules.map(({ name }) => name).sort()
    const identified = await openCatalog({ directory: join(folder, 'identified') })
    const placement = async (of: Catalog, modules: typeof now.modules) => {
      const { missing, byName } = (await of.place({ ...now, modules })).host.placement!
      return { missing: missing.length, byName: [...byName].sort() }
    }
    expect(await placement(whole, own)).toEqual({ missing: 0, byName: names })
    expect(await placement(identified, now.modules)).toEqual({ missing: 0, byName: names })
    await identified.add(CAPTURE)
    expect(await placement(identified, now.modules)).toEqual({ missing: 0, byName: names })
    expect(await placement(identified, own)).toEqual({ missing: 0, byName: [] })
  })

  it('lists per-cpu symbols of modules by name, without an address', async () => {
    const reader = await whole.place(readLayout(join(folder, 'other.layout')))
    const names = [...own]
      .filter(({ owner, address }) => isPerCpu(owner, address))
      .map(({ name, owner }) => `${owner}:${name}`)
    expect(names.length).toBe(19)
    const { unplaced = [] } = reader.host.placement ?? {}
    expect(unplaced.map(({ name, owner }) => `${owner}:${name}`).sort()).toEqual(names.sort())
    for (const { name, owner } of unplaced) expect(reader.symbols.named(name, { owner })).toEqual([])
  })

  it('is attached in another thread by its handle', () => {
    const handle = structuredClone(back.handle())
    expect(handle.names?.length).toBe(1)
    const { symbols } = back
    expect(symbols.names?.[0]).toBe(back.handle().names?.[0])
  })

  it('shares names between hosts', async () => {
    const again = await whole.place(readLayout(join(folder, 'other.layout')))
    expect(again.symbols.names?.[0]).toBe(back.symbols.names?.[0])
    expect(again.symbols.buffer.byteLength).toBeLessThan(7 * again.symbols.size)
  })

  it('shares them with whoever opens the same catalogue again, and not once its book is another', async () => {
    const directory = join(folder, 'opened-again')
    cpSync(join(folder, 'whole'), directory, { recursive: true })
    const held: Kernel[] = []
    const names = async () => {
      const kernel = await openKernel({ from: join(folder, 'other.layout'), catalog: directory, threads: 0 })
      await kernel.close()
      // Whom nobody holds may go.
      held.push(kernel)
      return kernel.handle().names?.[0]
    }
    const first = await names()
    expect(first).toBeInstanceOf(SharedArrayBuffer)
    expect(await names()).toBe(first)
    const book = join(directory, KERNEL, 'book')
    const bytes = readFileSync(book)
    rmSync(book)
    writeFileSync(book, bytes)
    const second = await names()
    expect(second).not.toBe(first)
    expect(Buffer.from(second!).equals(Buffer.from(first!))).toBe(true)
    expect(held.length).toBe(3)
  })
})

describe('a catalogue', () => {
  it('does not change when the same is added again, or another boot of it; only a book of another version is made anew', async () => {
    const read = () =>
      readdirSync(join(folder, 'whole', KERNEL)).map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, 'whole', KERNEL, name)))
          .digest('hex'),
      ])
    const before = read()
    expect(await whole.add(OTHER)).toMatchObject({ buildId: KERNEL, added: [], known: 419, skipped: [] })
    expect(read()).toEqual(before)
    const book = join(folder, 'whole', KERNEL, 'book')
    const bytes = readFileSync(book)
    bytes.writeUInt32LE(1, 4)
    writeFileSync(book, bytes)
    expect(await whole.add(CAPTURE)).toMatchObject({ buildId: KERNEL, added: [], known: 13, skipped: [] })
    expect(read()).toEqual(before)
  })

  it('has the same entries of a build whichever boot they are from', () => {
    const entry = (directory: string, name: string) => readFileSync(join(folder, directory, KERNEL, name))
    for (const name of readdirSync(join(folder, 'catalog', KERNEL))) {
      if (name.endsWith('.entry'))
        expect([name, entry('catalog', name).equals(entry('whole', name))]).toEqual([name, true])
    }
  })

  it('exports nothing where there is nothing', async () => {
    const empty = await openCatalog({ directory: join(folder, 'empty') })
    await expect(empty.export(join(folder, 'empty.tar.gz'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('lists its entries', async () => {
    const listed = await catalog.list()
    expect(listed.length).toBe(13)
    expect(listed[0]).toMatchObject({ kind: 'vmlinux', name: 'vmlinux', buildId: KERNEL, kernel: KERNEL })
    expect(listed.every(({ kernel }) => kernel === KERNEL)).toBe(true)
  })

  it('has all in its book when several add to it at once', async () => {
    const directory = join(folder, 'at-once')
    const one = await openCatalog({ directory })
    const two = await openCatalog({ directory })
    // Another boot of the same build, without the modules that are listed first.
    const rest = join(folder, 'rest')
    cpSync(CAPTURE, rest, { recursive: true })
    const listed = readLayout(join(folder, 'capture.layout')).modules.map(({ name }) => name)
    const gone = new Set(listed.slice(0, 4))
    const text = [...ownBack].filter(({ owner }) => !gone.has(owner))
    const line = ({ address, type, name, owner }: (typeof text)[number]) =>
      `${address.toString(16).padStart(16, '0')} ${type} ${name}${owner === 'vmlinux' ? '' : `\t[${owner}]`}\n`
    for (const name of ['kallsyms', 'kallsyms.gz']) rmSync(join(rest, name), { force: true })
    writeFileSync(join(rest, 'kallsyms'), text.map(line).join(''))
    const { store } = filesOf(two)
    const makeBook = store.makeBook.bind(store)
    store.makeBook = async (...given) => {
      store.makeBook = makeBook
      const book = await makeBook(...given)
      // The other begins and ends before this book is written.
      await one.add(CAPTURE)
      return book
    }
    await two.add(rest)
    const { entries } = new CatalogStore(directory, process.getuid!()).readBook(KERNEL)!
    expect(entries.size).toBe(1 + listed.length)
  })

  it('refuses captures that disagree, names the symbol, and keeps what it had', async () => {
    const wrong = join(folder, 'wrong')
    mkdirSync(wrong)
    for (const name of readdirSync(OTHER)) writeFileSync(join(wrong, name), readFileSync(join(OTHER, name)))
    const text = readFileSync(join(OTHER, 'kallsyms'), 'latin1')
    writeFileSync(
      join(wrong, 'kallsyms'),
      text.replace(' t ext4_getattr\t', ' t ext4_gotattr\t').replace(' T ext4_getattr\t', ' T ext4_gotattr\t'),
    )
    const before = (await whole.list()).map(({ written }) => written.getTime())
    await expect(whole.add(wrong)).rejects.toMatchObject({
      code: 'BAD_FORMAT',
      message: expect.stringMatching(/ext4.*(ext4_getattr|ext4_gotattr)/s),
    })
    expect((await whole.list()).map(({ written }) => written.getTime())).toEqual(before)
  })

  it('refuses the layout of another kernel build, also of the same release', async () => {
    const layout = readLayout(join(folder, 'other.layout'))
    const other = { ...layout, buildId: KERNEL.replace('eb', 'ec') }
    await expect(catalog.place(other)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('holds no address of the image', () => {
    const symbol = ownBack.require('vfs_read').address
    for (const name of readdirSync(join(folder, 'catalog', KERNEL))) {
      const bytes = readFileSync(join(folder, 'catalog', KERNEL, name))
      const packed = Buffer.alloc(8)
      packed.writeBigUInt64LE(symbol)
      expect(bytes.includes(packed) || bytes.includes(symbol.toString(16))).toBe(false)
    }
  })

  it('answers addresses relative to a build', async () => {
    const build = await catalog.build(KERNEL)
    const text = ownBack.require('_text').address
    for (const name of ['vfs_read', 'schedule', '_stext', 'do_nanosleep']) {
      const symbol = ownBack.named(name, { owner: 'vmlinux' })[0]!
      expect(build?.at(symbol.address - text + 4n)).toMatchObject({ offset: 4, size: symbol.size })
      expect(build?.named(name).map(({ offset }) => offset)).toContain(symbol.address - text)
    }
    expect(build?.at(2 ** 29)).toBeUndefined()
    expect(await catalog.build('00112233')).toBeUndefined()
  })

  it('writes a build as an ELF file that kerndex and others read', async () => {
    const build = await catalog.build(KERNEL)
    const bytes = build!.elf()
    const elf = await openElf(bytes)
    const text = ownBack.require('_text').address
    for (const name of ['vfs_read', 'schedule', 'do_nanosleep']) {
      const { address, size } = ownBack.named(name, { owner: 'vmlinux' })[0]!
      const [symbol] = elf.symbols.named(name)
      expect([symbol?.address, symbol?.size]).toEqual([address - text + 0xffffffff81000000n, size])
    }
    expect(elf.symbols.size).toBeGreaterThan(40_000)
    expect(Buffer.from(bytes).includes(Buffer.from(KERNEL, 'hex'))).toBe(true)
  })

  it('does not use what others may write to', async () => {
    const path = join(folder, 'catalog')
    chmodSync(path, 0o777)
    const careful = await openCatalog({ directory: path })
    await expect(careful.place(readLayout(join(folder, 'other.layout')))).rejects.toMatchObject({
      code: 'NOT_READABLE',
    })
    chmodSync(path, 0o755)
    chmodSync(join(path, KERNEL), 0o775)
    await expect(careful.place(readLayout(join(folder, 'other.layout')))).rejects.toThrow(/others may write/)
    chmodSync(join(path, KERNEL), 0o755)
  })

  it.runIf(process.getuid?.() === 0)("uses what root added to somebody's, and nobody else's files", async () => {
    const path = join(folder, 'somebodys')
    cpSync(join(folder, 'catalog'), path, { recursive: true })
    chownSync(path, 65534, 65534)
    const somebodys = await openCatalog({ directory: path })
    expect((await somebodys.place(readLayout(join(folder, 'other.layout')))).symbols.size).toBe(predicted.symbols.size)
    chownSync(join(path, KERNEL, 'book'), 65533, 65533)
    const changed = await openCatalog({ directory: path })
    await expect(changed.place(readLayout(join(folder, 'other.layout')))).rejects.toThrow(/belongs to user 65533/)
  })
})

describe('a catalogue that is too large', () => {
  it('loses the kernels that were used longest ago', async () => {
    const directory = join(folder, 'small')
    cpSync(join(folder, 'catalog'), directory, { recursive: true })
    const small = await openCatalog({ directory })
    const other = KERNEL.replace('eb', 'ec')
    cpSync(join(directory, KERNEL), join(directory, other), { recursive: true })
    utimesSync(join(directory, KERNEL), 1e9, 1e9)
    utimesSync(join(directory, other), 2e9, 2e9)
    await small.place(readLayout(join(folder, 'capture.layout')))
    utimesSync(join(directory, other), 1e9, 1e9)
    const { size } = statSync(join(directory, KERNEL, 'book'))
    expect(await small.prune(2 * size)).toEqual([other])
    expect((await small.list()).length).toBe(13)
  })
})

describe('a host over time', () => {
  it('answers by the layout of the time, and names nothing of another', async () => {
    const now = readLayout(join(folder, 'capture.layout'))
    const [first, ...others] = now.modules
    // The same boot, first with all of its modules, then without the last that was loaded, then with it elsewhere.
    const elsewhere = first!.address + 0x2000000n
    const moved = {
      ...first!,
      address: elsewhere,
      sections: { ...first!.sections!, low: first!.sections!.low.map((low) => low + 0x2000000) },
    }
    const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000)
    const history = await whole.placeAll([
      { ...now, taken: at(20), modules: [moved, ...others] },
      { ...now, taken: at(0) },
      { ...now, taken: at(10), modules: others },
    ])
    const symbol = [...ownBack].find(({ owner, type }) => owner === first!.name && type === 't')!
    expect(history.find(symbol.address, at(5)).match?.symbol.name).toBe(symbol.name)
    expect(history.find(symbol.address, at(-5)).match?.symbol.name).toBe(symbol.name)
    expect(history.find(symbol.address, at(15))).toEqual({
      match: undefined,
      reason: 'stale_layout',
      owner: first!.name,
    })
    expect(history.find(symbol.address, at(25))).toMatchObject({ match: undefined, reason: 'stale_layout' })
    expect(history.find(symbol.address + 0x2000000n, at(25)).match?.symbol.name).toBe(symbol.name)
    expect(history.find(symbol.address + 0x2000000n, at(5)).reason).toBe('stale_layout')
    await expect(whole.placeAll([now, { ...now, bootId: 'another' }])).rejects.toMatchObject({ code: 'USAGE' })
  })
})

describe('a layout by another symbol', () => {
  it('places the kernel by that, or is refused', async () => {
    const now = readLayout(join(folder, 'capture.layout'))
    const etext = ownBack.require('_etext').address
    const read = ownBack.require('vfs_read').address
    const moved = await whole.place({ ...now, anchor: { name: '_stext', address: ownBack.require('_stext').address } })
    expect(moved.symbols.require('vfs_read').address).toBe(read)
    expect(moved.symbols.require('_etext').address).toBe(etext)
    const arm = await openCatalog({ directory: join(folder, 'arm') })
    const begin = 0xffff800008010000n
    const capture = join(folder, 'arm-capture')
    mkdirSync(capture)
    cpSync(join(OTHER, 'notes'), join(capture, 'notes'))
    writeFileSync(
      join(capture, 'kallsyms'),
      `${begin.toString(16)} T _stext\n${(begin + 0x40n).toString(16)} T el0t_64_sync\n${(begin + 0x80n).toString(16)} T _etext\n`,
    )
    writeFileSync(join(capture, 'version'), 'Linux version 6.1.0-x (a@b) #1\n')
    await arm.add(capture)
    // As the image of such a kernel is linked: _stext behind its head.
    const elf = (await arm.build(KERNEL))!.elf()
    expect((await openElf(elf)).symbols.require('_stext').address).toBe(0xffff800008010000n)
    const layout = { ...now, modules: [], dynamic: [], anchor: { name: '_text' as const, address: begin - 0x10000n } }
    await expect(arm.place(layout)).rejects.toMatchObject({
      code: 'BAD_FORMAT',
      message: expect.stringContaining('by _text'),
    })
  })
})

describe('what is named in the wrong place', () => {
  it('is told what it is, and where it belongs', async () => {
    const directory = join(folder, 'whole')
    const layout = join(folder, 'other.layout')
    for (const path of [directory, join(directory, KERNEL, 'vmlinux.entry'), join(directory, KERNEL, 'book')]) {
      const told = { code: 'NOT_READABLE', message: expect.stringContaining('catalog import') }
      await expect(openKernel({ from: path })).rejects.toMatchObject(told)
      await expect(catalog.add(path)).rejects.toMatchObject(told)
      await expect(writeLayout(join(folder, 'no.layout'), { from: path })).rejects.toMatchObject(told)
    }
    await expect(catalog.add(layout)).rejects.toMatchObject({ message: expect.stringContaining('is a layout') })
    for (const path of [layout, join(layout, 'below')]) {
      const file = await openCatalog({ directory: path })
      const no = { code: 'NOT_READABLE', message: expect.stringContaining('is no catalogue') }
      await expect(file.list()).rejects.toMatchObject(no)
      await expect(file.place(readLayout(layout))).rejects.toMatchObject(no)
    }
    await expect(openKernel({ from: join(folder, 'none'), catalog })).rejects.toMatchObject({ code: 'NOT_READABLE' })
    const cut = join(folder, 'cut.layout')
    writeFileSync(cut, readFileSync(layout).subarray(0, 3000))
    expect(() => readLayout(cut)).toThrow(cut)
  })
})

describe('what is no kernel source', () => {
  it('is told so', async () => {
    const file = join(folder, 'text')
    writeFileSync(file, 'root:x:0:0:root:/root:/bin/sh\n')
    await expect(writeLayout(join(folder, 'no.layout'), { from: file })).rejects.toThrow(
      /no capture, archive or snapshot/,
    )
    await expect(catalog.add(folder)).rejects.toThrow(/is no capture: it has neither kallsyms/)
    await expect(catalog.import(file)).rejects.toMatchObject({
      code: 'BAD_FORMAT',
      message: expect.stringContaining(file),
    })
    await expect(catalog.add(file)).rejects.toMatchObject({ code: 'NOT_READABLE' })
  })
})

describe('a layout', () => {
  it('is readable for its owner only, and small', () => {
    const { mode, size } = statSync(join(folder, 'other.layout'))
    expect(mode & 0o777).toBe(0o600)
    expect(size).toBeLessThan(32 * 1024)
  })

  it('has what the host says', () => {
    const layout = parseLayout(readFileSync(join(folder, 'other.layout')))
    expect(layout).toMatchObject({ buildId: KERNEL, release: '6.1.0-56-amd64', generation: 1 })
    expect(layout.modules.length).toBe(418)
    expect(layout.anchor).toEqual({ name: '_text', address: own.require('_text').address })
  })

  it('can be read, whatever names a host tells', async () => {
    const strange = join(folder, 'strange')
    cpSync(CAPTURE, strange, { recursive: true })
    const modules = readFileSync(join(CAPTURE, 'modules'), 'latin1')
    const [first] = modules.split('\n')
    writeFileSync(
      join(strange, 'modules'),
      `${modules}a\x1b[31mb 4096 0 - Live 0xffffffffc0999000\n${first}\n`,
      'latin1',
    )
    const path = join(folder, 'strange.layout')
    const { absences } = await writeLayout(path, { from: strange })
    expect(absences).toContainEqual({
      what: 'a\\x1b[31mb',
      reason: expect.stringContaining('no module has such a name'),
    })
    expect(readLayout(path).modules).toEqual(readLayout(join(folder, 'capture.layout')).modules)
    writeFileSync(join(strange, 'version'), `Linux version ${'6'.repeat(300)} (x)\n`)
    await expect(writeLayout(join(folder, 'no.layout'), { from: strange })).rejects.toMatchObject({
      code: 'BAD_FORMAT',
      message: expect.stringContaining('no layout can hold'),
    })
  })

  it('is not replaced unless that is asked for', async () => {
    await expect(writeLayout(join(folder, 'other.layout'), { from: OTHER })).rejects.toMatchObject({ code: 'USAGE' })
  })
})
