// The package as it is shipped, made from what `tsc` has compiled: few files instead of three hundred, because a program that
// imports kerndex waits for every one of them, and for every kilobyte in them. The library is CommonJS behind the names of its
// entry points: only that can read code that has to answer at once no sooner than it is needed. Threads are one file each. Packages
// that are no dependencies of the package are in its files, and their licences in dist/THIRD-PARTY-NOTICES.txt.
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { writeDeclarations } from './build/declarations.js'
import { askedFor, Notices } from './build/packages.js'
import { moduleOf, plainExports, plainLetters, readAtTop, requireWhenNeeded } from './build/rewrite.js'

const { dependencies, peerDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

const common = {
  platform: 'node',
  checks: { pluginTimings: false },
  external: [
    /^node:/,
    ...Object.keys({ ...dependencies, ...peerDependencies }).map((name) => new RegExp(`^${name}(/|$)`)),
  ],
  transform: { define: { KERNDEX_BUNDLED: 'true' } },
}
// Names and lines stay, because errors show them; comments go.
const written = { dir: 'dist/lib', minify: false, comments: false }
const commonjs = { ...written, format: 'cjs', exports: 'named' }

/** Whose code the files hold; the last bundle writes it down. */
const notices = new Notices()

const ENTRIES = {
  index: 'index.js',
  btf: 'btf.js',
  events: 'events.js',
  catalog: 'catalog.js',
  fleet: 'fleet.js',
  cli: 'cli/main.js',
}

/**
 * The files of the library, and which modules go there: the first that fits. Importing kerndex reads `core` and `main`, which have
 * what every kernel is opened with: read later, it would take as long, and be waited for.
 */
const PARTS = {
  fleet: /^fleet\//,
  events: /^(events|processes|stacks)\//,
  serve: /^(serve\/|symbols\/find-text\.)/,
  printing: /^btf\/(relocate\/(?!distilled)|verify\/|print\/(c-dump.*|c-sort|layout)|ask\/diff)/,
  probes: /^probes\/(?!plan|spec|kinds)/,
  sources:
    /^(core\/elf|sources\/(archive|btf-file|capture|file|unpack)|symbols\/(elf.*|sized)|btf\/(read\/blob-file|relocate\/distilled))\./,
  'load-types': /^(load\/(shared-files|types)|snapshot\/types-now|btf\/read\/(index-types|name-index-write|walk.*))\./,
  catalog:
    /^(catalog\/|open-catalog\.|load\/(carry-on|catalog.*|host-reading|layout-file|place-layout)\.|symbols\/placed\.)/,
  asking: /^btf\/(ask\/(asked-types|type-(question|uses)|users-index)|print\/type-facts)\./,
  declaring: /^btf\/print\/c-(declare|names)\./,
  core: /^(btf|core)\//,
  main: /^(?!cli\/)/,
}

/** The part that a module goes to. An entry point is a file of its own, and so is the command. */
function partOf(id, context) {
  const path = id.match(/\/dist\/src\/(.*)/)?.[1]
  if (path === undefined) return askedFor(id, context)
  if (Object.values(ENTRIES).includes(path)) return null
  return Object.keys(PARTS).find((part) => PARTS[part].test(path))
}

/** A rewrite of the files that the bundler writes (build/rewrite.js). */
const rewriting = (rewrite) => ({ name: rewrite.name, renderChunk: (code) => rewrite(code) })

/** Ends the build where files need each other at their tops: one of them would be read half way. */
const parts = {
  name: 'parts',
  generateBundle(_, bundle) {
    const needed = (file) =>
      bundle[file]?.code === undefined ? [] : readAtTop(bundle[file].code).map((one) => basename(one))
    const needs = new Map(Object.keys(bundle).map((file) => [file, needed(file)]))
    const follow = (file, path) => {
      if (path.includes(file)) {
        const circle = [...path.slice(path.indexOf(file)), file].join(' needs ')
        this.error(`${circle} at its top: give one of the modules another part (PARTS in rolldown.config.js)`)
      }
      for (const next of needs.get(file) ?? []) follow(next, [...path, file])
    }
    for (const file of needs.keys()) follow(file, [])
  },
}

/** Has Node keep the command's compiled code, where it can, before any of it is read (src/cli/code-cache.ts). */
const compiledCode = {
  name: 'compiled-code',
  renderChunk(code, { isEntry, name }) {
    if (!isEntry || name !== 'cli') return
    const [first, ...lines] = code.split('\n')
    if (!first.startsWith('#!')) this.error('the command does not begin with the line that says what runs it')
    const keep = 'if (require("node:module").enableCompileCache) require("./code-cache.cjs").keepCompiledCode();'
    return [first, keep, ...lines].join('\n')
  },
}

/** Beside each entry point, which is CommonJS as its parts are, the module that programs import. */
const entryPoints = {
  name: 'entry-points',
  generateBundle(_, bundle) {
    for (const { isEntry, name, code } of Object.values(bundle)) {
      if (isEntry && name !== 'cli') this.emitFile({ type: 'asset', fileName: `${name}.js`, source: moduleOf(code) })
    }
  },
}

/** What pages hold as it is: other packages' builds for browsers (`pageUrl` in src/core/place.ts). */
const PAGE_FILES = [
  'd3/dist/d3.min.js',
  'd3-flame-graph/dist/d3-flamegraph.umd.min.js',
  'd3-flame-graph/dist/d3-flamegraph.css',
]

const pageFiles = {
  name: 'page-files',
  generateBundle() {
    for (const file of PAGE_FILES) {
      notices.takeWithDependencies(resolve('node_modules', file.split('/')[0]))
      this.emitFile({ type: 'asset', fileName: `page/${basename(file)}`, source: readFileSync(`node_modules/${file}`) })
    }
  },
}

const library = {
  ...common,
  input: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, `dist/src/${file}`])),
  preserveEntrySignatures: 'allow-extension',
  // Modules hold names and do nothing else, and a number of another part is no reason to read that part.
  treeshake: { moduleSideEffects: false },
  optimization: { inlineConst: { mode: 'all' } },
  plugins: [
    ...[requireWhenNeeded, plainExports, plainLetters].map(rewriting),
    compiledCode,
    parts,
    entryPoints,
    pageFiles,
    notices.plugin,
  ],
  output: {
    ...commonjs,
    entryFileNames: '[name].cjs',
    chunkFileNames: 'part-[name].cjs',
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ name: partOf, debugName: 'parts' }],
    },
    cleanDir: true,
  },
}

