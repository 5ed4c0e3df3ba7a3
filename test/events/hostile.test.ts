// Time that others choose: every input format, its detection included, over the shapes that its own lines can be bent into.
// The time of 4n bytes is compared with that of n, so that only growth counts and no machine's speed.

import { beforeAll, describe, expect, it } from 'vitest'
import type { InputFormat } from '../../src/events/format.ts'
import { INPUT_FORMATS, inputFormat } from '../../src/events/formats.ts'
import { StretchWorker } from '../../src/events/stretch.ts'
import type { StretchPlan } from '../../src/events/stretch-plan.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { RECORDS } from './hostile-records.ts'
import { type Shape, shapesOf } from './hostile-shapes.ts'
import { snapshotOfText } from './samples.ts'

const long = process.env.KERNDEX_LONG !== undefined
/** The lengths that every shape is tried in: what is quadratic stands out, and what is worse ends here. */
const EVERY = [256, 1024, 4096]
/** Those that the slowest shapes go on to; a line may have 8 MiB. */
const SLOWEST = long ? [16_384, 65_536, 1 << 18, 1 << 20, 1 << 22, 1 << 23] : [16_384, 32_768, 65_536]
/** How many of these there are of each kind of shape. */
const SLOWEST_COUNT = long ? 100 : 5
/** Shapes of one character that are tried of a format; all of them in the long run. */
const MOST_CHARACTERS = long ? Number.POSITIVE_INFINITY : 200
/** Every so many are looked at by the detection of all other formats too. */
const DETECTED = 10
/** Milliseconds below which growth is noise. */
const FLOOR_MS = 20
/** What four times the length may cost: 4 is linear, 16 quadratic. Half a step more for the caches that it outgrows. */
const MOST_GROWTH = 8
const TRIES = 6
/** Milliseconds that no linear work takes for these lengths, whatever else the machine does: not tried again. */
const HOPELESS_MS = long ? 20_000 : 1000

let symbols: SymbolTable
beforeAll(async () => {
  const snapshot = await snapshotOfText('ffffffff81000000 T _stext\nffffffff81000010 T f\nffffffff82000000 T _end\n')
  symbols = snapshot.symbols
})

/** All that is done with a text that is said to be in a format. */
function reading(format: InputFormat, products: readonly StretchPlan['product'][]): (text: string) => void {
  const workers = products.map((product) => new StretchWorker(symbols, planOf(format, product)))
  return (text) => {
    const lines = text.split(/\r?\n/)
    format.recognise(lines, text)
    const { startsRecord } = format
    if (typeof startsRecord === 'function') for (const line of lines) startsRecord(line)
    const bytes = Buffer.from(text, 'latin1')
    for (const each of workers) each.run(bytes)
  }
}

/** What is done with a text to tell its format. */
function detection(text: string): void {
  const lines = text.split(/\r?\n/)
  for (const { recognise } of INPUT_FORMATS) recognise(lines, text)
}

function planOf({ name }: InputFormat, product: StretchPlan['product']): StretchPlan {
  const folding = { kernelMark: false, prefix: 'none', addresses: false, samples: false } as const
  return {
    input: name,
    product,
    mode: 'return',
    states: [],
    rebase: undefined,
    trust: 'weigh',
    generation: 1,
    folding,
    filter: {},
    strict: false,
    passthrough: true,
  }
}

/** Milliseconds of processor time. */
function cost(work: (text: string) => void, text: string): number {
  const before = process.cpuUsage()
  work(text)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** What a shape costs at the last of the lengths, or in words how it grows too fast from a quarter of a length to it. */
function grow(shape: Shape, work: (text: string) => void, lengths: readonly number[]): number | string {
  const costs = new Map<number, number>()
  let now = 0
  for (const bytes of lengths) {
    now = cost(work, shape.fill(bytes))
    let before = costs.get(bytes / 4)
    const tooFast = () => before !== undefined && now > FLOOR_MS && now > MOST_GROWTH * Math.max(before, FLOOR_MS / 8)
    // What else the machine did may have been in the way.
    for (let tries = 1; tries < TRIES && now < HOPELESS_MS && tooFast(); tries++) {
      now = Math.min(now, cost(work, shape.fill(bytes)))
      before = Math.max(before ?? 0, cost(work, shape.fill(bytes / 4)))
    }
    if (tooFast()) return `${shape.what}: ${before?.toFixed(1)} ms, and ${now.toFixed(1)} ms for ${bytes} bytes`
    costs.set(bytes, now)
  }
  return now
}

/** The shapes to try: all that repeat a part, and of the others as many as there is time for, spread over all places. */
function sampled(shapes: readonly Shape[]): Shape[] {
  const ofCharacters = shapes.filter(({ of }) => of === 'character')
  const stride = Math.max(1, ofCharacters.length / MOST_CHARACTERS)
  const kept = ofCharacters.filter((_, i) => Math.floor(i / stride) > Math.floor((i - 1) / stride))
  return [...kept, ...shapes.filter(({ of }) => of === 'part')]
}

describe('time is linear in what others write', () => {
  it('there are records of every format', () => {
    const text = INPUT_FORMATS.filter(({ kind }) => kind !== 'binary').map(({ name }) => name)
    expect(Object.keys(RECORDS).sort()).toEqual([...text].sort())
  })

  it.each(['ndjson', 'tetragon', 'tracee'])('%s: JSON nested without end is a line that is not understood', (name) => {
    const work = new StretchWorker(symbols, planOf(inputFormat(name), 'ndjson'))
    for (const text of ['['.repeat(1 << 20), `${'{"a":['.repeat(1 << 18)}12345678901234567890`]) {
      expect(work.run(Buffer.from(`${text}\n{"type":"exec","pid":1}\n`)).bad[0]).toMatchObject({ line: 0 })
    }
  })

  it.each(INPUT_FORMATS.filter(({ kind }) => kind !== 'binary'))('$name', (format) => {
    const all = sampled((RECORDS[format.name] ?? []).flatMap(shapesOf))
    const usual = format.kind === 'text' ? 'text' : 'ndjson'
    const read = reading(format, [usual])
    const failures: string[] = []
    const costs: [Shape, number][] = []
    for (const shape of all) {
      if (failures.length >= 10) break
      const results = [grow(shape, read, EVERY)]
      if (costs.length % DETECTED === 0) results.push(grow(shape, detection, EVERY))
      let most = 0
      for (const result of results) {
        if (typeof result === 'string') failures.push(result)
        else most = Math.max(most, result)
      }
      costs.push([shape, most])
    }
    const slowestFirst = ([, a]: [Shape, number], [, b]: [Shape, number]) => b - a
    costs.sort(slowestFirst)
    const slowest = (['character', 'part'] as const).flatMap((kind) => {
      const first = costs.filter(([{ of }]) => of === kind).slice(0, 10 * SLOWEST_COUNT)
      // Many of these met a collection of garbage.
      const again = first.map(([shape, ms]): [Shape, number] => [
        shape,
        Math.min(ms, cost(read, shape.fill(EVERY.at(-1)!))),
      ])
      return again.sort(slowestFirst).slice(0, SLOWEST_COUNT)
    })
    const slowly = reading(format, [usual, 'parts'])
    for (const [shape] of failures.length > 0 ? [] : slowest) {
      for (const work of [slowly, detection]) {
        const result = grow(shape, work, SLOWEST)
        if (typeof result === 'string') failures.push(result)
      }
    }
    expect(failures).toEqual([])
  })
})
