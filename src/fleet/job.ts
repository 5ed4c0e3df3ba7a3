// A job: the table in which its pieces are looked up, what the pieces are, and what is to be made of them. Its record is
// JSON that others wrote: it is checked when it is read.

import { createHash, randomBytes } from 'node:crypto'
import {
  type Check,
  choice,
  count,
  flag,
  like,
  nested,
  type Options,
  bytes as someBytes,
  text,
  wrong,
} from '../core/arguments.ts'
import { BadFormatError, UnsupportedError, UsageError } from '../core/errors.ts'
import type { LookupMode } from '../stacks/frame.ts'

/** The pieces of a job: whole records of its input format, lines of merged stacks, or packed addresses. */
export type PieceKind = 'records' | 'stacks' | 'addresses'

/**
 * The product of pieces. Of records `text`, `ndjson` and `compact`, in order; of merged stacks a `profile`; of addresses ids and
 * offsets (`ids`), which mean something with the table alone, or names too (`names`).
 */
export type Product = 'text' | 'ndjson' | 'compact' | 'profile' | 'ids' | 'names'

/** Which boot the stacks are of, as far as their recorder said. */
export interface JobBoot {
  readonly bootId?: string | undefined
  readonly release?: string | undefined
  /** `0x…` */
  readonly stext?: string | undefined
}

/** A job. */
export interface Job {
  /** Its name: letters, digits, `-` and `_`, 64 at most. */
  readonly name: string
  /** The content key of the table that its pieces are looked up in. */
  readonly table: string
  readonly pieces: PieceKind
  readonly product: Product
  /** The format that the stream was in, by name; `addresses` for packed ones. */
  readonly input: string
  readonly mode: LookupMode
  readonly boot: JobBoot
  readonly prefix: 'none' | 'comm' | 'comm-pid'
  readonly kernelMark: boolean
  readonly userAddresses: boolean
  /** The beginning of the stream: what it says of the boot that it is of holds for all pieces. Base64. */
  readonly sample: string
  /** When it was opened, in ISO 8601. */
  readonly opened: string
  /** Known once all pieces have been sent. */
  readonly sent?: JobTotals | undefined
}

/** The size of a job, once all of it has been sent. */
export interface JobTotals {
  readonly pieces: number
  /** Events or addresses. */
  readonly events: number
  /** Lines that could not be decoded where stacks were merged. */
  readonly bad: number
  /** SHA-256 over all pieces: who sends a job again has to send the same. */
  readonly digest: string
}

const VERSION = 1
const NAME = /^[A-Za-z0-9_-]{1,64}$/
const KEY = /^[0-9a-f]{64}$/

/** A name that can be a part of a subject. */
export const jobName: Check<string> = (value, name) => {
  if (typeof value !== 'string' || !NAME.test(value)) throw wrong(name, 'at most 64 letters, digits, - and _', value)
  return value
}

/** A content key: SHA-256 in hexadecimal digits. */
export const contentKey: Check<string> = (value, name) => {
  if (typeof value !== 'string' || !KEY.test(value)) throw wrong(name, 'a key of 64 hexadecimal digits', value)
  return value
}

export const isContentKey = (value: string): boolean => KEY.test(value)

/** A name for a job that none has yet. */
export function newJobName(): string {
  return randomBytes(8).toString('hex')
}

export const LOOKUP_MODE = choice<LookupMode>('return', 'raw')
export const PREFIX = choice<Job['prefix']>('none', 'comm', 'comm-pid')
export const JOB_BOOT: Options<JobBoot> = { bootId: text, release: text, stext: text }

const TOTALS: Options<JobTotals> = { pieces: count, events: count, bad: count, digest: text }
const JOB: Options<Job> = {
  name: jobName,
  table: contentKey,
  pieces: choice<PieceKind>('records', 'stacks', 'addresses'),
  product: choice<Product>('text', 'ndjson', 'compact', 'profile', 'ids', 'names'),
  input: text,
  mode: LOOKUP_MODE,
  boot: nested<JobBoot>(JOB_BOOT),
  prefix: PREFIX,
  kernelMark: flag,
  userAddresses: flag,
  sample: text,
  opened: text,
  sent: nested<JobTotals>(TOTALS),
}

/** A job, as an argument: all is known of it but what it comes to. */
export const jobArgument: Check<Job> = (value, name) => {
  const job = nested<Job>(JOB)(value, name)
  for (const [key, check] of Object.entries(JOB)) if (key !== 'sent') check(Reflect.get(job, key), `${name}.${key}`)
  return job
}

/** The same as an argument. */
export const totalsArgument: Check<JobTotals> = like<JobTotals>(TOTALS, '{ pieces, events, bad, digest }')

/** The bytes of a job's record. */
export function encodeJob(job: Job): Uint8Array {
  jobArgument(job, 'job')
  return Buffer.from(JSON.stringify({ kerndex: VERSION, ...job }))
}

/** @throws BadFormatError, UnsupportedError if the bytes are no record of a job */
export function decodeJob(bytes: Uint8Array): Job {
  someBytes(bytes, 'bytes')
  let record: unknown
  try {
    record = JSON.parse(Buffer.from(bytes).toString())
  } catch (cause) {
    throw new BadFormatError('the record of the job is no JSON', {}, { cause })
  }
  if (typeof record !== 'object' || record === null) throw new BadFormatError('the record of the job is no object')
  const { kerndex, ...rest } = record as { readonly kerndex?: unknown }
  if (kerndex !== VERSION) throw new UnsupportedError('the record of the job is of another version of kerndex')
  try {
    return jobArgument(rest, 'job')
  } catch (error) {
    if (error instanceof UsageError) throw new BadFormatError(`the record of the job: ${error.message}`)
    throw error
  }
}

/** The fields that have to be the same where a job is sent again: all but the time, and how far it came. */
export function sameJob(a: Job, b: Job): boolean {
  const essence = ({ opened, sent, ...rest }: Job) =>
    JSON.stringify(Object.entries(rest).sort(([x], [y]) => (x < y ? -1 : 1)))
  return essence(a) === essence(b)
}

/** Partitions that pieces are shared out to, by the table that they need. */
export const PARTITIONS = 64

/** The partition of a table's pieces: workers stay with a few, so that they keep their tables open. */
export function partitionOf(table: string): number {
  return createHash('sha256').update(contentKey(table, 'table')).digest().readUInt32LE(0) % PARTITIONS
}
