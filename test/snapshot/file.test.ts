// The snapshot file: what comes back is what was written, byte for byte; nothing damaged, cut, foreign or hostile does.
import { link, mkdtemp, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checksum } from '../../src/core/blocks.ts'
import { BadFormatError, KerndexError, UnsupportedError } from '../../src/core/errors.ts'
import type { Kernel } from '../../src/kernel.ts'
import { openTypes } from '../../src/load/open-types.ts'
import { saveSnapshot, snapshotInfo } from '../../src/load/save.ts'
import { openKernel } from '../../src/open-kernel.ts'
import { BLOCK_BYTES, type SnapshotContent } from '../../src/snapshot/format.ts'
import { decodeMeta, encodeMeta } from '../../src/snapshot/meta.ts'
import { SnapshotReader } from '../../src/snapshot/read.ts'
import { symbolsAround } from '../../src/snapshot/stored-symbols.ts'
import { writeSnapshot } from '../../src/snapshot/write.ts'
import { SYMBOL_LAYOUT, type SymbolSection } from '../../src/symbols/layout.ts'
import { kallsymsText } from '../../src/symbols/print.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { blob, oneRecord } from '../btf/fixtures.ts'
import { CAPTURE, fixtureBytes } from '../fixtures.ts'
import { same } from '../same.ts'

let folder: string
/** A capture with types, its snapshot, and that file's bytes. */
let fresh: Kernel
let file: string
let bytes: Buffer
/** A snapshot small enough to be damaged everywhere. */
let small: Buffer
let smallFile: string
/** The same with types of every kind. */
let typed: Buffer
let typedFile: string
const kernels: Kernel[] = []

const kallsyms = [
  '0000000000000000 A fixed_percpu_data',
  'ffffffff81000000 T _stext',
  'ffffffff81000010 T vfs_read',
  'ffffffff81000010 T vfs_read_alias',
  'ffffffff81000040 t helper.isra.0',
  'ffffffff82000000 D _end',
  'ffffffffc0000000 t probe_me\t[mod]',
  'ffffffffc0000040 t bpf_prog_6deef7357e7b4530_foo\t[bpf]',
  'not a symbol',
]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-snapshot-'))
  fresh = await openKernel({ from: CAPTURE, threads: 0, probes: true })
  file = join(folder, 'debian.kerndex')
  await saveSnapshot(fresh.snapshot(), file)
  bytes = await readFile(file)
  const text = join(folder, 'kallsyms')
  await writeFile(text, `${kallsyms.join('\n')}\n`)
  const kernel = await openKernel({ from: text, threads: 0 })
  smallFile = join(folder, 'small.kerndex')
  await saveSnapshot(kernel.snapshot(), smallFile)
  small = await readFile(smallFile)
  await kernel.close()
  typedFile = join(folder, 'typed.kerndex')
  await writeTypes(typedFile, [oneRecord('vmlinux', blob('synthetic/all-kinds'))])
  typed = await readFile(typedFile)
})
afterAll(async () => {
  for (const kernel of kernels) await kernel.close()
  await fresh.close()
  await rm(folder, { recursive: true })
})

/** Writes a snapshot of the small file's symbols and these types. */
async function writeTypes(path: string, types: SnapshotContent['types']): Promise<void> {
  const reader = new SnapshotReader(smallFile)
  const { parts } = reader.readNow({ symbols: true, groups: () => true, facts: false })
  reader.close()
  const { host, skipped } = reader.plan.meta
  await writeSnapshot(path, {
    symbols: parts.symbols!,
    types,
    identities: new Map(),
    host,
    skipped,
    text: undefined,
    facts: {},
  })
}

const textOf = (table: SymbolTable) => Buffer.concat([...kallsymsText(table, table.addressDigits)])

/** Opens a file of those bytes as a kernel. */
async function openBytes(content: Uint8Array): Promise<Kernel> {
  const path = join(folder, 'damaged.kerndex')
  await writeFile(path, content)
  return openKernel({ from: path, threads: 0 })
}

