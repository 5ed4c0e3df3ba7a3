// Tables of moved symbols take over the marks of those that they are made of. Where a mark is missing, an answer is given at first glance that a second look
// would not give: so each table is compared with itself with every symbol marked.
import { expect, it } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { coreOf } from '../../src/catalog/boot-core.ts'
import { moveCore } from '../../src/catalog/next-boot.ts'
import { SPECIAL, TYPE_MASK } from '../../src/symbols/kinds.ts'
import { COUNTS, openSymbolColumns, type SymbolColumns } from '../../src/symbols/layout.ts'
import { areSoundClaims, lentClaims } from '../../src/symbols/lent-claims.ts'
import type { ModuleMemory } from '../../src/symbols/memory-range.ts'
import { CELL_UNSURE } from '../../src/symbols/pages.ts'
import { type PlacedPiece, placeTable } from '../../src/symbols/placed.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { carryOut, Workspace } from '../../src/symbols/workspace.ts'
import { build, drained, tableOf } from './build-table.ts'

const random = seededRandom(20)
const IMAGE = 0xffff_ffff_8100_0000n
const MODULES = 0xffff_ffff_c000_0000n
const TYPES = ['t', 'T', 'd', 'r', 'W', 'b']
/** Labels never answer, and lead back to a name. */
const NAMES = ['f', 'g', '__pfx_f', '$x', '.Ltmp', 'h']

interface Owner {
  readonly name: string
  readonly places: readonly number[]
}

/** Modules of a few pages, and the core. */
function owners(): Owner[] {
  return Array.from({ length: 1 + random(5) }, (_, number) => ({
    name: number === 0 ? '' : `m${number}`,
    places: Array.from({ length: 1 + random(12) }, () => random(0x3000) & ~(random(2) === 0 ? 0xff : 0)).sort(
      (a, b) => a - b,
    ),
  }))
}

const begin = (number: number) => (number === 0 ? IMAGE : MODULES + BigInt(number) * 0x10000n)

function textOf(all: readonly Owner[]): string {
  return all
    .flatMap(({ name, places }, number) =>
      places.map((at) => {
        const address = (begin(number) + BigInt(at)).toString(16)
        const suffix = name === '' ? '' : `\t[${name}]`
        return `${address} ${TYPES[random(TYPES.length)]} ${NAMES[random(NAMES.length)]}${random(9)}${suffix}\n`
      }),
    )
    .join('')
}

/** A piece for each stretch of ids of one owner, moved by pages or less; modules may come to overlap. */
function pieces(table: SymbolTable, numbers: ReadonlyMap<string, number>): PlacedPiece[] {
  const distances = Array.from(numbers, () => BigInt(random(6) * 0x1000 - 0x3000 + (random(6) === 0 ? random(64) : 0)))
  const found: { -readonly [K in keyof PlacedPiece]: PlacedPiece[K] }[] = []
  for (let id = 0; id < table.size; id++) {
    const owner = numbers.get(table.ownerOf(id))!
    const last = found[found.length - 1]
    if (last?.owner === owner && random(20) > 0) last.to = id + 1
    else {
      const shift = BigInt.asUintN(64, owner === 0 ? 0x400000n : distances[owner]!)
      found.push({
        lender: 0,
        from: id,
        to: id + 1,
        high: Number(shift >> 32n),
        low: Number(shift & 0xffff_ffffn),
        owner,
      })
    }
  }
  return found.filter(() => random(12) > 0)
}

function memory(name: string, number: number): ModuleMemory[] {
  if (number === 0 || random(3) === 0) return []
  const start = begin(number) + BigInt((random(4) - 2) * 0x1000)
  return [{ owner: name, start, end: start + BigInt(random(5) * 0x1000), sections: undefined, loading: false }]
}

/** The same table, of which nothing is taken at first glance. */
function doubted(buffer: SharedArrayBuffer, names?: readonly SharedArrayBuffer[]): SymbolTable {
  const copy = new SharedArrayBuffer(buffer.byteLength)
  new Uint8Array(copy).set(new Uint8Array(buffer))
  const { kind, cells } = openSymbolColumns(copy)
  for (let id = 0; id < kind.length; id++) kind[id]! |= SPECIAL
  for (let i = 0; i < cells.length; i++) if (i % 129 < 128) cells[i]! |= CELL_UNSURE
  return new SymbolTable(copy, names)
}

const answer = (table: SymbolTable, address: bigint) => {
  const match = table.at(address)
  if (match === undefined) return table.reasonFor(address)
  return [
    match.symbol.id,
    match.size,
    match.candidates.map(({ symbol }) => symbol.id),
    match.aliases.map(({ id }) => id),
  ]
}

