import { describe, expect, it } from 'vitest'
import { fixtureBytes, modulesRanges } from '../fixtures.ts'
import { tableOf } from './build-table.ts'
import { readPlainly } from './plain-table.ts'

/** An answer of the kernel: `name+0x10/0x30 [module]`, or a bare address where it knows nothing. */
const ANSWER = /^(.*)\+0x([0-9a-f]+)\/0x([0-9a-f]+)(?: \[(.+)\])?$/

const text = fixtureBytes('oracle/kallsyms.br')
const table = tableOf(text, { ranges: modulesRanges(fixtureBytes('oracle/modules.br')) })
const rows = fixtureBytes('oracle/oracle.tsv.br')
  .toString('latin1')
  .split('\n')
  .filter((line) => /^[0-9a-f]{16}\t/.test(line))
  .map((line) => line.split('\t') as [string, string, string])

/** Core symbols that end a section: behind their page nothing is answered, whatever the kernel prints. */
const MARKERS = ['_etext', '__end_rodata', '_edata', '_einittext', '__init_end', '__bss_stop', '__brk_limit', '_end']
const markers = new Set(
  readPlainly(text)
    .symbols.filter(({ name, owner }) => owner === 'vmlinux' && MARKERS.includes(name))
    .map(({ address }) => address),
)
const MIB = 1n << 20n

/** How an answer compares with the kernel's; throws what is not allowed to differ. */
function compare(address: bigint, answer: string, back: bigint): string {
  const got = table.at(address - back)
  const known = ANSWER.exec(answer)
  const where = `${address.toString(16)}: the kernel says ${answer}, the table ${got?.symbol.name}+${got?.offset}`
  if (known === null) {
    if (got === undefined) return 'neither'
    // kallsyms lists these pages, but not how much of them is used; the kernel itself does not answer for them.
    expect(got.symbol.owner, where).toMatch(/^(bpf|__builtin__kprobes|__builtin__ftrace)$/)
    return 'listed only'
  }
  const [, name, offsetText, sizeText, module] = known
  const offset = BigInt(`0x${offsetText}`) - back
  const size = BigInt(`0x${sizeText}`)
  // In a module's unsorted data the kernel's size is sometimes negative.
  const sane = size < 1n << 48n
  if (got === undefined) {
    const beyond = sane && offset >= size
    const start = address - back - offset
    const hole = markers.has(start) && module === undefined && address - back >= start + 4096n - (start % 4096n)
    expect(beyond || hole || offset >= MIB, where).toBe(true)
    return 'gap'
  }
  const bpf = name!.startsWith('bpf_') && got.symbol.owner === 'bpf'
  expect(got.symbol.name, where).toBe(name)
  expect(BigInt(got.offset), where).toBe(offset)
  expect(got.symbol.owner, where).toBe(bpf ? 'bpf' : (module ?? 'vmlinux'))
  // The kernel knows the true size of a bpf program; the distance to the next is an upper bound.
  if (bpf) expect(BigInt(got.size) >= size, where).toBe(true)
  else if (sane) expect(BigInt(got.size), where).toBe(size)
  return bpf ? 'bpf' : sane ? 'same with size' : 'same'
}

function tally(column: 1 | 2, back: bigint): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const row of rows) {
    const address = BigInt(`0x${row[0]}`)
    if (address < back) continue
    const how = compare(address, row[column], back)
    counts[how] = (counts[how] ?? 0) + 1
  }
  return counts
}

describe("a kernel's own answers to 20,000 addresses", () => {
  it('are all there', () => expect(rows.length).toBe(20_000))

  it('are ours: %pS, which names what contains an address', () => {
    const counts = tally(1, 0n)
    expect(counts['same with size']).toBeGreaterThan(14_000)
    expect(counts.same).toBeGreaterThan(5_000)
    expect(counts.gap).toBeLessThan(30)
    expect(counts['listed only']).toBeLessThan(60)
  })

  it('are ours: %pB, which looks up the byte before a return address', () => {
    const counts = tally(2, 1n)
    expect(counts['same with size']).toBeGreaterThan(13_500)
    expect(counts.same).toBeGreaterThan(4_900)
    expect(counts.gap).toBeLessThan(50)
    expect(counts['listed only']).toBeLessThan(60)
  })

  it('are the same in bulk as one by one', () => {
    const addresses = BigUint64Array.from(rows, ([address]) => BigInt(`0x${address}`))
    const { ids, offsets } = table.findMany(addresses)
    rows.forEach(([address], i) => {
      const one = table.at(addresses[i]!)
      expect([ids[i], offsets[i]], address).toEqual(one === undefined ? [0xffffffff, 0] : [one.symbol.id, one.offset])
    })
  })

  it('need not the module list where symbols alone tell', () => {
    // Without /proc/modules ranges come from the symbols' pages; answers inside them stay the same.
    const bare = tableOf(text)
    let answered = 0
    for (const [address] of rows) {
      const value = BigInt(`0x${address}`)
      const with_ = table.at(value)
      const without = bare.at(value)
      if (without === undefined) continue
      answered++
      if (with_ !== undefined) expect(without.symbol.name).toBe(with_.symbol.name)
    }
    expect(answered).toBeGreaterThan(18_400)
  })
})
