// Lookups against what perf, ftrace and the kernel itself printed for the same addresses.
import { describe, expect, it } from 'vitest'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { fixtureBytes, modulesRanges } from '../fixtures.ts'
import { tableOf } from './build-table.ts'

const rows = (name: string) =>
  fixtureBytes(`traces/${name}`)
    .toString('latin1')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))

const host = tableOf(fixtureBytes('traces/host-6.18.kallsyms.br'))
const debian = tableOf(fixtureBytes('debian-6.1-amd64/kallsyms.gz'), {
  ranges: modulesRanges(fixtureBytes('debian-6.1-amd64/modules')),
})

/** Compares frames (address, name, offset, …, how often) with `at` and with the bulk lookup; gives what differs. */
function compare(table: SymbolTable, frames: readonly string[][]) {
  const { ids, offsets } = table.findMany(BigUint64Array.from(frames, ([address]) => BigInt(`0x${address}`)))
  let equal = 0
  let otherAlias = 0
  const wrong: string[] = []
  frames.forEach((frame, i) => {
    const [address = '', name = '', offset = ''] = frame
    const times = Number(frame.at(-1))
    const match = table.at(BigInt(`0x${address}`))
    const names = match && [match.symbol, ...match.aliases].map((symbol) => symbol.name)
    const place = match?.offset === Number.parseInt(offset, 16) && offsets[i] === match.offset
    if (!place || names?.includes(name) !== true || ids[i] !== match.symbol.id) wrong.push(frame.join(' '))
    else if (names[0] === name) equal += times
    else otherAlias += times
  })
  return { equal, otherAlias, wrong }
}

describe('perf script', () => {
  it('names every frame of the monolithic kernel as we do; of 6 it prefers another alias than the kernel’s', () => {
    const frames = rows('host-6.18.perf.tsv.br')
    expect(compare(host, frames)).toEqual({ equal: 22_360, otherAlias: 6, wrong: [] })
  })

  it('names every frame of a kernel with modules as we do', () => {
    const owners = new Set(debian.owners)
    const frames = rows('debian-6.1.perf.tsv.br').filter(([, , , map = '']) => {
      return map === '([kernel.kallsyms])' || map === '[kernel.kallsyms]' || owners.has(map.slice(1, -1))
    })
    expect(frames.length).toBeGreaterThan(1_500)
    const { equal, otherAlias, wrong } = compare(debian, frames)
    expect(wrong).toEqual([])
    expect(otherAlias).toBeLessThan(equal / 100)
  })
})

describe('the kernel', () => {
  it('gives in ftrace’s stacks the same name, offset and size for each address', () => {
    for (const [address, text] of rows('host-6.18.ftrace.tsv')) {
      const match = host.at(BigInt(`0x${address}`))
      expect(`${match?.symbol.name}+0x${match?.offset.toString(16)}/0x${match?.size.toString(16)}`).toBe(text)
    }
  })

  it.each([
    ['host-6.18.proc-stack.tsv', host],
    ['debian-6.1.proc-stack.tsv', debian],
  ])('gives in /proc/PID/stack the sizes that we give: %s', (file, table) => {
    const frames = rows(file).filter(([, , , owner = 'vmlinux']) => table.owners.includes(owner))
    expect(frames.length).toBeGreaterThan(25)
    for (const [name = '', offset = '', size = '', owner = 'vmlinux'] of frames) {
      // A return address may lie just behind its function, never further.
      expect(Number.parseInt(offset, 16), name).toBeLessThanOrEqual(Number.parseInt(size, 16))
      const sizes = table.named(name, { owner }).map((symbol) => symbol.size.toString(16))
      expect(sizes, `${name} [${owner}]`).toContain(size)
    }
  })
})
