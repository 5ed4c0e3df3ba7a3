// How a stretch of text is recognised when it is read again.

/** A digest of bytes: SHA-256. The compiled loops have one of their own, five times as fast, and digests of both never agree. */
export function digest(bytes: Uint8Array): string {
  // Loaded only when it is needed, which is where there are no compiled loops: it takes milliseconds.
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(bytes).digest('base64')
}
