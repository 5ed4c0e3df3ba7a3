// The limits of a server: how much a caller may send, how many may be served at once, how long the slow are waited for.

/** The bounds of a server. Bytes, milliseconds and counts. */
export interface Limits {
  /** Bytes of a body of JSON or of packed addresses. */
  readonly body: number
  /** Bytes of a text or a profile that is sent to be put into words. */
  readonly stream: number
  /** Bytes that all bodies and answers that are held in memory may have together. */
  readonly held: number
  /** Addresses in one request of JSON; packed ones are bounded by the body. */
  readonly addresses: number
  /** Requests under way; streams of events count by themselves. */
  readonly requests: number
  /** Texts and profiles that are worked on at once. */
  readonly streams: number
  /** Pages that listen to events. */
  readonly listeners: number
  /** Connections, the slow ones among them; more are closed as they come. */
  readonly connections: number
  /** Tables that are open at once; the one that was used longest ago is closed for the next. */
  readonly tables: number
  /** Profiles that are kept, and their bytes together; the oldest go. */
  readonly profiles: number
  readonly profileBytes: number
  /** How long a request's head, and all of it, may take to arrive. */
  readonly headMs: number
  readonly requestMs: number
  /** How long a body that is held may keep the server waiting, and bytes a second by which it wins that time back. */
  readonly bodyMs: number
  readonly bodyRate: number
  /** How long a connection may stand still in the middle of something. */
  readonly idleMs: number
  /** How long running requests are waited for when the server is told to end. */
  readonly drainMs: number
}

export const DEFAULT_LIMITS: Limits = {
  body: 1 << 24,
  stream: 1 << 28,
  held: 1 << 29,
  addresses: 200_000,
  requests: 256,
  streams: 4,
  listeners: 64,
  connections: 16_384,
  tables: 8,
  profiles: 64,
  profileBytes: 1 << 27,
  headMs: 10_000,
  requestMs: 300_000,
  bodyMs: 10_000,
  bodyRate: 1 << 14,
  idleMs: 60_000,
  drainMs: 30_000,
}
