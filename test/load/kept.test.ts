// A refresh keeps what has not changed of a text as the earlier table has it: whatever is changed, the result is that of a fresh load.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Loaded, loadKernel } from '../../src/load/load.ts'
import { regionsIn } from '../symbols/model.ts'
import { fakeSource } from './sources.ts'

/** A module: its name, where it is, and its symbols as types and names. */
interface Module {
  readonly name: string
  readonly address: bigint
  readonly symbols: readonly (readonly [type: string, name: string])[]
}

const coreOf = (length: number) => Array.from({ length }, (_, i) => `core_${i % 7 === 0 ? '__pfx_' : ''}function_${i}`)
const CORE = coreOf(500)
/** Names that many modules have, some of them only behind a prefix elsewhere: their roots move as modules come and go. */
const SHARED = [
  'init_module',
  '__this_module',
  '__func__.0',
  '__pfx_probe',
  'probe',
  '__ksymtab_probe',
  'a',
  'x'.repeat(300),
]

function textOf(core: readonly string[], modules: readonly Module[]): string {
  const lines = core.map((name, i) => `${(0xffffffff81000000n + BigInt(i) * 32n).toString(16)} T ${name}`)
  for (const { name, address, symbols } of modules) {
    symbols.forEach(([type, symbol], i) => {
      // Neither in order inside a module nor apart: some addresses are those of others.
      const at = address + BigInt((i * 7) % symbols.length) * 16n
      lines.push(`${at.toString(16)} ${type} ${symbol}${name === '' ? '' : `\t[${name}]`}`)
    })
  }
  return `${lines.join('\n')}\n`
}

const symbol = fc.tuple(
  fc.constantFrom('t', 'T', 'd', 'r', 'b'),
  fc.oneof(fc.constantFrom(...SHARED), fc.stringMatching(/^[a-z_]{1,6}$/)),
)
const module = fc.record({
  name: fc.constantFrom('nf', 'ext4', 'bpf', '__builtin__ftrace', 'xfs', 'snd', 'usb', 'drm'),
  address: fc.integer({ min: 0, max: 24 }).map((page) => 0xffffffffc0000000n + BigInt(page) * 0x400n),
  symbols: fc.array(symbol, { minLength: 1, maxLength: 40 }),
})

type Edit = (core: string[], modules: Module[]) => void
const place = fc.nat(1_000_000)
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ at: place, module }).map(
    ({ at, module }): Edit =>
      (_, modules) =>
        modules.splice(at % (modules.length + 1), 0, module),
  ),
  // As the kernel does: the newest module comes first.
  module.map(
    (module): Edit =>
      (_, modules) =>
        modules.unshift(module),
  ),
  place.map(
    (at): Edit =>
      (_, modules) =>
        modules.splice(at % Math.max(1, modules.length), 1),
  ),
  fc.tuple(place, place).map(
    ([from, to]): Edit =>
      (_, modules) => {
        const moved = modules.splice(from % Math.max(1, modules.length), 1)
        modules.splice(to % (modules.length + 1), 0, ...moved)
      },
  ),
  fc.tuple(place, place).map(
    ([at, address]): Edit =>
      (_, modules) => {
        const i = at % Math.max(1, modules.length)
        if (modules[i] !== undefined)
          modules[i] = { ...modules[i], address: 0xffffffffc0000000n + BigInt(address % 4096) * 8n }
      },
  ),
  fc.tuple(place, symbol).map(
    ([at, [, name]]): Edit =>
      (core) => {
        core[at % core.length] = name
      },
  ),
  place.map(
    (at): Edit =>
      (core) =>
        core.splice(at % core.length, 1),
  ),
  // Every symbol stays where it is: only a name is another, or a type.
  fc.tuple(place, symbol, fc.constantFrom('name', 'type')).map(
    ([at, [type, name], what]): Edit =>
      (_, modules) => {
        const i = at % Math.max(1, modules.length)
        const { symbols = [], ...module } = modules[i] ?? {}
        const old = symbols[at % Math.max(1, symbols.length)]
        if (old === undefined) return
        const changed = what === 'name' ? ([old[0], name] as const) : ([type, old[1]] as const)
        modules[i] = { ...(module as Module), symbols: symbols.with(at % symbols.length, changed) }
      },
  ),
  // A bpf program's symbol stands behind all modules.
  fc.tuple(place, symbol).map(
    ([at, [, name]]): Edit =>
      (_, modules) => {
        modules.push({
          name: 'bpf',
          address: 0xffffffffc0008000n + BigInt(at % 64) * 16n,
          symbols: [['t', `bpf_prog_${name}`]],
        })
      },
  ),
)

const load = (text: string, earlier?: Loaded, chunkBytes = 512, facts: Readonly<Record<string, Buffer>> = {}) =>
  loadKernel(fakeSource(Buffer.from(text), { facts }), 1 + (earlier?.handle.generation ?? 0), {
    chunkBytes,
    types: false,
    earlier: earlier?.memory,
  })

const bytesOf = ({ handle }: Loaded) => Buffer.from(handle.symbols)

