// Where a user's cache is, and whose its folder and its files have to be: asked by everything that uses one. Addresses of the kernel are
// in there, which are secrets, and compiled code, which is run.

import { type Stats, statSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'

/** The folder of compiled code in a cache, and what its files are called. */
export const CODE_FOLDER = 'code'
export const CODE_FILE = /^part-[\w-]+-[0-9a-f]{8}$/

/** The facts of a process by which it finds its user's cache. */
export interface FolderUser {
  readonly uid: number
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The folder that a user's cache is in, there or not; or why there can be none, as a reason. */
export function cacheFolder({ uid, env }: FolderUser): { readonly directory: string } | { readonly reason: string } {
  const { XDG_CACHE_HOME: base, HOME: home } = env
  // The specification has relative paths ignored.
  if (base !== undefined && isAbsolute(base)) return { directory: join(base, 'kerndex') }
  if (home === undefined || !isAbsolute(home)) return { reason: 'neither XDG_CACHE_HOME nor HOME is set' }
  // As under `sudo -E`.
  const owner = ownerOf(home)
  if (owner === uid) return { directory: join(home, '.cache', 'kerndex') }
  const whose = owner === undefined ? 'does not exist' : `belongs to user ${owner}, not to user ${uid}`
  return { reason: `HOME (${home}) ${whose}` }
}

function ownerOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.uid
  } catch {
    return undefined
  }
}

/** Why a file or directory of another user, or one that others may use, is not trusted; undefined if it is. */
export function distrust(stat: Pick<Stats, 'uid' | 'mode' | 'nlink'>, uid: number, kind: 'file' | 'directory') {
  if (stat.uid !== uid) return `it belongs to user ${stat.uid}, not to user ${uid}`
  if ((stat.mode & 0o077) !== 0) {
    const wanted = kind === 'file' ? '600' : '700'
    return `others may use it (mode ${(stat.mode & 0o777).toString(8)}): chmod ${wanted} it`
  }
  if (kind === 'file' && stat.nlink !== 1) return `it has ${stat.nlink} names`
  return undefined
}
