// Events in words, one line each with its stack below, for people who watch a stream.

import { formatAddress } from '../../core/address.ts'
import { printable } from '../../core/printable.ts'
import { type Frame, frameInWords } from '../../stacks/frame.ts'
import type { TraceEvent } from '../event.ts'

/** An event without its stack: time, kind, process, what happened. */
export function compactLine(event: TraceEvent): string {
  const { ts, comm, life } = event
  return `${compactHead(event.type, ts, comm ?? life?.comm, event.pid, event.tid, whatHappened(event))}\n`
}

export function compactHead(
  type: string,
  ts: bigint | undefined,
  comm: string | undefined,
  pid: number | undefined,
  tid: number | undefined,
  rest: string,
): string {
  const time = ts === undefined ? '-' : `${ts / 1_000_000_000n}.${String(ts % 1_000_000_000n).padStart(9, '0')}`
  const thread = tid === undefined || tid === pid ? '' : `/${tid}`
  const head = `${time} ${type.padEnd(10)} ${comm ?? '?'}[${pid ?? '?'}${thread}]`
  // Names, paths and payloads can hold anything: line ends would make events that never were.
  return printable(rest === '' ? head : `${head} ${rest}`)
}

export function whatHappened({ name, life, fields }: Pick<TraceEvent, 'name' | 'life' | 'fields'>): string {
  if (life?.filename !== undefined) return life.args === undefined ? life.filename : `${life.filename} ${life.args}`
  const child = life?.childPid ?? life?.childTid
  if (child !== undefined) return `-> ${child}`
  if (life?.exitCode !== undefined) return `code ${life.exitCode}`
  return [name, ...fields.map(([, value]) => value)].filter((word) => word !== undefined).join(' ')
}

/** A stack, one line a frame. */
export function compactStack(frames: readonly Frame[]): string {
  let text = ''
  for (const frame of frames) {
    const address = frame.address === undefined ? '' : `${formatAddress(frame.address)}: `
    // The kernel's own mark for what merely lay on the stack.
    const doubt = frame.reliable ? '' : '? '
    text += `   ${address}${doubt}${frameInWords(frame) ?? `(${frame.reason ?? 'unknown'})`}\n`
  }
  return text
}
