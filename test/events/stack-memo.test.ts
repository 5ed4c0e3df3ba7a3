// The memory of whole stacks: a run of lines is found again by all of its bytes and no other is, whatever stands around it,
// and what comes of a stream does not depend on which stacks were known.

import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type KnownStack, type Run, StackMemo } from '../../src/events/stack-memo.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { HOST, run, snapshotOf } from './samples.ts'

const TAB = 9

/** Asks for the lines somewhere in larger bytes, and adds them when they are met again. */
function meet(memo: StackMemo<string>, lines: string) {
  const bytes = Buffer.from(`ab\n${lines}\nxyz`, 'latin1')
  memo.over(bytes)
  const found: Run | undefined = memo.run(3)
  const known: KnownStack<string> | undefined = found && memo.known()
  if (found?.again === true && known === undefined) memo.add([], []).made = lines
  return { found, known }
}

describe('the memory of stacks', () => {
  it('measures runs as a loop over lines does, and knows exactly what it was given', () => {
    const line = fc
      .array(fc.constantFrom(...'ab\n\t\xff\x0b\x8a'), { maxLength: 9 })
      .map((letters) => `\t${letters.join('').replaceAll('\n', '')}\n`)
    const stack = fc.array(line, { minLength: 1, maxLength: 6 }).map((lines) => lines.join(''))
    fc.assert(
      fc.property(
        fc.array(stack, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(4), { maxLength: 40 }),
        (of, turns) => {
          const memo = new StackMemo<string>(TAB)
          const met = new Map<string, number>()
          for (const turn of turns) {
            const lines = of[turn % of.length] ?? ''
            const { found, known } = meet(memo, lines)
            expect(found).toMatchObject({ start: 3, end: 3 + lines.length, lines: lines.split('\n').length - 1 })
            const times = met.get(lines) ?? 0
            met.set(lines, times + 1)
            if (known !== undefined) expect(known.made).toBe(lines)
            // Met once: its hash; met twice: kept, unless another of the same slot came between.
            if (times === 0) expect(known).toBeUndefined()
          }
        },
      ),
      { numRuns: 300 },
    )
    const memo = new StackMemo<string>(TAB)
    const known = ['\ta b\n\tc\n', '\ta b\n\tc\n', '\ta b\n\tc\n', '\ta b\n\td\n'].map(
      (lines) => meet(memo, lines).known?.made,
    )
    expect(known).toEqual([undefined, undefined, '\ta b\n\tc\n', undefined])
  })

  it('tells stacks of one hash from each other', () => {
    const step = (hash: number, word: number) => {
      const mixed = Math.imul(hash ^ word, 0x9e3779b1)
      return mixed ^ (mixed >>> 15)
    }
    const text = (...words: number[]) => {
      const bytes = Buffer.alloc(4 * words.length)
      words.forEach((word, i) => {
        bytes.writeUInt32LE(word >>> 0, 4 * i)
      })
      return `${bytes.toString('latin1')}\n`
    }
    const [one, other] = [0x61626309, 0x31323309]
    // The second word makes up for what the first did to the hash.
    const first = text(one, 0x64646464)
    const second = text(other, step(0, one) ^ 0x64646464 ^ step(0, other))
    expect(second.indexOf('\n')).toBe(8)
    const memo = new StackMemo<string>(TAB)
    meet(memo, first)
    meet(memo, first)
    expect(meet(memo, first).known?.made).toBe(first)
    const { found, known } = meet(memo, second)
    expect(found?.again).toBe(true)
    expect(known).toBeUndefined()
  })

  it('leaves alone what goes on to the end, or is very long', () => {
    const memo = new StackMemo<string>(TAB)
    for (const text of ['\tabc\n\tabc\n', '\tabc\n\tabc', '\t', `${'\tabcdefg\n'.repeat(9000)}\n`]) {
      memo.over(Buffer.from(text))
      expect(memo.run(0)).toBeUndefined()
    }
  })

  it('forgets all when there are too many bytes', () => {
    const memo = new StackMemo<string>(TAB)
    const stack = (i: number) => `\t${String(i).padStart(60_000, 'x')}\n`
    for (let i = 0; i < 130; i++) {
      meet(memo, stack(i))
      meet(memo, stack(i))
      expect(meet(memo, stack(i)).known).toBeDefined()
    }
    // 139 stacks of 60 kB are as many as it holds.
    expect(meet(memo, stack(0)).known).toBeDefined()
    for (let i = 130; i < 150; i++) for (let turn = 0; turn < 2; turn++) meet(memo, stack(i))
    expect(meet(memo, stack(0)).known).toBeUndefined()
    expect(meet(memo, stack(149)).known).toBeDefined()
  })
})

describe('a stream whose stacks come again', () => {
  let host: Snapshot
  beforeAll(async () => {
    host = await snapshotOf(HOST)
  })
  const address = (i: number) => (host.symbols.addressOf(5000 + 40 * i) + 16n).toString(16)
  const frames = ['[kernel.kallsyms]', '[nft]', '/usr/bin/node']
  const stack = (i: number) =>
    Array.from({ length: 1 + (i % 5) }, (_, k) => `\t${address(i + k)} f+0x1 (${frames[(i + k) % 3]})\n`).join('')
  const head = (i: number) => `c ${i} ${100 + (i % 3)}/${100 + (i % 3)} [000] 1.${String(i).padStart(6, '0')}: 7 x: \n`
  /** Odd endings: none, a line end of Windows, a line that is no frame, one that begins with blanks, a torn one. */
  const odd = ['\n', '\r\n', '\tno frame\n\n', `  ${'f'.repeat(15)} f+0x1 ([x])\n\n`, '', '\n\n']
  const record = fc.tuple(fc.nat(5), fc.nat(7)).map(([i, end]) => ({ i, text: `${stack(i)}${odd[end] ?? '\n'}` }))

  it.each(['text', 'ndjson', 'compact', 'profile', 'parts'] as const)(
    'comes to the same as its records one by one: %s',
    async (product) => {
      const options = { input: 'perf-script', boot: { release: host.host.release } }
      await fc.assert(
        fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 30 }), async (records) => {
          const text = Buffer.from(records.map(({ text }, n) => head(n) + text).join(''))
          const sums = async (bytes: Buffer) => {
            const sum = { events: 0, frames: 0, unresolved: 0, userFrames: 0, bad: 0, lines: 0 }
            const written: Uint8Array[] = []
            for (const answer of await run(bytes, host, product, options)) {
              if (answer.bytes !== undefined) written.push(answer.bytes)
              for (const key of ['events', 'frames', 'unresolved', 'userFrames', 'lines'] as const)
                sum[key] += answer[key]
              sum.bad += answer.bad.length
            }
            return { sum, written: Buffer.concat(written).toString('latin1') }
          }
          const whole = await sums(text)
          // In a stream of one record no stack comes again.
          const blocks = text.toString('latin1').split(/(?=^c )/m)
          const total = { events: 0, frames: 0, unresolved: 0, userFrames: 0, bad: 0, lines: 0 }
          let apart = ''
          for (const block of blocks) {
            const { sum, written } = await sums(Buffer.from(block, 'latin1'))
            for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += sum[key]
            apart += written
          }
          expect(whole.sum).toEqual(total)
          if (product !== 'parts' && product !== 'profile') expect(whole.written).toBe(apart)
        }),
        { numRuns: 20 },
      )
    },
  )
})
