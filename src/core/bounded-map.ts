// Maps whose keys come from outside: they hold no more than a given number of entries. And the oldest entry of a collection, found
// without passing over deleted ones: a Map or Set keeps the places of deleted entries until it grows, so that a search from the front
// each time costs as much as there are such places.

/** Finds what was put in longest ago, in one pass for many calls. */
export class Oldest<Key> {
  readonly #collection: ReadonlyMap<Key, unknown> | ReadonlySet<Key>
  /**
   * How far the pass is. An iterator that does not go on keeps the memory of all that its collection has dropped since: so the reference
   * is weak.
   */
  #next: WeakRef<Iterator<Key>> | undefined

  constructor(collection: ReadonlyMap<Key, unknown> | ReadonlySet<Key>) {
    this.#collection = collection
  }

  /**
   * The oldest that `fits`. The caller takes it out, or puts it in anew; what did not fit is looked at again once all others
   * have been.
   */
  find(fits: (key: Key) => boolean): Key | undefined {
    for (let passes = 0; passes < 2; passes++) {
      const next = this.#next?.deref() ?? this.#begin()
      for (let { done, value } = next.next(); done !== true; { done, value } = next.next()) {
        if (fits(value)) return value
      }
      this.#next = undefined
    }
    return undefined
  }

  #begin(): Iterator<Key> {
    const next = this.#collection.keys()
    this.#next = new WeakRef(next)
    return next
  }
}

const any = () => true
const oldestOf = new WeakMap<Map<unknown, unknown>, Oldest<unknown>>()

/** Sets a key; beyond `most` entries the one that was set longest ago goes, and is returned. */
export function setBounded<Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  value: Value,
  most: number,
): [Key, Value] | undefined {
  map.delete(key)
  map.set(key, value)
  if (map.size <= most) return undefined
  let oldest = oldestOf.get(map)
  if (oldest === undefined) {
    oldest = new Oldest<unknown>(map)
    oldestOf.set(map, oldest)
  }
  const first = oldest.find(any)
  if (!isKeyOf(map, first)) return undefined
  const gone = map.get(first)
  map.delete(first)
  return gone === undefined ? undefined : [first, gone]
}

function isKeyOf<Key>(map: ReadonlyMap<Key, unknown>, key: unknown): key is Key {
  const all: ReadonlyMap<unknown, unknown> = map
  return all.has(key)
}
