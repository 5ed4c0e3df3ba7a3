import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../bench/lib/random.ts'
import { decodeName } from '../../src/core/bytes.ts'
import { LimitError, UsageError } from '../../src/core/errors.ts'
import { MOST_GROUPS } from '../../src/symbols/assemble.ts'
import { MOST_OWNERS } from '../../src/symbols/build.ts'
import { openSymbolColumns } from '../../src/symbols/layout.ts'
import { kallsymsText } from '../../src/symbols/print.ts'
import { SymbolTable } from '../../src/symbols/table.ts'
import { edge, fixtureBytes, modulesRanges } from '../fixtures.ts'
import { same } from '../same.ts'
import { build, tableOf } from './build-table.ts'
import { Model, regionsIn } from './model.ts'
import { asLine, inOrder, readPlainly } from './plain-table.ts'

const captures = [
  [
    'debian-6.1-amd64',
    () => fixtureBytes('debian-6.1-amd64/kallsyms.gz'),
    () => fixtureBytes('debian-6.1-amd64/modules'),
  ],
  ['oracle', () => fixtureBytes('oracle/kallsyms.br'), () => fixtureBytes('oracle/modules.br')],
] as const

describe.each(captures)('the capture %s', (_, readText, readModules) => {
  const text = readText()
  const { symbols: plain, bad } = readPlainly(text)
  const built = build(text, { ranges: modulesRanges(readModules()) }, [10_000, 7, 1_234])
  const table = new SymbolTable(built.buffer)
  const ordered = inOrder(plain)
  /** Of the larger table every so many are asked where the question costs most. */
  const stride = ordered.length > 100_000 ? 5 : 1

  it('holds exactly the symbols of its text', () => {
    expect(bad).toEqual([])
    expect(built.badCount).toBe(0)
    expect(table.size).toBe(plain.length)
    let wrong = 0
    for (const { id, address, type, name, owner } of table) {
      if (asLine({ address, type, name, owner }) !== asLine(ordered[id]!)) wrong++
    }
    expect(wrong).toBe(0)
  })

  it('finds every symbol by its address and by its name', () => {
    const ids = new Map<string, number[]>()
    ordered.forEach(({ name }, id) => {
      ids.set(name, [...(ids.get(name) ?? []), id])
    })
    // File order among equal names: that of the text.
    const filePosition = new Map(plain.map((symbol, position) => [symbol, position]))
    let wrong = 0
    for (const [name, expected] of ids) {
      const inFile = [...expected].sort((a, b) => filePosition.get(ordered[a]!)! - filePosition.get(ordered[b]!)!)
      const got = table.idsNamed(Buffer.from(name, 'latin1'))
      if (got.length !== inFile.length || got.some((id, i) => id !== inFile[i])) wrong++
    }
    expect(wrong).toBe(0)
    for (let id = 0; id < ordered.length; ) {
      let end = id + 1
      while (end < ordered.length && ordered[end]!.address === ordered[id]!.address) end++
      const got = table.startingAt(ordered[id]!.address)
      if (got.length !== end - id || got[0]!.id !== id) wrong++
      id = end
    }
    expect(wrong).toBe(0)
  })

  it('misses names that are not there', () => {
    const names = new Set(plain.map(({ name }) => name))
    let found = 0
    for (const [i, { name }] of ordered.entries()) {
      if (i % stride !== 0) continue
      for (const other of [`${name}x`, name.slice(0, -1), `__pfx_${name}`, `x${name}`]) {
        if (!names.has(other)) found += table.idsNamed(Buffer.from(other, 'latin1')).length
      }
    }
    expect(found).toBe(0)
  })

  it('counts owners, types, aliases and repeated names as the text does', () => {
    const by = (key: 'owner' | 'type') => {
      const counts: Record<string, number> = {}
      for (const symbol of plain) counts[symbol[key]] = (counts[symbol[key]] ?? 0) + 1
      return counts
    }
    const distinct = (key: 'address' | 'name') => new Set(plain.map((symbol) => symbol[key])).size
    expect(table.census()).toEqual({
      byOwner: by('owner'),
      byType: by('type'),
      aliases: plain.length - distinct('address'),
      repeatedNames: plain.length - distinct('name'),
    })
    expect([...table.owners].sort()).toEqual([...new Set(['vmlinux', ...plain.map(({ owner }) => owner)])].sort())
  })

  it('prints back as the lines of its text, sorted by address and stable', () => {
    const lines = text.toString('latin1').trimEnd().split('\n')
    const sorted = lines.map((line, i) => ({ line, address: plain[i]!.address }))
    sorted.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
    const printed = Buffer.concat([...kallsymsText(table, 16)])
    expect(printed.equals(Buffer.from(`${sorted.map(({ line }) => line).join('\n')}\n`, 'latin1'))).toBe(true)
  })

  it('answers like a linear search: starts, insides, last bytes, ends, gaps and anywhere', () => {
    const model = new Model(text, regionsIn(built.buffer, table.owners))
    const below = seededRandom(7)
    const asked: bigint[] = []
    for (const { start, end } of model.regions) asked.push(start, start - 1n, end - 1n, end)
    const anywhere = (from: bigint, to: bigint) => from + BigInt(below(Number(to - from)))
    const lowest = model.regions[0]!.start
    const highest = model.regions.at(-1)!.end
    for (let i = 0; i < 60; i++) asked.push(anywhere(lowest, highest))
    for (let i = 0; i < 120; i++) {
      const id = below(ordered.length - 1)
      const start = ordered[id]!.address
      asked.push(start, start + 1n, ordered[id + 1]!.address - 1n, ordered[id + 1]!.address, start - 1n)
    }
    let compared = 0
    for (const address of asked) {
      if (address < 0n || address >= 1n << 64n) continue
      const expected = model.at(address)
      const got = table.at(address)
      const plainly = got && {
        id: got.symbol.id,
        offset: BigInt(got.offset),
        size: BigInt(got.size),
        candidates: got.candidates.map(({ symbol }) => symbol.id),
      }
      expect(plainly, address.toString(16)).toEqual(expected)
      compared++
    }
    expect(compared).toBeGreaterThan(650)
  })

  it('answers in bulk what it answers one by one, at every symbol and between', () => {
    const below = seededRandom(11)
    const some = ordered.filter((_, i) => i % stride === 0)
    const asked = new BigUint64Array(some.length * 4)
    some.forEach(({ address }, i) => {
      asked.set([address, address + 1n, BigInt.asUintN(64, address - 1n), address + BigInt(below(8192))], 4 * i)
    })
    const { ids, offsets } = table.findMany(asked)
    let wrong = 0
    asked.forEach((address, i) => {
      const one = table.at(address)
      if (ids[i] !== (one?.symbol.id ?? 0xffffffff) || offsets[i] !== (one?.offset ?? 0)) wrong++
    })
    expect(wrong).toBe(0)
  })

  it('gives a symbol the size that a lookup at its start gives', () => {
    let wrong = 0
    for (let id = 0; id < table.size; id += 7) {
      const symbol = table.get(id)
      const match = table.at(symbol.address)
      if (match?.symbol.id === id && match.size !== symbol.size) wrong++
      if (match === undefined && symbol.size !== 0) wrong++
    }
    expect(wrong).toBe(0)
  })

  it('keeps regions ascending and apart', () => {
    const regions = regionsIn(built.buffer, table.owners)
    regions.forEach(({ start, end }, i) => {
      expect(start < end).toBe(true)
      if (i > 0) expect(start >= regions[i - 1]!.end).toBe(true)
    })
  })
})

