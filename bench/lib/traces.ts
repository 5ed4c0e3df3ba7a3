// Text as tools write it, made of a kernel's own symbols: addresses one a line, and perf script with stacks that repeat as
// those of a real recording do.

import type { SymbolTable } from '../../src/symbols/table.ts'
import type { Random } from './random.ts'

/** Distinct stacks and frames: a recording of 22,366 kernel frames held 899 addresses. */
const STACKS = 600
const FRAMES = 900
const PROCESSES = 40

/** Addresses inside of random symbols, one a line. */
export function addressLines(addresses: BigUint64Array): Buffer {
  const lines: string[] = []
  for (const address of addresses) lines.push(address.toString(16).padStart(16, '0'))
  return Buffer.from(`${lines.join('\n')}\n`, 'latin1')
}

/** At least so many bytes of perf script. The idle task's one stack is every other sample. */
export function perfText(symbols: SymbolTable, addresses: BigUint64Array, bytes: number, random: Random): Buffer {
  const frames = Array.from(addresses.subarray(0, FRAMES), (address) => {
    const found = symbols.at(address)
    const offset = found === undefined ? 0n : address - found.symbol.address
    const owner =
      found === undefined || found.symbol.owner === 'vmlinux' ? '[kernel.kallsyms]' : `[${found.symbol.owner}]`
    const name = found === undefined ? '[unknown]' : `${found.symbol.name}+0x${offset.toString(16)}`
    return `\t${address.toString(16).padStart(16)} ${name} (${owner})\n`
  })
  const stacks = Array.from({ length: STACKS }, () =>
    Array.from({ length: 6 + random(24) }, () => frames[random(frames.length)] ?? '').join(''),
  )
  const records: string[] = []
  let length = 0
  for (let i = 0; length < bytes; i++) {
    const idle = i % 2 === 0
    const pid = idle ? 0 : 1000 + random(PROCESSES)
    const time = `${1000 + Math.floor(i / 4000)}.${String((i % 4000) * 250).padStart(6, '0')}`
    const head = `${idle ? 'swapper' : `worker-${pid}`}  ${pid}/${pid} [00${i & 1}]  ${time}:     250000 cpu-clock: \n`
    records.push(`${head}${stacks[idle ? 0 : random(STACKS)] ?? ''}\n`)
    length += records.at(-1)?.length ?? 0
  }
  return Buffer.from(records.join(''), 'latin1')
}
