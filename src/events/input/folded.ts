// Folded stacks: names joined by `;`, outermost first, a count behind the last space. Suffixes: `_[k]` for kernel frames
// (stackcollapse-perf, bcc's -a), `+118` in decimal digits (stackcollapse-bpftrace). bcc's -d puts a `-` between the stack of
// user space and the kernel's.

import { KERNEL_CODE, type RawFrame } from '../../stacks/frame.ts'
import { traceEvent } from '../event.ts'
import { asText, countLines, type InputFormat } from '../format.ts'

const MARK = '_[k]'
const DELIMITERS = ['-', '--']

export const folded: InputFormat = {
  name: 'folded',
  what: 'folded stacks (stackcollapse): names joined by ;, outermost first, then a count',
  kind: 'text',
  recognise: (lines) => countLines(lines, /^\S[^;]*;.* \d+$/),
  startsRecord: 'every line',
  decoder: (sink, memo) => ({
    line(text, line) {
      if (text === '') return
      const space = text.lastIndexOf(' ')
      const count = text.slice(space + 1)
      if (space <= 0 || text.charCodeAt(0) <= 32 || count.length > 40 || !/^\d+$/.test(count)) {
        sink.bad(line, 'no stack with a count behind it')
        return
      }
      const names = text.slice(0, space).split(';')
      // Where some are marked, or a delimiter stands, it is known of the others that they are user space.
      const border = names.findLastIndex((name) => DELIMITERS.includes(name))
      const marked = names.some((name) => name.endsWith(MARK))
      const frames: RawFrame[] = []
      for (let i = names.length - 1; i >= 0; i--) {
        const user = i <= border || (marked && border < 0 && !names[i]!.endsWith(MARK))
        const frame = user ? memo.get(`;${names[i]}`, decodeUser) : memo.get(names[i]!, decode)
        if (frame !== undefined) frames.push(frame)
      }
      sink.event(traceEvent({ type: 'stack', line, frames, weight: BigInt(count) }))
    },
    end() {},
  }),
}

/** A name of user space, its marks and all, behind a `;` that tells it from one that may be the kernel's. */
function decodeUser(text: string): Partial<RawFrame> | undefined {
  const name = text.slice(1)
  return name === '' ? undefined : { name: asText(name), user: true }
}

function decode(text: string): Partial<RawFrame> | undefined {
  if (text === '') return undefined
  const marked = text.endsWith(MARK)
  const bare = marked ? text.slice(0, -MARK.length) : text
  // Other marks are of code that was made at run time, or inlined.
  if (/_\[[a-z]\]$/.test(bare)) return { name: asText(bare), user: true }
  if (/^0x[0-9a-f]{9,16}$/.test(bare)) return { address: BigInt(bare) }
  const plus = bare.lastIndexOf('+')
  const [, hex, decimal] = (plus > 0 && /^(?:0x([0-9a-f]{1,12})|(\d{1,12}))$/.exec(bare.slice(plus + 1))) || []
  const offset = hex !== undefined ? Number.parseInt(hex, 16) : decimal !== undefined ? Number(decimal) : undefined
  return {
    name: asText(offset === undefined ? bare : bare.slice(0, plus)),
    offset,
    owner: marked ? KERNEL_CODE : undefined,
  }
}