/** The same snapshot with bytes changed and every checksum made right again, as an attacker would. */
function resealed(content: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(content)
  change(copy)
  const words = new Uint32Array(copy.buffer, copy.byteOffset, copy.length >>> 2)
  const header = words[4]!
  const [sealAt, , partsAt, partsBytes, sumsAt] = words.subarray(5)
  let sum = sumsAt! / 4
  let offset = header
  for (let part = 0; part < partsBytes! / 4; part++) {
    const length = words[partsAt! / 4 + part]!
    for (let from = 0; from < length; from += BLOCK_BYTES) {
      words[sum++] = checksum(copy.subarray(offset + from, Math.min(offset + from + BLOCK_BYTES, offset + length)))
    }
    offset += length
  }
  words[sealAt! / 4] = 0
  words[sealAt! / 4] = checksum(copy.subarray(0, header))
  return copy
}

describe('a snapshot file', () => {
  it('gives the same table bytes, types and facts as the load it was made from', async () => {
    const kernel = await openKernel({ from: file, threads: 0 })
    expect(Buffer.from(kernel.symbols.buffer).equals(Buffer.from(fresh.symbols.buffer))).toBe(true)
    expect(kernel.types.sets.map(({ name, size, record: { blobLength } }) => [name, size, blobLength])).toEqual(
      fresh.types.sets.map(({ name, size, record: { blobLength } }) => [name, size, blobLength]),
    )
    for (const set of fresh.types.sets) {
      const other = kernel.types.requireSet(set.name)
      for (let id = set.firstId; id < set.endId; id += 7) {
        const name = set.nameOf(id)
        same(other.nameOf(id), name)
        same(kernel.types.get(id, { module: set.name }), fresh.types.get(id, { module: set.name }))
        if (name !== '' && id % 5 === 0) same(kernel.types.find(name), fresh.types.find(name))
      }
    }
    const { source, ...host } = kernel.host
    expect(source).toBe(`${file}, a snapshot of ${fresh.host.source}`)
    expect({ ...host, source: fresh.host.source }).toEqual(fresh.host)
    expect(kernel.skipped).toEqual(fresh.skipped)
    expect(kernel.snapshot().fact('version')).toEqual(fresh.snapshot().fact('version'))
    expect(kernel.provisional).toBe(false)
    await kernel.close()
  })

  it('plans the same probes', async () => {
    const kernel = await openKernel({ from: file, threads: 0 })
    const specs = ['kprobe:vfs_*', 'fentry:ext4_*', 'kprobe:no_such_function']
    expect(kernel.probes.plan(specs)).toEqual(fresh.probes.plan(specs))
    await kernel.close()
  })

  it.each(['oracle/kallsyms.br', 'traces/host-6.18.kallsyms.br', 'edge/longname.kallsyms', 'edge/arm32.kallsyms'])(
    'answers as the load of %s does',
    async (name) => {
      const text = join(folder, 'text')
      await writeFile(text, fixtureBytes(name))
      const loaded = await openKernel({ from: text, threads: 0 })
      const path = join(folder, 'text.kerndex')
      await saveSnapshot(loaded.snapshot(), path, { replace: true })
      const kernel = await openKernel({ from: path, threads: 0 })
      expect(Buffer.from(kernel.symbols.buffer).equals(Buffer.from(loaded.symbols.buffer))).toBe(true)
      const { size } = loaded.symbols
      const addresses = BigUint64Array.from({ length: 5_000 }, (_, i) => loaded.symbols.addressOf((i * 31) % size) + 3n)
      expect(kernel.symbols.findMany(addresses)).toEqual(loaded.symbols.findMany(addresses))
      for (let id = 0; id < size; id += Math.ceil(size / 500)) {
        const symbol = loaded.symbols.nameOf(id)
        const ids = (table: SymbolTable) => table.named(symbol).map((each) => each.id)
        expect(ids(kernel.symbols)).toEqual(ids(loaded.symbols))
      }
      expect(kernel.symbols.census()).toEqual(loaded.symbols.census())
    },
  )

  it('can be opened for some symbols and modules only, and gives what its text would', async () => {
    const symbols = { text: true, data: ['init_task'] } as const
    const modules = ['9p']
    const [a, b] = await Promise.all([
      openKernel({ from: file, threads: 0, symbols, modules }),
      openKernel({ from: CAPTURE, threads: 0, symbols, modules }),
    ])
    expect(textOf(a.symbols).equals(textOf(b.symbols))).toBe(true)
    expect(a.types.sets.map(({ name, size }) => [name, size])).toEqual(
      b.types.sets.map(({ name, size }) => [name, size]),
    )
    expect(a.host.modules).toEqual(b.host.modules)
    expect(a.host.buildId).toBe(b.host.buildId)
  })

  it('gives its types alone, all or those of some modules', async () => {
    const { types, opened } = await openTypes({ from: file })
    expect(opened).toEqual(fresh.types.sets.map(({ name }) => name))
    expect(types.find('list_head')).toEqual(fresh.types.find('list_head'))
    const [, module] = opened
    expect((await openTypes({ from: file, modules: [module!] })).opened).toEqual(['vmlinux', module])
    await expect(openTypes({ from: file, modules: ['nobody'] })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(openTypes({ from: smallFile })).rejects.toMatchObject({ code: 'NOT_READABLE' })
  })

  it('holds a set whose neighbours in the index have left', async () => {
    const names = fresh.types.sets.map(({ name }) => name)
    const [vmlinux, , ...others] = names
    const { Snapshot } = await import('../../src/snapshot/snapshot.ts')
    const handle = fresh.handle()
    const left = new Snapshot({ ...handle, types: handle.types.filter(({ name }) => name !== names[1]) })
    const path = join(folder, 'left.kerndex')
    await saveSnapshot(left, path)
    const kernel = await openKernel({ from: path, threads: 0 })
    expect(kernel.types.sets.map(({ name }) => name)).toEqual([vmlinux, ...others])
    const last = others.at(-1)!
    const id = fresh.types.requireSet(last).firstId + 3
    expect(kernel.types.get(id, { module: last })).toEqual(fresh.types.get(id, { module: last }))
  })

  it('can be read by its owner only, and is not replaced unasked', async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    await expect(saveSnapshot(fresh.snapshot(), file)).rejects.toMatchObject({ code: 'USAGE' })
    expect((await readFile(file)).equals(bytes)).toBe(true)
  })

  it('describes itself by its header alone', () => {
    expect(snapshotInfo(file)).toMatchObject({
      bytes: bytes.length,
      host: { release: fresh.host.release, buildId: fresh.host.buildId },
      types: fresh.types.sets.map(({ name }) => name),
    })
  })

  it('is read again by a refresh when it is another file', async () => {
    const path = join(folder, 'again.kerndex')
    await writeFile(path, small)
    const kernel = await openKernel({ from: path, threads: 0 })
    expect(await kernel.refresh()).toMatchObject({ changed: false })
    await rm(path)
    await writeFile(path, bytes)
    expect(await kernel.refresh()).toMatchObject({ changed: true, generation: 2 })
    expect(kernel.symbols.size).toBe(fresh.symbols.size)
  })
})

