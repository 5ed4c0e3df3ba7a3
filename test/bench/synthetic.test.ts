// The synthetic tables have the shape of real ones: measured on shipped captures, and on larger ones by hand where said so.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { syntheticKallsyms } from '../../bench/lib/synthetic.ts'
import { openKernel } from '../../src/index.ts'
import { fixtureBytes } from '../fixtures.ts'
import { same } from '../same.ts'

const SIZE = 250_000

interface Line {
  readonly address: bigint
  readonly type: string
  readonly name: string
  readonly owner: string
}

function linesOf(text: string): Line[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [, address, type, name, owner = ''] = /^([0-9a-f]{16}) (\S) (\S+)(?:\t\[(\S+)\])?$/.exec(line) ?? []
      if (address === undefined || type === undefined || name === undefined) throw new Error(`no symbol: ${line}`)
      return { address: BigInt(`0x${address}`), type, name, owner }
    })
}

const synthetic = (size: number, seed: number) => [...syntheticKallsyms(size, seed)].join('')

const share = <T>(list: readonly T[], is: (one: T) => boolean) => list.filter(is).length / list.length

function quantiles(values: readonly number[]): number[] {
  const sorted = [...values].sort((a, b) => a - b)
  return [0.1, 0.25, 0.5, 0.75, 0.9, 0.99].map((q) => sorted[Math.floor((sorted.length - 1) * q)]!)
}

/** Shares and quantiles that make up the shape of a table. */
function shapeOf(lines: readonly Line[]) {
  const names = new Map<string, number>()
  for (const { name } of lines) names.set(name, (names.get(name) ?? 0) + 1)
  const known = new Set(lines.map(({ owner, name }) => `${owner} ${name}`))
  const functions = lines.filter(({ type, name }) => /[tT]/.test(type) && !name.startsWith('__pfx_'))
  const roots = new Set(
    lines.map(({ name }) => name.replace(/^(__pfx_|__ksymtab_|__kstrtab_|__kstrtabns_|__crc_)/, '')),
  )
  return {
    core: share(lines, ({ owner }) => owner === ''),
    lengths: quantiles(lines.map(({ name }) => name.length)),
    twinned: share(functions, ({ owner, name }) => known.has(`${owner} __pfx_${name}`)),
    dotted: share(lines, ({ name }) => name.includes('.')),
    exported: share(lines, ({ name }) => name.startsWith('__ksymtab_')),
    repeated: share(lines, ({ name }) => names.get(name)! > 1),
    distinctAddresses: new Set(lines.map(({ address }) => address)).size / lines.length,
    roots: roots.size / lines.length,
    words: quantiles(lines.map(({ name }) => name.replace(/^_+/, '').split('_').length)),
    perCpu: share(lines, ({ address }) => address < 0x100000n),
  }
}

const text = synthetic(SIZE, 1)
const lines = linesOf(text)
const shape = shapeOf(lines)
const modules = [...new Set(lines.map(({ owner }) => owner))].filter((owner) => owner !== '')
const debian = linesOf(fixtureBytes('debian-6.1-amd64/kallsyms.gz').toString('latin1'))
const host = linesOf(fixtureBytes('events/host-6.18/kallsyms.gz').toString('latin1'))
const debianShape = shapeOf(debian)
const hostShape = shapeOf(host)

