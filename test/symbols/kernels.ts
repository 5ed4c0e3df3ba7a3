// Kernels that never were: modules laid out as kernel/module/main.c does it, with what /proc and /sys would say of them and
// where their memory really is.
import * as fc from 'fast-check'
import { parseModuleSections } from '../../src/sources/module-sections.ts'
import type { ModuleMemory } from '../../src/symbols/memory-range.ts'

/** Memory that is really a module's. */
export interface TrueMemory {
  readonly owner: string
  readonly start: bigint
  readonly end: bigint
}

export interface MadeKernel {
  readonly text: string
  /** As /proc/modules and /sys/module tell of the modules. */
  readonly modules: readonly ModuleMemory[]
  readonly memory: readonly TrueMemory[]
  /** Whether modules had gone before others came, so that there were holes. */
  readonly holes: boolean
}

export type Layout = 'together' | 'apart' | 'packed'

const PAGE = 4096
const BASE = 0xffff_ffff_c000_0000n
/** Text from a cache lies there, in pages from the base. */
const CACHE = 4096
const NAMES = {
  text: ['.text', '.exit.text', '.altinstr_replacement'],
  data: ['__bug_table', '.data', '.gnu.linkonce.this_module'],
  readOnly: ['.rodata', '.orc_header', '.orc_unwind'],
  afterInit: ['__jump_table', '.static_call_sites'],
} as const
const LETTERS = { text: 'tT', data: 'db', readOnly: 'r', afterInit: 'd' } as const
type Kind = keyof typeof NAMES

const piece = fc.record({
  pages: fc.integer({ min: 1, max: 3 }),
  /** Offsets of sections and of symbols as parts of the piece, in thousandths. */
  sections: fc.array(fc.integer({ min: 1, max: 999 }), { maxLength: 2 }),
  symbols: fc.array(fc.integer({ min: 0, max: 999 }), { maxLength: 4 }),
})
const moduleShape = fc.record({
  text: piece,
  data: piece,
  readOnly: piece,
  afterInit: fc.option(piece, { nil: undefined }),
  init: fc.record({ text: fc.integer({ min: 0, max: 2 }), data: fc.integer({ min: 1, max: 2 }) }),
  /** It goes once all others have come that came before the next. */
  leaves: fc.boolean(),
  loading: fc.boolean(),
  /** A function of its initialisation stays listed. */
  left: fc.boolean(),
})

/** Gives the lowest free place of that many pages; `guard` unmapped pages lie behind. */
class Pages {
  readonly #taken = new Set<number>()
  readonly #from: number
  readonly #guard: number

  constructor(from: number, guard: number) {
    this.#from = from
    this.#guard = guard
  }

  take(pages: number): number {
    for (let at = this.#from; ; at++) {
      const all = Array.from({ length: pages + this.#guard }, (_, i) => at + i)
      if (all.some((page) => this.#taken.has(page))) continue
      for (const page of all) this.#taken.add(page)
      return at
    }
  }

  free(at: number, pages: number): void {
    for (let page = at; page < at + pages + this.#guard; page++) this.#taken.delete(page)
  }
}

/** A kernel of up to five modules; `tidy`: no module has gone before another came, none is loading, nothing is left. */
export function madeKernel(tidy: boolean): fc.Arbitrary<MadeKernel> {
  const layouts = fc.constantFrom<Layout>('together', 'apart', 'packed')
  return fc.tuple(layouts, fc.array(moduleShape, { minLength: 1, maxLength: 5 })).map(([layout, shapes]) => {
    const modulesArea = new Pages(0, 1)
    const textArea = layout === 'packed' ? new Pages(CACHE, 0) : modulesArea
    const lines: string[] = []
    const leftLines: string[] = []
    const modules: ModuleMemory[] = []
    const memory: TrueMemory[] = []
    let holes = false
    const at = (page: number) => BASE + BigInt(page) * BigInt(PAGE)
    shapes.forEach((shape, number) => {
      const owner = `m${number}`
      const kinds: Kind[] =
        layout === 'together' ? ['text', 'readOnly', 'afterInit', 'data'] : ['text', 'data', 'readOnly', 'afterInit']
      const present = kinds.filter((kind) => shape[kind] !== undefined)
      const bytes = present.reduce((sum, kind) => sum + shape[kind]!.pages, 0)
      const places = new Map<Kind, number>()
      if (layout === 'together') {
        let next = modulesArea.take(bytes)
        for (const kind of present) {
          places.set(kind, next)
          next += shape[kind]!.pages
        }
      } else {
        for (const kind of present)
          places.set(kind, (kind === 'text' ? textArea : modulesArea).take(shape[kind]!.pages))
      }
      const initText = shape.init.text > 0 ? textArea.take(shape.init.text) : undefined
      const initData = modulesArea.take(shape.init.data)
      const loading = !tidy && shape.loading
      if (!loading) {
        if (initText !== undefined) textArea.free(initText, shape.init.text)
        modulesArea.free(initData, shape.init.data)
      }
      if (!tidy && shape.leaves && number + 1 < shapes.length) {
        holes = true
        if (layout === 'together') modulesArea.free(places.get('text')!, bytes)
        else
          for (const [kind, place] of places) (kind === 'text' ? textArea : modulesArea).free(place, shape[kind]!.pages)
        if (loading && initText !== undefined) textArea.free(initText, shape.init.text)
        if (loading) modulesArea.free(initData, shape.init.data)
        return
      }
      const sections: { name: string; address: bigint }[] = []
      for (const [kind, place] of places) {
        const { pages, sections: parts, symbols } = shape[kind]!
        const offset = (part: number) => BigInt(Math.floor((part * pages * PAGE) / 1000))
        const starts = [0, ...[...parts].sort((a, b) => a - b)]
        starts.forEach((part, i) => {
          const name = NAMES[kind][i]
          if (name !== undefined) sections.push({ name, address: at(place) + offset(part) })
        })
        symbols.forEach((part, i) => {
          const type = LETTERS[kind][i % LETTERS[kind].length]
          lines.push(`${(at(place) + offset(part)).toString(16)} ${type} ${kind}_${number}_${i}\t[${owner}]`)
        })
        memory.push({ owner, start: at(place), end: at(place + pages) })
      }
      // Every module has this one.
      lines.push(`${at(places.get('data')!).toString(16)} d __this_module\t[${owner}]`)
      let total = bytes
      if (initText !== undefined) {
        sections.push({ name: '.init.text', address: at(initText) })
        if (loading) lines.push(`${at(initText).toString(16)} t init_module\t[${owner}]`)
        else if (!tidy && shape.left) leftLines.push(`${at(initText).toString(16)} T setup\t[${owner}]`)
      }
      sections.push({ name: '.init.data', address: at(initData) })
      if (loading) {
        total += shape.init.text + shape.init.data
        if (initText !== undefined) memory.push({ owner, start: at(initText), end: at(initText + shape.init.text) })
        memory.push({ owner, start: at(initData), end: at(initData + shape.init.data) })
      }
      const start = at(places.get('text')!)
      const listed = sections.map(({ name, address }) => `${owner} ${name} 0x${address.toString(16)}\n`).join('')
      const columns = parseModuleSections(Buffer.from(listed)).get(owner)
      modules.push({ owner, start, end: start + BigInt(total * PAGE), sections: columns, loading })
    })
    const text = [
      'ffffffff81000000 T _stext',
      'ffffffff81001000 T _etext',
      'ffffffff81200000 B _end',
      ...lines,
      ...leftLines,
    ]
    return { text: `${text.join('\n')}\n`, modules, memory, holes }
  })
}
