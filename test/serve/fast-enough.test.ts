// Bodies have to come at a least rate, by a clock that the test moves.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Pace, paced } from '../../src/serve/fast-enough.ts'

const LIMITS = { bodyMs: 10_000, bodyRate: 1000 }

/** Pieces of so many bytes, each after so many milliseconds of waiting; taking one takes the server `busy`. */
async function taken(pieces: readonly (readonly [bytes: number, waited: number])[], busy = 0): Promise<number> {
  let now = 0
  const arriving = (async function* () {
    for (const [bytes, waited] of pieces) {
      now += waited
      yield new Uint8Array(bytes)
    }
  })()
  let bytes = 0
  for await (const piece of paced(arriving, new Pace(LIMITS, () => now), true)) {
    bytes += piece.length
    now += busy
  }
  return bytes
}

const late = { status: 408 }

it('are refused once they kept the server waiting for the time that they have', async () => {
  expect(await taken([[1, 9_999]])).toBe(1)
  await expect(taken([[1, 10_000]])).rejects.toMatchObject(late)
  // A byte every second is too slow, whatever it never stands still.
  await expect(taken(Array(20).fill([1, 1_000]))).rejects.toMatchObject(late)
})

it('may take as long as they want at the least rate', async () => {
  expect(await taken(Array(1_000).fill([1_000, 1_000]))).toBe(1_000_000)
})

it('save no time up', async () => {
  await expect(
    taken([
      [1_000_000, 0],
      [1, 10_000],
    ]),
  ).rejects.toMatchObject(late)
})

it('do not pay for what the server takes for itself', async () => {
  expect(await taken(Array(10).fill([10, 10]), 60_000)).toBe(100)
})

it('may come slowly where nobody needs the place, and give way where somebody does', async () => {
  let now = 0
  const pace = new Pace(LIMITS, () => now)
  let arrives: (piece: Uint8Array) => void = () => {}
  const next = () => new Promise<Uint8Array>((resolve) => (arrives = resolve))
  const first = pace.wait(next, false)
  now += 60_000
  expect(pace.isLate).toBe(true)
  arrives(new Uint8Array(1))
  await first
  // Nobody waits for it while it is worked on.
  expect(pace.isLate).toBe(false)
  // What it sends wins time back.
  pace.moved(5_000)
  const second = pace.wait(next, false)
  now += 4_999
  expect(pace.isLate).toBe(false)
  now += 1
  expect(pace.isLate).toBe(true)
  pace.giveWay()
  await expect(second).rejects.toMatchObject(late)
})

it('are never taken at less than the least rate, but for the time that all have', () =>
  fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(5_000), fc.nat(8_000)), { maxLength: 30 }), async (pieces) => {
      let [bytes, waited, slowest] = [0, 0, 0]
      for (const [size, wait] of pieces) {
        waited += wait
        slowest = Math.max(slowest, waited - bytes)
        bytes += size
      }
      const outcome = await taken(pieces).catch((error: unknown) => error)
      if (outcome !== bytes) expect(outcome).toMatchObject(late)
      // A thousand bytes a second are one a millisecond: waiting beyond what came by more than ten seconds is never borne.
      if (slowest >= LIMITS.bodyMs) expect(outcome).toMatchObject(late)
    }),
  ))
