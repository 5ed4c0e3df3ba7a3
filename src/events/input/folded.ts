// Folded stacks: names joined by `;`, outermost first, a count behind the last space. Suffixes: `_[k]` for kernel frames
// (stackcollapse-perf), `+118` in decimal digits (stackcollapse-bpftrace).

import type { RawFrame } from '../../stacks/frame.ts'
import { traceEvent } from '../event.ts'
import { asText, countLines, type InputFormat } from '../format.ts'

const LINE = /^(\S.*) (\d+)$/
const NAME = /^(.*?)(?:\+(?:0x([0-9a-f]+)|(\d+)))?(?:_\[([a-z])\])?$/

export const folded: InputFormat = {
  name: 'folded',
  what: 'folded stacks (stackcollapse): names joined by ;, outermost first, then a count',
  kind: 'text',
  recognise: (lines) => countLines(lines, /^\S[^;]*;.* \d+$/),
  startsRecord: 'every line',
  decoder: (sink, memo) => ({
    line(text, line) {
      if (text === '') return
      const found = LINE.exec(text)
      if (found === null) {
        sink.bad(line, 'no stack with a count behind it')
        return
      }
      const [, stack = '', count = '1'] = found
      const frames: RawFrame[] = []
      for (const name of stack.split(';')) {
        const frame = memo.get(name, decode)
        if (frame !== undefined) frames.push(frame)
      }
      sink.event(traceEvent({ type: 'stack', line, frames: frames.reverse(), weight: BigInt(count) }))
    },
    end() {},
  }),
}

function decode(text: string): Partial<RawFrame> | undefined {
  const [, name = text, hex, decimal, mark] = NAME.exec(text) ?? []
  const offset = hex !== undefined ? Number.parseInt(hex, 16) : decimal !== undefined ? Number(decimal) : undefined
  const address = /^0x[0-9a-f]{9,16}$/.test(name) ? BigInt(name) : undefined
  // Marks other than k and j are of user space or of inlined code.
  return {
    name: address === undefined ? asText(name) : undefined,
    address,
    offset,
    user: mark !== undefined && mark !== 'k',
  }
}
