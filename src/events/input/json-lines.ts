// The decoder that the formats of one JSON object a line share.

import { type TraceEvent, traceEvent } from '../event.ts'
import { asText, type Decoder, type FrameMemo, type Sink } from '../format.ts'
import { isObject, type JsonObject, parseJson } from '../json.ts'

/** The event of an object; a string is the reason why it is none. */
export type Reading = Omit<Partial<TraceEvent>, 'line' | 'record'> & Pick<TraceEvent, 'type'>

/** A decoder of objects, one a line, that are passed on unchanged. */
export function objectLines(
  sink: Sink,
  memo: FrameMemo,
  read: (object: JsonObject, memo: FrameMemo) => Reading | string,
): Decoder {
  return {
    line(latin1, line) {
      const text = asText(latin1).trim()
      if (text !== '') giveObject(sink, memo, text, line, read)
    },
    end() {},
  }
}

/** Reads the text of one object and gives its event, or says why it is none. */
export function giveObject(
  sink: Sink,
  memo: FrameMemo,
  text: string,
  line: number,
  read: (object: JsonObject, memo: FrameMemo) => Reading | string,
): void {
  let reading: Reading | string
  try {
    const object = parseJson(text)
    if (!isObject(object)) reading = 'no JSON object'
    else {
      reading = read(object, memo)
      if (typeof reading !== 'string') {
        sink.event(traceEvent({ ...reading, line, record: { text, keys: Object.keys(object) } }))
        return
      }
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    reading = error.message
  }
  sink.bad(line, reading)
}

/** Nanoseconds since 1970 of a time in RFC 3339 with up to nine digits of fraction. */
export function rfc3339(text: string): bigint | undefined {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (found === null) return undefined
  const [, seconds = '', fraction = '', zone = ''] = found
  const milliseconds = Date.parse(`${seconds}${zone}`)
  return Number.isNaN(milliseconds) ? undefined : BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}
