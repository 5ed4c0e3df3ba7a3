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
export {
  attachKernel,
  Kernel,
  type OpenOptions,
  openKernel,
  type Refreshed,
  type Timing,
  type WatchOptions,
} from './kernel.ts'
export { Change, type Difference, differenceOf } from './load/changes.ts'
export { type ElfOptions, type ElfSymbols, openElf } from './load/elf.ts'
export type { LoadProgress } from './load/load.ts'
export {
  type OpenedFile,
  type OpenedTypes,
  type OpenTypesOptions,
  openTypeFile,
  openTypes,
} from './load/open-types.ts'
export { type Handle, type HostFacts, type SkippedLines, Snapshot } from './load/snapshot.ts'
export type { Span, Work } from './load/timeline.ts'
export type { BulkOptions } from './query/pool.ts'
export type { ModuleInfo } from './sources/facts.ts'
export type { Absence } from './sources/source.ts'
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