describe('what a refresh gives', () => {
  // Of the larger one each part of the roots is many blocks, most of which go equally far.
  it.each([
    [500, [128, 512, 2048], 40],
    [8000, [4096, 16_384], 4],
  ] as const)(
    'is what a fresh load gives, whatever has changed, and so after every further change: %i symbols and modules',
    async (size, chunks, numRuns) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(module, { minLength: 8, maxLength: 14 }),
          fc.array(fc.array(edit, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
          fc.constantFrom(...chunks),
          async (modules, rounds, chunkBytes) => {
            const core = coreOf(size)
            let last = await load(textOf(core, modules), undefined, chunkBytes)
            for (const edits of rounds) {
              for (const change of edits) change(core, modules)
              const text = textOf(core, modules)
              last = await load(text, last, chunkBytes)
              const fresh = await load(text, undefined, chunkBytes)
              expect(bytesOf(last).equals(bytesOf(fresh))).toBe(true)
              expect(last.memory.text).toEqual(fresh.memory.text)
            }
          },
        ),
        { numRuns: process.env.KERNDEX_LONG === undefined ? numRuns : 75 * numRuns },
      )
    },
  )

  it.each([256, 512, 2048])('is so where the name index comes to be of another size: %i symbols', async (most) => {
    const names = Array.from({ length: most + 1 }, (_, i) => `function_${i}`)
    let last = await load(textOf(names.slice(0, most - 1), []))
    for (const [count, isKept] of [
      [most, true],
      [most + 1, false],
      [most, false],
    ] as const) {
      const text = textOf(names.slice(0, count), [])
      last = await load(text, last)
      expect(last.timeline.spans.some(({ what }) => what === 'mergeOrder')).toBe(isKept)
      expect(bytesOf(last).equals(bytesOf(await load(text)))).toBe(true)
    }
  })

  it.each([
    ['alone', ''],
    ['and a line of the text', 'ffffffff81000010 t added\n'],
  ])('is so where a module is of another size: this %s', async (_, more) => {
    const start = 0xffffffffc0000000n
    const text = `${textOf(CORE, [])}${start.toString(16)} t probe\t[nf]\n${(start + 4096n).toString(16)} d state\t[nf]\n`
    const sized = (pages: number) => ({ modules: Buffer.from(`nf ${pages * 4096} 0 - Live 0x${start.toString(16)}\n`) })
    const endOf = ({ handle }: Loaded) => regionsIn(handle.symbols, ['vmlinux', 'nf']).at(-1)?.end
    const before = await load(text, undefined, 512, sized(3))
    const after = await load(more + text, before, 512, sized(5))
    expect([endOf(before), endOf(after)]).toEqual([start + 3n * 4096n, start + 5n * 4096n])
    expect(bytesOf(after).equals(bytesOf(await load(more + text, undefined, 512, sized(5))))).toBe(true)
  })

  it('is so where modules have other sections, or the same ones again', async () => {
    const start = 0xffffffffc0000000n
    const text = `${textOf(CORE, [])}${start.toString(16)} t probe\t[nf]\n${(start + 4096n).toString(16)} d state\t[nf]\n`
    const facts = (data: bigint) => ({
      modules: Buffer.from(`nf 16384 0 - Live 0x${start.toString(16)}\n`),
      module_sections: Buffer.from(`nf .text 0x${start.toString(16)}\nnf .data 0x${data.toString(16)}\n`),
    })
    let last = await load(text, undefined, 512, facts(start + 4096n))
    for (const [edit, data] of [
      ['', start + 4096n],
      ['ffffffff81000010 t added\n', start + 4096n],
      ['ffffffff81000010 t added\n', start + 8192n],
      ['', start + 4096n],
    ] as const) {
      last = await load(edit + text, last, 512, facts(data))
      const fresh = await load(edit + text, undefined, 512, facts(data))
      expect(bytesOf(last).equals(bytesOf(fresh))).toBe(true)
      expect(last.memory.sections).toEqual(fresh.memory.sections)
      expect(last.handle.host).toEqual(fresh.handle.host)
    }
  })

  it('is so where what ends a section of the kernel has another name', async () => {
    const text = (name: string) =>
      `ffffffff81000000 T _stext\n${textOf(CORE, [])}ffffffff81005800 T ${name}\nffffffff81400000 D state\nffffffff81500000 D _end\n`
    const before = await load(text('_etext'))
    const after = await load(text('_stuff'), before)
    const fresh = await load(text('_stuff'))
    expect(regionsIn(before.handle.symbols, ['vmlinux'])).not.toEqual(regionsIn(fresh.handle.symbols, ['vmlinux']))
    expect(bytesOf(after).equals(bytesOf(fresh))).toBe(true)
  })

  it('is so where a section of the kernel ends elsewhere', async () => {
    const text = (end: string) =>
      `ffffffff81000000 T _stext\n${textOf(CORE, [])}${end} T _etext\nffffffff81400000 D state\nffffffff81500000 D _end\n`
    const before = await load(text('ffffffff81005800'))
    const after = await load(text('ffffffff81007800'), before)
    expect(regionsIn(after.handle.symbols, ['vmlinux'])[0]?.end).toBe(0xffffffff81008000n)
  })
})