/** Small tables in which owners, pages, aliases, labels and groups meet. */
const symbol = fc.record({
  base: fc.constantFrom(0n, 0xffffffff81000000n, 0xffffffffc0000000n, 0xffffffffc0100000n, 0xffffffff_fffff000n),
  offset: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 0x3000 })),
  type: fc.constantFrom('t', 'T', 'd', 'W', 'A'),
  name: fc.constantFrom('a', 'b', '_stext', '_etext', '_end', '_text', '$x', '.L1', '__pfx_a', 'foo', 'bar.1'),
  owner: fc.constantFrom('', '\t[m]', '\t[n]', '\t[bpf]', '\t[__builtin__kprobes]'),
})
const smallText = fc.array(symbol, { minLength: 1, maxLength: 25 }).map((symbols) =>
  symbols
    .map(({ base, offset, type, name, owner }) => {
      const address = BigInt.asUintN(64, base + BigInt(offset % (base === 0xffffffff_fffff000n ? 0x1000 : 0x10000)))
      return `${address.toString(16).padStart(16, '0')} ${type} ${name}${owner}\n`
    })
    .join(''),
)

describe('any small table', () => {
  const range = fc.option(
    fc.tuple(fc.constantFrom('m', 'n'), fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 6 })),
    { nil: undefined },
  )
  it('answers like a linear search, one by one and in bulk', () => {
    fc.assert(
      fc.property(smallText, range, fc.constantFrom('all', 'text', 'data'), (text, known, kinds) => {
        const plain = readPlainly(Buffer.from(text)).symbols
        fc.pre(plain.some(({ address }) => address !== 0n))
        const ranges =
          known === undefined
            ? []
            : [
                {
                  owner: known[0],
                  start: 0xffffffffc0000000n + BigInt(known[1]) * 0x800n,
                  end: 0xffffffffc0000000n + BigInt(known[1] + known[2]) * 0x800n,
                },
              ]
        const { buffer } = build(text, { ranges })
        const table = new SymbolTable(buffer)
        const model = new Model(Buffer.from(text), regionsIn(buffer, table.owners))
        model.regions.forEach(({ start, end }, i) => {
          expect(start < end && (i === 0 || start >= model.regions[i - 1]!.end), `regions of\n${text}`).toBe(true)
        })
        const asked = new Set<bigint>()
        for (const { address } of plain) {
          for (const near of [-1n, 0n, 1n, 5n, 0xfffn, 0x1000n, 0x100000n - 1n, 0x100000n])
            asked.add(BigInt.asUintN(64, address + near))
        }
        for (const { start, end } of model.regions)
          for (const edgeOf of [start - 1n, start, end - 1n, end]) asked.add(BigInt.asUintN(64, edgeOf))
        const list = BigUint64Array.from(asked)
        const bulk = table.findMany(list)
        list.forEach((address, i) => {
          const got = table.at(address, { kinds })
          const expected = model.at(address, kinds)
          const where = () => `${address.toString(16)} in\n${text}`
          const plainly = got && {
            id: got.symbol.id,
            offset: BigInt(got.offset),
            size: BigInt(got.size),
            candidates: got.candidates.map((c) => c.symbol.id),
          }
          same(plainly, expected, where)
          const all = model.at(address)
          const first = all === undefined ? [0xffffffff, 0] : [all.id, Number(all.offset)]
          same([bulk.ids[i], bulk.offsets[i]], first, where)
        })
      }),
      { numRuns: 600 },
    )
  })

  it('gives aliases of a match that are all symbols that start there, but for other candidates', () => {
    fc.assert(
      fc.property(smallText, (text) => {
        fc.pre(readPlainly(Buffer.from(text)).symbols.some(({ address }) => address !== 0n))
        const table = tableOf(text)
        for (const { address } of table) {
          const match = table.at(address)
          if (match === undefined) continue
          const listed = new Set([
            match.symbol.id,
            ...match.aliases.map(({ id }) => id),
            ...match.candidates.map((c) => c.symbol.id),
          ])
          for (const { id } of table.startingAt(match.symbol.address)) expect(listed.has(id)).toBe(true)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('the order by address', () => {
  const halves = fc.tuple(
    fc.constantFrom(0, 1, 0xffffffff, 0x80000000),
    fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  )
  const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0)
  const isInOrder = (pairs: [number, number][], sortedFirst: number, cut: number[]) => {
    const values = pairs.map(([high, low]) => (BigInt(high) << 32n) | BigInt(low))
    // Real tables begin sorted and go on unsorted.
    const all = [...values.slice(0, sortedFirst).sort(compare), ...values.slice(sortedFirst)]
    const lines = all.map((value, i) => `${value.toString(16)} T n${i}\n`)
    const expected = all.map((value, i) => ({ value, i })).sort((a, b) => compare(a.value, b.value) || a.i - b.i)
    const table = new SymbolTable(build(`1 T first\n${lines.join('')}`, {}, cut).buffer)
    const names = Array.from(table, ({ name }) => name).filter((name) => name !== 'first')
    expect(names).toEqual(expected.map(({ i }) => `n${i}`))
  }

  it('is that of a plain stable sort', () => {
    const some = fc.array(halves, { maxLength: 200 })
    const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 4 })
    fc.assert(fc.property(some, fc.nat(200), cuts, isInOrder), { numRuns: 300 })
  })

  it('is so where there are enough for ranges of addresses', () => {
    const many = fc.array(halves, { minLength: 5_000, maxLength: 9_000, size: 'max' })
    const cuts = fc.array(fc.integer({ min: 100, max: 3_000 }), { minLength: 1, maxLength: 4 })
    fc.assert(fc.property(many, fc.nat(3_000), cuts, isInOrder), { numRuns: 10 })
    // All at one address, and all at one but a few.
    const same = Array.from({ length: 6_000 }, (): [number, number] => [0xffffffff, 7])
    isInOrder(same, 0, [999])
    isInOrder([[0, 3], ...same, [0xffffffff, 9], [0, 1], ...same], 1, [4_000])
  })

  it('takes an unsorted file for what it is: the same table as the sorted one', () => {
    const lines = edge('edge').toString().trimEnd().split('\n')
    const reversed = tableOf(`${[...lines].reverse().join('\n')}\n`)
    const straight = tableOf(`${lines.join('\n')}\n`)
    const addresses = (table: SymbolTable) => Array.from(table, ({ address }) => address)
    expect(addresses(reversed)).toEqual(addresses(straight))
    expect(reversed.startingAt(0xffffffff81000000n).map(({ name }) => name)).toEqual(['alias_local', '_text', '_stext'])
  })
})

describe('limits and wrong use', () => {
  /** `count` modules beside the core, one symbol each. */
  function* owners(count: number): Generator<string> {
    yield 'ffffffff81000000 T _stext\n'
    for (let i = 0; i < count; i++) yield `ffffffffc${i.toString(16).padStart(7, '0')} t f\t[m${i}]\n`
  }

  it('has addresses in 65,536 ranges of 4 GiB, and in no more', () => {
    const scattered = (count: number) =>
      Array.from({ length: count }, (_, i) => `${(BigInt(i) * 2n ** 32n + 16n).toString(16)} t s${i}\n`).join('')
    expect(tableOf(scattered(MOST_GROUPS)).size).toBe(MOST_GROUPS)
    expect(() => tableOf(scattered(MOST_GROUPS + 1))).toThrow(LimitError)
  })

  it('numbers 65,536 owners, the core among them, and no more', () => {
    const most = [...owners(MOST_OWNERS - 1)].join('')
    const table = tableOf(most)
    expect(table.owners.length).toBe(65_536)
    expect(table.get(65_535).owner).toBe('m65534')
    expect(table.named('f', { owner: 'm40000' }).map(({ id }) => id)).toEqual([40_001])
    expect(() => tableOf([...owners(MOST_OWNERS)].join(''))).toThrow(LimitError)
    // However they are spread over chunks.
    expect(() => build([...owners(MOST_OWNERS)].join(''), {}, [1000])).toThrow(LimitError)
  }, 120_000)

  it('keeps names of one owner number apart from those of another chunk', () => {
    const text =
      'ffffffffc0000000 t a\t[x]\nffffffffc0001000 t b\t[y]\nffffffffc0002000 t c\t[y]\nffffffffc0003000 t d\t[x]\n'
    for (const cut of [[1], [2], [3], [4]]) {
      const table = new SymbolTable(build(text, {}, cut).buffer)
      expect(Array.from(table, ({ owner }) => owner)).toEqual(['x', 'y', 'y', 'x'])
    }
  })

  it('refuses ids that are not there', () => {
    const table = tableOf(edge('edge'))
    for (const id of [-1, table.size, 0.5, Number.NaN, 2 ** 32]) expect(() => table.get(id)).toThrow(UsageError)
  })

  it('refuses a buffer that is no table', () => {
    expect(() => new SymbolTable(new SharedArrayBuffer(64))).toThrow('symbol table')
    const { buffer } = build(edge('edge'))
    const counts = openSymbolColumns(buffer).counts
    counts[0]!++
    expect(() => new SymbolTable(buffer)).toThrow('disagree')
  })

  it('matches globs over whole names, of one owner or all', () => {
    const table = tableOf(edge('edge'))
    const names = (glob: string, owner?: string) =>
      Array.from(table.matching(glob, owner === undefined ? {} : { owner }), ({ name }) => name)
    expect(names('f_*')).toEqual(['f_global', 'f_weak', 'f_small', 'f_big_gap'])
    expect(names('dup*', 'mod_b')).toEqual(['dupname'])
    expect(names('*', 'mod_?').length).toBe(6)
    expect(names('f_').length).toBe(0)
    expect(names('*').length).toBe(table.size)
  })
})

it('names decode to strings and back whatever the bytes', () => {
  const table = tableOf(Buffer.from('c0000000 t \xff\xfe\nc0000001 t caf\xc3\xa9\nc0000002 t \xc3\n', 'latin1'))
  const names = Array.from(table, ({ name }) => name)
  expect(names).toEqual(['\udcff\udcfe', 'café', '\udcc3'])
  expect(decodeName(Buffer.from('plain'), 0, 5)).toBe('plain')
  for (const name of names) expect(table.named(name).length).toBe(1)
})
