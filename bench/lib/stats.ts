// Medians and quartiles of repeated measurements.

/** What repeated measurements come to. */
export interface Summary {
  readonly n: number
  readonly median: number
  /** The quartiles: half of the measurements lie between them. */
  readonly low: number
  readonly high: number
}

/** Summarizes measurements, of which there must be one at least. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b)
  return { n: sorted.length, median: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75) }
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
