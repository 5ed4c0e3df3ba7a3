// The public names of `kerndex/fleet`: jobs on a queue that outlives every process, workers, and the stores of their tables. The
// clients of NATS are optional peers, which are read when a connection is opened.

export { type MergeOptions, StackMerger } from './events/stack-merger.ts'
export {
  type AddressAnswer,
  decodeAddresses,
  decodeProfile,
  encodeProfile,
  type SymbolWords,
} from './fleet/answers.ts'
export { type Cleaned, type CleanOptions, cleanFleet } from './fleet/clean.ts'
export { DirectoryStore } from './fleet/directory-store.ts'
export { HttpStore } from './fleet/http-store.ts'
export {
  decodeJob,
  encodeJob,
  type Job,
  type JobBoot,
  type JobTotals,
  PARTITIONS,
  type PieceKind,
  type Product,
  partitionOf,
} from './fleet/job.ts'
export type { NatsOptions } from './fleet/nats/connect.ts'
export { NatsObjectStore } from './fleet/nats/object-store.ts'
export { NatsQueue } from './fleet/nats/queue.ts'
export type { Durability } from './fleet/nats/streams.ts'
export { encodePlaced, type PlacedTable } from './fleet/placed-table.ts'
export { type SubmitOptions, type Submitted, submitJob } from './fleet/producer.ts'
export {
  type Answer,
  type DeadLetter,
  type Kept,
  MemoryQueue,
  type MemoryQueueOptions,
  type Piece,
  type Queue,
  type Taken,
  type Waiting,
} from './fleet/queue.ts'
export { Resolving } from './fleet/resolving.ts'
export {
  type AddressRow,
  addressLine,
  addressRows,
  answersOf,
  type JobProgress,
  profileOf,
  progressOf,
} from './fleet/results.ts'
export { keyOf, MemoryStore, type Store, type Stored } from './fleet/store.ts'
export { type TableCounts, type TableOptions, Tables } from './fleet/tables.ts'
export { type PieceFailure, Worker, type WorkerCounts, type WorkerOptions } from './fleet/worker.ts'
