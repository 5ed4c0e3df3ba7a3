import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseModules } from '../../src/sources/facts.ts'
import { parseModuleSections } from '../../src/sources/module-sections.ts'
import type { ModuleMemory } from '../../src/symbols/memory-range.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { fixtureBytes } from '../fixtures.ts'
import { same } from '../same.ts'
import { tableOf } from './build-table.ts'
import { type MadeKernel, madeKernel } from './kernels.ts'
import { Model, type PlainRegion, regionsIn } from './model.ts'
import { inOrder, readPlainly } from './plain-table.ts'
import { type PlainModule, regionsByTheBook } from './regions-model.ts'

const LONG = Boolean(process.env.KERNDEX_LONG)

const named = (table: SymbolTable, address: bigint) => {
  const match = table.at(address)
  return (
    match && `${match.symbol.name}+0x${match.offset.toString(16)}/0x${match.size.toString(16)} [${match.symbol.owner}]`
  )
}

const plainModules = (modules: readonly ModuleMemory[]): PlainModule[] =>
  modules.map(({ sections, ...module }) => ({
    ...module,
    sections:
      sections &&
      Array.from(sections.low, (low, i) => ({
        name: sections.names[sections.name[i]!]!,
        address: (BigInt(sections.high[i]!) << 32n) | BigInt(low),
      })),
  }))

/** What may be known of a kernel's modules beside its symbols. */
const KNOWLEDGE = {
  nothing: () => [],
  ranges: ({ modules }) => modules.map(({ sections: _, ...module }) => module),
  sections: ({ modules }) => modules.map((module) => ({ ...module, start: 0n, end: 0n })),
  both: ({ modules }) => modules,
  some: ({ modules }) => modules.map(({ sections, ...module }, i) => (i % 2 === 0 ? { ...module, sections } : module)),
} satisfies Record<string, (kernel: MadeKernel) => ModuleMemory[] | readonly ModuleMemory[]>

const knowledge = fc.constantFrom(...(Object.keys(KNOWLEDGE) as (keyof typeof KNOWLEDGE)[]))
const shown = (regions: readonly PlainRegion[]) =>
  regions.map(({ start, end, owner }) => `${start.toString(16)}-${end.toString(16)} ${owner}`)

describe('whose memory an address is in', () => {
  it('is never told by a range that other symbols contradict', () => {
    const text = [
      ...[0n, 1n, 2n, 3n, 4n].map((i) => `${(0xffffffffc0990000n + i * 0x100n).toString(16)} t jfs_${i}\t[jfs]`),
      'ffffffffc09bf000 t lockd_a\t[lockd]',
      'ffffffffc09bf100 t lockd_b\t[lockd]',
      'ffffffffc09bf200 t lockd_c\t[lockd]',
      'ffffffffc1715000 r lockd_r\t[lockd]',
      'ffffffffc1715100 r lockd_s\t[lockd]',
    ].join('\n')
    const ranges = [
      { owner: 'jfs', start: 0xffffffffc0990000n, end: 0xffffffffc0990000n + 319488n },
      { owner: 'lockd', start: 0xffffffffc09bf000n, end: 0xffffffffc09bf000n + 163840n },
    ]
    expect(named(tableOf(text, { ranges }), 0xffffffffc09bf110n)).toBe('lockd_b+0x10/0x100 [lockd]')
  })

  it.each(['tidy', 'with holes'])('follows the book in kernels that are made up, %s', (how) => {
    fc.assert(
      fc.property(madeKernel(how === 'tidy'), knowledge, (kernel, known) => {
        const ranges = KNOWLEDGE[known](kernel)
        const table = tableOf(kernel.text, { ranges })
        const symbols = inOrder(readPlainly(Buffer.from(kernel.text)).symbols)
        const book = regionsByTheBook(symbols, plainModules(ranges))
        expect(shown(regionsIn(table.buffer, table.owners)), kernel.text).toEqual(shown(book))
        const model = new Model(Buffer.from(kernel.text), book)
        const asked = new Set(symbols.flatMap(({ address }) => [address - 1n, address, address + 9n]))
        for (const { start, end } of [...kernel.memory, ...book])
          for (const at of [start, end]) asked.add(at).add(at - 1n)
        for (const address of asked) {
          const match = table.at(address)
          const answer = match && { id: match.symbol.id, offset: BigInt(match.offset), size: BigInt(match.size) }
          const { candidates: _, ...expected } = model.at(address) ?? { candidates: [] }
          same(answer ?? {}, expected, () => address.toString(16))
        }
      }),
      { numRuns: LONG ? 2000 : 120 },
    )
  })

  it('is the truth in whole pieces where sections are known', () => {
    fc.assert(
      fc.property(madeKernel(true), (kernel) => {
        const table = tableOf(kernel.text, { ranges: kernel.modules })
        for (const { owner, start, end } of kernel.memory) {
          for (const address of [start, end - 1n]) same(table.ownerAt(address), owner, () => address.toString(16))
          // Behind a module's memory is another's, or nothing's.
          const isOwn = kernel.memory.some((other) => other.owner === owner && other.start === end)
          if (!isOwn) expect(table.ownerAt(end), end.toString(16)).not.toBe(owner)
        }
      }),
      { numRuns: LONG ? 2000 : 120 },
    )
  })

  it('is never another module’s, whatever is known', () => {
    fc.assert(
      fc.property(madeKernel(false), knowledge, (kernel, known) => {
        const table = tableOf(kernel.text, { ranges: KNOWLEDGE[known](kernel) })
        const all = readPlainly(Buffer.from(kernel.text)).symbols
        for (const { owner, name, address } of all) {
          if (owner === 'vmlinux' || name === 'setup') continue
          const page = address - (address % 4096n)
          const voices = (who: (other: string) => boolean) =>
            all.filter((other) => who(other.owner) && other.address - (other.address % 4096n) === page).length
          // What is left of another's initialisation may outnumber the symbols of a page, where nothing else is known.
          if (voices((other) => other !== owner) >= voices((other) => other === owner)) continue
          same(table.at(address)?.symbol.owner, owner, () => `${address.toString(16)} in\n${kernel.text}`)
        }
      }),
      { numRuns: LONG ? 2000 : 120 },
    )
  })
})

