// The bounded wait: order, a clock that is set back, and what it holds.

import { describe, expect, it } from 'vitest'
import { OrderedWait } from '../../src/events/wait.ts'

const SECOND = 1_000_000_000n

/** Runs times, in seconds, through a wait of two; says in which order they were applied, which late, and what came out. */
function run(times: readonly (number | undefined)[], most = 1000) {
  const applied: (number | string)[] = []
  const out: number[] = []
  const restarts: bigint[] = []
  let held = 0
  const wait = new OrderedWait<number, { index: number }>(
    { waitNs: 2n * SECOND, most },
    {
      apply(index, number, late) {
        applied.push(late ? `late ${index}` : index)
        wait.settle(number, { index })
      },
      restart: (ts) => restarts.push(ts / SECOND),
    },
  )
  times.forEach((time, index) => {
    const ts = time === undefined ? undefined : BigInt(Math.round(time * 1000)) * 1_000_000n
    out.push(...wait.push(index, ts).map((result) => result.index))
    held = Math.max(held, wait.held)
  })
  wait.applyAll()
  out.push(...wait.take().map((result) => result.index))
  return { applied, out, restarts, held }
}

const counted = (length: number, from: number, step: number) => Array.from({ length }, (_, i) => from + step * i)

describe('a wait', () => {
  it('applies in the order of times and gives back in the order of the input', () => {
    const { applied, out } = run([10, 12, 11, 13, 12.5, 20, 19])
    expect(applied).toEqual([0, 2, 1, 4, 3, 6, 5])
    expect(out).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('takes one time that is far behind for a late event', () => {
    const { applied, out, restarts } = run([100, 101, 1, 102, 103, 110])
    expect(applied).toContain('late 2')
    expect(restarts).toEqual([])
    expect(out).toEqual([0, 1, 2, 3, 4, 5])
  })

  it('begins anew where the clock was set back and stays there', () => {
    const first = counted(500, 1000, 0.01)
    const second = counted(5000, 5, 0.01)
    const { applied, out, restarts, held } = run([...first, ...second, ...second])
    expect(restarts).toEqual([5n, 5n])
    expect(applied.filter((each) => typeof each === 'string')).toEqual([])
    expect(out).toEqual(counted(10_500, 0, 1))
    // Two seconds of a recording, and what it took to see that the clock was set back.
    expect(held).toBeLessThan(300)
  })

  it('applies all of a second recording, however short, in its own order', () => {
    const { applied, out, restarts } = run([1000, 1001, 5, 4, undefined])
    expect(restarts).toEqual([5n])
    expect(applied).toEqual([0, 1, 3, 4, 2])
    expect(out).toEqual([0, 1, 2, 3, 4])
  })

  it('holds no more than it may, whatever the times are', () => {
    for (const times of [counted(5000, 5000, -0.0001), counted(5000, 0, 0.00001), counted(5000, 5000, -1)]) {
      const { out, held } = run(times, 200)
      expect(out).toEqual(counted(5000, 0, 1))
      expect(held).toBeLessThanOrEqual(201)
    }
  })
})
