// Where the package's other files are, from wherever this one runs: TypeScript, compiled, or bundled into the shipped package.

/** Set by the bundler. */
declare const KERNDEX_BUNDLED: true | undefined

const bundled = typeof KERNDEX_BUNDLED !== 'undefined'
const here = import.meta.url

/** The entry point of a kind of thread; threads always run compiled files. */
export function workerUrl(name: 'loader' | 'query' | 'events' | 'reader'): URL {
  if (bundled) return new URL(`./${name}.cjs`, here)
  return new URL(here.endsWith('.ts') ? `../../dist/workers/${name}.js` : `../../workers/${name}.js`, here)
}

/** The package's `package.json`. */
export function packageUrl(): URL {
  return new URL(bundled || here.endsWith('.ts') ? '../../package.json' : '../../../package.json', here)
}
