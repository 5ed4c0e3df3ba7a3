// The work on a piece: it is looked up in its table, as one run over the whole stream would.

import { parseAddress } from '../core/address.ts'
import { setBounded } from '../core/bounded-map.ts'
import { UnsupportedError } from '../core/errors.ts'
import { inputFormat } from '../events/formats.ts'
import { merged } from '../events/input/merged.ts'
import { planOf } from '../events/plan.ts'
import { StretchWorker } from '../events/stretch.ts'
import type { StretchAnswer, StretchPlan } from '../events/stretch-plan.ts'
import { type Snapshot, snapshotArgument } from '../snapshot/snapshot.ts'
import type { BootFacts } from '../stacks/boot.ts'
import { AddressAnswers, encodeProfile } from './answers.ts'
import { type Job, jobArgument } from './job.ts'
import { unpackAddresses } from './packed-addresses.ts'
import { type Piece, pieceArgument } from './queue.ts'

/** The answer to a piece, and the counts. */
export interface Resolved {
  readonly bytes: Uint8Array
  readonly counts: Readonly<Record<string, number>>
}

/** Resolvers that are remembered, of all tables together. */
const MOST_RESOLVERS = 64
/** Bytes that one may remember of lines and stacks. */
const MOST_MEMORY = 1 << 26
const NOTHING = new Uint8Array(0)

/** Looks pieces up. Jobs of one table that are to be read in one way share what is remembered of their stacks. */
export class Resolving {
  readonly #workers = new Map<string, { readonly snapshot: Snapshot; readonly worker: StretchWorker }>()
  readonly #plans = new Map<string, { readonly snapshot: Snapshot; readonly plan: StretchPlan }>()
  readonly #tables = new WeakMap<Snapshot, number>()
  #tableCount = 0
  readonly #answers = new AddressAnswers()
  /** Addresses of the largest piece so far. */
  #room = new BigUint64Array(0)

  /** @throws BadFormatError, UnsupportedError, UsageError, LimitError if the piece cannot be looked up, now or ever */
  resolve(job: Job, piece: Piece, snapshot: Snapshot): Resolved {
    jobArgument(job, 'job')
    pieceArgument(piece, 'piece')
    snapshotArgument(snapshot, 'snapshot')
    return job.pieces === 'addresses' ? this.#addresses(job, piece, snapshot) : this.#records(job, piece, snapshot)
  }

  /** Forgets what was made for a table. */
  forget(of: Snapshot): void {
    snapshotArgument(of, 'snapshot')
    for (const kept of [this.#workers, this.#plans]) {
      for (const [key, { snapshot }] of kept) if (snapshot === of) kept.delete(key)
    }
  }

  #addresses(job: Job, { bytes }: Piece, { symbols }: Snapshot): Resolved {
    const addresses = unpackAddresses(bytes, this.#room)
    if (addresses.length > this.#room.length) this.#room = addresses
    const count = addresses.length
    const { bytes: answer, missing } = this.#answers.encode(addresses, symbols, job.product === 'names')
    return { bytes: answer, counts: { addresses: count, frames: count, unresolved: missing } }
  }

  #records(job: Job, { bytes }: Piece, snapshot: Snapshot): Resolved {
    const plan = this.#planOf(job, snapshot)
    const key = `${this.#numberOf(snapshot)}\n${planKey(plan)}`
    const { worker } = this.#workers.get(key) ?? { worker: new StretchWorker(snapshot.symbols, plan) }
    const answer = worker.run(bytes)
    if (worker.memory > MOST_MEMORY) this.#workers.delete(key)
    else setBounded(this.#workers, key, { snapshot, worker }, MOST_RESOLVERS)
    const product = job.product === 'profile' ? encodeProfile(answer.profile ?? []) : (answer.bytes ?? NOTHING)
    return { bytes: product, counts: countsOf(answer) }
  }

  /** The plan for a job: what the beginning of its stream says of the boot that it is of holds for all of its pieces. */
  #planOf(job: Job, snapshot: Snapshot): StretchPlan {
    const key = `${job.name}\n${job.opened}`
    const known = this.#plans.get(key)
    if (known?.snapshot === snapshot) return known.plan
    const { product, mode, prefix, kernelMark, userAddresses } = job
    if (product === 'ids' || product === 'names') throw new UnsupportedError(`records are not made into ${product}`)
    const folding = { kernelMark, userAddresses, prefix, addresses: true, samples: false }
    const options = { mode, folding, boot: bootOf(job) }
    const format = inputFormat(job.input)
    const planned = planOf(format, product, snapshot, options, Buffer.from(job.sample, 'base64'))
    const plan = job.pieces === 'stacks' ? { ...planned, input: merged.name } : planned
    setBounded(this.#plans, key, { snapshot, plan }, MOST_RESOLVERS)
    return plan
  }

  #numberOf(snapshot: Snapshot): number {
    let number = this.#tables.get(snapshot)
    if (number === undefined) {
      number = this.#tableCount++
      this.#tables.set(snapshot, number)
    }
    return number
  }
}

function bootOf({ boot }: Job): BootFacts {
  const { bootId, release, stext } = boot
  return { bootId, release, stext: stext === undefined ? undefined : parseAddress(stext) }
}

function planKey(plan: StretchPlan): string {
  return JSON.stringify(plan, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}

function countsOf({ lines, events, frames, unresolved, userFrames, contradictions, bad }: StretchAnswer) {
  return { lines, events, frames, unresolved, userFrames, contradictions, bad: bad.length }
}
