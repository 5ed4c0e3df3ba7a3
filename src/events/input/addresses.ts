// Plain addresses, one a line: hexadecimal, with or without 0x.

import { traceEvent } from '../event.ts'
import { countLines, hexAddress, type InputFormat } from '../format.ts'

const ADDRESS = /^(\s*(?:0[xX])?)([0-9a-fA-F]{1,16})\s*$/

export const addresses: InputFormat = {
  name: 'addresses',
  what: 'one hexadecimal address a line, with or without 0x',
  kind: 'text',
  recognise: (lines) =>
    lines.every((line) => line.trim() === '' || ADDRESS.test(line)) ? countLines(lines, ADDRESS) : 0,
  startsRecord: 'every line',
  decoder: (sink, memo) => ({
    line(text, line) {
      const frame = memo.get(text, decode)
      if (frame !== undefined) sink.event(traceEvent({ type: 'stack', line, frames: [frame], frameLines: [line] }))
      else if (text.trim() !== '') sink.bad(line, 'no address')
    },
    end() {},
  }),
}

function decode(text: string) {
  const found = ADDRESS.exec(text)
  if (found === null) return undefined
  const [, before = '', digits = ''] = found
  const prefix = before.trimStart().length
  return { address: hexAddress(digits), column: before.length - prefix, length: prefix + digits.length }
}
