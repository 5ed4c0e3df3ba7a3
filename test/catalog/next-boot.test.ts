// What of an earlier boot's table is certain of the next, on tables made by hand: two boots of which the second's own text tells the truth.
import { describe, expect, it } from 'vitest'
import { moveBoot } from '../../src/catalog/next-boot.ts'
import { symbolsOfEarlier } from '../../src/load/earlier-boot.ts'
import type { ByteReader } from '../../src/sources/reader.ts'
import type { Source } from '../../src/sources/source.ts'
import { type PlacedTable, placeTable } from '../../src/symbols/placed.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { carryOut, Workspace } from '../../src/symbols/workspace.ts'
import { tableOf } from '../symbols/build-table.ts'

/** Where the image begins, and the first module, at each boot. */
const BOOTS = [
  { image: 0xffffffff81000000n, module: 0xffffffffc0000000n },
  { image: 0xffffffff9a000000n, module: 0xffffffffc0340000n },
] as const

/** Lines of kallsyms: places behind a beginning, and what stands there. */
function lines(begin: bigint, symbols: readonly (readonly [number, string])[]): string {
  return symbols.map(([at, rest]) => `${(begin + BigInt(at)).toString(16).padStart(16, '0')} ${rest}\n`).join('')
}

const PER_CPU_END = 0x210000

/** A kernel whose per-cpu variables are addresses of its image: those of modules are listed behind them. */
function core(image: bigint, variables: readonly (readonly [number, string])[] = []): string {
  return (
    lines(image, [
      [0, 'T _text'],
      [0x40, 'T first'],
      [0x1000, 'T second'],
      [0x100000, 'T _etext'],
      [0x200000, 'D __per_cpu_start'],
      [0x200000, 'D cpu_number'],
      [0x20ff00, 'D last_of_core'],
      [PER_CPU_END, 'D __per_cpu_end'],
      [0x300000, 'B __bss_start'],
      [0x300000, 'b counter'],
      [0x400000, 'B __bss_stop'],
      [0x400000, 'B _end'],
    ]) + lines(image, variables)
  )
}

/** A module of 6.4 or newer: text at its base, data elsewhere. */
const module = (base: bigint, data: bigint, name = 'mod') =>
  lines(base, [
    [0, `t ${name}_first\t[${name}]`],
    [0x40, `t ${name}_last\t[${name}]`],
  ]) + lines(data, [[0, `d ${name}_data\t[${name}]`]])

const SIZE = 0x6000
const info = (boot: number, name = 'mod') => ({ name, size: SIZE, state: 'Live', address: BOOTS[boot]!.module })

/** The table of one boot as it is certain of another. */
function moved(before: string, modules: boolean): SymbolTable {
  const listed = (boot: number) => (modules ? [info(boot)] : [])
  const identities = new Map([['mod', { buildId: 'ab'.repeat(20), srcversion: undefined }]])
  const result = moveBoot(
    { table: tableOf(before), modules: listed(0), identities },
    { anchor: { name: '_text', address: BOOTS[1].image }, modules: listed(1), identities },
  )
  return placed(result!.table)
}

function placed(table: PlacedTable): SymbolTable {
  const workspace = Workspace.open()
  try {
    const buffer = carryOut(placeTable(workspace, table), workspace)
    const names = table.lenders.map((lender) => lender.buffer)
    return new SymbolTable(buffer, names)
  } finally {
    workspace.release()
  }
}

const answer = (table: SymbolTable, address: bigint) => {
  const match = table.at(address)
  return match === undefined ? table.reasonFor(address) : `${match.symbol.name}+${match.offset}/${match.size}`
}

describe('memory in which the next boot may have others', () => {
  it("is none of the core's behind its per-cpu variables, where those of modules are listed", () => {
    const variable = PER_CPU_END + 0x80
    const early = moved(core(BOOTS[0].image), false)
    const { image } = BOOTS[1]
    const own = tableOf(core(image, [[variable, 'd mod_counter\t[mod]']]))
    const at = image + BigInt(variable)
    expect(own.at(at)?.candidates.map(({ symbol }) => symbol.name)).toContain('mod_counter')
    for (const address of [at, at + 0x10n, image + BigInt(PER_CPU_END) + 0xfff0n])
      expect(answer(early, address)).toBe('not_loaded_yet')
    // What lies on both sides is certain.
    for (const place of [0x41, 0x1000, 0x20ff08, 0x300000, 0x3fffff]) {
      const address = image + BigInt(place)
      expect(answer(early, address)).toBe(answer(own, address))
      expect(early.at(address)?.symbol.owner).toBe('vmlinux')
    }
  })

  it("is none of a module's behind its last function: how far that reaches depends on what else there is", () => {
    const [before, now] = BOOTS
    const early = moved(core(before.image) + module(before.module, before.module + 0x100000n), true)
    // At the next boot another module's code lies closer behind.
    const own = tableOf(
      core(now.image) +
        module(now.module, now.module + 0x200000n) +
        lines(now.module + 0x1000n, [[0, 't other_first\t[other]']]),
    )
    expect(answer(early, now.module + 4n)).toBe('mod_first+4/64')
    expect(answer(early, now.module + 4n)).toBe(answer(own, now.module + 4n))
    expect(answer(own, now.module + 0x1000n)).toMatch(/^other_first/)
    for (const place of [0x40n, 0x44n, 0x800n, 0x1000n, 0x3000n, 0x100000n])
      expect(answer(early, now.module + place)).toBe('not_loaded_yet')
    expect(early.named('mod_last')).toEqual([])
  })
})

describe('the file of an earlier boot', () => {
  /** A host that tells nothing of what its modules are known by. */
  const source: Source = {
    kind: 'live',
    description: 'a host',
    openSymbols(): ByteReader {
      const text = Buffer.from(core(BOOTS[1].image))
      let at = 0
      return {
        sizeHint: text.length,
        identity: '',
        read: (target) => {
          const count = text.copy(target, 0, at)
          at += count
          return count
        },
        close() {},
      }
    },
    btfFiles: async () => [],
    fact: async (what) => ({ what, reason: 'not there' }),
    factPaths: () => [],
  }
  const host = (boot: number) => ({
    source: 'a host',
    release: '6.1',
    bootId: String(boot),
    buildId: 'ab',
    modules: [info(boot)],
    absences: [],
  })

  it.each([
    ['of its modules nothing, where it is from before their identities were recorded', undefined, ['vmlinux']],
    [
      'modules by their names, where neither boot tells what they are known by',
      { what: 'module_identities', reason: 'not there' },
      ['vmlinux', 'mod'],
    ],
  ])('tells %s', async (_, identities, owners) => {
    const symbols = tableOf(core(BOOTS[0].image) + module(BOOTS[0].module, BOOTS[0].module + 0x100000n)).buffer
    const early = await symbolsOfEarlier(
      { host: host(0), read: async () => ({ symbols, identities }) },
      source,
      host(1),
    )
    const table = new SymbolTable(early!.symbols, early!.names)
    expect(table.owners).toEqual(owners)
    expect(early!.host.placement?.byName ?? []).toEqual(owners.slice(1))
    const address = BOOTS[1].module + 4n
    expect(answer(table, address)).toBe(owners.length > 1 ? 'mod_first+4/64' : 'not_loaded_yet')
  })
})
