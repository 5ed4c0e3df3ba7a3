// The package as it is shipped, made from what `tsc` has compiled: few files instead of three hundred, because a program that
// imports kerndex waits for every one of them, and for every kilobyte in them. The library is CommonJS behind the names of its
// entry points: only that can read code that has to answer at once no sooner than it is needed. Threads are one file each. Packages
// that are no dependencies of the package are in its files, and their licences in dist/THIRD-PARTY-NOTICES.txt.
import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { writeDeclarations } from './build/declarations.js'
import { askedFor, Notices } from './build/packages.js'
import {
  calledLater,
  functionsOf,
  importsLater,
  moduleOf,
  plainExports,
  plainLetters,
  readAtTop,
  readWhenCalled,
  requireWhenNeeded,
  takingParts,
  whereCodeIsKept,
} from './build/rewrite.js'

const { version, dependencies, peerDependencies } = JSON.parse(
  readFileSync(new URL('package.json', import.meta.url), 'utf8'),
)

/** commander reads a module at its top that it needs for programs in files of their own, of which there are none. */
const processesWhenStarted = {
  name: 'processes-when-started',
  transform(code, id) {
    if (!id.endsWith('/commander/lib/command.js')) return
    const read = `require('node:child_process')`
    if (code.split(read).length !== 2) this.error('commander reads node:child_process otherwise than it did')
    return code.replace(read, `{ spawn: (...given) => ${read}.spawn(...given) }`)
  },
}

