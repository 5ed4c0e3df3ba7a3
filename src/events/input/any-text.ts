// Any text: kernel addresses wherever they stand, each taken as a PC, as nothing is known of what is around it.
// Registers are no frames: what a dump says they hold is left alone.

import { type RawFrame, rawFrame } from '../../stacks/frame.ts'
import { traceEvent } from '../event.ts'
import { hexAddress, type InputFormat } from '../format.ts'

/** Sixteen digits that begin as kernel addresses of 64-bit machines do, not within a longer word. */
const ADDRESS = /(?<![0-9A-Za-z_])(?:0x)?([8-9a-f][0-9a-f]{15})(?![0-9A-Za-z_])/g
/** `RAX: ffff8881…`, `CR2: …`, `GS:ffff…`, `x0 : ffff…`, `sp : …` right in front of an address. */
const REGISTER =
  /(?:\b(?:[RE]?[A-DS][XIP]L?|R\d\d|R[SB]P|EFLAGS|[CD]R\d|[FG]S|knlGS|x\d{1,2}|sp|tpidr\w*)\s*:\s?(?:\d{4}:)?)$/

export const anyText: InputFormat = {
  name: 'any-text',
  what: 'any text: kernel addresses of 16 digits wherever they stand, registers left out',
  kind: 'text',
  stacks: false,
  recognise: (lines) => (lines.some((line) => line.search(ADDRESS) >= 0) ? 0.5 : 0),
  startsRecord: 'every line',
  decoder: (sink) => ({
    line(text, line) {
      for (const frame of looseAddresses(text)) {
        sink.event(traceEvent({ type: 'stack', line, frames: [frame], frameLines: [line] }))
      }
    },
    end() {},
  }),
}

/** The kernel addresses in a line, each as a PC at its column. */
export function* looseAddresses(text: string): Generator<RawFrame> {
  for (const found of text.matchAll(ADDRESS)) {
    if (REGISTER.test(text.slice(Math.max(0, found.index - 16), found.index))) continue
    yield rawFrame({ address: hexAddress(found[1] ?? ''), pc: true, column: found.index, length: found[0].length })
  }
}
