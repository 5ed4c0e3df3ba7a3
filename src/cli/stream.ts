// Shared by the filter commands: their inputs as streams, progress with rate and time left, the dead-letter file, and where
// their product goes.

import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { SingleBar } from 'cli-progress'
import { KerndexError, NotReadableError } from '../core/errors.ts'
import type { PlacedAnswer } from '../events/run.ts'
import { readFailure } from '../sources/reader.ts'
import { bytesOf, mayWait } from '../sources/stream.ts'
import { PACKING_BYTES, packingOf, unpackedStream } from '../sources/unpack.ts'
import { createFile, type FileWriter } from '../sources/write-file.ts'
import { stdin } from './input.ts'
import { interrupted } from './interrupt.ts'
import { writeRaw } from './output.ts'
import { isTerminal } from './terminal.ts'

/** An input of a filter: its name for people, its size if it is known, its bytes. */
export interface InputStream {
  readonly name: string
  readonly size: number | undefined
  /** It is a file, and at hand to its end; not so pipes and devices. */
  readonly whole: boolean
  readonly bytes: AsyncIterable<Uint8Array>
}

/**
 * The files named, or stdin for none and for `-`, unpacked where they are packed, whatever they are called.
 * @throws UsageError if it would be stdin and that is a terminal
 */
export function* inputStreams(files: readonly string[]): Generator<InputStream> {
  for (const file of files.length === 0 ? ['-'] : files) {
    if (file === '-') {
      const bytes = stdin('nothing to read: name files, or pipe something in')
      yield { name: 'stdin', size: undefined, whole: false, bytes: readAll('stdin', bytes) }
      continue
    }
    let size: number | undefined
    let waits: boolean
    try {
      const stat = statSync(file)
      if (stat.isDirectory()) throw new NotReadableError(`${file} is a directory, not a file`, { path: file })
      waits = mayWait(stat)
      if (!waits && packingOf(beginningOf(file)) === undefined) size = stat.size
    } catch (error) {
      throw error instanceof NotReadableError ? error : readFailure(file, error)
    }
    yield { name: file, size, whole: !waits, bytes: readAll(file, bytesOf(file, interrupted)) }
  }
}

/** A file's first bytes. Devices and pipes, which give each byte once, are not asked: they have no size either. */
function beginningOf(file: string): Uint8Array {
  const start = Buffer.alloc(PACKING_BYTES)
  const descriptor = openSync(file, 'r')
  try {
    return start.subarray(0, readSync(descriptor, start, 0, PACKING_BYTES, 0))
  } finally {
    closeSync(descriptor)
  }
}

async function* readAll(name: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* unpackedStream(name, bytes)
  } catch (error) {
    throw error instanceof KerndexError ? error : readFailure(name, error)
  }
}

/** Where a command's product goes: stdout, or a file. */
export type Product = Pick<FileWriter, 'write' | 'finish' | 'abandon'>

/** Opens a file for a product, or stdout where no path is given. @throws as `createFile` */
async function openProduct(path: string | undefined, secret: boolean): Promise<Product> {
  if (path === undefined) return { write: writeRaw, finish: async () => {}, abandon: async () => {} }
  return createFile(path, { secret, special: 'write into', signal: interrupted })
}

/** Runs `use` on an open product and completes it, or abandons it if that fails. `secret`: it holds kernel addresses. */
export async function withProduct<T>(
  path: string | undefined,
  secret: boolean,
  use: (product: Product) => Promise<T>,
): Promise<T> {
  const product = await openProduct(path, secret)
  try {
    const result = await use(product)
    await product.finish()
    return result
  } catch (error) {
    await product.abandon()
    throw error
  }
}

/** Lines of JSON for the lines of an answer that could not be decoded: where they stood and what they held. */
export function deadLetters(input: InputStream, { bad, firstLine }: PlacedAnswer): string {
  let text = ''
  for (const { line, reason, text: bytes } of bad) {
    text += `${JSON.stringify({ file: input.name, line: firstLine + line + 1, reason, text: bytes })}\n`
  }
  return text
}

/** Progress on a terminal: bytes, rate, and the time left where the size is known. */
export class Progress {
  readonly #bar: SingleBar | undefined
  #begun = 0

  constructor() {
    if (!isTerminal('stderr')) return
    this.#bar = new SingleBar({
      format: '{name} {bar} {megabytes} MB | {rate} MB/s | {events} events | {left}',
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    })
  }

  begin({ name, size }: InputStream): void {
    this.#begun = performance.now()
    this.#bar?.start(size ?? 0, 0, { name, megabytes: 0, rate: '-', events: 0, left: '' })
  }

  update({ inputBytes }: PlacedAnswer, { size }: InputStream, events: number): void {
    if (this.#bar === undefined) return
    const seconds = (performance.now() - this.#begun) / 1000
    const rate = inputBytes / 1e6 / seconds
    const left = size === undefined ? '' : `${Math.max(0, Math.ceil((size - inputBytes) / 1e6 / rate))} s left`
    this.#bar.update(inputBytes, { megabytes: (inputBytes / 1e6).toFixed(1), rate: rate.toFixed(1), events, left })
  }

  stop(): void {
    this.#bar?.stop()
  }
}
