// Where the package's other files are, from wherever this one runs: TypeScript, compiled by tsc, or bundled for the package.

/** Set by the bundler. */
declare const KERNDEX_BUNDLED: true | undefined

const bundled = typeof KERNDEX_BUNDLED !== 'undefined'
const here = import.meta.url

/** A file that tsc has compiled, by its path without ending, or the same in the package, where it may have another name. */
function compiled(path: string, inPackage: string): URL {
  if (bundled) return new URL(`./${inPackage}`, here)
  return new URL(here.endsWith('.ts') ? `../../dist/${path}.js` : `../../${path}.js`, here)
}

/**
 * The entry point of a kind of thread: the bundled one, for tests too. Node 20 aborts the whole process where a thread is ended
 * while it reads modules, as one that is closed at once may be; a single CommonJS file has none to read.
 */
export function workerUrl(name: 'loader' | 'query' | 'events'): URL {
  return here.endsWith('.ts') ? new URL(`../../dist/lib/${name}.cjs`, here) : compiled(`workers/${name}`, `${name}.cjs`)
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
  if (bundled) return new URL(`./page/${name}`, here)
  return new URL(`${here.endsWith('.ts') ? '../../dist' : '../..'}/lib/page/${name}`, here)
}

/** A file that the package or its folder holds as it is. */
export function packageUrl(path: string): URL {
  return new URL(`${bundled || here.endsWith('.ts') ? '../..' : '../../..'}/${path}`, here)
}

/** A file that pages hold as it is, by its place among the packages that are installed where kerndex is built. */
export function pageUrl(path: string): URL {
  return bundled ? new URL(`./page/${path.slice(path.lastIndexOf('/') + 1)}`, here) : packageUrl(`node_modules/${path}`)
}
