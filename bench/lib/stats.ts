// Medians and quartiles of repeated measurements, and of the ratios between two that took turns.

/** What repeated measurements come to. */
export interface Summary {
  readonly n: number
  readonly median: number
  /** The quartiles: half of the measurements lie between them. */
  readonly low: number
  readonly high: number
  /** The extremes; the better one tells what the machine gives when nothing else has its cores. */
  readonly min: number
  readonly max: number
}

/** How measurements compare with those of a yardstick: the median of the ratios pair by pair, and their quartiles. */
export interface Comparison {
  readonly yardstick: string
  readonly ratio: number
  readonly ratioLow: number
  readonly ratioHigh: number
}

/** Summarizes measurements, of which there must be one at least. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (q: number) => quantile(sorted, q)
  return { n: sorted.length, median: at(0.5), low: at(0.25), high: at(0.75), min: at(0), max: at(1) }
}

/**
 * Compares measurements with those of a yardstick that were made by turns with them, the nth with the nth: a machine that
 * grows slow during a run makes both slow, and their ratio stays.
 */
export function compare(yardstick: string, samples: readonly number[], standard: readonly number[]): Comparison {
  if (samples.length !== standard.length) {
    throw new RangeError(`${samples.length} measurements cannot be paired with ${standard.length} of ${yardstick}`)
  }
  const { median: ratio, low: ratioLow, high: ratioHigh } = summarize(samples.map((value, i) => value / standard[i]!))
  return { yardstick, ratio, ratioLow, ratioHigh }
}

export function median(samples: readonly number[]): number {
  return summarize(samples).median
}

/** The quantile `q` of ascending numbers, interpolated between neighbours. */
function quantile(sorted: readonly number[], q: number): number {
  const place = (sorted.length - 1) * q
  const below = sorted[Math.floor(place)]
  const above = sorted[Math.ceil(place)]
  if (below === undefined || above === undefined) throw new RangeError('nothing was measured')
  return below + (above - below) * (place - Math.floor(place))
}
