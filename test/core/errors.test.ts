import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import {
  AbortedError,
  AmbiguousError,
  BadFormatError,
  ClosedError,
  type ErrorRecord,
  errorFromRecord,
  errorToRecord,
  KerndexError,
  LimitError,
  NoPermissionError,
  NotFoundError,
  NotReadableError,
  NotWritableError,
  UnsupportedError,
  UsageError,
  WorkerFailedError,
} from '../../src/core/errors.ts'
import { answer } from '../../src/load/threads.ts'

const place = { path: '/x', line: 3, byteOffset: 9, typeId: 7 }
const cases: [code: string, error: KerndexError][] = [
  ['NO_PERMISSION', new NoPermissionError('m', place)],
  ['NOT_READABLE', new NotReadableError('m', place)],
  ['NOT_WRITABLE', new NotWritableError('m', place)],
  ['NOT_FOUND', new NotFoundError('m')],
  ['AMBIGUOUS', new AmbiguousError('m', [])],
  ['BAD_FORMAT', new BadFormatError('m', place)],
  ['UNSUPPORTED', new UnsupportedError('m', place)],
  ['LIMIT', new LimitError('m', place)],
  ['CLOSED', new ClosedError('m')],
  ['ABORTED', new AbortedError('m')],
  ['USAGE', new UsageError('m')],
]

/** Sends a value through a thread boundary. */
async function acrossThreads<T>(value: T): Promise<T> {
  const { port1, port2 } = new MessageChannel()
  const arrived = once(port2, 'message')
  port1.postMessage(value)
  const [copy] = await arrived
  port1.close()
  return copy as T // Structured clone keeps the shape.
}

describe('errors', () => {
  it.each(cases)('%s keeps class, code, text and place across threads', async (code, error) => {
    const back = errorFromRecord(await acrossThreads(errorToRecord(error)))
    expect(back).toBeInstanceOf(error.constructor)
    expect(back).toBeInstanceOf(KerndexError)
    expect({ code: back.code, message: back.message, place: back.place, name: back.name }).toEqual({
      code,
      message: 'm',
      place: error.place,
      name: error.constructor.name,
    })
  })

  it('that a thread itself failed with stays a failed thread', async () => {
    const back = errorFromRecord(await acrossThreads(errorToRecord(new WorkerFailedError('gone'))))
    expect(back).toBeInstanceOf(WorkerFailedError)
    expect(back.message).toContain('gone')
  })

  it('of other kinds become WORKER_FAILED with what they were as cause', async () => {
    const back = errorFromRecord(await acrossThreads(errorToRecord(new RangeError('odd'))))
    expect(back).toBeInstanceOf(WorkerFailedError)
    expect(back.message).toContain('RangeError: odd')
    expect(back.cause).toMatchObject({ name: 'RangeError', message: 'odd' })
    expect(errorFromRecord(errorToRecord('just text')).message).toContain('just text')
  })

  it('leave a worker as records, never as rejections', async () => {
    const failed = await answer(() => {
      throw new LimitError('too much')
    })
    expect('error' in failed && errorFromRecord(failed.error)).toBeInstanceOf(LimitError)
    expect(await answer(async () => 5)).toEqual({ value: 5 })
  })

  it('come from a real thread as well', async () => {
    const worker = new Worker(
      `import('node:worker_threads').then(({ parentPort }) => parentPort.postMessage({
        code: 'BAD_FORMAT', name: 'BadFormatError', message: 'm', place: { line: 2 }, stack: undefined }))`,
      { eval: true },
    )
    const [record] = (await once(worker, 'message')) as [ErrorRecord]
    expect(errorFromRecord(record)).toMatchObject({ code: 'BAD_FORMAT', place: { line: 2 } })
    await worker.terminate()
  })
})
