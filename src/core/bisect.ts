// Binary search over places in ascending order. Searches on the path of a single lookup are written out where they are
// (symbols/search.ts, btf/read/type-set.ts).

/** The first place in [from, to) of which `isBefore` is false, `to` if there is none. It must be true of all places before that one. */
export function bisect(from: number, to: number, isBefore: (place: number) => boolean): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}
