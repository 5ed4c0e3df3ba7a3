// Traces of another boot: recognised, moved where that is right, refused where it is not.

import { beforeAll, describe, expect, it } from 'vitest'
import { UsageError } from '../../src/core/errors.ts'
import { judgeBoot, judgeByWitnesses } from '../../src/stacks/boot.ts'
import { frameInWords, type RawFrame, rawFrame } from '../../src/stacks/frame.ts'
import { StackResolver } from '../../src/stacks/resolve.ts'
import type { SymbolTable } from '../../src/symbols/table.ts'
import { decode, HOST, output, sample, snapshotOf } from '../events/samples.ts'

const STEXT = 0xffffffff81000000n
let symbols: SymbolTable
beforeAll(async () => {
  symbols = (await snapshotOf(HOST)).symbols
})

describe('what is known of both boots', () => {
  const host = { bootId: 'here', release: '6.18.44' }
  it.each([
    ['the same boot id', { bootId: 'here' }],
    ['nothing', {}],
    ['the same place of _stext', { stext: STEXT }],
    ['the same release', { release: '6.18.44' }],
  ])('%s: nothing is moved', (_, trace) => {
    expect(judgeBoot(trace, host, symbols)).toBeUndefined()
  })
  it('another place of _stext: moved by the difference', () => {
    const rebase = judgeBoot({ bootId: 'there', stext: 0xffffffff9e000000n }, host, symbols)
    expect(rebase?.delta).toBe(STEXT - 0xffffffff9e000000n)
    expect(rebase?.start).toBe(0xffffffff9e000000n)
  })
  it.each([
    ['another boot, place unknown', { bootId: 'there' }],
    ['another release', { release: '6.1.0' }],
    ['this boot with another _stext', { bootId: 'here', stext: 0xffffffff9e000000n }],
  ])('%s: refused', (_, trace) => {
    expect(() => judgeBoot(trace, host, symbols)).toThrow(UsageError)
  })
})

describe('the release in perf’s header', () => {
  const head = (release: string) => `# ========\n# os release : ${release}\n# ========\n#\n`
  const perf = 'a 7 [000] 1.000000: 1 x: \n\tffffffff816b8aab\n\n'
  const words = async (text: string) => (await output(Buffer.from(text), await snapshotOf(HOST), 'text')).toString()
  it('of another kernel: nothing is looked up', async () => {
    expect(await words(head('5.4.0-1') + perf)).toBe(head('5.4.0-1') + perf)
  })
  it('gives way to names that lie where the table has them', async () => {
    const named = perf.replace('\n\n', '\n\tffffffff816b8aab vfs_read+0xbb ([kernel.kallsyms])\n\n')
    expect(await words(head('5.4.0-1') + named)).toContain(
      '816b8aab vfs_read+0xbb ([kernel.kallsyms])\n\tffffffff816b8aab vfs',
    )
  })
})

describe('what the trace says itself', () => {
  const SHIFT = 0x1d200000n
  const frames = () =>
    decode('ftrace', sample(HOST, 'ftrace-stack-symaddr.txt').toString('latin1')).events.flatMap(
      (event) => event.frames,
    )
  const moved = (by: (frame: RawFrame, i: number) => bigint) =>
    frames().map((frame, i) => rawFrame({ ...frame, address: (frame.address ?? 0n) + by(frame, i) }))

  const NONE = { rebase: undefined, otherKernel: false, agreed: true }
  it('agrees with its own boot', () => {
    expect(judgeByWitnesses(frames(), symbols)).toEqual(NONE)
  })
  it('shows by how much another boot lies elsewhere', () => {
    const all = moved(() => SHIFT)
    expect(judgeByWitnesses(all, symbols).rebase?.delta).toBe(-SHIFT)
    expect(judgeByWitnesses(all.slice(0, 1), symbols).rebase?.delta).toBe(-SHIFT)
  })
  it('also without offsets, where two names agree', () => {
    const all = moved(() => SHIFT).map((frame) => rawFrame({ ...frame, offset: undefined, size: undefined }))
    expect(judgeByWitnesses(all, symbols).rebase?.delta).toBe(-SHIFT)
    expect(judgeByWitnesses(all.slice(0, 1), symbols)).toEqual({ rebase: undefined, otherKernel: true, agreed: false })
  })
  it('of another kernel agrees on nothing, however few its frames are', () => {
    const all = moved(({ name }) => BigInt((name ?? '').length) * 16n)
    for (const some of [all, all.slice(0, 2), all.slice(0, 1)])
      expect(judgeByWitnesses(some, symbols)).toEqual({ rebase: undefined, otherKernel: true, agreed: false })
  })
  it('is not held against it where most frames agree', () => {
    const all = moved((_, i) => (i % 3 === 0 ? 48n : 0n))
    expect(judgeByWitnesses(all, symbols)).toEqual(NONE)
  })
  it('nothing is evidence of nothing', () => {
    const silent = moved(() => SHIFT).map((frame) => rawFrame({ ...frame, name: undefined, offset: undefined }))
    for (const none of [silent, []]) expect(judgeByWitnesses(none, symbols)).toEqual({ ...NONE, agreed: false })
  })
})

it('a moved trace reads like the one it was made of', async () => {
  const snapshot = await snapshotOf(HOST)
  const text = sample(HOST, 'perf-script-pidtid.txt')
  const other = text.toString('latin1').replace(/\tffffffff([0-9a-f]{8}) /g, (_, low: string) => {
    return `\t${(BigInt(`0xffffffff${low}`) + 0x1200000n).toString(16)} `
  })
  expect(other).not.toBe(text.toString('latin1'))
  const names = async (of: Buffer) =>
    (await output(of, snapshot, 'text')).toString('latin1').replaceAll(/^\tffffffff[0-9a-f]{8}/gm, '')
  expect(await names(Buffer.from(other, 'latin1'))).toBe(await names(text))
})

it('modules of another boot are not guessed at, and user addresses stay what they are', () => {
  const rebase = judgeBoot({ bootId: 'there', stext: STEXT + 0x200000n }, { bootId: 'here' }, symbols)
  const resolver = new StackResolver(symbols, { rebase })
  const stack = [0xffffffff81200010n, 0xffffffffc0201000n, 0x55d0c0de1234n].map((address) => rawFrame({ address }))
  const resolved = resolver.resolve(stack, 'pc-first')
  expect(resolved.map((frame) => frameInWords(frame) ?? frame.reason)).toEqual([
    expect.stringMatching(/^__entry_text_start\+0x0\//),
    'other_boot',
    'not_kernel',
  ])
})