describe('a kernel whose modules are in pieces', () => {
  const file = (name: string) => fixtureBytes(`debian-7.3-amd64/${name}.br`)
  const text = file('kallsyms')
  const modules = parseModules(file('modules'))
  const sections = parseModuleSections(file('module_sections'))
  const ranges = modules.map(({ name, address, size }) => ({
    owner: name,
    start: address,
    end: address + BigInt(size),
    sections: sections.get(name),
  }))
  const known = {
    'symbols alone': [],
    '/proc/modules': ranges.map(({ sections: _, ...range }) => range),
    sections: ranges,
  }

  it.each(Object.entries(known))('gives every site that ftrace lists to its module, by %s', (_, facts) => {
    const table = tableOf(text, { ranges: facts })
    const sites = file('available_filter_functions_addrs').toString('latin1').trimEnd().split('\n')
    expect(sites.length).toBe(1534)
    for (const site of sites) {
      const [, address, name, owner] = /^([0-9a-f]+) (\S+) \[(.+)\]$/.exec(site)!
      const match = table.at(BigInt(`0x${address}`))
      const names = [match?.symbol, ...(match?.aliases ?? [])].map((symbol) => symbol?.name)
      same(match?.symbol.owner, owner, () => site)
      expect(names, site).toContain(name)
    }
  })

  it('gives each module as many pages as /proc/modules does, where sections are known', () => {
    const table = tableOf(text, { ranges })
    const regions = regionsIn(table.buffer, table.owners)
    for (const { name, size } of modules) {
      const own = regions.filter(({ owner }) => owner === name)
      expect(Number(own.reduce((sum, { start, end }) => sum + end - start, 0n)), name).toBe(size)
    }
  })

  it('takes data that is printed as text for data', () => {
    const table = tableOf(text)
    for (const name of ['init_stack', 'modules']) {
      const [symbol] = table.named(name, { owner: 'vmlinux' })
      expect(table.isText(symbol!.id), name).toBe(false)
    }
    expect(table.isText(table.named('vfs_read')[0]!.id)).toBe(true)
  })
})

it('is nobody’s behind the page in which a section of the kernel ends, by the names of what stands at its end', () => {
  // So few names that each is the first of its part of the heap.
  const lines = [
    'ffffffff81000000 T _stext',
    'ffffffff81001800 T _etext',
    'ffffffff81001800 T __stop_table',
    'ffffffff81400000 D state',
    'ffffffff81500000 D _end',
  ]
  const { buffer, owners } = tableOf(Buffer.from(`${lines.join('\n')}\n`))
  expect(shown(regionsIn(buffer, owners))).toEqual([
    'ffffffff81000000-ffffffff81002000 vmlinux',
    'ffffffff81400000-ffffffff81500000 vmlinux',
  ])
})

