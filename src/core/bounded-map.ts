// Maps whose keys others choose: they hold no more than a given number of entries.

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
  const [oldest] = map
  if (oldest !== undefined) map.delete(oldest[0])
  return oldest
}
