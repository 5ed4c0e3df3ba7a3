// Where a recording's clock was set back, and where events were only late.

import { describe, expect, it } from 'vitest'
import { Clock } from '../../src/events/clock.ts'

const MS = 1_000_000n

/** Events of CPUs at milliseconds; says in which order they were handed on, and before which the clock was set back. */
function run(events: readonly (readonly [cpu: number | undefined, ms: number | undefined])[]) {
  const out: string[] = []
  const clock = new Clock<string>(10_000n * MS, (item, setBack) => out.push(setBack ? `back ${item}` : item))
  for (const [i, [cpu, ms]] of events.entries()) clock.push(`${i}`, cpu, ms === undefined ? undefined : BigInt(ms) * MS)
  const held = events.length - out.length
  clock.flush()
  expect(out.map((item) => Number(item.replace('back ', '')))).toEqual(events.map((_, i) => i))
  return { backs: out.flatMap((item) => (item.startsWith('back ') ? [Number(item.slice(5))] : [])), held }
}

const onwards = (cpu: number, from: number, count = 10) =>
  Array.from({ length: count }, (_, i) => [cpu, from + i] as const)

describe('a CPU that goes on from an earlier time', () => {
  it('shows that the clock was set back, for all CPUs at once', () => {
    expect(run([...onwards(0, 1000), ...onwards(1, 1005), ...onwards(0, 500), ...onwards(1, 505)])).toEqual({
      backs: [20],
      held: 0,
    })
  })

  it('may be interrupted by events of others, and the end of the input', () => {
    const mixed = onwards(0, 500, 4).flatMap((event) => [event, [1, 500] as const, [undefined, undefined] as const])
    expect(run([...onwards(0, 1000), ...mixed])).toEqual({ backs: [10], held: 12 })
  })
})

describe('a clock that was set back before a silence', () => {
  it('shows in the events between', () => {
    expect(run([...onwards(0, 1000), ...onwards(0, 500, 3), ...onwards(0, 2000)])).toEqual({ backs: [10], held: 0 })
  })
})

describe('no clock was set back', () => {
  it.each<[string, readonly (readonly [number | undefined, number | undefined])[]]>([
    ['where one event is late', [...onwards(0, 1000), [0, 500], ...onwards(0, 1010)]],
    ['where the last event is late', [...onwards(0, 1000), [0, 500]]],
    [
      'where events come in any order',
      [9, 3, 7, 1, 8, 2, 6, 5, 4, 0, 12, 10, 18, 11, 14, 13].map((ms) => [0, ms * 10]),
    ],
    ['where the file of one CPU stands behind that of another', [...onwards(0, 1000), ...onwards(1, 500)]],
    ['where an event is interrupted by a later one', onwards(0, 1000, 20).map(([cpu, ms]) => [cpu, ms ^ 1])],
    ['where it goes back as far as another boot', [...onwards(0, 20_000), ...onwards(0, 1000)]],
    ['where it goes forward', [...onwards(0, 1000), ...onwards(0, 500_000)]],
  ])('%s', (_, events) => {
    expect(run(events).backs).toEqual([])
  })
})
