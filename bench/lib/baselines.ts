// What a reader of the documentation would write: every symbol by name in a Map and by address in a sorted array. Each loader
// does the same named work as kerndex without types: all fields of all lines, findable by name and by containing address.

import { createReadStream, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import split2 from 'split2'

export interface PlainSymbol {
  readonly name: string
  readonly address: bigint
  readonly type: string
  readonly owner: string
}

export interface PlainTable {
  readonly byName: ReadonlyMap<string, readonly PlainSymbol[]>
  readonly byAddress: readonly PlainSymbol[]
  /** The addresses of `byAddress`. */
  readonly starts: BigUint64Array
}

/** The loaders by the name their rows carry. */
export const BASELINES: Readonly<Record<string, (path: string) => Promise<PlainTable>>> = {
  'readline + Map': async (path) => {
    const symbols: PlainSymbol[] = []
    for await (const line of createInterface({ input: createReadStream(path) })) addLine(symbols, line)
    return tableOf(symbols)
  },
  'split2 + Map': async (path) => {
    const symbols: PlainSymbol[] = []
    for await (const line of createReadStream(path).pipe(split2())) addLine(symbols, line)
    return tableOf(symbols)
  },
  "split('\\n') + Map": async (path) => {
    const symbols: PlainSymbol[] = []
    for (const line of readFileSync(path, 'latin1').split('\n')) addLine(symbols, line)
    return tableOf(symbols)
  },
}

function addLine(symbols: PlainSymbol[], line: string): void {
  const [address, type, name, owner] = line.split(/\s+/)
  if (address === undefined || type === undefined || name === undefined) return
  symbols.push({ name, address: BigInt(`0x${address}`), type, owner: owner ? owner.slice(1, -1) : 'vmlinux' })
}

/** The table of any symbols, in file order. */
export function tableOf(symbols: readonly PlainSymbol[]): PlainTable {
  const byName = new Map<string, PlainSymbol[]>()
  for (const symbol of symbols) {
    const same = byName.get(symbol.name)
    if (same === undefined) byName.set(symbol.name, [symbol])
    else same.push(symbol)
  }
  const byAddress = [...symbols].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
  return { byName, byAddress, starts: BigUint64Array.from(byAddress, ({ address }) => address) }
}

/** The last index whose start is at or below an address; -1 if there is none. A plain binary search. */
export function plainFind(starts: BigUint64Array, address: bigint): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (starts[middle]! <= address) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Bulk form: ids and offsets into typed arrays, without bounds, overlaps or second looks. */
export function plainFindMany(
  starts: BigUint64Array,
  addresses: BigUint64Array,
  ids: Uint32Array,
  offsets: Uint32Array,
): void {
  for (let i = 0; i < addresses.length; i++) {
    const id = plainFind(starts, addresses[i]!)
    ids[i] = id
    offsets[i] = id < 0 ? 0 : Number(addresses[i]! - starts[id]!)
  }
}
