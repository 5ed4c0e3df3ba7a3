// Streams of a host whose modules come and go: each stack is answered by the layout of its time, and nothing by that of another.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Profile } from 'pprof-format'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeLayout, type HostLayout } from '../../src/catalog/layout.ts'
import { runStream } from '../../src/events/run.ts'
import type { HostHistory } from '../../src/host-history.ts'
import { readLayout, writeLayout } from '../../src/load/layout-file.ts'
import { openCatalog } from '../../src/open-catalog.ts'
import { stateAt } from '../../src/stacks/states.ts'
import { kerndexes, objects } from '../cli/run.ts'
import { CAPTURE } from '../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-over-time-'))
const DIR = join(folder, 'catalog')
const SECOND = 1_000_000_000n
const BOOT = new Date('2024-05-01T00:00:00Z')
const MOVED_BY = 0x200_0000n

let first: HostLayout
let history: HostHistory
/** A function of the module that moves, where it was at first, and one of the core kernel. */
let before: bigint
let after: bigint
let core: bigint
let name: string
let module: string

/** The same boot so many seconds after it, with the module there, away or elsewhere. */
function layoutAt(seconds: number, where: 'there' | 'away' | 'elsewhere'): HostLayout {
  const [one, ...others] = first.modules
  const moved = {
    ...one!,
    address: one!.address + MOVED_BY,
    sections: { ...one!.sections!, low: one!.sections!.low.map((low) => low + Number(MOVED_BY)) },
  }
  const modules = { there: first.modules, away: others, elsewhere: [moved, ...others] }[where]
  const taken = new Date(BOOT.getTime() + seconds * 1000)
  return { ...first, modules, taken, monotonic: BigInt(seconds) * SECOND }
}

beforeAll(async () => {
  const catalog = await openCatalog({ directory: DIR })
  await catalog.add(CAPTURE)
  const path = join(folder, 'capture.layout')
  await writeLayout(path, { from: CAPTURE })
  first = readLayout(path)
  const layouts = [layoutAt(100, 'there'), layoutAt(300, 'elsewhere'), layoutAt(200, 'away')]
  layouts.forEach((layout, i) => {
    writeFileSync(join(folder, `${i}.layout`), encodeLayout(layout))
  })
  history = await catalog.placeAll(layouts)
  module = first.modules[0]!.name
  const { symbols } = history.states[0]!.host
  const symbol = [...symbols].find(({ owner, type, size }) => owner === module && type === 't' && size > 32)!
  ;({ name } = symbol)
  before = symbol.address + 0x10n
  after = before + MOVED_BY
  core = symbols.require('vfs_read').address + 0x10n
}, 60_000)
afterAll(() => rmSync(folder, { recursive: true }))

const perfText = (times: readonly (string | undefined)[]) =>
  times
    .map((time) => {
      const head = time === undefined ? 'proc 1 cycles: \n' : `proc 1 [000] ${time}00000: 1 cycles: \n`
      return `${head}${[before, after, core].map((address) => `\t${address.toString(16)} [unknown] ([unknown])\n`).join('')}\n`
    })
    .join('')

interface Event {
  readonly kernel_stack: readonly {
    readonly symbol: string | null
    readonly reason?: string
    readonly module?: string
  }[]
}
const inShort = ({ kernel_stack: stack }: Event) =>
  stack.map(({ symbol, reason, module: owner }) => symbol ?? `${reason} ${owner ?? '-'}`).join(' | ')

async function streamed(text: string): Promise<string[]> {
  const lines: string[] = []
  async function* bytes() {
    yield Buffer.from(text)
  }
  const { host } = history.states[0]!
  for await (const answer of runStream(bytes(), host, 'ndjson', { threads: 0, states: history.tables })) {
    lines.push(Buffer.from(answer.bytes ?? []).toString())
  }
  return (objects(lines.join('')) as unknown as Event[]).map(inShort)
}

