// What of an earlier boot's table is certain of the next, on tables made by hand: two boots of which the second's own text tells the truth.
import { describe, expect, it } from 'vitest'
import { coreOf } from '../../src/catalog/boot-core.ts'
import { moveCore } from '../../src/catalog/next-boot.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { drained, tableOf } from '../symbols/build-table.ts'

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

/** The table of one boot as it is certain of another, whose image begins at `image`. */
function moved(before: string, image: bigint = BOOTS[1].image): SymbolTable | undefined {
  const kept = drained(coreOf(tableOf(before)))
  return kept !== undefined && moveCore(kept, { name: '_text', address: image })
    ? new SymbolTable(kept.symbols)
    : undefined
}

const answer = (table: SymbolTable, address: bigint) => {
  const match = table.at(address)
  return match === undefined ? table.reasonFor(address) : `${match.symbol.name}+${match.offset}/${match.size}`
}

describe('memory in which the next boot may have others', () => {
  it("is none of the core's behind its per-cpu variables, where those of modules are listed", () => {
    const variable = PER_CPU_END + 0x80
    const early = moved(core(BOOTS[0].image))!
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

  it('is that of all modules, of which no name is given with its old place', () => {
    const [before, now] = BOOTS
    const module = lines(before.module, [
      [0, 't mod_first\t[mod]'],
      [0x40, 't mod_last\t[mod]'],
    ])
    const early = moved(core(before.image) + module)!
    expect(early.owners).toEqual(['vmlinux'])
    expect(early.named('mod_first')).toEqual([])
    for (const address of [before.module, now.module, now.module + 0x44n])
      expect(answer(early, address)).toBe('not_loaded_yet')
  })

  it('is all of it where the image did not move by whole chunks, or beyond an upper half', () => {
    const [before, now] = BOOTS
    const text = core(before.image)
    expect(moved(text, now.image + 0x8000n)).toBeUndefined()
    expect(moved(text, 0xffffffff_ffe00000n)).toBeUndefined()
    expect(moved(text, 0xffff8000_ffe00000n)).toBeUndefined()
    expect(moved(text, 0x10000n)).toBeUndefined()
    expect(moved(`${text}${lines(before.module, [[0, 'T _text']])}`)).toBeUndefined()
    const [symbol] = moved(text, 0xffff8000_10000000n)!.named('second')
    expect(symbol?.address).toBe(0xffff8000_10001000n)
    // Of 32 bits.
    expect(moved(core(0xc000_0000n), 0xc100_0000n)).toBeUndefined()
  })
})
