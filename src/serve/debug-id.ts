// Debug ids, by which Mozilla's tools know a build.

/**
 * The debug id of a GNU build id: its first 16 bytes as a GUID, whose first three fields are written in the other byte order, in
 * capital letters, with the age 0 behind it.
 */
export function debugIdOf(buildId: string): string {
  const hex = buildId.padEnd(32, '0').slice(0, 32).toUpperCase()
  const swapped = (from: number, to: number) => hex.slice(from, to).replace(/(..)(..)(..)(..)|(..)(..)/, '$4$3$2$1$6$5')
  return `${swapped(0, 8)}${swapped(8, 12)}${swapped(12, 16)}${hex.slice(16)}0`
}
