// Programs whose bundler leaves kerndex outside, which work, and those whose bundler took it in: those are told what to do.
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build as esbuild } from 'esbuild'
import { build as vite } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import webpack from 'webpack'
import { CAPTURE } from '../fixtures.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const ADVICE = /mark the package 'kerndex' as external \(docs\/bundlers\.md\)/

/** A project with kerndex installed; and `away`, where nobody finds it. */
let project: string
let installed: string
let away: string
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'kerndex-bundlers-'))
  const packages = join(project, 'node_modules')
  installed = join(packages, 'kerndex')
  away = join(project, 'away')
  await mkdir(installed, { recursive: true })
  await cp(join(root, 'package.json'), join(installed, 'package.json'))
  await cp(join(root, 'dist', 'lib'), join(installed, 'dist', 'lib'), { recursive: true })
  for (const name of ['piscina', 'p-limit', 'split2', 'tinybench', 'yocto-queue', '@napi-rs']) {
    await symlink(join(root, 'node_modules', name), join(packages, name))
  }
  await writeFile(join(project, 'package.json'), JSON.stringify({ type: 'module' }))
  const use = `const kernel = await openKernel({ from: process.argv[2], threads: Number(process.argv[3]), types: false })
    console.log(kernel.symbols.named('vfs_read').length, typeof StackResolver)
    await kernel.findMany(new BigUint64Array(100_000))
    await kernel.close()`
  const names = (read: (name: string) => string) =>
    `${read("{ openKernel } of 'kerndex'")}\n${read("{ StackResolver } of 'kerndex/events'")}\n`
  await writeFile(join(project, 'app.mjs'), names((name) => `import ${name.replace('of', 'from')}`) + use)
  await writeFile(
    join(project, 'app.cjs'),
    `${names((name) => `const ${name.replace(/of (.*)/, '= require($1)')}`)}void (async () => { ${use} })()`,
  )
}, 60_000)
afterAll(() => rm(project, { recursive: true, force: true }))

/** What a bundled program prints, or what it died of. */
async function ran(file: string, threads: number): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(project, file), CAPTURE, `${threads}`], {
    cwd: project,
  }).catch((error: { stdout: string; stderr: string }) => error)
  return stdout.trim() || stderr
}

/** The same where kerndex is not installed. */
async function ranElsewhere(file: string, threads: number): Promise<string> {
  await rename(installed, away)
  try {
    return await ran(file, threads)
  } finally {
    await rename(away, installed)
  }
}

const packed = (configuration: webpack.Configuration) =>
  new Promise<void>((resolve, reject) => {
    webpack(
      { mode: 'development', devtool: false, target: 'node20', context: project, ...configuration },
      (error, stats) => (error || stats?.hasErrors() ? reject(error ?? new Error(stats?.toString())) : resolve()),
    )
  })

describe('esbuild', () => {
  const options = (from: string, to: string, format: 'esm' | 'cjs', external: string[]) => ({
    ...{
      absWorkingDir: project,
      entryPoints: [from],
      outfile: join(project, to),
      bundle: true,
      logLevel: 'error' as const,
    },
    ...{ platform: 'node' as const, format, external },
  })

  it('leaves it outside', async () => {
    await esbuild(options('app.mjs', 'e1.mjs', 'esm', ['kerndex']))
    expect(await ran('e1.mjs', 2)).toBe('1 function')
    await esbuild(options('app.cjs', 'e2.cjs', 'cjs', ['kerndex']))
    expect(await ran('e2.cjs', 2)).toBe('1 function')
  })

  it('is told to, where it took it in', async () => {
    await esbuild(options('app.mjs', 'e3.mjs', 'esm', []))
    expect(await ran('e3.mjs', 0)).toMatch(ADVICE)
    await esbuild(options('app.cjs', 'e4.cjs', 'cjs', []))
    expect(await ranElsewhere('e4.cjs', 0)).toBe('1 function')
    expect(await ranElsewhere('e4.cjs', 2)).toMatch(ADVICE)
  })
})

describe('webpack', () => {
  it('leaves it outside', async () => {
    const module = {
      experiments: { outputModule: true },
      externalsType: 'module',
      externals: /^kerndex(\/|$)/,
    } as const
    await packed({
      ...module,
      entry: './app.mjs',
      output: { path: project, filename: 'w1.mjs', library: { type: 'module' } },
    })
    expect(await ran('w1.mjs', 2)).toBe('1 function')
  })

  it('is told to, where it took it in', async () => {
    const module = { experiments: { outputModule: true } }
    await packed({
      ...module,
      entry: './app.mjs',
      output: { path: project, filename: 'w2.mjs', library: { type: 'module' } },
    })
    expect(await ranElsewhere('w2.mjs', 0)).toMatch(ADVICE)
    await packed({ entry: './app.cjs', output: { path: project, filename: 'w3.cjs' } })
    expect(await ranElsewhere('w3.cjs', 2)).toMatch(ADVICE)
  })
})

describe('vite', () => {
  const options = (name: string, noExternal: boolean) => ({
    ...{ root: project, logLevel: 'silent' as const, configFile: false as const },
    build: { ssr: 'app.mjs', outDir: '.', emptyOutDir: false, rollupOptions: { output: { entryFileNames: name } } },
    ...(noExternal ? { ssr: { noExternal: ['kerndex'] } } : {}),
  })

  it('leaves it outside by itself', async () => {
    await vite(options('v1.mjs', false))
    expect(await ran('v1.mjs', 2)).toBe('1 function')
  })

  it('is told to, where it took it in', async () => {
    await vite(options('v2.mjs', true))
    expect(await ran('v2.mjs', 0)).toMatch(ADVICE)
  })
})
