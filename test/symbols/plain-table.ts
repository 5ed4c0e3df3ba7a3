// kallsyms text read in the plainest way: a regular expression a line, arrays of objects, linear searches. For comparison
// with the real thing; shares no code with it.

export interface PlainSymbol {
  readonly address: bigint
  readonly type: string
  /** The bytes of the name as latin1. */
  readonly name: string
  readonly owner: string
}

const LINE = /^([0-9a-fA-F]{1,16})[ \t]+([A-Za-z?-])[ \t]+([^\0- ]+)(?:[ \t]+\[([^\0- \]]+)\])?[ \t]*\r?$/

/** The symbols of a text in file order, and the numbers of the lines that hold none. */
export function readPlainly(text: Uint8Array): { symbols: PlainSymbol[]; bad: number[] } {
  const lines = Buffer.from(text).toString('latin1').split('\n')
  if (lines.at(-1) === '') lines.pop()
  const symbols: PlainSymbol[] = []
  const bad: number[] = []
  lines.forEach((line, index) => {
    const match = LINE.exec(line)
    if (match === null) bad.push(index + 1)
    else {
      const [, address, type, name, owner] = match
      symbols.push({ address: BigInt(`0x${address}`), type: type!, name: name!, owner: owner ?? 'vmlinux' })
    }
  })
  return { symbols, bad }
}

/** File order turned into table order: by address, and at equal addresses as in the file. */
export function inOrder(symbols: readonly PlainSymbol[]): PlainSymbol[] {
  const compare = (a: PlainSymbol, b: PlainSymbol) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0)
  return [...symbols].sort(compare)
}

/** One line for a symbol, for comparing as multisets. */
export const asLine = ({ address, type, name, owner }: PlainSymbol): string =>
  `${address.toString(16)} ${type} ${name} ${owner}`
