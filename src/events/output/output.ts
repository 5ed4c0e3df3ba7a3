// An output of `resolve`: its name, what the stretches of a stream make for it, and, where that is a profile, how the
// profile is written down. Each output registers itself in a file of its own; `outputs.ts` lists them.

import type { Profile, Weighing } from '../../stacks/profile.ts'
import type { Folding } from '../fold.ts'
import type { StretchPlan } from '../stretch-plan.ts'

/** Facts beside the stacks, for the outputs that have room for them. */
export interface ProfileFacts {
  /** What was read, for people. */
  readonly title: string
  /** The file it goes to, if it is one. */
  readonly to?: string | undefined
  readonly weighing: Weighing
  /** The trace's kernel, as far as it is known. */
  readonly release?: string | undefined
  /** Where code lies, and which build it is of: the core kernel first. */
  readonly mappings?: readonly CodeMapping[]
}

/** A piece of the kernel's code: vmlinux or a module. */
export interface CodeMapping {
  /** As frames name their owner. */
  readonly owner: string
  readonly start: bigint
  /** Behind its last byte. */
  readonly end: bigint
  /** GNU build id in hexadecimal digits, where it is known. */
  readonly buildId: string | undefined
}

/** How the stacks of a stream become a file. */
export interface ProfileWriter {
  readonly folding?: Partial<Folding>
  /** How many inputs it wants, each with a profile of its own; default: any number, summed up. */
  readonly inputs?: number
  /** Writes the profiles down, in pieces: one, or one of each input. */
  readonly write: (profiles: readonly [Profile, ...Profile[]], facts: ProfileFacts) => Iterable<string | Uint8Array>
}

/** An output of `resolve`. */
export interface Output {
  readonly name: string
  /** In words, for `--help`. */
  readonly what: string
  /** What the stretches make. */
  readonly product: StretchPlan['product']
  /** For profiles. */
  readonly writer?: ProfileWriter
  /** Not for a terminal: it is bytes, or a page that only a browser shows. */
  readonly file?: boolean
}