const common = {
  platform: 'node',
  checks: { pluginTimings: false },
  external: [
    /^node:/,
    ...Object.keys({ ...dependencies, ...peerDependencies }).map((name) => new RegExp(`^${name}(/|$)`)),
  ],
  transform: { define: { KERNDEX_BUNDLED: 'true', KERNDEX_VERSION: JSON.stringify(version) } },
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
 * what is asked of every kernel, however it is opened, and `core` alone has what answers addresses from a snapshot file; what a plain load, the cache or the running kernel needs beside that is read with it.
 */
const PARTS = {
  'imports-nats': /^fleet\/nats\/packages\./,
  imports: /^core\/packages\./,
  fleet: /^fleet\//,
  events: /^(events\/|processes\/|stacks\/(?!pasted\.))/,
  serve: /^(serve\/|symbols\/find-text\.)/,
  printing: /^btf\/(relocate\/(?!distilled)|verify\/|print\/(c-(dump|header|tables).*|layout)|ask\/diff)/,
  probes: /^probes\/(?!spec-error\.)/,
  sources:
    /^(core\/elf|snapshot\/source|sources\/(archive|btf-file|capture|file|parts|pprof|stream|unpack|write-archive)|load\/(elf|open-types)|symbols\/(elf.*|sized)|btf\/(read\/blob-file|relocate\/distilled))\./,
  'load-types': /^(load\/(shared-files|types)|snapshot\/types-now|btf\/read\/(index-types|name-index-write|walk.*))\./,
  'catalog-add':
    /^(catalog\/(build-elf|build-symbols|slide)|host-history|load\/(catalog-travel|host-reading|recorded-layout))\./,
  catalog:
    /^(catalog\/(?!(boot-core|image|next-boot)\.)|open-catalog\.|symbols\/placed\.|load\/(carry-on|catalog.*|host-reading|layout-file|own-files|place-layout|recorded-layout)\.)/,
  saving:
    /^(catalog\/boot-core|load\/(capture|save)|symbols\/(cut|own-names)|sources\/(perf-data|write-file)|snapshot\/(compare|content|write))\./,
  reading:
    /^(catalog\/next-boot|load\/(cached|cached-file|first-lines|host|later|text-digests)|sources\/(?!facts\.|source\.|identity\.))/,
  workspace:
    /^(core\/wasm-memory|load\/pacer|sources\/module-sections|symbols\/(claim.*|lent-claims|loop.*|module-ranges|pieces|places|regions|section-starts|stretches|workspace))\./,
  loading: /^(load\/(crew.*|load|symbols)|symbols\/(assemble|build|extents|keep|parse|remembered))\./,
  asking: /^btf\/(ask\/(asked-types|type-(question|uses)|users-(build|index|wasm))|print\/type-facts)\./,
  declaring: /^btf\/print\/c-(declare|define|padding)\./,
  decoding: /^btf\/(read\/(type|sizes|references|flavour)|ask\/(layout|member-path)|print\/raw)\./,
  core: /^((core|symbols)\/|sources\/(facts|identity|source)\.|snapshot\/(format|keep-code|late-names|meta|part-memory|read|stored-symbols)\.)/,
  cli: /^(stacks\/pasted|cli\/(main|program|open|output|address.*|settled|plain-output|terminal|rows|input|exit|interrupt|colours|fit|help|unanswered|symbol|unknown|whereabouts))\./,
  'cli-types': /^cli\/(btf|by-type|core|function|known-names|type.*)\./,
  'cli-more': /^cli\//,
  main: /./,
}

/** The parts that any use of kerndex reads. */
const ALWAYS_READ = ['./part-core.cjs', './part-main.cjs']

/** The part that a module goes to. An entry point is a file of its own. */
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
    const needs = new Map()
    const functions = new Map()
    for (const [file, { code }] of Object.entries(bundle)) {
      if (code === undefined) continue
      needs.set(
        file,
        readAtTop(code).map((one) => basename(one)),
      )
      functions.set(file, functionsOf(code))
      if (file.startsWith('part-') && !file.startsWith('part-imports') && importsLater(code))
        this.error(`${file} imports while it runs, which kept code cannot: do it in a file packages.ts`)
    }
    for (const [entry, { code, isEntry }] of Object.entries(bundle)) {
      for (const { name, file, member } of isEntry ? calledLater(code) : []) {
        if (!functions.get(basename(file)).has(member))
          this.error(`${entry} hands out ${name}, which is no function, as one: let it begin with a capital letter`)
      }
    }
    // Every command reads this one.
    const early = needs.get('part-cli.cjs').filter((file) => file.startsWith('part-'))
    if (early.length > 0)
      this.error(`part-cli.cjs needs ${early.join()} at its top, for whatever command: make it a function`)
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

/**
 * The file that reads the parts by what was compiled of them (src/core/code-cache.ts). It is one of its own, because it comes before
 * them; what they ask of it they ask that one.
 */
const CODE_CACHE = 'code-cache.cjs'

const codeCacheOutside = {
  name: 'code-cache-outside',
  resolveId(source) {
    return source.endsWith('core/code-cache.js') ? { id: `./${CODE_CACHE}`, external: true } : null
  },
}

/** The command reads that file with the first part that it needs. */
const READS_KEPT = `{ const plain = require; require = (id) => (require = plain("./${CODE_CACHE}").readPart)(id); }`

/** Has entry points read the parts by way of that file: the command all of them, the library those that it reads at once. */
const partsCompiled = {
  name: 'parts-compiled',
  renderChunk(code, { isEntry, name }) {
    if (!isEntry) return
    if (name !== 'cli') return takingParts(readWhenCalled(code, ALWAYS_READ), `./${CODE_CACHE}`)
    const [first, ...lines] = code.split('\n')
    if (!first.startsWith('#!')) this.error('the command does not begin with the line that says what runs it')
    return [first, whereCodeIsKept(READS_KEPT), ...lines].join('\n')
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
    codeCacheOutside,
    processesWhenStarted,
    ...[requireWhenNeeded, plainExports, plainLetters].map(rewriting),
    parts,
    partsCompiled,
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
    const name = source.match(/\/src\/(index|btf|catalog|events|fleet)\.js$/)?.[1]
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
  input: { 'code-cache': 'dist/src/core/code-cache.js' },
  plugins: [
    { name: 'digest-of-parts', renderChunk: (code) => code.replaceAll('KERNDEX_PARTS', `'${digestOfParts()}'`) },
  ],
  output: { ...commonjs, entryFileNames: '[name].cjs', codeSplitting: false },
}

/** What tells this build's parts from every other's. */
function digestOfParts() {
  const digest = createHash('sha256')
  for (const file of readdirSync('dist/lib').sort()) {
    if (file.startsWith('part-')) digest.update(readFileSync(`dist/lib/${file}`))
  }
  return digest.digest('hex')
}

const threads = ['loader', 'query', 'events'].map(thread)
threads.at(-1).plugins.push({
  name: 'beside-the-code',
  writeBundle() {
    writeFileSync('dist/THIRD-PARTY-NOTICES.txt', notices.text())
    // npm links a checkout's command once; from then on it has to stay one.
    chmodSync('dist/lib/cli.cjs', 0o755)
    const entries = Object.keys(ENTRIES).filter((name) => name !== 'cli')
    writeDeclarations(entries, Object.keys(peerDependencies), 'dist/src', 'dist/types')
  },
})

export default [library, codeCache, page, harness, ...threads]
