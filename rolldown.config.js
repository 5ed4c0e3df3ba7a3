// The package as it is shipped, made from what `tsc` has compiled: few files instead of three hundred, because a program that
// imports kerndex waits for every one of them, and for every kilobyte in them. The library is CommonJS behind the names of its
// entry points: only that can read code that has to answer at once no sooner than it is needed. Threads are one file each.
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

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
const written = { dir: 'dist/lib', minify: false, comments: false }
const commonjs = { ...written, format: 'cjs', exports: 'named' }

const ENTRIES = { index: 'index.js', btf: 'btf.js', events: 'events.js', cli: 'cli/main.js' }

/**
 * The files of the library, and which modules go there: the first that fits. Importing kerndex reads `core` and `main`, which have
 * what every kernel is opened with: read later, it would take as long, and be waited for.
 */
const PARTS = {
  events: /^(events|processes|stacks)\//,
  printing:
    /^btf\/(btf-ext|c-dump.*|c-sort|check|check-object|check-resolve|core-.*|diff|instruction|kinds|print-layout)\./,
  probes: /^probes\/(?!plan|spec)/,
  sources:
    /^(core\/elf|sources\/(archive|btf-file|capture|file|unpack)|symbols\/(elf.*|sized)|btf\/(blob-file|distilled))\./,
  'load-types': /^(load\/(shared-files|types)|btf\/(compiled-walk|index-types|name-index-write|walk.*))\./,
  declaring: /^btf\/c-(declare|names)\./,
  core: /^(btf|core)\//,
  main: /^(?!cli\/)/,
}

/** The part that a module goes to. An entry point is a file of its own, and so is the command. */
function partOf(id) {
  const path = id.match(/\/dist\/src\/(.*)/)?.[1]
  if (path === undefined || Object.values(ENTRIES).includes(path)) return null
  return Object.keys(PARTS).find((part) => PARTS[part].test(path))
}

/**
 * Has another file, a module of Node or a dependency read when the first of its names is used: what compilers to CommonJS
 * call lazy. What a file uses at its top, it still waits for.
 */
const whenNeeded = {
  name: 'when-needed',
  renderChunk(code) {
    const names = []
    const required = /^(?:const|let) (\w+) = (require\("[^"]+"\));\n(?:\1 = (.+)\(\1, 1\);\n)?/gm
    const lazy = code.replace(required, (_, name, file, interop) => {
      names.push(name)
      const value = interop === undefined ? file : `${interop}(${file}, 1)`
      return `let loaded_${name};\nconst ${name} = () => loaded_${name} ??= ${value};\n`
    })
    if (names.length === 0) return null
    const any = names.join('|')
    return lazy
      .replace(new RegExp(`\\bnew (${any})((?:\\.\\w+)+)`, 'g'), 'new ($1()$2)')
      .replace(new RegExp(`\\b(${any})(?=[.;])`, 'g'), '$1()')
  },
}

/** Hands names out as values, not by a function each: nothing changes them once their file has run. */
const plainExports = {
  name: 'plain-exports',
  renderChunk: (code) =>
    code.replace(
      /Object\.defineProperty\(exports, "(\w+)", \{\s+enumerable: true,\s+get: function ?\(\) \{\s+return (\w+);\s+\}\s+\}\);/g,
      'exports.$1 = $2;',
    ),
}

/** Writes other letters than ASCII's by number: V8 would keep a whole file at two bytes a letter for one of them. */
const plainLetters = {
  name: 'plain-letters',
  renderChunk: (code) =>
    code.replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`),
}

/** Makes an entry point, which holds names only, what programs import: a module that takes their values out of the parts. */
const entryPoints = {
  name: 'entry-points',
  renderChunk(code, { isEntry, name }) {
    if (!isEntry || name === 'cli') return null
    const names = code.replace(/^Object\.defineProperty\(exports, .*\n/m, '')
    return `const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);
${names.replace(/^exports\.(\w+) = /gm, 'export const $1 = ')}`
  },
}

const library = {
  ...common,
  input: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, `dist/src/${file}`])),
  preserveEntrySignatures: 'allow-extension',
  // Modules hold names and do nothing else, and a number of another part is no reason to read that part.
  treeshake: { moduleSideEffects: false },
  optimization: { inlineConst: { mode: 'all' } },
  plugins: [whenNeeded, plainExports, plainLetters, entryPoints],
  output: {
    ...commonjs,
    entryFileNames: ({ name }) => (name === 'cli' ? 'cli.cjs' : '[name].js'),
    chunkFileNames: 'part-[name].cjs',
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ name: partOf, debugName: 'parts' }],
    },
    cleanDir: true,
  },
}

const bench = {}
for (const name of ['run', 'lib/baseline-worker', 'page/charts']) bench[`bench/${name}`] = `dist/bench/${name}.js`
for (const name of readdirSync('dist/bench/cold').filter((file) => file.endsWith('.js'))) {
  bench[`bench/cold/${name.slice(0, -3)}`] = `dist/bench/cold/${name}`
}

/** The harness measures the library as it is shipped. */
const shippedLibrary = {
  name: 'shipped-library',
  resolveId(source) {
    const name = source.match(/\/src\/(index|btf|events)\.js$/)?.[1]
    return name && { id: resolve(`dist/lib/${name}.js`), external: 'relative' }
  },
}

const harness = {
  ...common,
  input: bench,
  plugins: [shippedLibrary],
  output: { ...written, format: 'esm', chunkFileNames: 'chunk-[hash].js' },
}

const thread = (name) => ({
  ...common,
  input: { [name]: `dist/workers/${name}.js` },
  output: { ...commonjs, entryFileNames: '[name].cjs', codeSplitting: false },
})

export default [library, harness, ...['loader', 'query', 'events'].map(thread)]