it('no answer of a moved table changes at a second look, and claims that are lent change none of its bytes', () => {
  let asked = 0
  for (let round = 0; round < 150; round++) {
    const all = owners()
    const built = build(textOf(all), { ranges: all.flatMap(({ name }, number) => memory(name, number)) })
    const lender = new SymbolTable(built.buffer)
    const names = ['vmlinux', ...all.slice(1).map(({ name }) => name)]
    const numbers = new Map(names.map((name, number) => [name, number]))
    const moved = pieces(lender, numbers)
    if (moved.length === 0) continue
    const workspace = Workspace.open()
    const ranges = all.flatMap(({ name }, number) => memory(name, number))
    const given = { lenders: [lender], pieces: moved, owners: names, ranges }
    const buffer = carryOut(placeTable(workspace, given), workspace)
    const claims = lentClaims(lender, built.remembered.regions?.groups ?? [])
    expect(areSoundClaims(claims, openSymbolColumns(built.buffer))).toBe(true)
    const lent = carryOut(placeTable(workspace, { ...given, claims: [claims] }), workspace)
    expect(Buffer.from(new Uint8Array(lent)).equals(Buffer.from(new Uint8Array(buffer)))).toBe(true)
    workspace.release()
    const table = new SymbolTable(buffer, [lender.buffer])
    const slow = doubted(buffer, [lender.buffer])
    for (let id = 0; id < table.size; id++) {
      for (const offset of [0n, 1n, BigInt(random(0x1800))]) {
        const address = table.addressOf(id) + offset
        expect(answer(table, address)).toEqual(answer(slow, address))
        const bulk = table.findMany(BigUint64Array.of(address))
        expect(bulk).toEqual(slow.findMany(BigUint64Array.of(address)))
        asked++
      }
    }
  }
  expect(asked).toBeGreaterThan(4_000)
})

it('pages that come to follow another piece of their module are claimed with that', () => {
  const module = '\t[m1]'
  const built = build(
    linesAt(IMAGE, [0, 8], 'T') +
      linesAt(MODULES, [0x1000, 0x1010], 't', module) +
      // What is weak may be any kind of memory.
      linesAt(MODULES, [0x8000], 'W', module) +
      linesAt(MODULES, [0x9000], 'd', module),
  )
  const lender = new SymbolTable(built.buffer)
  const claims = lentClaims(lender, built.remembered.regions?.groups ?? [])
  const piece = (from: number, to: number, distance: number, owner: number): PlacedPiece => {
    const shift = BigInt.asUintN(64, BigInt(distance))
    return { lender: 0, from, to, high: Number(shift >> 32n), low: Number(shift & 0xffff_ffffn), owner }
  }
  const modules = lender.lowerBound(MODULES).id
  const isFirst = modules === 0
  const pieces = [
    piece(isFirst ? 4 : 0, isFirst ? 6 : 2, 0, 0),
    piece(modules, modules + 2, 0, 1),
    piece(modules + 2, modules + 4, -0x6000, 1),
  ]
  const workspace = Workspace.open()
  const given = { lenders: [lender], pieces, owners: ['vmlinux', 'm1'], ranges: [] }
  const found = carryOut(placeTable(workspace, given), workspace)
  const lent = carryOut(placeTable(workspace, { ...given, claims: [claims] }), workspace)
  workspace.release()
  expect(Buffer.from(new Uint8Array(lent)).equals(Buffer.from(new Uint8Array(found)))).toBe(true)
  expect(new SymbolTable(lent, [lender.buffer]).at(MODULES + 0x2fffn)?.symbol.type).toBe('W')
})

/** Lines at places behind a beginning. */
const linesAt = (begin: bigint, places: readonly number[], type: string, suffix = '') =>
  places
    .map((at) => `${(begin + BigInt(at)).toString(16)} ${type} ${NAMES[random(NAMES.length)]}${random(99)}${suffix}\n`)
    .join('')

/** A kernel with so many symbols that their pages are indexed, and others' symbols among them and behind its per-cpu variables. */
function kernel(): string {
  const places = (count: number, below: number) =>
    Array.from({ length: count }, () => random(below) & ~(random(3) === 0 ? 0xff : 0))
  const spread = [0x8000, 0x30000, 0x60000][random(3)]!
  const perCpu = random(spread)
  const hasPerCpu = random(2) === 0
  const gap = random(2) * 0x18000
  const own = places(100 + random(1500), spread).filter((at) => at <= perCpu || at > perCpu + gap)
  const others =
    linesAt(IMAGE, places(random(4), spread), 'd', '\t[m1]') + linesAt(0n, places(random(3), 0x1000), 'a', '\t[m1]')
  return [
    linesAt(0n, places(random(60), 0x1000), 'A'),
    `${IMAGE.toString(16)} T _text\n${IMAGE.toString(16)} T _stext\n`,
    `${(IMAGE + BigInt(random(spread))).toString(16)} T _etext\n`,
    linesAt(IMAGE, own, TYPES[random(TYPES.length)]!),
    hasPerCpu ? `${(IMAGE + BigInt(perCpu)).toString(16)} D __per_cpu_end\n` : '',
    `${(IMAGE + BigInt(spread)).toString(16)} B _end\n`,
    random(2) === 0 ? '' : others,
    linesAt(MODULES, places(random(300), 0x8000), 't', '\t[m2]'),
  ].join('')
}

