// Which functions ftrace can hook: a real list against counting its lines, and made-up ones against what was traceable.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { atOnce } from '../../src/core/steps.ts'
import { FilterFunctions } from '../../src/probes/filter-functions.ts'
import { FilterSites } from '../../src/probes/filter-sites.ts'
import { TraceableByName, TraceableBySite, type TraceableFunctions } from '../../src/probes/traceable.ts'
import type { KernelSymbol } from '../../src/symbols/symbol.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { tableOf } from '../symbols/build-table.ts'
import { DEBIAN, plainLines } from './fixtures.ts'

const byNames = (symbols: SymbolTable, text: string) =>
  new TraceableByName(symbols, atOnce(FilterFunctions.reading(Buffer.from(text, 'utf8'))), (name, owner) =>
    symbols
      .named(name, { owner })
      .filter(({ type }) => /[tTwW]/.test(type))
      .map(({ id }) => id),
  )
const said = (traceable: TraceableFunctions, { id, name, owner }: KernelSymbol) => traceable.of({ id, name, owner })

describe('the list of Debian 6.1', () => {
  const table = tableOf(DEBIAN.kallsyms)
  const traceable = byNames(table, DEBIAN.filter)
  const listed = new Map<string, number>()
  for (const line of DEBIAN.filter.split('\n')) listed.set(line, (listed.get(line) ?? 0) + 1)
  const lineOf = (name: string, module: string) => (module === 'vmlinux' ? name : `${name} [${module}]`)
  const functions = plainLines(DEBIAN.kallsyms).filter(({ type }) => /[tTwW]/.test(type))
  /** Symbols by line, and by place. */
  const named = new Map<string, bigint[]>()
  const placed = new Map<string, string[]>()
  for (const { name, module, address } of functions) {
    const line = lineOf(name, module)
    named.set(line, [...(named.get(line) ?? []), address])
    placed.set(`${module} ${address}`, [...(placed.get(`${module} ${address}`) ?? []), line])
  }
  const answers = (address: bigint) => table.startingAt(address).map((each) => said(traceable, each))

  test('every function whose name is its own is traceable exactly if it, or an alias, is listed', () => {
    const wrong = functions.filter(({ name, module, address }) => {
      const aliases = placed.get(`${module} ${address}`) ?? []
      if (aliases.some((line) => (named.get(line)?.length ?? 0) > 1)) return false
      const expected = aliases.some((line) => listed.has(line)) ? 'yes' : 'no'
      const own = table.named(name, { owner: module }).find((each) => each.address === address)
      return said(traceable, own!) !== expected
    })
    expect(wrong).toEqual([])
  })

  test('a name that is listed as often as there are functions of it means all of them, one not listed none', () => {
    let all = 0
    for (const [line, addresses] of named) {
      const places = new Set(addresses)
      const count = listed.get(line) ?? 0
      if (places.size < 2 || (count > 0 && count < places.size)) continue
      if (count === 0 && addresses.some((address) => answers(address).length > 1)) continue
      for (const address of places) expect([line, ...answers(address)]).toContain(count > 0 ? 'yes' : 'no')
      all++
    }
    expect(all).toBeGreaterThan(300)
  })

  test('where fewer are listed, the order of the list tells which', () => {
    const lines = DEBIAN.filter.split('\n').filter(Boolean)
    const partly = [...named].filter(([line, addresses]) => {
      const count = listed.get(line) ?? 0
      return count > 0 && count < new Set(addresses).size
    })
    expect(partly.map(([line]) => line)).toEqual(expect.arrayContaining(['s_start', 't_next', 'may_create']))
    for (const [line, addresses] of partly) {
      // The functions listed next before and behind each of its lines, of those with a name of their own.
      const expected = new Set<bigint>()
      lines.forEach((each, at) => {
        if (each !== line) return
        const single = (other: string) => (named.get(other)?.length === 1 ? named.get(other)![0]! : undefined)
        const before = lines.slice(0, at).findLast((other) => single(other) !== undefined)
        const behind = lines.slice(at + 1).find((other) => single(other) !== undefined)
        const between = addresses.filter((one) => one > single(before!)! && one < single(behind!)!)
        expect(between).toHaveLength(1)
        expected.add(between[0]!)
      })
      const found = addresses.filter((address) => answers(address).includes('yes'))
      expect([line, ...found]).toEqual([line, ...addresses.filter((address) => expected.has(address))])
      expect(addresses.flatMap(answers)).not.toContain('which')
    }
  })
})

