// The kernel's list of symbols, read the plain way: what truth is asked for must not depend on the code under test. Pure.

export interface Line {
  readonly address: bigint
  readonly type: string
  readonly name: string
  /** Empty for the core kernel. */
  readonly module: string
}

/** The lines of /proc/kallsyms, in its order. */
export function readLines(text: string): Line[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [address, type, name, module = ''] = line.split(/[ \t]+/) as [string, string, string, string?]
      return { address: BigInt(`0x${address}`), type, name, module: module.slice(1, -1) }
    })
}

/** Whether a symbol is of a module that was loaded, not of bpf programs or of pages that the kernel made. */
export function ofLoadedModule({ module }: Line): boolean {
  return module !== '' && module !== 'bpf' && !module.startsWith('__builtin__')
}

/** The address of a symbol of the core kernel; 0 where there is none. */
export function addressOf(lines: readonly Line[], name: string): bigint {
  return lines.find((line) => line.name === name && line.module === '')?.address ?? 0n
}

/** How many addresses of an ascending list are not above an address. */
export function countUpTo(ascending: readonly bigint[], address: bigint): number {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ascending[middle]! <= address) low = middle + 1
    else high = middle
  }
  return low
}

/** So many of a list, spread evenly over it. */
export function spread<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list]
  const step = list.length / count
  return Array.from({ length: Math.floor(count) }, (_, i) => list[Math.floor(i * step + step / 2)]!)
}
