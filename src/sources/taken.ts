// When a capture was taken: a line of two numbers of nanoseconds, since 1970 and since the boot, on the clock that perf and ftrace use.

/** A moment on two clocks, in nanoseconds. */
export interface Taken {
  readonly real: bigint
  readonly monotonic: bigint | undefined
}

/** This moment, on a Linux machine. */
export function takenNow(): Taken {
  return { real: BigInt(Date.now()) * 1_000_000n, monotonic: process.hrtime.bigint() }
}

/** A moment as captures keep it. */
export function takenText({ real, monotonic }: Taken): string {
  return `${real} ${monotonic ?? '-'}\n`
}

/** The moment that a capture tells; undefined where it tells none. */
export function parseTaken(bytes: Buffer): Taken | undefined {
  const [, real, monotonic] = /^(\d{1,19}) (\d{1,19}|-)\n?$/.exec(bytes.toString('latin1', 0, 64)) ?? []
  if (real === undefined || monotonic === undefined) return undefined
  return { real: BigInt(real), monotonic: monotonic === '-' ? undefined : BigInt(monotonic) }
}