const refused = async (content: Uint8Array) => {
  const attempt = async () => {
    const kernel = await openBytes(content)
    kernels.push(kernel)
    await kernel.ready()
  }
  const error = await attempt().catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(KerndexError)
  expect(['BAD_FORMAT', 'UNSUPPORTED']).toContain((error as KerndexError).code)
}

describe('damage', () => {
  it('of any single byte of the header, or of anything behind it, is noticed', async () => {
    // A file whose first four bytes are wrong is taken for another kind of file, and refused as that.
    for (let at = 4; at < small.length; at++) {
      const copy = Buffer.from(small)
      copy[at]! ^= 1 << (at % 8)
      await writeFile(join(folder, 'flip'), copy)
      const attempt = async () => {
        const reader = new SnapshotReader(join(folder, 'flip'))
        try {
          await reader.read({ symbols: true, groups: () => true, facts: true })
        } finally {
          reader.close()
        }
      }
      await expect(attempt(), `byte ${at}`).rejects.toBeInstanceOf(KerndexError)
    }
    for (let at = 0; at < 4; at++) {
      const copy = Buffer.from(small)
      copy[at]! ^= 0x10
      await expect(openBytes(copy)).rejects.toBeInstanceOf(KerndexError)
    }
  })

  it('of bytes in the large columns is noticed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 4, max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, mask) => {
          const copy = Buffer.from(bytes)
          copy[at]! ^= mask
          await refused(copy)
        },
      ),
      { numRuns: 8 },
    )
  })

  it('is noticed by the answers to a few addresses where they look', async () => {
    const { symbols } = fresh
    const [one] = symbols.named('vfs_read')
    const path = join(folder, 'around.kerndex')
    const around = async (change: (copy: Buffer, at: (name: SymbolSection) => number) => void) => {
      const copy = Buffer.from(bytes)
      const header = copy.readUInt32LE(16)
      change(copy, (name) => header + copy.readUInt32LE(header + (5 + 2 * SYMBOL_LAYOUT.sections.indexOf(name)) * 4))
      await writeFile(path, copy)
      return symbolsAround(path, [one!.address + 1n])?.at(one!.address + 1n)
    }
    expect((await around(() => {}))!.toJSON()).toEqual(symbols.at(one!.address + 1n)!.toJSON())
    const flip = (copy: Buffer, at: number) => copy.writeUInt8(copy[at]! ^ 1, at)
    // Names to symbols are not asked for.
    expect(await around((copy, at) => flip(copy, at('entries') + (symbols.size >> 1) * 4))).toBeDefined()
    for (const [section, width] of [
      ['low', 4],
      ['kind', 1],
      ['name', 4],
    ] as const) {
      await expect(around((copy, at) => flip(copy, at(section) + one!.id * width))).rejects.toThrow(BadFormatError)
    }
    // What is not told apart at once is left to a table that is whole.
    expect(symbolsAround(file, [0n])).toBeUndefined()
  })

  it('of types is no verdict of a plan but BAD_FORMAT', async () => {
    const path = join(folder, 'types.kerndex')
    const copy = Buffer.from(bytes)
    // Types are the larger part of the file, behind the symbols: damage that leaves the symbols alone.
    for (let at = Math.floor(copy.length * 0.6); at < copy.length * 0.9; at += 997) copy[at]! ^= 0x55
    await writeFile(path, copy)
    const kernel = await openKernel({ from: path, threads: 0 }).catch((error: unknown) => error)
    if (kernel instanceof Error) throw kernel
    try {
      const plan = () => (kernel as Awaited<ReturnType<typeof openKernel>>).probes.plan(['fentry:vfs_read'])
      expect(plan).toThrow(expect.objectContaining({ code: 'BAD_FORMAT' }))
    } finally {
      await (kernel as Awaited<ReturnType<typeof openKernel>>).close()
    }
  })

  it('is a cut at every section, and a byte too many', async () => {
    const words = new Uint32Array(small.buffer, small.byteOffset, small.length >>> 2)
    const borders = new Set([4, 8, 16, 20, 24, 40, words[4]!, words[4]! - 8, words[4]! + 8, small.length - 1])
    for (let at = words[4]!; at < small.length; at += 64) borders.add(at)
    for (const length of borders) await refused(small.subarray(0, length))
    await refused(Buffer.concat([small, Buffer.alloc(1)]))
    const path = join(folder, 'cut.kerndex')
    await writeFile(path, bytes)
    await truncate(path, bytes.length - 4096)
    await expect(openKernel({ from: path })).rejects.toMatchObject({ code: 'BAD_FORMAT' })
  })

  it('is another version, and the other byte order', async () => {
    const version = resealed(small, (copy) => copy.writeUInt32LE(copy.readUInt32LE(4) + 1, 4))
    await expect(openBytes(version)).rejects.toBeInstanceOf(UnsupportedError)
    const swapped = Buffer.from(small)
    swapped.subarray(0, swapped.length & ~3).swap32()
    await expect(openBytes(swapped)).rejects.toThrow(/byte order/)
    const olderTable = resealed(small, (copy) => {
      const header = copy.readUInt32LE(16)
      copy.writeUInt32LE(1, header + 4)
    })
    await expect(openBytes(olderTable)).rejects.toBeInstanceOf(UnsupportedError)
  })

  it('is not followed through a symbolic link or a second name where it has to be private', async () => {
    const soft = join(folder, 'soft')
    const hard = join(folder, 'hard')
    await symlink(file, soft)
    await link(file, hard)
    expect(() => new SnapshotReader(soft, () => undefined)).toThrow(KerndexError)
    expect(() => new SnapshotReader(hard, ({ nlink }) => (nlink > 1 ? 'two names' : undefined))).toThrow(/two names/)
    new SnapshotReader(soft).close()
    await rm(hard)
  })
})

