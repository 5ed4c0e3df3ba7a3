// The package as it is shipped, made from what `tsc` has compiled: few files instead of two hundred, because a program that
// imports kerndex waits for every one of them. Threads start soonest from one CommonJS file each.
import { readFileSync } from 'node:fs'

const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

const common = {
  platform: 'node',
  external: [/^node:/, ...Object.keys(dependencies).map((name) => new RegExp(`^${name}(/|$)`))],
  transform: { define: { KERNDEX_BUNDLED: 'true' } },
}
// Names and lines stay readable in stack traces; only comments and blanks go.
const minify = { compress: false, mangle: false, codegen: { removeWhitespace: true } }

const worker = (name) => ({
  ...common,
  input: { [name]: `dist/workers/${name}.js` },
  output: {
    dir: 'dist/lib',
    format: 'cjs',
    entryFileNames: '[name].cjs',
    codeSplitting: false,
    exports: 'named',
    minify,
  },
})

export default [
  {
    ...common,
    input: { index: 'dist/src/index.js', cli: 'dist/src/cli/main.js' },
    output: { dir: 'dist/lib', format: 'esm', chunkFileNames: 'chunk-[hash].js', minify, cleanDir: true },
  },
  ...['loader', 'query', 'events', 'reader'].map(worker),
]
