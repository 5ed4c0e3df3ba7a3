// How a file is known again.

/** What `ByteReader.identity` is, for a file that need not be opened. */
export function identityOf(stat: { readonly ino: number; readonly size: number; readonly mtimeMs: number }): string {
  return `${stat.ino}:${stat.size}:${stat.mtimeMs}`
}
