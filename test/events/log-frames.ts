// The frames that a kernel log's lines hold, found by other means than the decoder's: expressions over each line alone, with
// no notion of reports. It takes what looks like a frame for one wherever it stands, and says what else has the form of one.

/** Something of the form `name+0x10/0x20`. */
export interface Printed {
  /** From 0. */
  readonly line: number
  readonly name: string
  readonly offset: number
  /** `frame` of a stack, a `register` or a line's own mention of it (`at: name+…`, `BUG: KASAN: … in name+…`). */
  readonly kind: 'frame' | 'register' | 'mention'
}

const SYMBOL = /([A-Za-z_.$][\w.$]*)\+0x([0-9a-f]{1,16})\/0x[0-9a-f]{1,16}/g
/** Whatever is in front of printk's words. */
const FRONT = /^.{0,200}?\[ *\d{1,10}\.\d{3,9}[^\]<]{0,30}\](?:\s?\[[ \w:,/.-]{1,40}\])*/
const SYSLOG = /^(?:.{0,120}?\bkernel: |<\d>)/
const MARK = '(?:<{1,2}[/#\\w ]{2,16}>{1,2}\\s*)'
const ADDRESS = '(?:\\(?\\[<?\\(?[\\w]{1,18}\\)?>?\\]\\s*)'
/** What stands between the indentation and the name of a frame. */
const BEFORE = new RegExp(
  `^\\s*(?:\\.{3}\\s+|#\\d+\\s+)?${MARK}*(?:Call [Tt]race:\\s*)?${MARK}*${ADDRESS}{0,2}(?:\\?\\s+)?$`,
)
const ARM_BEFORE = /^\s*(?:\[<[0-9a-f]+>\] \()?$/
const ARM_BETWEEN =
  /^\s*(?:\[<[0-9a-f]+>\] )?\(?[\w.$]+(?:\+0x[0-9a-f]+\/0x[0-9a-f]+)?(?: \[[\w-]+\])?\)? from (?:\[<[0-9a-f]+>\] \()?$/
const REGISTER =
  /^\s*(?:RIP|EIP|PC|pc|lr|LR|epc|ra|NIP|IP|TPC|ERA|Krnl PSW|--- interrupt|--- Exception)\b(?: is at|\s*[:=[])/
/** What may stand behind a frame: a module, letters, a place in the source. */
const BEHIND = /^\)?(?:$|\s|\[)/

export function printedSymbols(text: string): Printed[] {
  const found: Printed[] = []
  text.split('\n').forEach((whole, line) => {
    // Lines may come without a line end between them.
    for (const raw of whole.split(/(?=\[ *\d{1,10}\.\d{6}\])/)) found.push(...inLine(raw, line))
  })
  return found
}

/** The last caller that a line of 32-bit ARM told: the next such line begins with it again. */
let caller = ''

function inLine(raw: string, line: number): Printed[] {
  const found: Printed[] = []
  const words = raw.replace(FRONT, '').replace(SYSLOG, ' ').trimEnd()
  for (const match of words.matchAll(SYMBOL)) {
    const before = words.slice(0, match.index)
    const behind = words.slice(match.index + match[0].length)
    const between = ARM_BETWEEN.test(before)
    const first = ARM_BEFORE.test(before) && / from /.test(behind)
    const again = first && match[0] === caller
    if (between) caller = match[0]
    const isFrame = !again && (BEFORE.test(before) || between || first) && BEHIND.test(behind)
    const kind = isFrame ? 'frame' : REGISTER.test(before) ? 'register' : 'mention'
    found.push({ line, name: match[1] ?? '', offset: Number.parseInt(match[2] ?? '', 16), kind })
  }
  return found
}
