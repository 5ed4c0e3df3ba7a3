// The command's compiled code, kept for the next run where Node has a cache for it (from 22.1 on): beside the snapshots, and only
// where a user has let those be kept. It is code that will be run, so nothing is used that another user could have written.

import { lstatSync } from 'node:fs'
import module from 'node:module'
import { isAbsolute, join } from 'node:path'

/** Node's own cache of compiled modules; the types are those of the oldest Node that is supported. */
const { enableCompileCache } = module as { enableCompileCache?: (directory: string) => unknown }

/** The folder of compiled code in the cache of a user; undefined where there is no cache, or one that is not the user's alone. */
export function codeDirectory(
  env: Readonly<Record<string, string | undefined>>,
  uid: number | undefined,
): string | undefined {
  const base = env.XDG_CACHE_HOME
  const home = env.HOME
  const caches = base !== undefined && isAbsolute(base) ? base : home && isAbsolute(home) && join(home, '.cache')
  if (!caches || uid === undefined) return undefined
  const cache = join(caches, 'kerndex')
  const code = join(cache, 'code')
  try {
    if (!isOwn(cache, uid, 0o077)) return undefined
  } catch {
    return undefined
  }
  try {
    return isOwn(code, uid, 0o022) ? code : undefined
  } catch {
    // Node makes it, in a folder that nobody else may enter.
    return code
  }
}

/** Whether that is a folder of a user, where others may do nothing of `forbidden`. */
function isOwn(path: string, uid: number, forbidden: number): boolean {
  const found = lstatSync(path)
  return found.isDirectory() && found.uid === uid && (found.mode & forbidden) === 0
}

/** Has Node look for compiled code there, and keep what it compiles. What it finds of other code, or damaged, it compiles anew. */
export function keepCompiledCode(): void {
  if (enableCompileCache === undefined) return
  const directory = codeDirectory(process.env, process.geteuid?.())
  if (directory !== undefined) enableCompileCache(directory)
}
