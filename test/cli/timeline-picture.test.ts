import { describe, expect, it } from 'vitest'
import { drawTimeline } from '../../src/cli/timeline-picture.ts'

const span = (work: 'read' | 'parse' | 'merge', thread: number, start: number, end: number) => ({
  work,
  what: 'x',
  thread,
  start,
  end,
})

describe('the picture of a load', () => {
  it('has a row for each thread and kind of work, with its time at its place', () => {
    const picture = drawTimeline([span('read', 0, 0, 5), span('merge', 0, 5, 10), span('parse', 2, 2, 4)], 10, 10)
    const rows = picture.trimEnd().split('\n')
    expect(rows[0]).toMatch(/0 +10 ms$/)
    expect(rows.slice(1)).toEqual([
      'main       read   █████      5.0 ms',
      'main       merge       █████ 5.0 ms',
      'thread 2   parse    ██       2.0 ms',
    ])
  })

  it('shades a column by how much of it was spent', () => {
    const rows = drawTimeline([span('read', 0, 0, 2.5), span('read', 0, 10, 19)], 40, 4).split('\n')
    expect(rows[1]).toMatch(/^main {7}read {3}[░▒][▓█] {2} 11.5 ms$/)
  })

  it('counts no moment twice where a thread waits for several files', () => {
    const rows = drawTimeline([span('read', 0, 0, 8), span('read', 0, 2, 10), span('read', 0, 3, 4)], 10, 5).split('\n')
    expect(rows[1]).toBe('main       read   █████ 10.0 ms')
  })

  it('stays within its width whatever the spans', () => {
    const rows = drawTimeline([span('read', 0, -5, 500), span('parse', 1, 3, 3)], 10, 20)
      .trimEnd()
      .split('\n')
    for (const row of rows.slice(1)) expect(/^.{18}(.*) [0-9.]+ ms$/.exec(row)?.[1]?.length).toBe(20)
    expect(() => drawTimeline([], 0, 30)).not.toThrow()
  })
})
