// Two boots of kernels whose modules lie in pieces, with modules loaded in unlike order, and some unloaded and loaded again: each predicts
// the other, but for what is named here.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { findSlide } from '../../src/catalog/slide.ts'
import { runStream } from '../../src/events/run.ts'
import { readLayout, writeLayout } from '../../src/load/layout-file.ts'
import { type Catalog, openCatalog } from '../../src/open-catalog.ts'
import { openKernel } from '../../src/open-kernel.ts'
import type { Reader } from '../../src/reader.ts'
import type { HostState } from '../../src/stacks/states.ts'
import type { KernelSymbol } from '../../src/symbols/symbol.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { objects } from '../cli/run.ts'
import { fixtureBytes, fixturePath } from '../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-two-boots-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Boot {
  readonly catalog: Catalog
  readonly layout: string
  readonly own: SymbolTable
}

const boots = new Map<string, Promise<Boot>>()
const bootOf = (kernel: string, name: string): Promise<Boot> => {
  const known = boots.get(`${kernel}/${name}`) ?? readBoot(kernel, name)
  boots.set(`${kernel}/${name}`, known)
  return known
}

/** A capture in the fixtures, as a folder, and its layout. */
async function hostOf(kernel: string, name: string): Promise<{ readonly from: string; readonly layout: string }> {
  const from = join(folder, kernel, name)
  mkdirSync(from, { recursive: true })
  for (const file of readdirSync(fixturePath(`two-boots/${kernel}/${name}`)))
    writeFileSync(join(from, file.replace('.br', '')), fixtureBytes(`two-boots/${kernel}/${name}/${file}`))
  const layout = join(folder, kernel, `${name}.layout`)
  await writeLayout(layout, { from })
  return { from, layout }
}

async function readBoot(kernel: string, name: string): Promise<Boot> {
  const { from, layout } = await hostOf(kernel, name)
  const catalog = await openCatalog({ directory: join(folder, kernel, `${name}.catalog`) })
  expect((await catalog.add(from)).skipped).toEqual([])
  return { catalog, layout, own: (await openKernel({ from, types: false, threads: 0 })).symbols }
}

/** An answer in words, without the per-cpu variables of modules: of what lies at their numbers they are aliases. */
function answer(table: SymbolTable, address: bigint, isPlaced: (symbol: KernelSymbol) => boolean): string {
  const match = table.at(address)
  if (match === undefined) return `none ${table.reasonFor(address)} ${table.ownerAt(address)}`
  const candidates = match.candidates.map(({ symbol, offset }) => `${symbol.name}+${offset} [${symbol.owner}]`)
  return `${match.symbol.name}+${match.offset}/${match.size} ${candidates} ${match.aliases.filter(isPlaced).map(({ name }) => name)}`
}

/** The per-cpu variables of modules in the fixtures, which no section places. */
const KERNELS = { '6.12': 26, '7.3': 20, '6.12-arm64': 11, '6.1-arm64': 0 }
/** Where they are listed: among small numbers, or behind those of the core. */
const [SMALL, RESERVED] = [1n << 40n, 0x2000n]

