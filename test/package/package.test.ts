import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CAPTURE } from '../fixtures.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
  name: string
  version: string
  bin: Record<string, string>
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
}

/** An empty project elsewhere, in which the packed tarball is installed. */
let project: string
let installed: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'kerndex-package-'))
  // The test run has built dist already; building it again would change files under other tests.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], {
    cwd: root,
  })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  installed = join(project, 'node_modules', 'kerndex')
  await mkdir(installed, { recursive: true })
  await run('tar', ['-xzf', join(project, filename), '-C', installed, '--strip-components=1'])
  // As an installer would place the dependencies, but without a network. Only the declared ones can be found.
  for (const name of Object.keys(manifest.dependencies)) {
    const target = join(project, 'node_modules', name)
    await mkdir(join(target, '..'), { recursive: true })
    await symlink(join(root, 'node_modules', name), target)
  }
  await mkdir(join(project, 'node_modules', '@types'), { recursive: true })
  await symlink(join(root, 'node_modules', '@types', 'node'), join(project, 'node_modules', '@types', 'node'))
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module', private: true }))
}, 60_000)
afterAll(() => rm(project, { recursive: true, force: true }))

const consumer = `
import { attachKernel, type Handle, KerndexError, NO_SYMBOL, openKernel, openTypes, type SymbolMatch } from 'kerndex'

const kernel = await openKernel({ from: process.argv[2], threads: 2 })
const [vfsRead] = kernel.symbols.named('vfs_read')
if (vfsRead === undefined) throw new Error('no vfs_read')
const address: bigint = vfsRead.address
const match: SymbolMatch | undefined = kernel.symbols.at(address + 3n)
const { ids, offsets } = await kernel.findMany(new BigUint64Array(40_000).fill(address + 3n))
const handle: Handle = kernel.handle()
const missed: boolean = ids.some((id: number) => id === NO_SYMBOL)
let code: string | undefined
try {
  await openKernel({ from: '/nowhere', threads: 0 })
} catch (error) {
  if (error instanceof KerndexError) code = error.code
}
console.log(JSON.stringify({
  at: match?.symbol.name + '+' + match?.offset,
  offset: offsets[39_999],
  missed,
  code,
  attached: attachKernel(handle).symbols.size,
  types: kernel.types.find('task_struct', { kind: 'STRUCT' }).length,
  workers: (await openTypes({ from: process.argv[2], threads: 2 })).opened[0],
}))
await kernel.close()
`

const requiring = `
import kerndex = require('kerndex')
import { dumpC } from 'kerndex/btf'
import { StackResolver, type Frame } from 'kerndex/events'

async function main(from: string): Promise<void> {
  const kernel = await kerndex.openKernel({ from, threads: 0 })
  const frames: Frame[] = new StackResolver(kernel.symbols).resolve([], 'returns')
  const name: string = kernel.symbols.named('vfs_read')[0]!.name
  const imported = await import('kerndex')
  console.log(frames[0]?.symbol ?? name, imported.KerndexError === kerndex.KerndexError)
  await kernel.close()
}
void main(process.argv[2]!)
export { dumpC }
`

