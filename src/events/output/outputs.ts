// The outputs of `resolve`, in the order in which the help lists them.

import { choice } from '../../core/arguments.ts'
import { diff } from './diff.ts'
import { firefox } from './firefox.ts'
import { flamegraph } from './flamegraph.ts'
import { folded } from './folded.ts'
import type { Output } from './output.ts'
import { pprof } from './pprof.ts'
import { speedscope } from './speedscope.ts'
import { svg } from './svg.ts'

/** Outputs that are written stretch by stretch, by the threads themselves. */
const STREAMED: readonly Output[] = [
  { name: 'text', what: 'the input with addresses in words, every other byte unchanged', product: 'text' },
  { name: 'ndjson', what: 'events as lines of JSON', product: 'ndjson' },
  { name: 'compact', what: 'events in words', product: 'compact' },
]

export const OUTPUTS: readonly Output[] = [...STREAMED, folded, flamegraph, svg, speedscope, firefox, pprof, diff]

/** The output of a name. @throws UsageError if there is none */
export function outputOf(name: string): Output {
  const known = choice(...OUTPUTS.map((output) => output.name))(name, 'the output')
  return OUTPUTS.find((output) => output.name === known)!
}