describe('lists made up', () => {
  const at = (i: number) => (0xffffffff81000000n + BigInt(i) * 16n).toString(16)

  test('module, prefix and end of the text matter', () => {
    const names = ['foo', 'foobar', 'fo', 'größe', 'last']
    const core = names.map((name, i) => `${at(i)} t ${name}\n`)
    const modules = ['m', 'n'].flatMap((module, k) =>
      names.map((name, i) => `${at(16 * (k + 1) + i)} t ${name}\t[${module}]\n`),
    )
    const table = tableOf([...core, ...modules, `${at(64)} d datum\n`].join(''))
    const traceable = byNames(
      table,
      'foo\ngröße\ndatum\nmissing\n\nfoo [m]\n__ftrace_invalid_address___32 [m]\nlast [n]',
    )
    const found = [...table]
      .filter((each) => each.type === 't' && said(traceable, each) === 'yes')
      .map(({ owner, name }) => `${owner}:${name}`)
    expect(found).toEqual(['vmlinux:foo', 'vmlinux:größe', 'm:foo', 'n:last'])
    const none = byNames(table, '')
    expect([...table].some((each) => said(none, each) !== 'no')).toBe(false)
  })

  test('a list in another order is not relied on for more than it says', () => {
    const table = tableOf(['a', 'x', 'b', 'x', 'c'].map((name, i) => `${at(i)} t ${name}\n`).join(''))
    const answers = (text: string) => [...table].map((each) => said(byNames(table, text), each))
    expect(answers('a\nx\nb\nc\n')).toEqual(['yes', 'yes', 'yes', 'no', 'yes'])
    expect(answers('b\nx\nc\n')).toEqual(['no', 'no', 'yes', 'yes', 'yes'])
    expect(answers('c\nx\nb\na\n')).toEqual(['yes', 'which', 'yes', 'which', 'yes'])
    expect(answers('x\nx\n')).toEqual(['no', 'yes', 'no', 'yes', 'no'])
    expect(answers('x\n')).toEqual(['no', 'which', 'no', 'which', 'no'])
  })

  test('never says of a function what is not so', () => {
    const kernel = fc.array(
      fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e'), traced: fc.boolean(), alias: fc.boolean() }),
      { minLength: 1, maxLength: 24 },
    )
    fc.assert(
      fc.property(kernel, (all) => {
        // An alias lies where the function before it does, and is listed under that one's name.
        let place = 0
        const placed = all.map((each, i) => {
          if (i > 0 && !each.alias) place++
          return { ...each, place }
        })
        const sites = placed.filter(({ place: own }, i) => i === 0 || placed[i - 1]!.place !== own)
        const traced = sites.filter((each) => each.traced)
        const table = tableOf(placed.map(({ name, place: own }) => `${at(own)} t ${name}\n`).join(''))
        const traceable = byNames(table, traced.map(({ name }) => `${name}\n`).join(''))
        for (const symbol of table) {
          const truth = traced.some(({ place: own }) => BigInt(`0x${at(own)}`) === symbol.address) ? 'yes' : 'no'
          const answer = said(traceable, symbol)
          if (answer !== 'which' && answer !== truth) throw new Error(`${symbol.id}: ${answer}, not ${truth}`)
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('sites settle what names leave open', () => {
    const table = tableOf(['a', 'x', 'b', 'x', 'c'].map((name, i) => `${at(i)} t ${name}\n`).join(''))
    const text = `${at(3).replace(/0$/, '4')} x\n${at(0)} a\n${at(2).replace(/0$/, 'c')} __ftrace_invalid_address___12\n`
    const traceable = atOnce(TraceableBySite.of(table, atOnce(FilterSites.reading(Buffer.from(text)))))
    expect([...table].map((each) => said(traceable, each))).toEqual(['yes', 'no', 'no', 'yes', 'no'])
  })
})
