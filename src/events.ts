// The public names of `kerndex/events`: stacks, streams of events, and processes.

export { DEFAULT_WAIT, Enricher, type EnrichOptions } from './events/enrich.ts'
export type { EventType, Lifecycle, TraceEvent } from './events/event.ts'
export type { EventFilter } from './events/filter.ts'
export type { Folding } from './events/fold.ts'
export type { InputFormat } from './events/format.ts'
export { detectFormat, INPUT_FORMATS, inputFormat } from './events/formats.ts'
export { type Missing, type Placed, placeEvent, type Warning } from './events/life.ts'
export { type LiveOptions, readEvents } from './events/live.ts'
export { diffLines } from './events/output/diff.ts'
export { firefoxJson } from './events/output/firefox.ts'
export { flameGraphHtml } from './events/output/flamegraph.ts'
export { foldedLines } from './events/output/folded.ts'
export type { CodeMapping, Output, ProfileFacts, ProfileWriter } from './events/output/output.ts'
export { OUTPUTS, outputOf } from './events/output/outputs.ts'
export { pprofBytes } from './events/output/pprof.ts'
export { speedscopeJson } from './events/output/speedscope.ts'
export { flameSvg } from './events/output/svg.ts'
export type { EventParts } from './events/parts.ts'
export { type PieceOptions, PieceResolver } from './events/piece-resolver.ts'
export type { ReadOptions } from './events/plan.ts'
export { type PlacedAnswer, runStream, type StreamOptions } from './events/run.ts'
export { type MergeOptions, StackMerger } from './events/stack-merger.ts'
export type { BadInputLine, StretchAnswer } from './events/stretch-plan.ts'
export type { WaitLimits } from './events/wait.ts'
export {
  type CacheOptions,
  DEFAULT_CAPACITY,
  DEFAULT_INTERVAL_NS,
  ProcessCache,
} from './processes/cache.ts'
export { type CounterFamily, ProcessCounters } from './processes/counters.ts'
export { type DumpOptions, dumpLines } from './processes/dump.ts'
export type { Birth, Described, EntryView } from './processes/entry.ts'
export { parseTraceClock, STREAM_CLOCKS, type StreamClock } from './processes/proc.ts'
export { type ProcessSnapshot, processJson } from './processes/process.ts'
export {
  addRunning,
  type ClockOffset,
  clockOffset,
  type RunningProcess,
  type RunningThread,
  readRunning,
  scanProc,
  seedCache,
} from './processes/scan.ts'
export type { ThreadView } from './processes/threads.ts'
export { treeLines } from './processes/tree.ts'
export { type BootFacts, judgeBoot, judgeByWitnesses } from './stacks/boot.ts'
export {
  type Frame,
  type FrameReason,
  frameInWords,
  type LookupMode,
  type RawFrame,
  rawFrame,
  type StackShape,
} from './stacks/frame.ts'
export {
  type CodeKind,
  Profile,
  type ProfileFrame,
  type ProfilePart,
  type ProfileSample,
  type ProfileStack,
  Profiles,
  type Weighing,
} from './stacks/profile.ts'
export { type Rebase, type StackOptions, StackResolver } from './stacks/resolve.ts'
