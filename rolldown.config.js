// The package as it is shipped, made from what `tsc` has compiled: few files instead of three hundred, because a program that
// imports kerndex waits for every one of them. Threads start soonest from one CommonJS file each.
import { readdirSync, readFileSync } from 'node:fs'

const { dependencies, peerDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

const common = {
  platform: 'node',
  external: [
    /^node:/,
    ...Object.keys({ ...dependencies, ...peerDependencies }).map((name) => new RegExp(`^${name}(/|$)`)),
  ],
  transform: { define: { KERNDEX_BUNDLED: 'true' } },
}
// Names and lines stay, because errors show them; comments go.
const written = { minify: false, comments: false }

const entries = { cli: 'dist/src/cli/main.js' }
for (const name of ['index', 'btf', 'events']) entries[name] = `dist/src/${name}.js`
for (const name of ['run', 'lib/baseline-worker', 'page/charts']) entries[`bench/${name}`] = `dist/bench/${name}.js`
for (const name of readdirSync('dist/bench/cold').filter((file) => file.endsWith('.js'))) {
  entries[`bench/cold/${name.slice(0, -3)}`] = `dist/bench/cold/${name}`
}

const thread = (name) => ({
  ...common,
  input: { [name]: `dist/workers/${name}.js` },
  output: {
    dir: 'dist/lib',
    format: 'cjs',
    entryFileNames: '[name].cjs',
    codeSplitting: false,
    exports: 'named',
    ...written,
  },
})

export default [
  {
    ...common,
    input: entries,
    output: { dir: 'dist/lib', format: 'esm', chunkFileNames: 'chunk-[hash].js', ...written, cleanDir: true },
  },
  ...['loader', 'query', 'events', 'reader'].map(thread),
]
