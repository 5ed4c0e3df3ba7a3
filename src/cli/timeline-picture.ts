// A load's timeline as a picture in text: a row for each thread and kind of work, time from left to right.

import type { Span, Work } from '../load/timeline.ts'

const ROWS: readonly Work[] = ['start', 'read', 'parse', 'gather', 'merge', 'index']
const SHADES = [' ', '░', '▒', '▓', '█'] as const

/**
 * Draws the spans over `width` columns. A column's shade says how much of its time the thread spent on that kind of work;
 * the number behind a row is the sum in milliseconds.
 */
export function drawTimeline(spans: readonly Span[], totalMs: number, width: number): string {
  const threads = [...new Set(spans.map(({ thread }) => thread))].sort((a, b) => a - b)
  const column = Math.max(totalMs, 0.001) / width
  const lines = [`${' '.repeat(18)}0${' '.repeat(Math.max(1, width - 8))}${totalMs.toFixed(0).padStart(4)} ms`]
  for (const thread of threads) {
    for (const work of ROWS) {
      const own = withoutOverlap(spans.filter((span) => span.thread === thread && span.work === work))
      if (own.length === 0) continue
      const busy = new Float64Array(width)
      let sum = 0
      for (const { start, end } of own) {
        sum += end - start
        for (let c = Math.max(0, Math.floor(start / column)); c < width && c * column < end; c++) {
          busy[c]! += Math.max(0, Math.min(end, (c + 1) * column) - Math.max(start, c * column))
        }
      }
      const cells = Array.from(busy, (ms) => SHADES[ms === 0 ? 0 : Math.min(4, 1 + Math.floor((ms / column) * 3.99))])
      const label = `${thread === 0 ? 'main' : `thread ${thread}`}`.padEnd(10)
      lines.push(`${label} ${work.padEnd(6)} ${cells.join('')} ${sum.toFixed(1)} ms`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** Ranges of time that cover the spans and count no moment twice: one thread may wait for several files at once. */
export function withoutOverlap(
  spans: readonly { readonly start: number; readonly end: number }[],
): { start: number; end: number }[] {
  const ranges: { start: number; end: number }[] = []
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const last = ranges[ranges.length - 1]
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
    else ranges.push({ start, end })
  }
  return ranges
}
