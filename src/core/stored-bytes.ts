// Memory for bytes that lie elsewhere, such as in a file, and come when they are needed.

/** Memory whose bytes come when they are needed; until then they are zero. */
export interface StoredBytes {
  readonly buffer: SharedArrayBuffer
  /** Brings bytes into memory; a range that reaches beyond the buffer ends there. @throws what reading them throws */
  need(from: number, to: number): void
}