describe('the core kernel’s image', () => {
  const MARKERS = [
    ...['_stext', '_text', '_etext', '__start_rodata', '__end_rodata', '_sdata', '_edata', '_sinittext', '_einittext'],
    ...['__init_begin', '__init_end', '__bss_start', '__bss_stop', '__brk_limit', '_end', '__start_BTF', '__stop_BTF'],
  ]
  /** Some symbols, some of them markers, at distances that are often more than an offset may be. */
  const image = fc
    .array(
      fc.record({
        name: fc.constantFrom(...MARKERS, 'a', 'b', '__stop_else', 'any_end', '$x', ...MARKERS),
        pages: fc.oneof(fc.constantFrom(0, 1, 255, 256, 257), fc.integer({ min: 0, max: 900 })),
        bytes: fc.constantFrom(0, 0, 8),
        owner: fc.constantFrom('', '', '', '', '\t[m]'),
      }),
      { minLength: 2, maxLength: 16 },
    )
    .map((symbols) => {
      let at = 0xffff_ffff_8100_0000n
      return symbols.map(({ name, pages, bytes, owner }) => {
        at += BigInt(pages * 4096 + bytes)
        return `${at.toString(16)} t ${name}${owner}\n`
      })
    })

  const MODULES_STOP = ['000000 t __start_BTF', '100008 t b', '100008 t __stop_BTF\t[m]', '100008 t __init_end'].map(
    (line) => `ffffffff81${line}\n`,
  )

  it('follows the book wherever its sections are', () => {
    fc.assert(
      fc.property(image, (lines) => {
        const text = Buffer.from(lines.join(''))
        const table = tableOf(text)
        const symbols = inOrder(readPlainly(text).symbols)
        const book = regionsByTheBook(symbols, [])
        expect(shown(regionsIn(table.buffer, table.owners)), lines.join('')).toEqual(shown(book))
        const model = new Model(text, book)
        const near = [-1n, 0n, 9n, (1n << 20n) - 1n, 1n << 20n]
        const asked = symbols.flatMap(({ address }) => near.map((offset) => address + offset))
        const { ids } = table.findMany(BigUint64Array.from(asked))
        asked.forEach((address, i) => {
          const match = table.at(address)
          const answer = match && { id: match.symbol.id, offset: BigInt(match.offset), size: BigInt(match.size) }
          const { candidates: _, ...expected } = model.at(address) ?? { candidates: [] }
          expect(answer ?? {}, `${address.toString(16)} of\n${lines.join('')}`).toEqual(expected)
          expect(ids[i], address.toString(16)).toBe(answer?.id ?? 0xffffffff)
        })
      }),
      // A module's name where the core has a symbol, which 20,000 runs found once.
      { numRuns: LONG ? 5000 : 500, examples: [[MODULES_STOP]] },
    )
  })

  it('reaches as far as what begins and ends by name, and 1 MiB behind any other symbol', () => {
    const lines = [
      'ffffffff81000000 T _stext',
      'ffffffff81000010 T padded',
      'ffffffff81400000 T aligned',
      'ffffffff81500800 T _etext',
      'ffffffff81800000 D __start_rodata',
      'ffffffff81800010 R alone',
      'ffffffff81c00000 R __start_BTF',
      'ffffffff82200000 R __stop_BTF',
      'ffffffff82800000 D _end',
    ]
    const table = tableOf(Buffer.from(`${lines.join('\n')}\n`))
    const named = (address: bigint) => table.at(address)?.symbol.name
    expect(named(0xffffffff813fffffn)).toBe('padded')
    expect(named(0xffffffff81500fffn)).toBe('_etext')
    expect(named(0xffffffff81501000n)).toBe(undefined)
    expect(named(0xffffffff8190000fn)).toBe('alone')
    expect(named(0xffffffff81900010n)).toBe(undefined)
    expect(table.reasonFor(0xffffffff81900010n)).toBe('gap')
    expect(named(0xffffffff821fffffn)).toBe('__start_BTF')
    expect(named(0xffffffff822fffffn)).toBe('__stop_BTF')
    expect(named(0xffffffff82300000n)).toBe(undefined)
    // As large as the kernel prints it.
    expect(table.at(0xffffffff81800010n)?.size).toBe(0x3ffff0)
  })
})
