// The files by which host and guest speak, in the folder that they share.

/** What the host asks for. */
export const JOB = 'job.json'
/** What the guest tells of itself. */
export const BOOT = 'boot.json'
/** What a suite notes, in its folder: the cells of a tally. */
export const NOTED = 'noted.json'
/** Why a suite ended early, in its folder. */
export const FAILURE = 'failure.txt'
/** The folder, below the shared one, of what a second boot of the kernel leaves. */
export const AGAIN = 'again'

export interface Job {
  readonly suites: readonly string[]
  readonly scale: number
  /** Whether this is the second boot. */
  readonly again: boolean
}

export interface BootFacts {
  readonly release: string
  readonly version: string
  readonly bootId: string
  readonly modules: number
}
