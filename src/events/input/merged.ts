// Stacks that were merged where they were recorded: one JSON object a line, for equal stacks how many there were and what all of
// them weigh. What agents send, and what a profile is made of as if it had met every single one of them.

import { formatAddress } from '../../core/address.ts'
import type { RawFrame, StackShape } from '../../stacks/frame.ts'
import { countLines, type FrameMemo, type InputFormat } from '../format.ts'
import { isObject, type Json, type JsonObject, smallInteger, stringOf, wholeNumber } from '../json.ts'
import { objectLines, type Reading } from './json-lines.ts'

/** Equal stacks: how many, of which event and process, between which times. */
export interface MergedStack {
  readonly count: number
  readonly weight: bigint
  readonly event: string | undefined
  readonly unit: string | undefined
  readonly comm: string | undefined
  readonly pid: number | undefined
  /** Nanoseconds, of the first and of the last of them. */
  readonly time: readonly [bigint, bigint] | undefined
  readonly shape: StackShape
  /** Innermost first. */
  readonly frames: readonly RawFrame[]
}

const MOST_COUNT = Number.MAX_SAFE_INTEGER
const ADDRESS = /^0x[0-9a-f]{1,16}$/

export const merged: InputFormat = {
  name: 'merged',
  what: 'stacks that kerndex or an agent merged: JSON objects, one a line, {"merged": HOW MANY, "stack": […]}',
  kind: 'json',
  apart: true,
  recognise: (lines) => countLines(lines, /^\{"merged":\d/),
  startsRecord: 'every line',
  decoder: (sink, memo) => objectLines(sink, memo, readStack),
}

const frameTexts = new WeakMap<RawFrame, string>()

/** The line of a merged stack, with its line end. */
export function mergedLine({ count, weight, event, unit, comm, pid, time, shape, frames }: MergedStack): string {
  let text = `{"merged":${count}`
  if (weight !== BigInt(count)) text += `,"weight":"${weight}"`
  if (event !== undefined) text += `,"event":${JSON.stringify(event)}`
  if (unit !== undefined) text += `,"unit":${JSON.stringify(unit)}`
  if (comm !== undefined) text += `,"comm":${JSON.stringify(comm)}`
  if (pid !== undefined) text += `,"pid":${pid}`
  if (time !== undefined) text += `,"first":"${time[0]}","last":"${time[1]}"`
  if (shape !== 'pc-first') text += `,"shape":"${shape}"`
  return `${text},"stack":[${frames.map(frameText).join()}]}\n`
}

/** A frame: its address alone where nothing else was printed, else all that was. */
function frameText(frame: RawFrame): string {
  let text = frameTexts.get(frame)
  if (text !== undefined) return text
  const { address, name, offset, size, owner, kernelWords, inlined, user, reliable, pc } = frame
  const printed = address === undefined ? undefined : formatAddress(address)
  const more = {
    name,
    offset,
    size,
    owner,
    ...(kernelWords ? { kernelWords } : {}),
    ...(inlined ? { inlined } : {}),
    ...(user ? { user } : {}),
    ...(reliable ? {} : { reliable }),
    ...(pc ? { pc } : {}),
  }
  const bare = Object.values(more).every((value) => value === undefined)
  text = JSON.stringify(bare && printed !== undefined ? printed : { address: printed, ...more })
  frameTexts.set(frame, text)
  return text
}

function readStack(object: JsonObject, memo: FrameMemo): Reading | string {
  const count = smallInteger(object.merged)
  if (count === undefined || count < 1 || count > MOST_COUNT) return 'merged is no number of stacks'
  const weight = object.weight === undefined ? BigInt(count) : wholeNumber(object.weight)
  if (weight === undefined) return 'weight is no whole number'
  const { stack } = object
  if (!Array.isArray(stack)) return 'stack is no array'
  const frames: RawFrame[] = []
  for (const entry of stack as readonly Json[]) {
    const frame = frameOf(entry, memo)
    if (frame === undefined) return `no frame: ${JSON.stringify(entry).slice(0, 100)}`
    frames.push(frame)
  }
  return {
    type: 'sample',
    name: stringOf(object.event),
    unit: stringOf(object.unit),
    comm: stringOf(object.comm),
    pid: smallInteger(object.pid),
    ts: wholeNumber(object.first),
    lastTs: wholeNumber(object.last),
    count,
    weight,
    frames,
    shape: object.shape === 'returns' ? 'returns' : 'pc-first',
  }
}

function frameOf(entry: Json, memo: FrameMemo): RawFrame | undefined {
  if (typeof entry === 'string') return memo.get(entry, () => bareAddress(entry))
  if (!isObject(entry)) return undefined
  // Keys of the memo are letters of one byte.
  const key = JSON.stringify(entry).replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16)}`)
  return memo.get(key, () => {
    const address = entry.address === undefined ? undefined : bareAddress(stringOf(entry.address) ?? '')?.address
    const name = stringOf(entry.name)
    if (address === undefined && name === undefined && stringOf(entry.owner) === undefined) return undefined
    return {
      address,
      name,
      offset: smallInteger(entry.offset),
      size: smallInteger(entry.size),
      owner: stringOf(entry.owner),
      kernelWords: entry.kernelWords === true,
      inlined: entry.inlined === true,
      user: entry.user === true,
      reliable: entry.reliable !== false,
      pc: entry.pc === true,
    }
  })
}

function bareAddress(text: string): { readonly address: bigint } | undefined {
  return ADDRESS.test(text) ? { address: BigInt(text) } : undefined
}
