// A run that is told to stop: what was measured by then stays, and results that are compared belong to the same rounds.
import { expect, test } from 'vitest'
import { byTurns, inParts } from '../../bench/lib/stop.ts'

/** Measures until so many measurements were begun, of which the last is broken off, or goes through all the same. */
function stopping(after: number, how: 'breaks off' | 'goes through') {
  const control = new AbortController()
  let begun = 0
  const measure = async (contender: string, round: number) => {
    if (++begun === after) {
      control.abort()
      if (how === 'breaks off') throw new Error('killed')
    }
    return `${contender}${round}`
  }
  return byTurns(['a', 'b', 'c'], 4, measure, control.signal)
}

test('contenders take turns, another one first in each round', async () => {
  const order: string[] = []
  const results = await byTurns(['a', 'b'], 3, async (contender, round) => {
    order.push(contender)
    return round
  })
  expect(results).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ])
  expect(order.join('')).toBe('abbaab')
})

test('a run that is stopped keeps its whole rounds', async () => {
  expect(await stopping(5, 'breaks off')).toEqual([['a0'], ['b0'], ['c0']])
  expect(await stopping(5, 'goes through')).toEqual([['a0'], ['b0'], ['c0']])
  expect(await stopping(6, 'goes through')).toEqual([
    ['a0', 'a1'],
    ['b0', 'b1'],
    ['c0', 'c1'],
  ])
  expect(await stopping(3, 'goes through')).toEqual([['a0'], ['b0'], ['c0']])
  await expect(stopping(3, 'breaks off')).rejects.toThrow('killed')
  await expect(stopping(1, 'goes through')).rejects.toThrow()
})

test('a measurement that fails by itself fails the suite', async () => {
  const fails = async () => {
    throw new Error('damaged')
  }
  await expect(byTurns(['a'], 2, fails, new AbortController().signal)).rejects.toThrow('damaged')
  const rows = async () => ['row']
  await expect(inParts([rows, fails], new AbortController().signal)).rejects.toThrow('damaged')
})

test('parts that were measured before the stop are kept', async () => {
  const control = new AbortController()
  const rows = async () => ['first']
  const stops = async () => {
    control.abort()
    throw new Error('killed')
  }
  const never = async () => ['never']
  expect(await inParts([rows, stops, never], control.signal)).toEqual(['first'])
  await expect(inParts([stops, rows], control.signal)).rejects.toThrow('killed')
})
