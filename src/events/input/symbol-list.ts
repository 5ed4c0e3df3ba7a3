// Lists of symbols and functions: kallsyms text, and tracefs's available_filter_functions with or without addresses. Each
// line is where something begins, and is looked up as it stands.

import type { RawFrame } from '../../stacks/frame.ts'
import { traceEvent } from '../event.ts'
import { asText, countLines, hexAddress, type InputFormat } from '../format.ts'

/** `ADDRESS TYPE NAME` and a tab before the module's brackets, as in kallsyms; else `[ADDRESS] NAME [MODULE]`. */
const LINE =
  /^(?:([0-9a-f]{8,16}) (?:[A-Za-z?] ([^\t]+)(?:\t\[([^\]]+)\])?|(\S+)(?: \[(\S+)\])?)|([^\s;]+)(?: \[(\S+)\])?)$/
/** Lines that only these lists have: a name alone could be anything. */
const TOLD = /^(?:[0-9a-f]{8,16} (?:[A-Za-z?] )?[A-Za-z_.$][^\s;]*(?:[ \t]\[\S+\])?|[A-Za-z_][\w.]* \[[\w-]+\])$/

export const symbolList: InputFormat = {
  name: 'symbols',
  what: 'kallsyms text, and available_filter_functions with or without addresses',
  kind: 'text',
  recognise: (lines) => countLines(lines, TOLD),
  startsRecord: 'every line',
  decoder: (sink, memo) => ({
    line(text, line) {
      if (text.trim() === '') return
      const frame = memo.get(text, decode)
      if (frame === undefined) sink.bad(line, 'neither a symbol nor a function')
      else sink.event(traceEvent({ type: 'stack', line, name: frame.name, frames: [frame], frameLines: [line] }))
    },
    end() {},
  }),
}

function decode(text: string): Partial<RawFrame> | undefined {
  const found = LINE.exec(text.trimEnd())
  if (found === null) return undefined
  const [, digits = '', symbol, owner, traced, module, bare, bareModule] = found
  // A restricted reader sees zeros for addresses; the name is then all there is.
  const hidden = /^0*$/.test(digits)
  return {
    address: hidden ? undefined : hexAddress(digits),
    name: asText(symbol ?? traced ?? bare ?? ''),
    offset: 0,
    owner: owner ?? module ?? bareModule,
    length: hidden ? 0 : digits.length,
  }
}
