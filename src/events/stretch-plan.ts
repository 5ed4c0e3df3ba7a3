// The plan for the stretches of a stream, and the answer for each: both go from thread to thread.

import type { Frame, LookupMode } from '../stacks/frame.ts'
import type { ProfilePart } from '../stacks/profile.ts'
import type { Rebase, Trust } from '../stacks/resolve.ts'
import type { HostState } from '../stacks/states.ts'
import type { EventFilter } from './filter.ts'
import type { Folding } from './fold.ts'
import type { EventParts } from './parts.ts'

/** How the stretches of one stream are read and written. The same for all of them. */
export interface StretchPlan {
  /** The input format's name. */
  readonly input: string
  /**
   * `text`: the same text with addresses in words; `ndjson`: events as lines of JSON; `compact`: events in words; `profile`:
   * stacks and their weights; `parts` and `compact-parts`: events for a reader that adds their processes; `stacks`: nothing is
   * looked up, and events go to the merger of stacks.
   */
  readonly product: 'text' | 'ndjson' | 'compact' | 'profile' | 'parts' | 'compact-parts' | 'stacks'
  readonly mode: LookupMode
  readonly rebase: Rebase | undefined
  readonly trust: Trust
  /** The host's states, where it is known over time: each event is looked up in that of its time. */
  readonly states: readonly StretchState[]
  /** Number of the symbol table's generation, written into events. */
  readonly generation: number
  readonly folding: Folding
  /** Which events are wanted; text has all lines. */
  readonly filter: EventFilter
  /** Events of a type that is not known are bad lines. */
  readonly strict: boolean
  /** Whether events keep what they came with, beside type, pid, tid and ts. */
  readonly passthrough: boolean
}

/** A state of the host, as threads take it: a table's buffer and those that its names are in. */
export interface StretchState extends Omit<HostState, 'symbols'> {
  readonly table: SharedArrayBuffer
  readonly lent: readonly SharedArrayBuffer[] | undefined
}

/** A line that could not be decoded; `line` counts from 0 in the stretch. */
export interface BadInputLine {
  readonly line: number
  readonly reason: string
  /** The line's bytes, one a character. */
  readonly text: string
}

/** The product of a stretch, with its counts. */
export interface StretchAnswer extends Readonly<FrameCounts> {
  readonly bytes: Uint8Array | undefined
  /** The stacks, a part for each event that is told apart. */
  readonly profile: readonly ProfilePart[] | undefined
  readonly parts: EventParts | undefined
  readonly bad: readonly BadInputLine[]
  /** Lines in the stretch; a last one without a line end counts. */
  readonly lines: number
  readonly events: number
  /** Events of a type that is not known. */
  readonly strange: number
  /** Frames that this thread remembers by their text. */
  readonly remembered: number
}

/** Frames, as they were counted when they were looked up. */
export interface FrameCounts {
  frames: number
  /** Kernel frames that no symbol was found for. */
  unresolved: number
  /** Frames of user space. */
  userFrames: number
  /** Frames whose printed name contradicts the table, and stays. */
  contradictions: number
  /** The first of them. */
  contradiction: Frame | undefined
}

export function noFrames(): FrameCounts {
  return { frames: 0, unresolved: 0, userFrames: 0, contradictions: 0, contradiction: undefined }
}

/** Counts a frame that was looked up. */
export function count(counts: FrameCounts, frame: Frame): void {
  const { user, reason } = frame
  counts.frames++
  if (user || reason === 'not_kernel') counts.userFrames++
  else if (reason !== undefined) {
    counts.unresolved++
    if (reason === 'contradiction' || (reason === 'other_kernel' && frame.printed)) {
      counts.contradictions++
      counts.contradiction ??= frame
    }
  }
}

export function addCounts(counts: FrameCounts, more: Readonly<FrameCounts>): void {
  counts.frames += more.frames
  counts.unresolved += more.unresolved
  counts.userFrames += more.userFrames
  counts.contradictions += more.contradictions
  counts.contradiction ??= more.contradiction
}
