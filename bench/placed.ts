// The first host that a process opens from a layout and a catalogue, and further ones, against a snapshot file with its symbols: what reading a book and
// giving symbols their places costs beside reading a table. Processor time, because both leave work to other threads.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCatalog, writeLayout } from '../src/catalog.ts'
import { KerndexError, openKernel, saveSnapshot } from '../src/index.ts'
import type { ColdPlaced, ColdPlacedResult } from './cold/placed.ts'
import { runCold } from './lib/cold.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { median, summarize } from './lib/stats.ts'
import { byTurns } from './lib/stop.ts'

/** Measures an input with `processes` cold processes for each. An input that tells no build id, or hides addresses, has no rows. */
export async function benchPlaced(input: Input, processes: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-bench-placed-'))
  const [file, layout, directory] = [join(folder, 'file.kerndex'), join(folder, 'layout'), join(folder, 'catalog')]
  try {
    const catalog = await openCatalog({ directory })
    await catalog.add(input.from)
    await writeLayout(layout, { from: input.from })
    // With the symbols that were placed, not those of the input: some of these no catalogue can place.
    const kernel = await openKernel({ from: layout, catalog, threads: 0 })
    await saveSnapshot(kernel.snapshot(), file)
    await kernel.close()
    const tasks: readonly ColdPlaced[] = [
      { path: file, catalog: undefined },
      { path: layout, catalog: directory },
    ]
    const [files, layouts] = await byTurns(tasks, processes, (task) =>
      runCold<ColdPlaced, ColdPlacedResult>('placed', task),
    )
    return rowsOf(input, files ?? [], layouts ?? [])
  } catch (error) {
    if (error instanceof KerndexError && ['NOT_READABLE', 'NO_PERMISSION'].includes(error.code)) return []
    throw error
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function rowsOf(input: Input, files: readonly ColdPlacedResult[], layouts: readonly ColdPlacedResult[]): Row[] {
  const row = (what: string, field: 'callMs' | 'processMs' | 'furtherMs'): Row => {
    const [times, yardstick] = [layouts, files].map((results) => results.map((result) => result[field])) as [
      number[],
      number[],
    ] // Of two, two.
    return {
      suite: 'placed',
      input: input.name,
      what,
      by: 'layout and catalogue',
      unit: 'ms',
      ...summarize(times),
      yardstick: 'snapshot file',
      ratio: median(times.map((ms, i) => ms / yardstick[i]!)),
      note: `snapshot file ${median(yardstick).toFixed(1)} ms`,
    }
  }
  return [
    row('open a host, processor time of a cold process', 'processMs'),
    row('open a host, processor time of the call, cold', 'callMs'),
    row('open a further host, processor time of the call', 'furtherMs'),
  ]
}
