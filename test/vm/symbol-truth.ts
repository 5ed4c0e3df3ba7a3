// What a kernel says of addresses (%pS), and how an answer of kerndex compares with it. Pure.
import type { SymbolTable } from 'kerndex'
import type { Outcome } from './outcome.ts'

/** One address, the class that it was chosen for, and what the kernel printed. */
export interface AddressTruth {
  readonly class: string
  readonly address: bigint
  readonly printed: string
}

/** One address a line. */
export function formatTruth(rows: readonly AddressTruth[]): string {
  return rows.map((row) => `${row.class}\t${row.address.toString(16)}\t${row.printed}\n`).join('')
}

export function parseTruth(text: string): AddressTruth[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [kind, address, printed] = line.split('\t') as [string, string, string]
      return { class: kind, address: BigInt(`0x${address}`), printed }
    })
}

/** What `%pS` says, in its parts; undefined where it found nothing and printed the number. */
export function parsePrinted(printed: string) {
  const [, name, offset, size, owner = 'vmlinux'] =
    /^(\S+)\+0x([0-9a-f]+)\/0x([0-9a-f]+)(?: \[([^ \]]+)[^\]]*\])?$/.exec(printed) ?? []
  if (name === undefined) return undefined
  return { name, offset: BigInt(`0x${offset}`), size: BigInt(`0x${size}`), owner }
}

/** The kernel prints `name+offset/size` of a bpf program without an owner, and its own pages' symbols with none or another. */
function samePlace(owner: string, printed: string): boolean {
  return owner === printed || (printed === 'vmlinux' && (owner === 'bpf' || owner.startsWith('__builtin__')))
}

/** Names of places where a section of the core kernel ends: nothing is known of what is behind. */
const SECTION_END = /^(_etext|_edata|_end|_einittext|__end_\w+|__init_end|__bss_stop|__brk_limit|__stop_\w+)$/

/** How kerndex's answer compares with the kernel's. */
export function compareAddress(check: string, symbols: SymbolTable, truth: AddressTruth): Outcome {
  const { address, printed } = truth
  const match = symbols.at(address)
  const said = parsePrinted(printed)
  const mine =
    match === undefined
      ? `nothing (${symbols.reasonFor(address)})`
      : `${match.symbol.name}+0x${match.offset.toString(16)}/0x${match.size.toString(16)} [${match.symbol.owner}]`
  const subject = `address 0x${address.toString(16)}: the kernel ${printed}, kerndex ${mine}`
  const outcome = (kernel: string, kerndex: string, wrong: boolean): Outcome => {
    return { check, class: truth.class, kernel, kerndex, wrong, subject }
  }
  if (said === undefined) return outcome('nothing', match === undefined ? 'nothing' : 'answers', match !== undefined)
  // Of modules' data the kernel takes the end of the text for the end of all: the size is then less than nothing. An offset behind
  // the symbol's own end is the nearest name for want of one, and says nothing of what is there.
  const sized = said.size < 1n << 63n
  const kernel = !sized
    ? 'answers without a size'
    : said.offset >= said.size
      ? 'answers beyond the end'
      : said.owner === 'vmlinux' && SECTION_END.test(said.name) && said.offset > 0n
        ? 'answers behind a section'
        : 'answers'
  if (match === undefined) return outcome(kernel, 'nothing', true)
  const { symbol, offset, size } = match
  if (!samePlace(symbol.owner, said.owner)) return outcome(kernel, 'other owner', true)
  if (symbol.name !== said.name) {
    const alias = match.aliases.some(({ name }) => name === said.name)
    return outcome(kernel, alias ? 'an alias' : 'other name', true)
  }
  if (BigInt(offset) !== said.offset) return outcome(kernel, 'other offset', true)
  return !sized || BigInt(size) === said.size ? outcome(kernel, 'same', false) : outcome(kernel, 'other size', true)
}

/** The sites that ftrace lists with their addresses, against what is looked up there. */
export function* compareSites(check: string, symbols: SymbolTable, text: string): Generator<Outcome> {
  for (const line of text.trimEnd().split('\n')) {
    const [, address, name, owner = 'vmlinux'] = /^(?:0x)?([0-9a-f]+) (\S+)(?: \[([^\]]+)\])?$/.exec(line) ?? []
    if (address === undefined || name === undefined)
      throw new Error(`no line of available_filter_functions_addrs: ${line}`)
    // What ftrace prints of a place where it finds no symbol, such as a freed __init function's.
    if (name.startsWith('__ftrace_invalid_address__')) continue
    const match = symbols.at(BigInt(`0x${address}`))
    const named = match !== undefined && [match.symbol, ...match.aliases].some((each) => each.name === name)
    const kerndex =
      match === undefined ? 'nothing' : match.symbol.owner !== owner ? 'other owner' : named ? 'same' : 'other name'
    const mine =
      match === undefined ? 'nothing' : `${match.symbol.name}+0x${match.offset.toString(16)} [${match.symbol.owner}]`
    yield {
      check,
      class: owner === 'vmlinux' ? 'core' : 'module',
      kernel: 'lists',
      kerndex,
      wrong: kerndex !== 'same',
      subject: `address 0x${address}: ftrace ${name} [${owner}], kerndex ${mine}`,
    }
  }
}
