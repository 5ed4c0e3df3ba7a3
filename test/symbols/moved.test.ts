// Tables of moved symbols take over their lenders' marks. Where a mark is missing, an answer is given at first glance that a second look
// would not give: so each table is compared with itself with every symbol marked.
import { expect, it } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { SPECIAL } from '../../src/symbols/kinds.ts'
import { openSymbolColumns } from '../../src/symbols/layout.ts'
import type { ModuleMemory } from '../../src/symbols/memory-range.ts'
import { CELL_UNSURE } from '../../src/symbols/pages.ts'
import { type PlacedPiece, placeTable } from '../../src/symbols/placed.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { carryOut, Workspace } from '../../src/symbols/workspace.ts'
import { tableOf } from './build-table.ts'

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
function doubted(buffer: SharedArrayBuffer, names: readonly SharedArrayBuffer[]): SymbolTable {
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

it('no answer of a moved table changes at a second look', () => {
  let asked = 0
  for (let round = 0; round < 150; round++) {
    const all = owners()
    const lender = tableOf(textOf(all), { ranges: all.flatMap(({ name }, number) => memory(name, number)) })
    const names = ['vmlinux', ...all.slice(1).map(({ name }) => name)]
    const numbers = new Map(names.map((name, number) => [name, number]))
    const moved = pieces(lender, numbers)
    if (moved.length === 0) continue
    const workspace = Workspace.open()
    const ranges = all.flatMap(({ name }, number) => memory(name, number))
    const given = { lenders: [lender], pieces: moved, owners: names, ranges }
    const buffer = carryOut(placeTable(workspace, given), workspace)
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