describe.each(Object.entries(KERNELS))('two boots of %s', (kernel, perCpu) => {
  let both: Record<'a' | 'b', Boot>
  beforeAll(async () => {
    both = { a: await bootOf(kernel, 'a'), b: await bootOf(kernel, 'b') }
  }, 60_000)
  const directions = [
    ['a', 'b'],
    ['b', 'a'],
  ] as const

  it('are unlike: in where the kernel lies, in the order of modules, in how far apart their pieces are', () => {
    const [a, b] = [readLayout(both.a.layout), readLayout(both.b.layout)]
    expect(a.bootId).not.toBe(b.bootId)
    expect(a.anchor.address).not.toBe(b.anchor.address)
    const names = (layout: typeof a) => layout.modules.map(({ name }) => name)
    expect(names(a)).not.toEqual(names(b))
    expect(names(a).sort()).toEqual(names(b).sort())
    const there = new Map(b.modules.map((module) => [module.name, module]))
    const spans = a.modules.filter(({ name, address, sections }) => {
      const other = there.get(name)!
      const last = (low: Uint32Array) => low.reduce((most, one) => Math.max(most, one), 0)
      return (
        last(sections!.low) - Number(address & 0xffff_ffffn) !==
        last(other.sections!.low) - Number(other.address & 0xffff_ffffn)
      )
    })
    expect(spans.length).toBeGreaterThan(4)
  })

  it.each(directions)(
    '%s predicts every symbol of %s, but for the per-cpu variables of modules, which it lists',
    async (known, host) => {
      const { own } = both[host]
      const placed = await both[known].catalog.place(readLayout(both[host].layout))
      const { missing, byName, unplaced } = placed.host.placement!
      expect([missing, byName]).toEqual([[], []])
      const lines = (table: SymbolTable) =>
        Array.from(table, ({ address, type, name, owner }) => ({ address, type, name, owner }))
      // A kernel that lists functions only has none.
      const behind = own.named('__per_cpu_end')[0]?.address ?? 1n << 64n
      const isPlaced = ({ owner, address }: Pick<KernelSymbol, 'owner' | 'address'>) =>
        owner === 'vmlinux' || (address >= SMALL && (address < behind || address >= behind + RESERVED))
      expect(lines(placed.symbols)).toEqual(lines(own).filter(isPlaced))
      const listed = lines(own).filter((line) => !isPlaced(line))
      expect(listed.length).toBe(perCpu)
      const named = (of: readonly { owner: string; name: string }[]) =>
        of.map(({ owner, name }) => `${owner}:${name}`).sort()
      expect(named(unplaced)).toEqual(named(listed))
      const below = seededRandom(11)
      for (let i = 0; i < 5_000; i++) {
        const address = BigInt.asUintN(64, own.addressOf(below(own.size)) + BigInt(below(0x2000) - 0x999))
        const predicted = answer(placed.symbols, address, isPlaced)
        if (predicted !== answer(own, address, isPlaced))
          expect(`${address.toString(16)} ${predicted}`).toBe(answer(own, address, isPlaced))
      }
    },
  )
})

interface Frame {
  readonly address: string
  readonly symbol: string | null
  readonly module: string | null
  readonly reason?: string
  readonly aliases?: readonly string[]
}

/** The frames of a recording. */
async function framesOf(recorded: string, host: Reader, states: readonly HostState[] = []): Promise<Frame[]> {
  const text: string[] = []
  async function* bytes() {
    yield Buffer.from(recorded)
  }
  for await (const answer of runStream(bytes(), host, 'ndjson', { threads: 0, mode: 'raw', states }))
    text.push(Buffer.from(answer.bytes ?? []).toString())
  return (objects(text.join('')) as { kernel_stack: Frame[] }[]).flatMap(({ kernel_stack: stack }) => stack)
}

/** What perf printed of each frame, and the recording without it. */
function recordingOf(name: string) {
  const named = fixtureBytes(`two-boots/${name}/stacks.txt.br`).toString('latin1')
  const words = Array.from(named.matchAll(/^\t([0-9a-f]+) (\S+)/gm), ([, address, word]) => {
    return { address: BigInt(`0x${address}`), name: word! }
  })
  return { named, words, bare: named.replace(/^\t([0-9a-f]+) .*$/gm, '\t$1 ') }
}

/** The frames that are named otherwise than perf named them. */
const otherNames = (found: readonly Frame[], words: readonly { address: bigint; name: string }[]) =>
  words.filter(({ address, name }, i) => {
    const { symbol, aliases = [], address: own } = found[i]!
    return BigInt(own) !== address || ![symbol, ...aliases].includes(name)
  })

