// pprof profiles as events: samples whose locations are addresses in mappings, or names where somebody looked them up before. The one
// format that is no lines.

import { BadFormatError, LimitError } from '../../core/errors.ts'
import { Budget, isProfile, message, unpacked } from '../../sources/pprof.ts'
import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { type TraceEvent, traceEvent } from '../event.ts'
import { asText, type InputFormat, type Sink } from '../format.ts'
import { fileOf } from './dso.ts'

/** The cost of a frame beside its name. */
const FRAME_CHARACTERS = 96
const GZIP = '\u001f\u008b'

export const pprof: InputFormat = {
  name: 'pprof',
  what: 'pprof profiles (protobuf, packed or not), as Go, parca and perf_to_profile write them',
  kind: 'binary',
  recognise: (_, sample) => (sample.startsWith(GZIP) || isProfile(sample) ? Number.MAX_SAFE_INTEGER : 0),
  startsRecord: 'the whole',
  decoder: () => ({ line() {}, end() {} }),
  decodeWhole(bytes, sink) {
    try {
      readProfile(unpacked(bytes), sink)
    } catch (error) {
      if (error instanceof LimitError) throw error
      // Errors of gunzip and of the bounds in `Wire`, both of which say what is wrong: nothing behind it can be read.
      throw new BadFormatError(error instanceof Error ? error.message : String(error))
    }
  },
}

function readProfile(bytes: Uint8Array, sink: Sink): void {
  const budget = new Budget()
  const profile = message(bytes, budget)
  const strings = profile.messages(6).map((name) => asText(Buffer.from(name).toString('latin1')))
  const text = (index: bigint) => strings[Number(index)] ?? ''
  const files = new Map(
    profile.messages(3).map((mapping) => {
      const { number } = message(mapping, budget)
      return [number(1), text(number(5))]
    }),
  )
  const functions = new Map(
    profile.messages(5).map((one) => {
      const { number } = message(one, budget)
      return [number(1), text(number(2))]
    }),
  )
  const locations = new Map(
    profile.messages(4).map((location) => {
      const { number, messages } = message(location, budget)
      const names = messages(4).map((line) => functions.get(message(line, budget).number(1)) ?? '')
      return [number(1), framesOf(number(3), files.get(number(2)), names)]
    }),
  )
  const types = profile.messages(1).map((type) => {
    const { number } = message(type, budget)
    return { name: text(number(1)), unit: text(number(2)) }
  })
  // The value that the profile prefers, or the last one, which is what pprof shows.
  const wanted = text(profile.number(14))
  const preferred = types.findIndex(({ name }) => name === wanted && name !== '')
  const type = types[preferred < 0 ? types.length - 1 : preferred]
  const samples = profile.messages(2)
  if (types.length === 0 && samples.length === 0) throw new RangeError('no pprof profile: it has no samples')
  samples.forEach((sample, line) => {
    const { list, messages } = message(sample, budget)
    const frames: RawFrame[] = []
    let missing: bigint | undefined
    for (const id of list(1)) {
      const found = locations.get(id)
      if (found === undefined) missing ??= id
      for (const frame of found ?? []) {
        budget.write(FRAME_CHARACTERS + (frame.name?.length ?? 0) + (frame.owner?.length ?? 0))
        frames.push(frame)
      }
    }
    if (missing !== undefined) sink.bad(line, `a sample at location ${missing}, which the profile does not have`)
    const values = list(2)
    const weight = BigInt.asIntN(64, values[preferred < 0 ? values.length - 1 : preferred] ?? 1n)
    sink.event(
      traceEvent({
        type: 'sample',
        name: type?.name || undefined,
        unit: type?.unit || undefined,
        line,
        frames,
        weight,
        ...labelsOf(messages(3), text, budget),
      }),
    )
  })
}

/**
 * The frames at a location: one for each of its lines, the innermost first, of which all but the last were inlined; one of an
 * address alone where there are none. Where the profile names no file, addresses of the lower half are user space's.
 */
function framesOf(address: bigint, file: string | undefined, names: readonly string[]): RawFrame[] {
  const given = address === 0n ? undefined : address
  const known = file !== undefined && file !== ''
  const { owner, user } = known
    ? fileOf(file, given)
    : { owner: undefined, user: address !== 0n && address < 1n << 63n }
  const place = { address: given, owner, user }
  const named = names.filter((name) => name !== '')
  if (named.length === 0) return given === undefined ? [] : [rawFrame(place)]
  return named.map((name, i) => rawFrame({ ...place, name, inlined: i < named.length - 1 }))
}

/** The process of a sample, as far as its labels name it, and the other labels. */
function labelsOf(labels: readonly Uint8Array[], text: (index: bigint) => string, budget: Budget): Partial<TraceEvent> {
  const fields: [string, string][] = []
  const who: { pid?: number; tid?: number; comm?: string } = {}
  for (const label of labels) {
    const { number } = message(label, budget)
    const key = text(number(1))
    const word = text(number(2))
    const value = word === '' ? String(BigInt.asIntN(64, number(3))) : word
    budget.write(key.length + value.length)
    if (key === 'comm') who.comm = value
    else if (key === 'pid' && /^\d{1,7}$/.test(value)) who.pid = Number(value)
    else if ((key === 'tid' || key === 'thread_id') && /^\d{1,7}$/.test(value)) who.tid = Number(value)
    else fields.push([key, value])
  }
  return { ...who, fields }
}