const bench = {}
for (const name of ['run', 'fleet', 'lib/baseline-worker', 'page/charts'])
  bench[`bench/${name}`] = `dist/bench/${name}.js`
for (const name of readdirSync('dist/bench/cold').filter((file) => file.endsWith('.js'))) {
  bench[`bench/cold/${name.slice(0, -3)}`] = `dist/bench/cold/${name}`
}

/** The harness measures the library as it is shipped. */
const shippedLibrary = {
  name: 'shipped-library',
  resolveId(source) {
    const name = source.match(/\/src\/(index|btf|events|fleet)\.js$/)?.[1]
    return name && { id: resolve(`dist/lib/${name}.js`), external: 'relative' }
  },
}

const harness = {
  ...common,
  input: bench,
  plugins: [shippedLibrary, notices.plugin],
  output: { ...written, format: 'esm', chunkFileNames: 'chunk-[hash].js' },
}

const thread = (name) => ({
  ...common,
  input: { [`thread-${name}`]: `dist/workers/${name}.js` },
  plugins: [notices.plugin],
  output: { ...commonjs, entryFileNames: '[name].cjs', codeSplitting: false },
})

/** The page that `kerndex serve` shows: browsers load three files, and nothing from elsewhere. */
const page = {
  input: { page: 'src/page/main.tsx' },
  platform: 'browser',
  output: { dir: 'dist/lib/page', format: 'esm', entryFileNames: '[name].js', minify: true, codeSplitting: false },
  plugins: [
    notices.plugin,
    {
      name: 'served-files',
      writeBundle() {
        for (const file of ['page.html', 'page.css', 'icon.svg'])
          copyFileSync(`src/page/${file}`, `dist/lib/page/${file}`)
      },
    },
  ],
}

const codeCache = {
  ...common,
  input: { 'code-cache': 'dist/src/cli/code-cache.js' },
  output: { ...commonjs, entryFileNames: '[name].cjs', codeSplitting: false },
}

const threads = ['loader', 'query', 'events'].map(thread)
threads.at(-1).plugins.push({
  name: 'beside-the-code',
  writeBundle() {
    writeFileSync('dist/THIRD-PARTY-NOTICES.txt', notices.text())
    const entries = Object.keys(ENTRIES).filter((name) => name !== 'cli')
    writeDeclarations(entries, Object.keys(peerDependencies), 'dist/src', 'dist/types')
  },
})

export default [library, codeCache, page, harness, ...threads]
