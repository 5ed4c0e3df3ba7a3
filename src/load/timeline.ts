// The record of a load: which work was done when, on which thread. It is behind `kerndex status` and the diagnostics channel.

import { channel } from 'node:diagnostics_channel'
import { threadId } from 'node:worker_threads'

/** The kinds of work a load consists of. */
export type Work = 'start' | 'read' | 'parse' | 'gather' | 'merge' | 'index'

/** One piece of work. Times are milliseconds since the load began. */
export interface Span {
  readonly work: Work
  /** The input it worked on: `kallsyms`, a blob's module, … */
  readonly what: string
  /** The thread's number in Node; 0 is the main thread. */
  readonly thread: number
  readonly start: number
  readonly end: number
}

/** A span as another thread reports it: times as `absoluteNow` gives them. */
export interface AbsoluteSpan {
  readonly work: Work
  readonly what: string
  readonly thread: number
  readonly start: number
  readonly end: number
}

/**
 * Now, in milliseconds on the clock that all threads of a process share. A cold process needs most of a millisecond to have
 * `performance`, which is a tenth of what it needs to open a snapshot.
 */
export function absoluteNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Every span is published here as it is recorded. */
const spans = channel('kerndex:load:span')

/** Gathers the spans of one load. */
export class Timeline {
  /** How many threads the load had beside the calling one. */
  readonly threads: number
  readonly #origin = absoluteNow()
  /** The spans; those of this thread without its number: it is in a module that takes a cold process milliseconds to have. */
  readonly #spans: (Omit<Span, 'thread'> & { readonly thread?: number })[] = []

  constructor(threads = 0) {
    this.threads = threads
  }

  /** The spans so far, by start. */
  get spans(): readonly Span[] {
    return this.#spans.map((span) => ({ thread: threadId, ...span })).sort((a, b) => a.start - b.start)
  }

  /** Milliseconds since the load began. */
  get elapsed(): number {
    return absoluteNow() - this.#origin
  }

  /** Records a piece of work of this thread that began at `start` (from `elapsed`) and ends now. */
  record(work: Work, what: string, start: number): void {
    this.#add({ work, what, start, end: this.elapsed })
  }

  /** Takes over the spans that another thread measured. */
  adopt(reported: readonly AbsoluteSpan[]): void {
    for (const span of reported) {
      this.#add({ ...span, start: span.start - this.#origin, end: span.end - this.#origin })
    }
  }

  #add(span: Omit<Span, 'thread'> & { readonly thread?: number }): void {
    this.#spans.push(span)
    if (spans.hasSubscribers) spans.publish({ thread: threadId, ...span })
  }
}

/** How a load went. */
export interface Timing {
  /** Milliseconds from the call to the finished snapshot, or to what of it `ready` asked to wait for. */
  readonly readyMs: number
  /** Milliseconds from the call to the types, where they came behind the symbols and are there. */
  readonly typesMs?: number | undefined
  /** Loader threads that the load had; `spans` tells what they did. */
  readonly threads: number
  /** What was done when, on which thread. */
  readonly spans: readonly Span[]
}

/** The timing of a load that is done with what it had to wait for. Its spans are gathered when somebody asks for them. */
export function timingOf(timeline: Timeline, readyMs = timeline.elapsed, typesMs?: number): Timing {
  return {
    readyMs,
    ...(typesMs !== undefined && { typesMs }),
    threads: timeline.threads,
    get spans() {
      return timeline.spans
    },
  }
}