/** Each symbol has its name, and each name its symbols, in the order of the text. */
function expectNames(table: SymbolTable, whole: SymbolTable): void {
  const kept = [...whole].filter(({ owner }) => owner === 'vmlinux')
  const names = [...table].map(({ name }) => name)
  expect(names).toEqual(kept.map(({ name }) => name))
  const here = new Map(kept.map(({ id }, i) => [id, i]))
  // Every repeated name is many symbols'.
  for (const name of new Set([...names.filter((_, i) => i % 8 === 0), 'f', 'never'])) {
    const wanted = whole.named(name, { owner: 'vmlinux' }).map(({ id }) => here.get(id))
    expect(table.named(name).map(({ id }) => id)).toEqual(wanted)
  }
  expect(table.distinct.names).toBe(new Set(names).size)
}

/** All but names, which a placed table borrows, and what depends on marks. */
function places(columns: SymbolColumns) {
  const { groups, directory, chunks, low, ownerStart, ownerOf, owners, regions, holes, counts } = columns
  const { symbols, distinctAddresses, lines, text } = COUNTS
  const told = [symbols, distinctAddresses, lines, text, text + 1, text + 2, text + 3].map((word) => counts[word])
  return { groups, directory, chunks, low, ownerStart, ownerOf, owners, regions, holes, told }
}

it('a core that is moved to another boot is as one whose symbols were placed, and has its names', () => {
  let indexed = 0
  for (let round = 0; round < 40; round++) {
    const lender = tableOf(kernel())
    const slide = BigInt(random(60) - 30) * 0x10000n
    const core = drained(coreOf(lender))!
    expect(moveCore(core, { name: '_text', address: IMAGE + slide })).toBe(true)
    const buffer = core.symbols
    const table = new SymbolTable(buffer)
    const columns = openSymbolColumns(buffer)
    const pieces: PlacedPiece[] = []
    for (const { id, owner, address } of lender) {
      if (owner !== 'vmlinux') continue
      const shift = BigInt.asUintN(64, address < 0x1_0000_0000n ? 0n : slide)
      pieces.push({
        lender: 0,
        from: id,
        to: id + 1,
        high: Number(shift >> 32n),
        low: Number(shift & 0xffff_ffffn),
        owner: 0,
      })
    }
    const workspace = Workspace.open()
    const given = {
      lenders: [lender],
      pieces,
      owners: ['vmlinux'],
      ranges: [],
      regions: columns.regions,
      holes: new Map([[0, columns.holes[0]!]]),
    }
    const placed = openSymbolColumns(carryOut(placeTable(workspace, given), workspace))
    workspace.release()
    const { kind, cells } = columns
    expect(places(columns)).toEqual(places(placed))
    expectNames(table, lender)
    expect(Buffer.from(kind.map((each) => each & TYPE_MASK))).toEqual(
      Buffer.from(placed.kind.map((each) => each & TYPE_MASK)),
    )
    const counted = (each: Uint16Array) => Array.from(each, (entry) => entry & ~CELL_UNSURE).join()
    expect(counted(cells)).toBe(counted(placed.cells))
    indexed += cells.length > 0 ? 1 : 0

    const slow = doubted(buffer)
    const asked = BigUint64Array.from(
      [...table].flatMap(({ address }) =>
        [0n, 1n, BigInt(random(0x900)), BigInt(-random(0x900))].map((by) => BigInt.asUintN(64, address + by)),
      ),
    )
    const answers = (of: SymbolTable) => Array.from(asked, (address) => JSON.stringify(answer(of, address))).join('\n')
    expect(answers(table)).toBe(answers(slow))
    expect(table.findMany(asked)).toEqual(slow.findMany(asked))
    for (let i = asked.length - 1; i > 0; i--) {
      const other = random(i + 1)
      ;[asked[i], asked[other]] = [asked[other]!, asked[i]!]
    }
    expect(table.findMany(asked)).toEqual(slow.findMany(asked))
  }
  expect(indexed).toBeGreaterThan(20)
})