describe('stacks of a host over time', () => {
  it('are named by the layout of their time, and by no other', async () => {
    const stale = `stale_layout ${module}`
    // More than once, so that stacks are remembered from one state to the next.
    const times = ['50.0', '150.5', '150.6', '250.0', '350.0', '350.1', '150.7']
    expect(await streamed(perfText(times))).toEqual([
      `${name} | ${stale} | vfs_read`,
      `${name} | ${stale} | vfs_read`,
      `${name} | ${stale} | vfs_read`,
      `${stale} | ${stale} | vfs_read`,
      `${stale} | ${name} | vfs_read`,
      `${stale} | ${name} | vfs_read`,
      `${name} | ${stale} | vfs_read`,
    ])
  })

  it('of no known time have the names that all layouts agree about', async () => {
    const stale = `stale_layout ${module}`
    expect(await streamed(perfText([undefined]))).toEqual([`${stale} | ${stale} | vfs_read`])
  })

  it('find their state on the clock that their times are of', () => {
    const { tables } = history
    expect(tables.map(({ monotonic }) => monotonic)).toEqual([100n * SECOND, 200n * SECOND, 300n * SECOND])
    const real = BigInt(BOOT.getTime()) * 1_000_000n
    for (const since of [0n, real]) {
      expect([0n, 100n, 199n, 200n, 299n, 300n, 999n].map((at) => stateAt(tables, since + at * SECOND))).toEqual([
        0, 0, 0, 1, 1, 2, 2,
      ])
    }
    const unknown = tables.map((state) => ({ ...state, monotonic: undefined }))
    expect(stateAt(unknown, 150n * SECOND)).toBeUndefined()
    expect(stateAt(unknown, real + 150n * SECOND)).toBe(0)
    expect(stateAt(tables, undefined)).toBeUndefined()
  })

  it('are named by the command, which takes several layouts', async () => {
    const file = join(folder, 'perf.txt')
    writeFileSync(file, perfText(['150.5', '250.0', '350.0']))
    const other = join(folder, 'other-boot.layout')
    writeFileSync(other, encodeLayout({ ...layoutAt(400, 'there'), bootId: 'another' }))
    const elsewhere = join(folder, 'elsewhere.layout')
    const { anchor } = first
    writeFileSync(
      elsewhere,
      encodeLayout({ ...layoutAt(400, 'there'), anchor: { ...anchor, address: anchor.address + 0x20_0000n } }),
    )
    const from = (...names: string[]) => [...names.flatMap((one) => ['--from', join(folder, one)]), '--catalog', DIR]
    const all = from('2.layout', '0.layout', '1.layout')
    const profile = join(folder, 'profile.pb.gz')
    const [found, folded, text, events, ofOtherBoot, ofOtherPlace, noLayout] = await kerndexes([
      ['resolve', file, '--json', ...all],
      ['resolve', file, '--output', 'folded', ...all],
      ['resolve', file, ...all],
      ['events', file, ...all],
      ['resolve', file, ...from('0.layout', 'other-boot.layout')],
      ['resolve', file, ...from('0.layout', 'elsewhere.layout')],
      ['resolve', file, ...from('0.layout', 'perf.txt')],
      ['resolve', file, '--output', 'pprof', '--to', profile, ...all],
    ])
    const stale = `stale_layout ${module}`
    const expected = [
      `${name} | ${stale} | vfs_read`,
      `${stale} | ${stale} | vfs_read`,
      `${stale} | ${name} | vfs_read`,
    ]
    expect((objects(found!.stdout) as unknown as Event[]).map(inShort)).toEqual(expected)
    expect((objects(events!.stdout) as unknown as Event[]).map(inShort)).toEqual(expected)
    expect(found!.code).toBe(1)
    const called = folded!.stdout.split('\n').filter((line) => line.includes(name))
    expect(called.length).toBe(2)
    expect(text!.stdout.split(name).length).toBe(3)
    expect([ofOtherBoot!.code, ofOtherPlace!.code, noLayout!.code]).toEqual([2, 2, 2])
    expect(ofOtherBoot!.stderr).toContain('layouts of several boots')
    expect(ofOtherPlace!.stderr).toContain('layouts of several boots')
    expect(noLayout!.stderr).toContain('is no layout')
    // Each frame is in a mapping around it, wherever the module lay at its time; what was nowhere then is in none.
    const { location, mapping, stringTable } = Profile.decode(gunzipSync(readFileSync(profile)))
    const places = location.map(({ address, mappingId, line }) => {
      const found = mapping.find(({ id }) => id === mappingId)
      const isIn = found && BigInt(address) >= BigInt(found.memoryStart) && BigInt(address) < BigInt(found.memoryLimit)
      return [line.length, isIn && stringTable.strings[Number(found.filename)]]
    })
    expect(places.sort()).toEqual([
      [0, undefined],
      [0, undefined],
      [1, module],
      [1, module],
      [1, 'vmlinux'],
    ])
    expect(mapping.filter(({ filename }) => stringTable.strings[Number(filename)] === module).length).toBe(2)
  }, 120_000)
})
