// The kprobe blacklist (debugfs kprobes/blacklist): where the kernel refuses kprobes whatever else holds.
//
// A line is `0xSTART-0xEND<tab>symbol` with ` [module]` behind it for a module's; the range is half open
// (kernel/kprobes.c kprobe_blacklist_seq_show).

import { bisect } from '../core/bisect.ts'

/** One entry. */
export interface BlacklistEntry {
  readonly start: bigint
  /** Exclusive. */
  readonly end: bigint
  readonly symbol: string
  /** `vmlinux` or the module. */
  readonly module: string
}

/** The blacklist. Lines of another form are counted, never guessed at. */
export class Blacklist {
  readonly entries: readonly BlacklistEntry[]
  /** Lines that could not be read. */
  readonly skipped: number
  /** Every address is zero: this reader may not see them, and entries are matched by name. */
  readonly hidden: boolean
  readonly #names: ReadonlySet<string>
  /** By start; `#furthest` is the running maximum of ends, because ranges may nest. */
  readonly #furthest: readonly bigint[]

  constructor(text: string) {
    const entries: BlacklistEntry[] = []
    let skipped = 0
    for (const line of text.split('\n')) {
      if (line === '') continue
      const found = /^0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\t(\S+)(?: \[([^\]\s]+)\])?\s*$/i.exec(line)
      const [, start, end, symbol, module] = found ?? []
      if (start === undefined || end === undefined || symbol === undefined) skipped++
      else entries.push({ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), symbol, module: module ?? 'vmlinux' })
    }
    entries.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))
    this.entries = entries
    this.skipped = skipped
    this.hidden = entries.length > 0 && entries.every(({ start }) => start === 0n)
    this.#names = new Set(entries.map(({ symbol, module }) => `${module}:${symbol}`))
    let most = 0n
    this.#furthest = entries.map(({ end }) => {
      if (end > most) most = end
      return most
    })
  }

  /** Whether an address lies in an entry; where addresses are hidden, whether the function is named in one. */
  covers(address: bigint, name: string, module: string): boolean {
    if (this.hidden) return this.#names.has(`${module}:${name}`)
    const from = bisect(0, this.entries.length, (i) => this.entries[i]!.start <= address)
    for (let i = from - 1; i >= 0 && this.#furthest[i]! > address; i--) if (this.entries[i]!.end > address) return true
    return false
  }
}
