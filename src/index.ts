// The public names of kerndex.

export type { KindName } from './btf/format.ts'
export type { TypeCandidate } from './btf/types.ts'
export { Types } from './btf/types.ts'
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
export type { LoadProgress } from './load/load.ts'
export { type Handle, type HostFacts, type SkippedLines, Snapshot } from './load/snapshot.ts'
export type { Span, Work } from './load/timeline.ts'
export type { BulkOptions } from './query/pool.ts'
export type { ModuleInfo } from './sources/facts.ts'
export type { Absence } from './sources/source.ts'
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
