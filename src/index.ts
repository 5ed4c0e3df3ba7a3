// The public names of kerndex: kernels, their symbols, types and probes. What only some programs need, and every other would wait
// for, has entry points of its own: btf.ts, events.ts and catalog.ts.

export type { TypeUsers } from './btf/ask/asked-types.ts'
export { type FunctionParam, KernelFunction } from './btf/ask/functions.ts'
export { type LaidOutMember, type Layout, layoutOf } from './btf/ask/layout.ts'
export type { MemberPlace } from './btf/ask/member-path.ts'
export type { FindOptions, FunctionQuestion, MemberQuestion } from './btf/ask/questions.ts'
export type { TypeUse } from './btf/ask/type-uses.ts'
export type { KindName } from './btf/kinds.ts'
export { isModifier } from './btf/kinds.ts'
export type { LazyModules } from './btf/read/set-list.ts'
export { alignOf, pointerSize, sizeOf } from './btf/read/sizes.ts'
export * from './btf/read/type.ts'
export { TypeSet } from './btf/read/type-set.ts'
export { Types } from './btf/types.ts'
export { formatAddress, parseAddress } from './core/address.ts'
export { decodeName, encodeName } from './core/bytes.ts'
export * from './core/errors.ts'
export { Kernel, type KernelPart, type Refreshed } from './kernel.ts'
export type { CacheReport } from './load/cached-file.ts'
export { type CaptureOptions, type CaptureSummary, writeCapture } from './load/capture.ts'
export { type ElfOptions, type ElfSymbols, openElf } from './load/elf.ts'
export type { LoadProgress } from './load/load.ts'
export {
  type OpenedFile,
  type OpenedTypes,
  type OpenTypeFileOptions,
  type OpenTypesOptions,
  openTypeFile,
  openTypes,
} from './load/open-types.ts'
export { type SaveOptions, type SnapshotInfo, saveSnapshot, snapshotInfo } from './load/save.ts'
export type { Span, Timing, Work } from './load/timeline.ts'
export { attachKernel, type KernelCacheOptions, type OpenOptions, openKernel } from './open-kernel.ts'
export type { Architecture } from './probes/architectures.ts'
export type { SuffixCensus, SuffixClass } from './probes/census.ts'
export type { Candidate } from './probes/describe.ts'
export type { AskedKind, ProbeKind } from './probes/kinds.ts'
export {
  type ArgumentGroup,
  attachAll,
  type MultiList,
  type PlanOptions,
  type ProbePlan,
  type SpecPlan,
} from './probes/plan.ts'
export type { Probes } from './probes/probes.ts'
export type { Caution, Reason, ReasonCode, Verdict, Warning, WarningCode } from './probes/reasons.ts'
export type { AttachMethod, AttachRecipe } from './probes/recipe.ts'
export { type ProbeSpec, parseSpec } from './probes/spec.ts'
export { SpecError } from './probes/spec-error.ts'
export type { Trust } from './probes/suffix.ts'
export type { AmbiguityPolicy, ProbeTarget, TargetArgument } from './probes/target.ts'
export type { BulkOptions } from './query/pool.ts'
export { Reader } from './reader.ts'
export { type CacheEntry, openCache, type SnapshotCache, type SnapshotCacheOptions } from './snapshot/cache.ts'
export { Change, type Difference, differenceOf } from './snapshot/changes.ts'
export { compareSnapshots, type SnapshotDifference } from './snapshot/compare.ts'
export type { HostFacts, SkippedLines } from './snapshot/host-facts.ts'
export { type Handle, Snapshot } from './snapshot/snapshot.ts'
export type { ModuleInfo } from './sources/facts.ts'
export type { Absence } from './sources/source.ts'
export type { ResolvedStacks, StackColumns, StackRows, Stacks } from './stacks/stacks.ts'
export type { AddressOptions, BulkAnswer, NameOptions, Pattern, StartingAnswer } from './symbols/arguments.ts'
export type { DamagedEntry } from './symbols/elf.ts'
export type { ElfTable } from './symbols/elf-entries.ts'
export type { DamageReason, LeftOutReason } from './symbols/elf-rules.ts'
export type { KindFilter, NothingReason } from './symbols/locate.ts'
export { type NamedAnswer, type PackedNames, packNames } from './symbols/lookup-names.ts'
export type { BadLine, BadLineReason } from './symbols/parse.ts'
export { NO_SYMBOL } from './symbols/search.ts'
export { KernelSymbol, SymbolMatch } from './symbols/symbol.ts'
export { HIDDEN_OWNER, type SymbolCensus, SymbolTable } from './symbols/table.ts'
export type { WatchOptions } from './watch-options.ts'
