// Snapshots that a guest left, opened on the host.
import { KerndexError, type Kernel, openKernel } from 'kerndex'

/** Opens a snapshot; undefined, and a word about it, where another version of kerndex has kept it. */
export async function openKept(
  from: string,
  threads: number,
  say: (text: string) => void,
): Promise<Kernel | undefined> {
  try {
    return await openKernel({ from, threads, types: false })
  } catch (error) {
    if (!(error instanceof KerndexError) || error.code !== 'UNSUPPORTED') throw error
    say(`${from} is of another version: not judged`)
    return undefined
  }
}