describe('a reader of a file', () => {
  const types = { symbols: false, groups: () => true, facts: false }

  it('gives nobody memory that another thread still writes into, whose content could change behind the check', async () => {
    const reader = new SnapshotReader(file)
    const finish = reader.begin(types)
    const now = reader.readNow(types)
    const later = await finish()
    reader.close()
    expect(now.types.map(({ name }) => name)).toEqual(later.types.map(({ name }) => name))
    for (const [i, { blob, index }] of now.types.entries()) {
      expect(later.types[i]!.blob === blob || later.types[i]!.index === index).toBe(false)
      expect(Buffer.from(later.types[i]!.blob).equals(Buffer.from(blob))).toBe(true)
    }
  })

  it('reads what early answers have brought into memory no second time, and into the same memory', () => {
    const reader = new SnapshotReader(file)
    const early = reader.stored()
    expect(early.get('vmlinux', 1)).toEqual(fresh.types.get(1))
    const { types: records } = reader.readNow(types)
    reader.close()
    // Nothing is read from a closed file.
    expect(early.get('vmlinux', 1_000)).toEqual(fresh.types.get(1_000))
    expect(Buffer.from(records[0]!.blob).includes('task_struct')).toBe(true)
  })
})

describe('a hostile file with right checksums', () => {
  /** Whatever is answered, it has to end and may only fail as kerndex does. */
  const tolerate = (ask: () => unknown) => {
    try {
      ask()
    } catch (error) {
      if (!(error instanceof KerndexError)) throw error
    }
  }

  function askSymbols({ symbols }: Kernel): void {
    const addresses = BigUint64Array.from([
      0n,
      3n,
      0xffffffff81000013n,
      0xffffffff81000050n,
      0xffffffffc0000041n,
      0xffffffffffffffffn,
    ])
    tolerate(() => symbols.findMany(addresses))
    for (const address of addresses) {
      tolerate(() => symbols.at(address))
      tolerate(() => symbols.startingAt(address))
      tolerate(() => symbols.reasonFor(address))
    }
    for (const name of ['vfs_read', 'helper', 'mod', '']) tolerate(() => symbols.named(name, { suffixes: true }))
    tolerate(() => [...symbols.matching('*')].map(({ name, size, owner }) => [name, size, owner]))
    tolerate(() => symbols.census())
    tolerate(() => textOf(symbols))
  }

  function askTypes({ types }: Kernel): void {
    for (const name of ['list_head', 'task_struct', 'int']) tolerate(() => types.find(name))
    for (let id = 1; id < 300; id++) tolerate(() => types.get(id))
    tolerate(() => {
      for (const set of types.sets) {
        for (let id = set.firstId; id < Math.min(set.endId, set.firstId + 300); id++) tolerate(() => types.get(id))
      }
    })
    tolerate(() => types.member('task_struct.mm.pgd'))
  }

  const hostile = async (content: Buffer): Promise<boolean> => {
    let kernel: Kernel
    try {
      kernel = await openBytes(content)
    } catch (error) {
      expect(error).toBeInstanceOf(KerndexError)
      return false
    }
    // Before the types are loaded, while they are looked up in the file, and after.
    askSymbols(kernel)
    askTypes(kernel)
    const loaded = kernel.ready().catch((error: unknown) => expect(error).toBeInstanceOf(KerndexError))
    askTypes(kernel)
    await loaded
    askTypes(kernel)
    await kernel.close()
    return true
  }

  it('is answered from without hanging, whatever words of the symbol table it changes', async () => {
    const header = small.readUInt32LE(16)
    let opened = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            at: fc.integer({ min: header >>> 2, max: (small.length >>> 2) - 1 }),
            word: fc.constantFrom(0, 1, 5, 9, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        async (changes) => {
          const content = resealed(small, (copy) => {
            for (const { at, word } of changes) copy.writeUInt32LE(word, at * 4)
          })
          if (await hostile(content)) opened++
        },
      ),
      { numRuns: process.env.KERNDEX_LONG ? 20_000 : 150 },
    )
    // A property that refuses everything would show nothing.
    expect(opened).toBeGreaterThan(10)
  })

  it('is answered from in bounded time where every bucket of names has no end, and every run of owners begins late', async () => {
    const header = small.readUInt32LE(16)
    const section = (name: (typeof SYMBOL_LAYOUT.sections)[number]) => {
      const at = header + (5 + 2 * SYMBOL_LAYOUT.sections.indexOf(name)) * 4
      return { from: header + small.readUInt32LE(at), bytes: small.readUInt32LE(at + 4) }
    }
    const endless = resealed(small, (copy) => {
      const { from, bytes: length } = section('buckets')
      for (let at = 0; at < length; at += 4) copy.writeUInt32LE(at % 8 === 0 ? 0 : 0xffffffff, from + at)
    })
    const kernel = await openBytes(endless)
    const names = Array.from({ length: 2_000 }, (_, i) => `name_${i}`)
    expect(names.flatMap((name) => kernel.symbols.named(name))).toEqual([])
    askSymbols(kernel)
    askTypes(kernel)
    const late = resealed(small, (copy) => copy.writeUInt32LE(5, section('ownerStart').from))
    await refused(late)
    const again = resealed(small, (copy) => copy.writeUInt32LE(0, section('ownerStart').from + 4))
    await refused(again)
    const beyond = resealed(small, (copy) => copy.writeUInt16LE(99, section('ownerOf').from))
    await refused(beyond)
  })

  const long = process.env.KERNDEX_LONG !== undefined
  it.each([
    ['of every kind', () => ({ path: typedFile, content: typed }), long ? 20_000 : 100],
    ['of a kernel', () => ({ path: file, content: bytes }), long ? 1_000 : 2],
  ] as const)('is refused or answered from, whatever it says of types %s', async (_, get, numRuns) => {
    const { path, content } = get()
    const reader = new SnapshotReader(path)
    reader.close()
    const { index, blobs } = reader.plan.groups[0]!
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            inIndex: fc.boolean(),
            share: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
            word: fc.constantFrom(0, 1, 0x0400ffff, 0x7fffffff, 0x80000000, 0xffffffff),
          }),
          { minLength: 1, maxLength: 3 },
        ),
        async (changes) => {
          const changed = resealed(content, (copy) => {
            for (const { inIndex, share, word } of changes) {
              const { offset, length } = inIndex ? index : blobs
              // The heads matter most.
              const at = share < 0.5 ? Math.floor(share * 256) * 4 : Math.floor(share * (length / 4)) * 4
              copy.writeUInt32LE(word, offset + Math.min(at, length - 4))
            }
          })
          await hostile(changed)
        },
      ),
      { numRuns },
    )
  })

  it('is refused where a record of a type does not lie where the index says', async () => {
    for (const [path, content, types] of [
      [typedFile, typed, [0, 1, 20]],
      [file, bytes, [1_000]],
    ] as const) {
      const reader = new SnapshotReader(path)
      reader.close()
      const { index, blobs } = reader.plan.groups[0]!
      const offsetsAt = index.offset + content.readUInt32LE(index.offset + (5 + 2 * 2) * 4)
      for (const type of types) {
        await refused(
          resealed(content, (copy) => copy.writeUInt32LE(content.readUInt32LE(offsetsAt), offsetsAt + type * 4 + 4)),
        )
      }
      const firstType = blobs.offset + content.readUInt32LE(blobs.offset + 4)
      // vlen of the first types: their records would reach far beyond their neighbours.
      for (const info of types.length > 1 ? [0x04ffffff, 0x7f000001] : []) {
        await refused(resealed(content, (copy) => copy.writeUInt32LE(info, firstType + 4)))
      }
    }
  })

  it('is checked in every group, also behind one that describes its own kinds', async () => {
    const path = join(folder, 'layout.kerndex')
    await writeTypes(
      path,
      ['layout', 'all-kinds'].map((name) => oneRecord(name, blob(`synthetic/${name}`))),
    )
    const content = await readFile(path)
    expect((await openTypes({ from: path })).opened).toEqual(['layout', 'all-kinds'])
    const written = new SnapshotReader(path)
    written.close()
    for (const { index } of written.plan.groups) {
      const offsetsAt = index.offset + content.readUInt32LE(index.offset + (5 + 2 * 2) * 4)
      await refused(resealed(content, (copy) => copy.writeUInt32LE(copy.readUInt32LE(offsetsAt), offsetsAt + 4)))
    }
  })

  it('cannot ask for memory that it does not have', async () => {
    const huge = Buffer.from(small)
    huge.writeUInt32LE(0xfffffff8, 16)
    await expect(openBytes(huge)).rejects.toBeInstanceOf(BadFormatError)
    const path = join(folder, 'sparse.kerndex')
    await writeFile(path, small)
    await truncate(path, 2 ** 40)
    await expect(openKernel({ from: path })).rejects.toMatchObject({ code: 'LIMIT' })
  })

  it('is refused where its description is not what it should be', () => {
    const meta = {
      host: fresh.host,
      skipped: fresh.skipped,
      text: { chunkBytes: 4, digests: ['a'] },
      groups: [],
      facts: [{ what: 'version' as const, offset: 0, length: 8 }],
      anchors: [{ name: '_text' as const, address: 0xffffffff81000000n }],
    }
    expect(decodeMeta(encodeMeta(meta))).toEqual(meta)
    const json = JSON.parse(encodeMeta(meta).toString()) as Record<string, unknown>
    const spoilt: unknown[] = [
      [],
      null,
      {},
      { ...json, host: null },
      { ...json, host: { ...fresh.host, modules: 'a -1 0 - Live 0x0\n' } },
      { ...json, host: { ...fresh.host, modules: 'a 1 0 - Live 0x0\na 1\n' } },
      { ...json, groups: [[{ name: 1 }]] },
      { ...json, groups: {} },
      { ...json, facts: [{ what: '../../etc/passwd', offset: 0, length: 1 }] },
      { ...json, facts: [{ what: 'version', offset: 0.5, length: 1 }] },
      { ...json, anchors: undefined },
      { ...json, host: { ...fresh.host, modules: undefined, placement: { missing: [], byName: [1], unplaced: [] } } },
      {
        ...json,
        host: {
          ...fresh.host,
          modules: undefined,
          placement: { missing: [{ name: 'a', why: 'else' }], byName: [], unplaced: [] },
        },
      },
      { ...json, anchors: [['_end', 'ffffffff81000000']] },
      { ...json, anchors: [['_text', '0xffffffff81000000']] },
      { ...json, skipped: { count: 1, lines: [{ line: 1, reason: 'other' }], leftOut: { data: 0, owners: 0 } } },
    ]
    for (const value of spoilt) {
      const text = JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? each.toString(16) : each))
      expect(() => decodeMeta(Buffer.from(text)), text).toThrow(BadFormatError)
    }
    expect(() => decodeMeta(Buffer.from('{'))).toThrow(BadFormatError)
  })
})
