// Frames of stacks that a host recorded which hides its addresses, as kerndex named them, against the list of symbols that this host showed
// before. Pure.
import { countUpTo, type Line } from './kallsyms.ts'
import type { Outcome } from './outcome.ts'

/** A frame as `kerndex resolve --json` writes it. */
export interface NamedFrame {
  readonly address: string
  readonly symbol: string | null
  readonly offset: number | null
  readonly reason?: string
}

/** Each kernel frame, looked up as it stands in the core's list. */
export function* compareFrames(
  check: string,
  frames: Iterable<NamedFrame>,
  lines: readonly Line[],
): Generator<Outcome> {
  const core = lines.filter(({ module, address }) => module === '' && address >= 1n << 63n)
  core.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0))
  const starts = core.map(({ address }) => address)
  const named = (wanted: string) => core.find(({ name }) => name === wanted)?.address ?? 0n
  // Kernels that list functions only have no symbol at their end.
  const [begin, end] = [named('_stext'), named('_end') || (starts.at(-1) ?? 0n) + 1n]
  for (const { address, symbol, offset, reason } of frames) {
    const at = BigInt(address)
    if (reason === 'not_kernel') continue
    const kerndex = symbol === null ? `nothing: ${reason}` : 'names it'
    if (at < begin || at >= end) {
      const subject = `${address}: ${symbol}, ${reason}`
      yield { check, class: 'modules', kernel: 'lies elsewhere', kerndex, wrong: reason !== 'other_boot', subject }
      continue
    }
    const behind = countUpTo(starts, at)
    const start = starts[behind - 1]!
    const names = core.slice(countUpTo(starts, start - 1n), behind).map(({ name }) => name)
    const right = symbol !== null && names.includes(symbol) && offset === Number(at - start)
    const subject = `${address}: the list ${names}+${at - start}, kerndex ${symbol}+${offset}, ${reason}`
    yield { check, class: 'core', kernel: 'lists', kerndex: right ? 'the same' : kerndex, wrong: !right, subject }
  }
}
