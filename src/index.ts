// The public names of kerndex.

export { type CDumpOptions, dumpC } from './btf/c-dump.ts'
export { dumpModulesC } from './btf/c-dump-modules.ts'
export { type CheckBase, type CheckError, type CheckResult, checkBtf } from './btf/check.ts'
export { type CheckedRelocation, checkObject } from './btf/check-object.ts'
export { type Relocation, type RelocationResult, type RelocationStatus, Relocator } from './btf/core-relocate.ts'
export type { RelocationKind } from './btf/core-spec.ts'
export { type DetailChange, type DiffOptions, diffTypes, type TypeChange } from './btf/diff.ts'
export type { KindName } from './btf/format.ts'
export { type FunctionParam, KernelFunction } from './btf/functions.ts'
export { type LaidOutMember, type Layout, layoutOf } from './btf/layout.ts'
export type { MemberPlace } from './btf/member-path.ts'
export { printLayout } from './btf/print-layout.ts'
export { dumpRaw } from './btf/raw.ts'
export { alignOf, pointerSize, sizeOf } from './btf/sizes.ts'
export * from './btf/type.ts'
export { TypeSet } from './btf/type-set.ts'
export { type FindOptions, type LazyModules, type TypeCandidate, Types } from './btf/types.ts'
export { formatAddress, parseAddress } from './core/address.ts'
export { decodeName, encodeName } from './core/bytes.ts'
export * from './core/errors.ts'
export { DEFAULT_WAIT, Enricher, type EnrichOptions } from './events/enrich.ts'
export type { EventType, Lifecycle, TraceEvent } from './events/event.ts'
export type { Folding } from './events/fold.ts'
export type { InputFormat } from './events/format.ts'
export { detectFormat, INPUT_FORMATS, inputFormat } from './events/formats.ts'
export { readEvents } from './events/live.ts'
export { diffLines } from './events/output/diff.ts'
export { flameGraphHtml } from './events/output/flamegraph.ts'
export { foldedLines } from './events/output/folded.ts'
export { speedscopeJson } from './events/output/speedscope.ts'
export type { EventParts } from './events/parts.ts'
export { type PlacedAnswer, runStream, type StreamOptions } from './events/run.ts'
export type { BadInputLine, StretchAnswer } from './events/stretch.ts'
export type { WaitLimits } from './events/wait.ts'
export {
  attachKernel,
  Kernel,
  type KernelCacheOptions,
  type OpenOptions,
  openKernel,
  type Refreshed,
  type Timing,
  type WatchOptions,
} from './kernel.ts'
export { type CacheEntry, openCache, type SnapshotCache, type SnapshotCacheOptions } from './load/cache.ts'
export type { CacheReport } from './load/cached.ts'
export { type CaptureOptions, type CaptureSummary, writeCapture } from './load/capture.ts'
export { Change, type Difference, differenceOf } from './load/changes.ts'
export { compareSnapshots, type SnapshotDifference } from './load/compare.ts'
export { type ElfOptions, type ElfSymbols, openElf } from './load/elf.ts'
export type { LoadProgress } from './load/load.ts'
export {
  type OpenedFile,
  type OpenedTypes,
  type OpenTypesOptions,
  openTypeFile,
  openTypes,
} from './load/open-types.ts'
export { type SnapshotInfo, saveSnapshot, snapshotInfo } from './load/save.ts'
export { type Handle, type HostFacts, type SkippedLines, Snapshot } from './load/snapshot.ts'
export type { Span, Work } from './load/timeline.ts'
export type { SuffixCensus, SuffixClass } from './probes/census.ts'
export type { Architecture } from './probes/conventions.ts'
export type { Candidate } from './probes/describe.ts'
export type { AmbiguityPolicy } from './probes/expansion.ts'
export {
  type ArgumentGroup,
  attachAll,
  type MultiList,
  type PlanOptions,
  type ProbePlan,
  type SpecPlan,
} from './probes/plan.ts'
export type { Probes } from './probes/probes.ts'
export type { Reason, ReasonCode, Verdict, Warning, WarningCode } from './probes/reasons.ts'
export type { AttachMethod, AttachRecipe } from './probes/recipe.ts'
export { type AskedKind, type ProbeKind, type ProbeSpec, parseSpec, SpecError } from './probes/spec.ts'
export type { Trust } from './probes/suffix.ts'
export type { ProbeTarget, TargetArgument } from './probes/target.ts'
export {
  type CacheOptions,
  DEFAULT_CAPACITY,
  type EntryView,
  ProcessCache,
} from './processes/cache.ts'
export { type CounterFamily, ProcessCounters } from './processes/counters.ts'
export { type ProcessSnapshot, processJson } from './processes/process.ts'
export { type RunningProcess, scanProc, seedCache } from './processes/scan.ts'
export { treeLines } from './processes/tree.ts'
export type { BulkOptions } from './query/pool.ts'
export { Reader } from './reader.ts'
export type { ModuleInfo } from './sources/facts.ts'
export type { Absence } from './sources/source.ts'
export { type BootFacts, judgeBoot, judgeByWitnesses, type Rebase } from './stacks/boot.ts'
export {
  type Frame,
  type FrameReason,
  frameInWords,
  type LookupMode,
  type RawFrame,
  rawFrame,
  type StackShape,
} from './stacks/frame.ts'
export { Profile } from './stacks/profile.ts'
export { type StackOptions, StackResolver } from './stacks/resolve.ts'
export type { DamagedEntry } from './symbols/elf.ts'
export type { ElfTable } from './symbols/elf-entries.ts'
export type { DamageReason, LeftOutReason } from './symbols/elf-rules.ts'
export type { KindFilter, NothingReason } from './symbols/locate.ts'
export { type NamedAnswer, type PackedNames, packNames } from './symbols/lookup-names.ts'
export type { BadLine, BadLineReason } from './symbols/parse.ts'
export { NO_SYMBOL } from './symbols/search.ts'
export { KernelSymbol, SymbolMatch } from './symbols/symbol.ts'
export {
  type AddressOptions,
  type BulkAnswer,
  HIDDEN_OWNER,
  type NameOptions,
  type Pattern,
  type StartingAnswer,
  type SymbolCensus,
  SymbolTable,
} from './symbols/table.ts'
