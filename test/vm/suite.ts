// What a suite is: one file in suites/, with the part that runs in the guest and the part that judges on the host what the guest
// left behind.
import type { Outcome } from './outcome.ts'

/** What a suite has in the guest, where it runs as root. */
export interface Guest {
  /** As `uname -r` prints it. */
  readonly release: string
  /** The folder of this suite that host and guest share. */
  readonly folder: string
  /** The folder that holds those of all suites, of this boot. */
  readonly share: string
  /** The modules of the list, which are loaded unless the suite runs before them. */
  readonly modules: readonly string[]
  /** How much to try, 1 by default: a suite multiplies its numbers by it. */
  readonly scale: number
  /** Notes the result of a comparison. */
  note(outcome: Outcome): void
  /** Says to the person who waits how far it is. */
  say(text: string): void
  /** Runs a command to its end and gives back what it printed. @throws Error if it fails */
  run(command: string, ...args: string[]): string
}

/** What a suite has on the host, when the guest is off. */
export interface Judging {
  readonly release: string
  readonly folder: string
  readonly share: string
  /** The suite's folder of the second boot, if it asks for one. */
  readonly again: string
  note(outcome: Outcome): void
  /** Says what cannot be judged, and why. */
  say(text: string): void
}

export interface Suite {
  readonly name: string
  /** What it asks the kernel, in a line. */
  readonly title: string
  /** It runs before the list's modules are loaded, where the table is small. */
  readonly before?: 'modules'
  /** It runs only where it is named. */
  readonly onRequest?: true
  /** Asks the kernel. What it notes counts; what it writes to its folder is there for `judge`. */
  record(guest: Guest): Promise<void>
  /**
   * Asks a second boot of the same kernel, where the list's modules were loaded the other way round. Its folder is another one; that of the
   * first boot is `first`. A kernel is booted again only if a suite has this.
   */
  again?(guest: Guest, first: string): Promise<void>
  /** Compares what was written with what kerndex makes of the same boot's capture. */
  judge?(judging: Judging): Promise<void>
}