describe('a recording of one boot, and the builds of another', () => {
  const { named, words, bare } = recordingOf('6.12/a')
  let a: Boot
  let b: Boot
  beforeAll(async () => {
    ;[a, b] = [await bootOf('6.12', 'a'), await bootOf('6.12', 'b')]
  }, 60_000)

  it('are named as perf named them there, with what perf.data tells of where all lay', async () => {
    const layout = join(folder, 'recorded.layout')
    await writeLayout(layout, { from: join(folder, '6.12/a/perf.data') })
    expect(readLayout(layout)).toMatchObject({
      buildId: readLayout(a.layout).buildId,
      anchor: readLayout(a.layout).anchor,
    })
    const found = await framesOf(bare, await b.catalog.place(readLayout(layout)))
    expect(found.length).toBe(words.length)
    expect(otherNames(found, words)).toEqual([])
    // A recording does not tell where a module's text ends: its last function may end a page earlier, but never later.
    const placed = (await b.catalog.place(readLayout(layout))).symbols
    let others = 0
    for (const { address, owner } of placed) {
      if (owner === 'vmlinux') continue
      const [size, own] = [placed, a.own].map((table) => table.at(address)?.size)
      if (size !== own) others++
      expect(size).toBeLessThanOrEqual(own!)
    }
    expect([others > 0, others < 20]).toEqual([true, true])
    const short = (frames: typeof found) => frames.map(({ address, symbol, module }) => ({ address, symbol, module }))
    expect(short(await framesOf(bare, await b.catalog.place(readLayout(a.layout))))).toEqual(short(found))
  })

  it('tell by themselves where that kernel lay', async () => {
    const { buildId, anchor } = readLayout(a.layout)
    const build = (await b.catalog.build(buildId))!
    const outermost = named
      .trim()
      .split('\n\n')
      .map((stack) => BigInt(`0x${/\t([0-9a-f]+) [^\n]*$/.exec(stack)![1]}`))
    const { text, share, runnerUp } = findSlide(build, outermost)
    expect(text).toBe(anchor.address)
    expect([share > 0.9, runnerUp < 0.1]).toEqual([true, true])
    const below = seededRandom(12)
    const draw = () =>
      findSlide(
        build,
        Array.from({ length: 20 }, () => outermost[below(outermost.length)]!),
      ).text
    expect(new Set(Array.from({ length: 50 }, draw))).toEqual(new Set([anchor.address]))
  })
})

describe('a trace with names, of another boot of an arm64 whose firmware placed it', () => {
  it('is moved by what its names say, a distance that is no multiple of 2 MiB', async () => {
    const [a, b] = [await bootOf('6.12-arm64', 'a'), await bootOf('6.12-arm64', 'b')]
    const distance = readLayout(a.layout).anchor.address - readLayout(b.layout).anchor.address
    expect(distance % 0x20_0000n).not.toBe(0n)
    const functions = ['vfs_read', 'kthread', '__primary_switched', 'el0t_64_sync'].map((name) => b.own.named(name)[0]!)
    const stack = functions.map(({ name, address }) => `\t${(address + 4n).toString(16)} ${name} ([kernel.kallsyms])\n`)
    const trace = `proc 1 [000] 1.000000: 1 cycles: \n${stack.join('')}\t${(functions[0]!.address + 8n).toString(16)} \n\n`
    const found = await framesOf(trace, await a.catalog.place(readLayout(a.layout)))
    expect(found.map(({ symbol, reason, address }) => [symbol, reason, BigInt(address) - distance])).toEqual([
      ...functions.map(({ name, address }) => [name, undefined, address + 4n]),
      ['vfs_read', undefined, functions[0]!.address + 8n],
    ])
  })
})

describe('a recording of a boot on which modules moved', () => {
  it("is named as perf named each part with that time's kallsyms, by the builds of another boot and two layouts", async () => {
    const [a, b, later] = [await bootOf('7.3', 'a'), await bootOf('7.3', 'b'), await hostOf('7.3', 'later')]
    const layouts = [readLayout(b.layout), readLayout(later.layout)]
    const places = layouts.map(({ modules }) => modules.find(({ name }) => name === 'ext4')!.address)
    expect(places[0]).not.toBe(places[1])
    const history = await a.catalog.placeAll(layouts)
    const [first, second] = history.states.map(({ host }) => host)
    const { words, bare } = recordingOf('7.3/b')
    const found = await framesOf(bare, first!, history.tables)
    expect(otherNames(found, words).filter(({ name }) => name !== '[unknown]')).toEqual([])
    const ofExt4 = (frames: readonly Frame[]) => frames.filter(({ module }) => module === 'ext4').length
    const named = (frames: readonly Frame[]) =>
      frames.filter(({ module, symbol }) => module === 'ext4' && symbol !== null).length
    expect(named(found)).toBe(ofExt4(found))
    // One of them alone does not know, or knows another, what lay there at the other time.
    for (const one of [first!, second!]) expect(otherNames(await framesOf(bare, one), words).length).toBeGreaterThan(50)
    const early = await framesOf(bare.replace(/ \d+\.\d+: /g, ' 1.000000: '), first!, history.tables)
    const stale = early.filter(({ reason, module }) => reason === 'stale_layout' && module === 'ext4')
    expect(stale.length).toBeGreaterThan(50)
  })
})
