// Ctrl-C: a run ends early and reports what it has measured by then.

/** A second Ctrl-C ends the process at once. One key press may come as two signals: from the terminal, and from the command that waits. */
const ONE_PRESS_MS = 500

let signal: AbortSignal | undefined

/** Aborted once this process was told to stop, which from the first call on no longer ends it. */
export function stopSignal(): AbortSignal {
  if (signal !== undefined) return signal
  const control = new AbortController()
  let first = 0
  const stop = () => {
    if (control.signal.aborted && performance.now() - first > ONE_PRESS_MS) process.exit(130)
    if (control.signal.aborted) return
    first = performance.now()
    control.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  signal = control.signal
  return signal
}

/**
 * Measures contenders by turns, another one first in each round, and gives each one's results, a round each. A run that is stopped has
 * fewer rounds; those that were not finished count for nobody, so that the nth results of all belong together.
 * @throws what `measure` throws, unless it was stopped with a round to show
 */
export async function byTurns<Contender, Result>(
  contenders: readonly Contender[],
  rounds: number,
  measure: (contender: Contender, round: number) => Promise<Result>,
  stopped = stopSignal(),
): Promise<Result[][]> {
  const results: Result[][] = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const own = new Map<number, Result>()
    try {
      for (let turn = 0; turn < contenders.length; turn++) {
        const index = (turn + round) % contenders.length
        own.set(index, await measure(contenders[index]!, round))
        stopped.throwIfAborted()
      }
    } catch (error) {
      if (!stopped.aborted || (round === 0 && own.size < contenders.length)) throw error
    }
    if (own.size === contenders.length) for (const [index, result] of own) results[index]!.push(result)
    if (stopped.aborted) break
  }
  return results
}

/** The rows of the parts of a suite, which are measured one after the other; of a run that is stopped, those of the parts that were. */
export async function inParts<Row>(
  parts: readonly (() => Promise<readonly Row[]>)[],
  stopped = stopSignal(),
): Promise<Row[]> {
  const rows: Row[] = []
  for (const part of parts) {
    try {
      rows.push(...(await part()))
    } catch (error) {
      if (!stopped.aborted || rows.length === 0) throw error
    }
    if (stopped.aborted) break
  }
  return rows
}
