// The one list of differences between the kernel and kerndex that are meant, or not to be had, each with its reason. Whatever
// differs and is not here makes the run end with 1.

export interface KnownDifference {
  readonly suite: string
  /** The check; `*` at its end stands for anything. So in the fields below; one that is left out is any. */
  readonly check: string
  readonly class?: string
  readonly kernel?: string
  readonly kerndex?: string
  /** Releases that it holds for. */
  readonly releases?: RegExp
  /** Only outcomes whose subject is such a one. */
  readonly subject?: RegExp
  /** At most this share of the check's outcomes; more is no known difference any more. */
  readonly atMost?: number
  readonly reason: string
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = []
