// The results of a job: how far it is, its answers in order, or merged into one profile.

import { bigint, count, instance, like, text } from '../core/arguments.ts'
import { BadFormatError, NotFoundError } from '../core/errors.ts'
import { printable } from '../core/printable.ts'
import { Profiles } from '../stacks/profile.ts'
import { NO_SYMBOL } from '../symbols/search.ts'
import { type SymbolTable, symbolTable } from '../symbols/table.ts'
import { decodeAddresses, decodeProfile, type SymbolWords, wordsOf } from './answers.ts'
import { type Job, jobArgument, jobName } from './job.ts'
import { type Answer, type Queue, queueArgument } from './queue.ts'

/** How far a job is. */
export interface JobProgress {
  readonly job: Job
  /** Of all pieces, where all have been sent. */
  readonly pieces: number | undefined
  readonly answered: ReadonlySet<number>
  readonly buried: ReadonlySet<number>
  /** Every piece was sent, and has an answer or was given up. */
  readonly done: boolean
}

const PROGRESS = like<JobProgress>(
  { job: jobArgument, answered: instance<ReadonlySet<number>>(Set, 'a Set of numbers') },
  'how far a job is, as progressOf says',
)

/** How far a job is. @throws NotFoundError if there is none of this name */
export async function progressOf(queue: Queue, name: string): Promise<JobProgress> {
  queueArgument(queue, 'queue')
  const job = await queue.job(jobName(name, 'job'))
  if (job === undefined)
    throw new NotFoundError(`there is no job ${name}: kerndex fleet status lists those that there are`)
  const [answered, buried] = await Promise.all([queue.answered(name), queue.buried(name)])
  const pieces = job.sent?.pieces
  const done = pieces !== undefined && new Set([...answered, ...buried]).size >= pieces
  return { job, pieces, answered, buried, done }
}

/** Answers that are fetched at once. */
const AT_ONCE = 8

/** The answers of a job in the order of its pieces; those that there are. */
export async function* answersOf(queue: Queue, progress: JobProgress): AsyncGenerator<Answer> {
  queueArgument(queue, 'queue')
  const { job, answered } = PROGRESS(progress, 'progress')
  const numbers = [...answered].sort((a, b) => a - b)
  const fetch = (number: number) => {
    const answer = queue.answerOf(job.name, number)
    // Failures surface when its turn has come.
    answer.catch(() => {})
    return { number, answer }
  }
  const underWay = numbers.slice(0, AT_ONCE).map(fetch)
  let next = underWay.length
  for (;;) {
    const first = underWay.shift()
    if (first === undefined) return
    const answer = await first.answer
    if (answer === undefined) throw new NotFoundError(`the answer to piece ${first.number} of ${job.name} is gone`)
    yield answer
    const number = numbers[next++]
    if (number !== undefined) underWay.push(fetch(number))
  }
}

/** The profiles of a job, one for each event, out of all answers that there are. */
export async function profileOf(queue: Queue, progress: JobProgress): Promise<Profiles> {
  const profiles = new Profiles()
  for await (const { bytes } of answersOf(queue, progress)) profiles.merge(decodeProfile(bytes))
  return profiles
}

/** An address as it reads: its words, or itself. */
export interface AddressRow {
  readonly address: bigint
  readonly words: SymbolWords | undefined
  readonly offset: number
}

const WORDS = like<SymbolWords>({ symbol: text, owner: text, size: count }, '{ symbol, owner, size, address }')
const NO_WORDS: SymbolWords = { symbol: '', owner: '', size: 0, address: '' }
const ROW = like<AddressRow>(
  {
    address: bigint,
    offset: count,
    words: (value, name) => (value === undefined ? NO_WORDS : WORDS(value, name)),
  },
  'a row of addressRows',
)

/**
 * The addresses of an answer with their symbols.
 * @throws BadFormatError if the answer has no names and no table is given, or they do not fit
 */
export function* addressRows(bytes: Uint8Array, symbols?: SymbolTable): Generator<AddressRow> {
  if (symbols !== undefined) symbolTable(symbols, 'symbols')
  const { ids, offsets, unknown, names } = decodeAddresses(bytes)
  const known = new Map<number, { readonly words: SymbolWords; readonly start: bigint }>()
  let next = 0
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!
    const offset = offsets[i]!
    if (id === NO_SYMBOL) {
      yield { address: unknown[next++] ?? 0n, words: undefined, offset: 0 }
      continue
    }
    let found = known.get(id)
    if (found === undefined) {
      const words = names?.[id] ?? (symbols !== undefined && id < symbols.size ? wordsOf(symbols, id) : undefined)
      if (words === undefined) throw new BadFormatError('the answer is of another table: its ids are not in this one')
      found = { words, start: BigInt(words.address) }
      known.set(id, found)
    }
    yield { address: found.start + BigInt(offset), words: found.words, offset }
  }
}

/** A line for an address, as `kerndex resolve` puts it into words. */
export function addressLine(row: AddressRow): string {
  return lineOf(ROW(row, 'row'))
}

/** The same for rows that `addressRows` made: checks take half as long as the line itself. */
export function lineOf({ address, words, offset }: AddressRow): string {
  if (words === undefined) return `0x${address.toString(16)}\n`
  const { symbol, owner, size } = words
  const of = owner === '' || owner === 'vmlinux' ? '' : ` [${owner}]`
  return `${printable(`${symbol}+0x${offset.toString(16)}/0x${size.toString(16)}${of}`)}\n`
}
