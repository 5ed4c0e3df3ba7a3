// Plans of probes over a kernel that is ready, each in a process of its own: the first one and the same once more.

import type { ProbesResult, ProbesTask } from './cold/probes.ts'
import { runCold } from './lib/cold.ts'
import type { Input } from './lib/inputs.ts'
import type { Row } from './lib/report.ts'
import { compare, summarize } from './lib/stats.ts'
import { byTurns, inParts } from './lib/stop.ts'

/** All of vmlinux by its types, and a glob over every function of the kernel and its modules. */
const SPECS = ['fentry:vmlinux:*', 'kprobe:nf_*']

/** Measures plans in `processes` cold processes for each specification. */
export async function benchProbes(input: Input, processes: number): Promise<Row[]> {
  const ofSpec = async (spec: string): Promise<Row[]> => {
    const [results = []] = await byTurns([spec], processes, () =>
      runCold<ProbesTask, ProbesResult>('probes', { from: input.from, spec }),
    )
    const row = (by: string, msOf: (result: ProbesResult) => number): Row => ({
      suite: 'probes',
      input: input.name,
      what: spec,
      by,
      unit: 'ms',
      ...summarize(results.map(msOf)),
      ...(by.startsWith('kerndex') && {
        ...compare(
          'names only',
          results.map(msOf),
          results.map(({ plainMs }) => plainMs),
        ),
        note: `${results[0]?.found ?? 0} functions judged`,
      }),
    })
    return [
      row('names only', ({ plainMs }) => plainMs),
      row('kerndex, first plan', ({ firstMs }) => firstMs),
      row('kerndex, again', ({ againMs }) => againMs),
    ]
  }
  return inParts(SPECS.map((spec) => () => ofSpec(spec)))
}
