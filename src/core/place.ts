// Where the package's other files are, from wherever this one runs: TypeScript, compiled by tsc, or bundled for the package.

import { existsSync } from 'node:fs'
import { UnsupportedError } from './errors.ts'

/** Set by the bundler. */
declare const KERNDEX_BUNDLED: true | undefined

const bundled = typeof KERNDEX_BUNDLED !== 'undefined'
const here = import.meta.url
/** The folder `dist`, unless this is bundled. */
const dist = here.endsWith('.ts') ? '../../dist' : '../..'

/** A file that tsc has compiled, by its path without ending, or the same in the package, where it may have another name. */
function compiled(path: string, inPackage: string): URL {
  return new URL(bundled ? `./${inPackage}` : `${dist}/${path}.js`, here)
}

/**
 * The entry point of a kind of thread: the bundled one, for tests too. Node 20 aborts the whole process where a thread is ended
 * while it reads modules, as one that is closed at once may be; a single CommonJS file has none to read.
 */
export function workerUrl(name: 'loader' | 'query' | 'events'): URL {
  return shipped(new URL(bundled ? `./thread-${name}.cjs` : `${dist}/lib/thread-${name}.cjs`, here))
}

/**
 * A file of the package, which is there unless the program's bundler took kerndex in.
 * @throws UnsupportedError if it is not
 */
function shipped(url: URL): URL {
  if (!bundled || existsSync(url)) return url
  throw new UnsupportedError(
    "the files of kerndex are not where it looks for them: where a bundler took it in, mark the package 'kerndex' as external (docs/bundlers.md), or do without threads (threads: 0) and pages",
  )
}

/** The command. */
export function commandUrl(): URL {
  return compiled('src/cli/main', 'cli.cjs')
}

/** A file of the harness, such as `run` or `cold/load`. */
export function benchUrl(path: string): URL {
  return compiled(`bench/${path}`, `bench/${path}.js`)
}

/** A file of the page that `kerndex serve` shows, as the bundler has made it. */
export function servedUrl(name: string): URL {
  return new URL(`${bundled ? '.' : `${dist}/lib`}/page/${name}`, here)
}

/** A file that the package or its folder holds as it is. */
export function packageUrl(path: string): URL {
  return new URL(`${bundled || here.endsWith('.ts') ? '../..' : '../../..'}/${path}`, here)
}

/** A file that pages hold as it is, by its place among the packages that are installed where kerndex is built. */
export function pageUrl(path: string): URL {
  return bundled
    ? shipped(new URL(`./page/${path.slice(path.lastIndexOf('/') + 1)}`, here))
    : packageUrl(`node_modules/${path}`)
}
