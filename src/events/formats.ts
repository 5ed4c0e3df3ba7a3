// The input formats there are, and telling which one a stream is in.

import { choice, flag, text } from '../core/arguments.ts'
import type { InputFormat } from './format.ts'
import { addresses } from './input/addresses.ts'
import { anyText } from './input/any-text.ts'
import { bpftraceJson, bpftraceText } from './input/bpftrace.ts'
import { folded } from './input/folded.ts'
import { ftrace } from './input/ftrace.ts'
import { oops } from './input/kernel-log/oops.ts'
import { merged } from './input/merged.ts'
import { ndjson } from './input/ndjson.ts'
import { perfJson } from './input/perf-json.ts'
import { perfScript } from './input/perf-script/perf-script.ts'
import { pprof } from './input/pprof.ts'
import { procStack } from './input/proc-stack.ts'
import { symbolList } from './input/symbol-list.ts'
import { tetragon } from './input/tetragon.ts'
import { tracee } from './input/tracee.ts'

/** All formats. Where two recognise a sample equally, the earlier one is meant. */
export const INPUT_FORMATS: readonly InputFormat[] = [
  pprof,
  perfScript,
  perfJson,
  bpftraceText,
  bpftraceJson,
  ftrace,
  procStack,
  oops,
  folded,
  tetragon,
  tracee,
  merged,
  ndjson,
  symbolList,
  addresses,
  anyText,
]

/** Recordings that their own tools have to read, by how they begin: what to do with them. */
const RECORDINGS: readonly (readonly [magic: string, advice: string])[] = [
  ['PERFILE2', 'this is perf.data, a recording: run `perf script` on it first (perf script -i FILE | kerndex resolve)'],
  ['2ELIFREP', 'this is perf.data of a big-endian machine: run `perf script` on it first'],
  ['\u0017\bDtracing', 'this is trace.dat, a recording: run `trace-cmd report` on it first (trace-cmd report -i FILE)'],
]

/** Why a stream that begins so is in none of the formats, and what to do; undefined where nothing is known of it. */
export function adviceFor(sample: string): string | undefined {
  return RECORDINGS.find(([magic]) => sample.startsWith(magic))?.[1]
}

/** Bytes of a stream that are looked at to tell its format. */
export const SAMPLE_BYTES = 1 << 16
/** Bytes that are looked at where nothing is told from those. */
export const LATE_SAMPLE_BYTES = 1 << 20

/** The format of a name. @throws UsageError if there is none */
export function inputFormat(name: string): InputFormat {
  const known = choice(...INPUT_FORMATS.map((format) => format.name))(name, 'the input format')
  return INPUT_FORMATS.find((format) => format.name === known)!
}

/**
 * The format that most lines of a stream's beginning belong to, or undefined if no format knows any of them.
 * `complete` says that the sample is the whole stream; else its last line is torn and left out.
 */
export function detectFormat(sample: string, complete: boolean): InputFormat | undefined {
  text(sample, 'sample')
  flag(complete, 'complete')
  const lines = sample.split(/\r?\n/)
  if (!complete && lines.length > 1) lines.pop()
  const all = lines.filter((line) => line !== '' && !line.startsWith('#')).length
  let best: InputFormat | undefined
  let most = 0
  for (const format of INPUT_FORMATS) {
    const score = format.recognise(lines, sample)
    if (score > most) {
      best = format
      most = score
      // No other format can score higher, and some take much time to find that they know none of the lines.
      if (most >= all) break
    }
  }
  return best
}