describe('a synthetic table', () => {
  it('has as many symbols as were asked for, whatever the number', () => {
    expect(lines).toHaveLength(SIZE)
    for (const size of [1_000, 1_001, 12_345]) expect(linesOf(synthetic(size, 1))).toHaveLength(size)
  })

  it('is the same for the same seed and another for another', () => {
    expect(synthetic(20_000, 3)).toBe(synthetic(20_000, 3))
    expect(synthetic(20_000, 3)).not.toBe(synthetic(20_000, 4))
  })

  it('has names as long as real ones, of as many words', () => {
    for (const [i, length] of debianShape.lengths.entries()) {
      expect(Math.abs(shape.lengths[i]! - length), `quantile ${i}`).toBeLessThanOrEqual(Math.max(3, length * 0.2))
    }
    for (const [i, words] of debianShape.words.entries()) {
      expect(Math.abs(shape.words[i]! - words), `quantile ${i}`).toBeLessThanOrEqual(3)
    }
  })

  it('gives functions __pfx_ twins, right before them, as a kernel does that is built with them', () => {
    expect(Math.abs(shape.twinned - hostShape.twinned)).toBeLessThan(0.1)
    const core = lines.filter(({ owner }) => owner === '')
    for (const [i, { address, name }] of core.entries()) {
      if (!name.startsWith('__pfx_')) continue
      const next = core[i + 1]
      same([next?.name, next?.address], [name.slice('__pfx_'.length), address + 16n])
    }
  })

  // Of the Debian 6.1 kernel with 418 modules loaded (241,116 symbols), which is too large to ship.
  it('shares out its symbols as a Debian kernel with 418 modules does', () => {
    expect(shape.core).toBeCloseTo(0.391, 2)
    expect(Math.abs(SIZE / modules.length - 241_116 / 419)).toBeLessThan(700)
    expect(Math.abs(shape.repeated - 0.112)).toBeLessThan(0.04)
    expect(Math.abs(shape.distinctAddresses - 0.992)).toBeLessThan(0.005)
    expect(Math.abs(shape.dotted - 0.166)).toBeLessThan(0.06)
    expect(shape.perCpu).toBeGreaterThan(0.001)
    expect(shape.perCpu).toBeLessThan(0.005)
    const counts = new Map<string, number>()
    for (const { owner } of lines) counts.set(owner, (counts.get(owner) ?? 0) + 1)
    const sizes = quantiles(modules.map((module) => counts.get(module) ?? 0))
    // There: 15 symbols in the smallest tenth, 62 in the middle, 778 in the largest tenth.
    expect(sizes[0]).toBeLessThan(60)
    expect(sizes[2]).toBeGreaterThan(50)
    expect(sizes[2]).toBeLessThan(400)
    expect(sizes[4]).toBeGreaterThan(600)
  })

  it('shares the roots of names as a kernel with twins does, so that bytes a symbol are comparable', () => {
    expect(Math.abs(shape.roots - hostShape.roots)).toBeLessThan(0.06)
  })

  it('keeps vmlinux sorted, and modules in blocks from high to low that are not sorted inside', () => {
    const core = lines.filter(({ owner }) => owner === '')
    expect(core.every(({ address }, i) => i === 0 || address >= core[i - 1]!.address)).toBe(true)
    const blocks = lines.slice(core.length).filter(({ owner }, i, all) => owner !== all[i - 1]?.owner)
    expect(blocks.map(({ owner }) => owner)).toEqual(modules)
    for (let i = 1; i < blocks.length; i++) expect(blocks[i]!.address < blocks[i - 1]!.address).toBe(true)
    let ascending = 0
    let pairs = 0
    for (let i = core.length + 1; i < lines.length; i++) {
      if (lines[i]!.owner !== lines[i - 1]!.owner) continue
      pairs++
      if (lines[i]!.address >= lines[i - 1]!.address) ascending++
    }
    // Real ones: 0.63 with 418 modules, 0.60 with 3,708.
    expect(Math.abs(ascending / pairs - 0.61)).toBeLessThan(0.06)
  })

  it('has types as a kernel has, all of them among those that kallsyms knows', () => {
    expect(new Set(lines.map(({ type }) => type))).toEqual(new Set('AtTrdDbB'))
    const core = lines.filter(({ owner }) => owner === '')
    // Twins are t and more functions than in the Debian kernel have lines, so that shares of data are lower.
    expect(share(core, ({ type }) => /[rRdDbB]/.test(type))).toBeGreaterThan(0.2)
    const rest = lines.filter(({ owner }) => owner !== '')
    expect(share(rest, ({ type }) => type === 'T')).toBeLessThan(0.05)
  })

  it('is a table that kerndex loads whole and answers from', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kerndex-synthetic-'))
    try {
      writeFileSync(join(folder, 'kallsyms'), text)
      await using kernel = await openKernel({ from: folder, threads: 0, types: false })
      expect(kernel.symbols.size).toBe(SIZE)
      expect(kernel.skipped.count).toBe(0)
      const functions = lines.filter(({ type, name }) => type === 'T' && !name.includes('_text'))
      for (const { address, name } of functions.filter((_, i) => i % 500 === 0)) {
        const match = kernel.symbols.at(address + 1n)
        expect([match?.symbol.name, ...(match?.aliases ?? []).map((alias) => alias.name)]).toContain(name)
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