/** The compilers that have to take the types: the project's own, and one that knows less: before 5.7 no array says which memory it is over. */
const COMPILERS = [
  (config: string) => [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', config],
  (config: string) => [
    fileURLToPath(new URL('old-compiler.mjs', import.meta.url)),
    join(root, 'node_modules', '@arethetypeswrong', 'core', 'node_modules', 'typescript'),
    config,
  ],
]

describe('the packed package, installed in an empty project', () => {
  it('holds what is needed and nothing else', async () => {
    const top = (await readdir(installed)).sort()
    expect(top).toEqual(['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json'])
    const built = (await readdir(join(installed, 'dist'))).filter((name) => name !== 'man')
    expect(built.sort()).toEqual(['THIRD-PARTY-NOTICES.txt', 'lib', 'types'])
    const files = await readdir(installed, { recursive: true })
    expect(files.filter((file) => /\.(gz|br|test\.js|tsbuildinfo)$/.test(file))).toEqual([])
    expect(files.filter((file) => /bench.*\.d\.ts$/.test(file) && !/cli/.test(file))).toEqual([])
  })

  it('weighs little: few packages come with it, and none that it does not say', async () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual(['p-limit', 'piscina', 'split2', 'tinybench'])
    const sizes = await Promise.all(
      (await readdir(installed, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
    )
    // With what it depends on, some 1.5 MB, no more than 8 MB.
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(6_000_000)
    // Whatever the files ask for is in Node, beside them, or declared.
    const lib = join(installed, 'dist', 'lib')
    for (const file of await readdir(lib, { recursive: true })) {
      if (!/\.c?js$/.test(file) || file.startsWith('page')) continue
      const code = await readFile(join(lib, file), 'utf8')
      for (const [, asked] of code.matchAll(/(?:\brequire\(|\bimport\(|^import .*? from )["']([^"'.][^"']*)["']/gm)) {
        const declared = asked! in manifest.dependencies || asked! in manifest.peerDependencies
        const known = isBuiltin(asked!) || declared || asked === 'kerndex'
        expect([file, asked, known]).toEqual([file, asked, true])
      }
    }
  })

  it('has documents whose links lead somewhere, and an example that uses what everybody may', async () => {
    for (const file of ['README.md', 'CONTRIBUTING.md', ...(await readdir(join(installed, 'docs')))]) {
      if (!file.endsWith('.md')) continue
      const place = join(installed, file === 'README.md' || file === 'CONTRIBUTING.md' ? '.' : 'docs')
      for (const [, link] of (await readFile(join(place, file), 'utf8')).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        if (!/^https?:/.test(link!)) expect([file, link, existsSync(join(place, link!))]).toEqual([file, link, true])
      }
    }
    const example = await readFile(join(installed, 'docs', 'examples', 'tracer.ts'), 'utf8')
    expect([...example.matchAll(/from '(?!node:)(.*)'/g)].map(([, name]) => name)).toEqual([
      'kerndex',
      'kerndex/events',
    ])
  })

  it('names the packages whose code it holds, with their licences', async () => {
    const notices = await readFile(join(installed, 'dist', 'THIRD-PARTY-NOTICES.txt'), 'utf8')
    for (const name of ['commander', 'd3', 'd3-flame-graph', 'fzstd', 'lossless-json', 'tar-stream', 'valibot']) {
      expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+, `, 'm'))
    }
    for (const part of notices.split(`${'-'.repeat(80)}\n`).slice(1)) {
      expect(part).toMatch(
        /Permission (is hereby granted|to use, copy)|Apache License|Redistribution and use|public domain/i,
      )
    }
    const held = (await readdir(join(installed, 'dist', 'lib'))).join()
    expect(held).toContain('part-commander.cjs')
    expect(notices).not.toContain('piscina')
  })

  it('has types that a strict consumer can use, and code that loads with its worker threads', async () => {
    await writeFile(join(project, 'consumer.ts'), consumer)
    await writeFile(join(project, 'consumer.cts'), requiring)
    // The examples as they come with the package: copied into a project, they compile and run there.
    const shown = join(installed, 'docs', 'examples')
    const examples = (await readdir(shown)).filter((file) => file.endsWith('.ts'))
    await mkdir(join(project, 'examples'), { recursive: true })
    for (const file of examples) await copyFile(join(shown, file), join(project, 'examples', file))
    expect(examples.length).toBeGreaterThanOrEqual(5)
    const options = {
      module: 'nodenext',
      target: 'es2023',
      lib: ['es2023', 'esnext.disposable'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      outDir: 'out',
      rootDir: '.',
    }
    await writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: options,
        files: ['consumer.ts', 'consumer.cts', ...examples.map((file) => `examples/${file}`)],
      }),
    )
    for (const check of COMPILERS) {
      const program = check(join(project, 'tsconfig.json'))
      const { stdout, stderr } = await run(process.execPath, program, { cwd: project }).catch((error) => error)
      expect([stdout, stderr]).toEqual(['', ''])
    }
    const { stdout, stderr } = await run(process.execPath, [join(project, 'out', 'consumer.js'), CAPTURE], {
      cwd: project,
    })
    expect(stderr).toBe('')
    const bulk = run(process.execPath, [join(project, 'out', 'examples', 'bulk.js'), CAPTURE], { cwd: project })
    bulk.child.stdin?.end('ffffffff8ab669e8\n0\n')
    expect((await bulk).stdout).toBe('vfs_read+0x8\n-\n')
    const required = await run(process.execPath, [join(project, 'out', 'consumer.cjs'), CAPTURE], { cwd: project })
    expect(required.stdout.trim()).toBe('vfs_read true')
    expect(JSON.parse(stdout)).toEqual({
      at: 'vfs_read+3',
      offset: 3,
      missed: false,
      code: 'NOT_READABLE',
      attached: 96_457,
      types: 1,
      workers: 'vmlinux',
    })
  }, 180_000)

  it('finds wrong use at compile time', async () => {
    await writeFile(
      join(project, 'wrong.ts'),
      `import { openKernel } from 'kerndex'\nawait openKernel({ threads: 'two' })\n`,
    )
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const args = [
      '--ignoreConfig',
      '--noEmit',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--strict',
      '--skipLibCheck',
      '--types',
      'node',
      'wrong.ts',
    ]
    await expect(run(process.execPath, [tsc, ...args], { cwd: project })).rejects.toMatchObject({
      stdout: expect.stringContaining("'string' is not assignable to type 'number'"),
    })
  })

  it('has the command, which answers with threads', async () => {
    const command = join(installed, manifest.bin.kerndex!)
    expect(await readFile(command, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    const version = await run(process.execPath, [command, '--version'], { cwd: project })
    expect(version.stdout.trim()).toBe(manifest.version)
    const { stdout } = await run(
      process.execPath,
      [command, 'symbol', 'vfs_read', '--from', CAPTURE, '--threads', '2', '--json'],
      { cwd: project },
    )
    expect(JSON.parse(stdout)).toMatchObject({ query: 'vfs_read', symbols: [{ name: 'vfs_read', owner: 'vmlinux' }] })
  })

  it('has the harness, which measures, and says what a page needs', async () => {
    const command = join(installed, manifest.bin.kerndex!)
    const bench = (...args: string[]) =>
      run(
        process.execPath,
        [command, 'bench', 'memory', '--from', CAPTURE, '--processes', '1', '--threads', '0', ...args],
        {
          cwd: project,
        },
      )
    const { stdout } = await bench('--json')
    expect(JSON.parse(stdout.split('\n')[0]!)).toMatchObject({ suite: 'memory', input: 'debian-6.1-amd64', n: 1 })
    await expect(bench('--html', 'run.html')).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('npm install @observablehq/plot'),
    })
  })

  it('gives the same names as the sources, by entry point, and values behind them', async () => {
    for (const name of ['index', 'btf', 'events', 'catalog', 'fleet']) {
      const shipped: Record<string, unknown> = await import(join(installed, 'dist', 'lib', `${name}.js`))
      const source: Record<string, unknown> = await import(join(root, 'dist', 'src', `${name}.js`))
      expect(Object.keys(shipped).sort()).toEqual(Object.keys(source).sort())
      for (const key of Object.keys(shipped)) expect([key, typeof shipped[key]]).toEqual([key, typeof source[key]])
    }
  })

  it('has parts that can each be the first to be read', async () => {
    const lib = join(installed, 'dist', 'lib')
    const parts = (await readdir(lib)).filter((file) => file.startsWith('part-'))
    expect(parts.length).toBeGreaterThan(5)
    // Each by a Node that has read nothing of the package.
    const script = `for (const part of ${JSON.stringify(parts.map((part) => join(lib, part)))}) {
      for (const file of Object.keys(require.cache)) delete require.cache[file]
      require(part)
      console.log(require('node:path').basename(part))
    }`
    const { stdout, stderr } = await run(process.execPath, ['-e', script])
    expect([stdout.trim().split('\n'), stderr]).toEqual([parts, ''])
  })

  it('reads when it is imported what every program needs, and the rest when that is needed', async () => {
    const script = `
      import { createRequire } from 'node:module'
      import { basename } from 'node:path'
      import { openKernel } from 'kerndex'
      const { cache } = createRequire(import.meta.url)
      const read = () => Object.keys(cache).map((file) => basename(file, '.cjs')).sort()
      const steps = { import: read(), builtins: process.moduleLoadList.filter((name) => /zlib|stream|worker/.test(name)) }
      const kernel = await openKernel({ from: process.argv[1], threads: 0, types: false })
      kernel.symbols.named('vfs_read')
      steps.open = read()
      kernel.probes.plan('kprobe:vfs_read')
      steps.plan = read()
      console.log(JSON.stringify(steps))`
    // Without a cache.
    const env = { ...process.env, HOME: project, XDG_CACHE_HOME: '' }
    const program = ['--input-type=module', '-e', script, CAPTURE]
    const { stdout } = await run(process.execPath, program, { cwd: project, env })
    const steps = JSON.parse(stdout) as Record<'import' | 'builtins' | 'open' | 'plan', string[]>
    expect(steps.import).toEqual(['part-core', 'part-main'])
    expect(steps.open).toEqual(expect.arrayContaining(['part-sources']))
    expect(steps.open).not.toContain('part-probes')
    expect(steps.open).not.toContain('part-load-types')
    expect(steps.plan).toContain('part-probes')
    const plain = `console.log(JSON.stringify(process.moduleLoadList.filter((name) => /zlib|stream|worker/.test(name))))`
    const empty = await run(process.execPath, ['--input-type=module', '-e', plain])
    expect(steps.builtins).toEqual(JSON.parse(empty.stdout))
  })

  it('gives its inner files to nobody', async () => {
    const script = `import('kerndex/dist/lib/thread-loader.cjs').then(() => console.log('open'), (error) => console.log(error.code))`
    const { stdout } = await run(process.execPath, ['-e', script], { cwd: project })
    expect(stdout.trim()).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })
})
