// kerndex's own events, one JSON object a line: what other programs are expected to write, and what kerndex writes.

import type { RawFrame } from '../../stacks/frame.ts'
import type { EventType, Lifecycle } from '../event.ts'
import { countLines, type FrameMemo, type InputFormat } from '../format.ts'
import { isObject, type Json, type JsonObject, smallInteger, stringOf, wholeNumber } from '../json.ts'
import { objectLines, type Reading } from './json-lines.ts'

const TYPES: readonly EventType[] = [
  'fork',
  'exec',
  'exit',
  'rename',
  'kprobe',
  'kretprobe',
  'tracepoint',
  'uprobe',
  'sample',
  'stack',
  'module_load',
  'module_free',
]
/** Linux's highest possible pid, PID_MAX_LIMIT of include/linux/threads.h. */
const MOST_PID = 4_194_304
/** CLONE_THREAD of include/uapi/linux/sched.h. */
const CLONE_THREAD = 0x10000n

export const ndjson: InputFormat = {
  name: 'ndjson',
  what: 'JSON objects, one a line: type, pid, tid, ts in ns, stack, … (see docs/events.md)',
  kind: 'json',
  apart: true,
  recognise: (lines) => countLines(lines, /^\s*\{.*"(?:type"\s*:\s*"(?:\w+)"|stack"\s*:\s*\[|kernel_stack"\s*:\s*\[)/),
  startsRecord: 'every line',
  decoder: (sink, memo) => objectLines(sink, memo, readEvent),
}

function readEvent(object: JsonObject, memo: FrameMemo): Reading | string {
  const given = stringOf(object.type)
  if (object.type !== undefined && given === undefined) return 'type is no string'
  const pid = pidOf(object.pid)
  const tid = pidOf(object.tid)
  if (pid === 'bad' || tid === 'bad') return `pid and tid are whole numbers from 0 to ${MOST_PID}`
  const ts = object.ts === undefined || object.ts === null ? undefined : wholeNumber(object.ts)
  if (object.ts !== undefined && object.ts !== null && ts === undefined) return 'ts is no whole number of nanoseconds'
  const stack = object.stack ?? object.kernel_stack
  const kernel = stack === undefined || stack === null ? [] : framesOf(stack, memo, false)
  if (typeof kernel === 'string') return kernel
  const user =
    object.user_stack === undefined || object.user_stack === null ? [] : framesOf(object.user_stack, memo, true)
  if (typeof user === 'string') return user
  const frames = user.length === 0 ? kernel : [...kernel, ...user]
  // Types that are not known are probes of some kind: they are passed on with their process and their stack.
  const known = given === undefined ? 'stack' : TYPES.find((type) => type === given)
  const type = known ?? 'tracepoint'
  const comm = stringOf(object.comm)
  const name = stringOf(object.name) ?? (known === undefined ? given : undefined)
  const weight = wholeNumber(object.weight) ?? 1n
  const shape = object.shape === 'returns' ? 'returns' : 'pc-first'
  return {
    type,
    strange: known === undefined,
    name,
    pid,
    tid,
    ts,
    comm,
    weight,
    frames,
    shape,
    life: lifeOf(type, object),
  }
}

function pidOf(value: Json | undefined): number | undefined | 'bad' {
  if (value === undefined || value === null) return undefined
  const number = smallInteger(value)
  return number === undefined || number < 0 || number > MOST_PID ? 'bad' : number
}

function framesOf(stack: Json, memo: FrameMemo, user: boolean): RawFrame[] | string {
  if (!Array.isArray(stack)) return 'stack is no array'
  const frames: RawFrame[] = []
  for (const entry of stack) {
    const frame = frameOf(entry, memo, { user })
    if (frame === undefined) return `a frame of the stack is no address: ${JSON.stringify(String(entry))}`
    frames.push(frame)
  }
  return frames
}

/**
 * An address as text or number, or an object with an address, a symbol and its offset, or both: what was printed beside an
 * address is evidence of what was there. `given` is known of the frame otherwise.
 */
export function frameOf(entry: Json, memo: FrameMemo, given?: Pick<RawFrame, 'user'>): RawFrame | undefined {
  const user = given?.user ?? false
  if (typeof entry === 'string')
    return memo.get(`${user ? 'u' : ''}${entry}`, () => withUser(decodeAddress(entry), user))
  if (typeof entry === 'number' || typeof entry === 'bigint') {
    const text = String(entry)
    return memo.get(`${user ? 'u' : ''}${text}d`, () => withUser(decodeDecimal(text), user))
  }
  if (!isObject(entry)) return undefined
  const printed = entry.address ?? entry.ip ?? null
  let address: bigint | undefined
  if (printed !== null) {
    if (typeof printed === 'object') return undefined
    address = (typeof printed === 'string' ? decodeAddress(printed) : decodeDecimal(String(printed)))?.address
    if (address === undefined) return undefined
  }
  const name = stringOf(entry.symbol)
  // A frame of which nothing is known, as kerndex writes it: it keeps its place in the stack.
  if (name === undefined && address === undefined && entry.symbol !== null) return undefined
  const offset = name === undefined ? undefined : smallInteger(entry.offset)
  const size = name === undefined ? undefined : smallInteger(entry.size)
  const owner = stringOf(entry.module)
  const reliable = entry.reliable !== false
  const inlined = entry.inlined === true
  const pc = entry.pc === true
  const key = JSON.stringify([String(address), name, offset, size, owner, reliable, inlined, pc, user])
  return memo.get(key, () => ({ address, name, offset, size, owner, reliable, inlined, pc, user }))
}

function withUser(frame: Partial<RawFrame> | undefined, user: boolean): Partial<RawFrame> | undefined {
  return frame && { ...frame, user }
}

/** `0x…` and what has a hexadecimal letter is hexadecimal, as are 16 digits; else digits are decimal. */
function decodeAddress(text: string): Partial<RawFrame> | undefined {
  const digits = /^(0[xX])?([0-9a-fA-F]{1,20})$/.exec(text)
  if (digits === null) return undefined
  const [, prefix, body = ''] = digits
  const decimal = prefix === undefined && /^\d+$/.test(body) && body.length !== 16
  if (!decimal && body.length > 16) return undefined
  return inRange(BigInt(decimal ? body : `0x${body}`))
}

function decodeDecimal(text: string): Partial<RawFrame> | undefined {
  return /^\d{1,20}$/.test(text) ? inRange(BigInt(text)) : undefined
}

function inRange(address: bigint): Partial<RawFrame> | undefined {
  return address <= 0xffff_ffff_ffff_ffffn ? { address } : undefined
}

function lifeOf(type: EventType, object: JsonObject): Lifecycle | undefined {
  if (type !== 'fork' && type !== 'exec' && type !== 'exit' && type !== 'rename') return undefined
  const flags = wholeNumber(object.clone_flags)
  return {
    byThread: false,
    ppid: smallInteger(object.ppid),
    childPid: smallInteger(object.child_pid),
    childTid: smallInteger(object.child_tid),
    childIsThread: flags === undefined ? undefined : (flags & CLONE_THREAD) !== 0n,
    comm: stringOf(object.comm),
    filename: stringOf(object.filename),
    args: argsOf(object.args),
    uid: smallInteger(object.uid),
    exitCode: smallInteger(object.exit_code),
    startTs: wholeNumber(object.start_ts),
    oldPid: smallInteger(object.old_pid),
    groupDead: typeof object.group_dead === 'boolean' ? object.group_dead : undefined,
  }
}

function argsOf(value: Json | undefined): string | undefined {
  if (Array.isArray(value)) return value.map(String).join(' ')
  return stringOf(value)
}
