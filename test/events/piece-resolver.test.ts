// A resolver of pieces: what it says of a recording in pieces is what one run says of the whole; its memory stays within its
// bound, and what it forgets changes nothing but the time it takes.

import { beforeAll, describe, expect, it } from 'vitest'
import { Cutter } from '../../src/events/cut.ts'
import { inputFormat } from '../../src/events/formats.ts'
import { PieceResolver } from '../../src/events/piece-resolver.ts'
import type { StretchPlan } from '../../src/events/stretch-plan.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { Profiles } from '../../src/stacks/profile.ts'
import { DEBIAN, output, run, sample, snapshotOf } from './samples.ts'

const PERF = 'perf-script.txt'
let debian: Snapshot
let pieces: Uint8Array[]
beforeAll(async () => {
  debian = await snapshotOf(DEBIAN)
  const cutter = new Cutter(inputFormat('perf-script'))
  const stretches = [...cutter.push(sample(DEBIAN, PERF)), cutter.end()]
  pieces = stretches.flatMap((one) => (one === undefined ? [] : [new Uint8Array(one.text, 0, one.length).slice()]))
  expect(pieces.length).toBeGreaterThan(5)
})

const resolver = (product: StretchPlan['product'], memory?: number) =>
  new PieceResolver(debian, { input: 'perf-script', product, memory })

describe('pieces', () => {
  it.each(['text', 'ndjson', 'compact'] as const)('make the %s that the whole makes', async (product) => {
    const whole = await output(sample(DEBIAN, PERF), debian, product)
    const one = resolver(product)
    const apart = pieces.map((piece) => Buffer.from(one.run(piece).bytes ?? []))
    expect(Buffer.concat(apart).equals(whole)).toBe(true)
  })

  it('make the profile that the whole makes, in any order', async () => {
    const folded = (parts: Iterable<Parameters<Profiles['merge']>[0] | undefined>) => {
      const profiles = new Profiles()
      for (const part of parts) profiles.merge(part ?? [])
      return profiles.all.map((profile) => [profile.event, profile.folded()])
    }
    const whole = folded((await run(sample(DEBIAN, PERF), debian, 'profile')).map(({ profile }) => profile))
    const one = resolver('profile')
    expect(folded([...pieces].reverse().map((piece) => one.run(piece).profile))).toEqual(whole)
  })
})

describe('memory', () => {
  it('is told, stays within its bound, and is no part of the answers', () => {
    const [small, large] = [resolver('ndjson', 1 << 20), resolver('ndjson')]
    let forgot = 0
    let before = 0
    for (const piece of [...pieces, ...pieces]) {
      expect(Buffer.compare(small.run(piece).bytes ?? NONE, large.run(piece).bytes ?? NONE)).toBe(0)
      expect(small.memory).toBeLessThanOrEqual(1 << 20)
      if (small.memory < before || small.memory === 0) forgot++
      before = small.memory
    }
    expect(forgot).toBeGreaterThan(0)
    expect(large.memory).toBeGreaterThan(1 << 20)
    large.forget()
    expect(large.memory).toBe(0)
    expect(large.run(pieces[0]!).frames).toBe(small.run(pieces[0]!).frames)
  })

  it.each<[string, () => unknown]>([
    ['an unknown format', () => new PieceResolver(debian, { input: 'nonsense', product: 'text' })],
    ['no number of bytes', () => resolver('text', Number.NaN)],
    ['another kernel', () => new PieceResolver(debian, { ...OTHER, product: 'text' }).run(pieces[0]!)],
    ['text of a profile', () => new PieceResolver(debian, { input: 'pprof', product: 'text' }).run(pieces[0]!)],
  ])('%s is refused', (_, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

const NONE = new Uint8Array(0)
const OTHER = { input: 'perf-script', boot: { release: '5.15.0-other' } }
