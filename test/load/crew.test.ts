// What goes ahead in a plan, and memory that is used again while one is carried out.
import { describe, expect, it } from 'vitest'
import { Crew } from '../../src/load/crew.ts'
import { Pacer } from '../../src/load/pacer.ts'
import { Timeline } from '../../src/load/timeline.ts'
import { BUILD_RANGE_STARTS, BUILD_RANGES } from '../../src/symbols/constants.ts'
import { ALL_DONE, type Plan, Workspace } from '../../src/symbols/workspace.ts'

const crewOf = (workspace: Workspace) => new Crew(workspace, undefined, 2, new Pacer(), new Timeline())

describe('a step that goes ahead', () => {
  const UNTOUCHED = 7

  /** The word that the step `sumRanges` clears: behind the step, and behind what waits for it. */
  async function seen(ahead: boolean, behind: 'a step' | 'the end'): Promise<readonly number[]> {
    const workspace = Workspace.open()
    const word = workspace.room(4)
    const look = () => workspace.words[word >>> 2]!
    workspace.words[word >>> 2] = UNTOUCHED
    workspace.set(BUILD_RANGES, 0)
    workspace.set(BUILD_RANGE_STARTS, word)
    function* plan(): Plan<number[]> {
      yield { step: 'sumRanges', from: 0, to: 1, ahead }
      const words = [look()]
      yield
      words.push(look())
      if (behind === 'a step') yield ALL_DONE
      words.push(look())
      return words
    }
    const words = await crewOf(workspace).carryOut(plan())
    const last = look()
    workspace.release()
    return [...words, last]
  }

  it('is done before the next step begins, and what stands between them does not wait', async () => {
    expect(await seen(false, 'a step')).toEqual([0, 0, 0, 0])
    expect(await seen(true, 'a step')).toEqual([UNTOUCHED, UNTOUCHED, 0, 0])
  })

  it('is done when the plan is', async () => {
    expect(await seen(true, 'the end')).toEqual([UNTOUCHED, UNTOUCHED, UNTOUCHED, 0])
  })
})

it('memory that is not needed any more is cut again, and never two times at once', () => {
  const workspace = Workspace.open()
  const first = workspace.room(1000)
  const behind = workspace.room(16)
  workspace.free(first, 1000)
  const rooms = [500, 1, 400, 200].map((bytes) => ({ address: workspace.room(bytes), bytes }))
  expect(rooms.filter(({ address }) => address < behind).map(({ bytes }) => bytes)).toEqual([500, 1, 400])
  const ends = rooms.map(({ address, bytes }) => [address, address + bytes] as const).sort(([a], [b]) => a - b)
  ends.push([Number.POSITIVE_INFINITY, 0])
  for (const [i, [, end]] of ends.slice(0, -1).entries()) expect(end).toBeLessThanOrEqual(ends[i + 1]![0])
  expect(
    rooms.every(({ address, bytes }) => address % 16 === 0 && (address + bytes <= first + 1000 || address > behind)),
  ).toBe(true)
  workspace.release()
})
