// A stream cut into pieces that stand by themselves: whole records, equal stacks merged, addresses packed.

import { LimitError, UsageError } from '../core/errors.ts'
import { readAddresses } from '../events/bulk-addresses.ts'
import { Cutter } from '../events/cut.ts'
import { inputFormat } from '../events/formats.ts'
import { StackMerger } from '../events/stack-merger.ts'
import type { Job } from './job.ts'
import { packAddresses } from './packed-addresses.ts'

const ADDRESS_BYTES = 8

type Counted = (events: number, bad: number) => void

/** A stream in pieces, each of which stands by itself. */
export async function* piecesOf(
  source: Beginning,
  job: Job,
  most: number,
  counted: Counted,
): AsyncGenerator<Uint8Array> {
  if (job.pieces === 'addresses') yield* addressPieces(source, job, most, counted)
  else if (job.pieces === 'stacks') yield* stackPieces(source, job, most, counted)
  else yield* recordPieces(source, job.input, most)
}

async function* recordPieces(source: Beginning, input: string, most: number): AsyncGenerator<Uint8Array> {
  const cutter = new Cutter(inputFormat(input), most)
  const whole = (stretch: { readonly text: SharedArrayBuffer; readonly length: number }) => {
    if (stretch.length > most) {
      throw new LimitError(`a record takes more than ${most} bytes, the most that the broker takes in a piece`)
    }
    const piece = new Uint8Array(stretch.length)
    piece.set(new Uint8Array(stretch.text, 0, stretch.length))
    cutter.release(stretch)
    return piece
  }
  for await (const some of source) for (const stretch of cutter.push(some)) yield whole(stretch)
  const rest = cutter.end()
  if (rest !== undefined) yield whole(rest)
}

async function* stackPieces(source: Beginning, job: Job, most: number, counted: Counted): AsyncGenerator<Uint8Array> {
  const { input, prefix } = job
  const format = inputFormat(input)
  const merger = new StackMerger({ input, prefix })
  const cutter = new Cutter(format)
  const merge = (stretch: { readonly text: SharedArrayBuffer; readonly length: number }) => {
    const { events, bad } = merger.add(new Uint8Array(stretch.text, 0, stretch.length))
    counted(events, bad.length)
    cutter.release(stretch)
  }
  for await (const some of source) {
    for (const stretch of cutter.push(some)) {
      merge(stretch)
      if (merger.full) yield* merger.take(most)
    }
  }
  const rest = cutter.end()
  if (rest !== undefined) merge(rest)
  yield* merger.take(most)
}

async function* addressPieces(source: Beginning, job: Job, most: number, counted: Counted): AsyncGenerator<Uint8Array> {
  const addresses = new BigUint64Array(Math.floor(most / ADDRESS_BYTES))
  const bytes = new Uint8Array(addresses.buffer)
  let length = 0
  const packed = () => {
    const count = length / ADDRESS_BYTES
    counted(count, 0)
    length = 0
    return packAddresses(addresses.subarray(0, count))
  }
  for await (const some of source.packed ? source : packedLines(source, job)) {
    for (let at = 0; at < some.length; ) {
      const taken = Math.min(some.length - at, bytes.length - length)
      bytes.set(some.subarray(at, at + taken), length)
      at += taken
      length += taken
      if (length === bytes.length) yield packed()
    }
  }
  if (length % ADDRESS_BYTES !== 0) {
    throw new UsageError(
      `packed addresses take ${ADDRESS_BYTES} bytes each, and the last one has ${length % ADDRESS_BYTES}`,
    )
  }
  if (length > 0) yield packed()
}

/** Lines of addresses, packed. */
async function* packedLines(source: Beginning, { input }: Job): AsyncGenerator<Uint8Array> {
  const cutter = new Cutter(inputFormat(input))
  const packed = (stretch: { readonly text: SharedArrayBuffer; readonly length: number }) => {
    const lines = readAddresses(new Uint8Array(stretch.text, 0, stretch.length))
    if (lines === undefined)
      throw new UsageError('a line is no address of up to 16 hexadecimal digits: use --output text for such input')
    const { buffer, byteOffset, byteLength } = lines.addresses
    const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice()
    cutter.release(stretch)
    return bytes
  }
  for await (const some of source) for (const stretch of cutter.push(some)) yield packed(stretch)
  const rest = cutter.end()
  if (rest !== undefined) yield packed(rest)
}

/** A stream whose beginning is looked at before it is read. */
export class Beginning {
  readonly #iterator: AsyncIterator<Uint8Array>
  #read: Uint8Array[] = []
  complete = false
  /** The input is bytes that are no text. */
  packed = true

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#iterator = stream[Symbol.asyncIterator]()
  }

  /** So many bytes of its beginning, or all there are. */
  async sample(most: number): Promise<Buffer> {
    this.packed = false
    let length = this.#read.reduce((sum, piece) => sum + piece.length, 0)
    while (length < most && !this.complete) {
      const { done, value } = await this.#iterator.next()
      if (done === true) this.complete = true
      else {
        this.#read.push(value)
        length += value.length
      }
    }
    return Buffer.concat(this.#read).subarray(0, most)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield* this.#read.splice(0)
    while (!this.complete) {
      const { done, value } = await this.#iterator.next()
      if (done === true) this.complete = true
      else yield value
    }
  }

  async close(): Promise<void> {
    await this.#iterator.return?.()
  }
}
