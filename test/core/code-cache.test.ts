// The code that V8 has compiled of the package's parts: used by the next process, and refused where it is damaged, of other code, of another version,
// or where anybody else could have written it. Processes of the built package are asked, each with a home of its own; what they say of
// themselves is `cachedDataRejected`, seen through a wrapped `vm.Script`, so that nothing here trusts the code under test.
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import {
  appendFile,
  chmod,
  chown,
  cp,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { codeDirectory } from '../../src/core/code-cache.ts'
import { fixtureBytes, fixturePath } from '../fixtures.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const uid = process.geteuid?.() ?? 0

let home: string
let cache: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'kerndex-code-'))
  cache = join(home, '.cache', 'kerndex')
  await mkdir(cache, { recursive: true, mode: 0o700 })
  await chmod(cache, 0o700)
})
afterEach(() => rm(home, { recursive: true, force: true }))

describe('the folder of compiled code', () => {
  const found = (user = uid, env: Record<string, string> = { HOME: home }) => codeDirectory({ uid: user, env })

  it('is beside the snapshots, there or not', async () => {
    expect(found()).toBe(join(cache, 'code'))
    await mkdir(join(cache, 'code'), { mode: 0o700 })
    expect(found()).toBe(join(cache, 'code'))
    expect(found(uid, { XDG_CACHE_HOME: join(home, '.cache'), HOME: '/nowhere' })).toBe(join(cache, 'code'))
  })

  it('is nowhere without a cache that was asked for', async () => {
    await rm(cache, { recursive: true })
    expect(found()).toBeUndefined()
    for (const env of [{}, { HOME: 'relative' }, { HOME: '' }] as Record<string, string>[])
      expect(found(uid, env)).toBeUndefined()
  })

  it('is nowhere that another user has, or may use', async () => {
    expect(found(uid + 1)).toBeUndefined()
    for (const mode of [0o770, 0o707, 0o750, 0o705]) {
      await chmod(cache, mode)
      expect([mode, found()]).toEqual([mode, undefined])
    }
    await chmod(cache, 0o700)
    const code = join(cache, 'code')
    for (const mode of [0o777, 0o755, 0o710]) {
      await mkdir(code)
      await chmod(code, mode)
      expect([mode, found()]).toEqual([mode, undefined])
      await rm(code, { recursive: true })
    }
    await writeFile(code, '')
    expect(found()).toBeUndefined()
    await rm(code)
    await symlink(home, code)
    expect(found()).toBeUndefined()
  })
})

/** The files of a boot that was recorded. */
function recordedBoot(): Record<string, Buffer> {
  const folder = 'two-boots/6.12/a'
  const files = readdirSync(fixturePath(folder)).map((file) => [
    file.replace('.br', ''),
    fixtureBytes(`${folder}/${file}`),
  ])
  return Object.fromEntries(files)
}

/** Notes, by part, whether a process gave V8 compiled code, and whether V8 took it. */
const HOOK = `
const { writeFileSync } = require('node:fs')
const vm = require('node:vm')
const taken = {}
vm.Script = class extends vm.Script {
  constructor(code, options) {
    super(code, options)
    const part = options.filename.match(/part-(.*)\\.cjs$/)[1]
    taken[part] = options.cachedData === undefined ? 'nothing' : this.cachedDataRejected ? 'refused' : 'used'
  }
}
process.on('exit', () => writeFileSync(process.env.TAKEN, JSON.stringify(taken)))
`

describe('compiled code', () => {
  /** A copy of the built package, which a test may change. */
  let lib: string
  let hook: string
  let kallsyms: string
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kerndex-lib-'))
    lib = join(folder, 'dist', 'lib')
    await mkdir(lib, { recursive: true })
    const isNeeded = (name: string) => /^(part-.*|cli|code-cache)\.cjs$/.test(name)
    for (const name of (await readdir(join(root, 'dist/lib'))).filter(isNeeded)) {
      await cp(join(root, 'dist/lib', name), join(lib, name))
    }
    await cp(join(root, 'package.json'), join(folder, 'package.json'))
    kallsyms = join(folder, 'kallsyms')
    await writeFile(kallsyms, 'ffffffff81000000 T _text\nffffffff81000100 T vfs_read\nffffffff81000200 T _etext\n')
    hook = join(folder, 'hook.cjs')
    await writeFile(hook, HOOK)
    return () => rm(folder, { recursive: true })
  })

  /** The answer of a command that opens a kernel, and what was taken from the cache for it. */
  async function asked(env: NodeJS.ProcessEnv = {}, before: readonly string[] = [], command = ['symbol', 'vfs_read']) {
    const taken = join(home, 'taken.json')
    await rm(taken, { force: true })
    const [program, ...args] = [
      ...before,
      process.execPath,
      `--require=${hook}`,
      join(lib, 'cli.cjs'),
      ...command,
      ...['--from', kallsyms, '--threads', '0'],
    ]
    const { PATH } = process.env
    const { stdout, stderr } = await run(program!, args, { env: { PATH, HOME: home, TAKEN: taken, ...env } })
    expect([stdout, stderr]).toEqual([expect.stringMatching(/^0xffffffff81000100 .*vfs_read/), ''])
    return JSON.parse(await readFile(taken, 'utf8')) as Record<string, 'nothing' | 'refused' | 'used'>
  }

  /** The kept file of a part. */
  async function keptFile(part: string): Promise<string> {
    const names = (await readdir(join(cache, 'code'))).filter((name) => name.startsWith(`part-${part}-`))
    expect(names).toHaveLength(1)
    return join(cache, 'code', names[0]!)
  }

  it('is kept by the first process and used by the next', async () => {
    const first = await asked()
    expect(Object.keys(first)).toEqual(expect.arrayContaining(['core', 'main', 'cli', 'commander', 'sources']))
    expect(new Set(Object.values(first))).toEqual(new Set(['nothing']))
    const files = await readdir(join(cache, 'code'))
    expect(files).toHaveLength(Object.keys(first).length)
    expect((await stat(join(cache, 'code'))).mode & 0o777).toBe(0o700)
    for (const file of files) expect((await stat(join(cache, 'code', file))).mode & 0o777).toBe(0o600)
    const times = await Promise.all(files.map(async (file) => (await stat(join(cache, 'code', file))).mtimeMs))
    expect(new Set(Object.values(await asked()))).toEqual(new Set(['used']))
    // It is not written again.
    expect(await Promise.all(files.map(async (file) => (await stat(join(cache, 'code', file))).mtimeMs))).toEqual(times)
  })

  it('is kept anew by the first process that goes another way, with what others compiled', async () => {
    await asked()
    const before = await readFile(await keptFile('main'))
    const other = () => asked({}, [], ['address', 'ffffffff81000100'])
    expect(await other()).toMatchObject({ main: 'used' })
    const after = await readFile(await keptFile('main'))
    expect(after).not.toEqual(before)
    expect(after.length).toBeGreaterThanOrEqual(before.length)
    for (const again of [await asked(), await other()]) expect(again).toMatchObject({ main: 'used' })
    expect(await readFile(await keptFile('main'))).toEqual(after)
  })

  it('is neither read nor kept without a cache, or where Node is told to keep none', async () => {
    await asked()
    expect(await asked({ NODE_DISABLE_COMPILE_CACHE: '1' })).toEqual({})
    await rm(cache, { recursive: true })
    expect(await asked()).toEqual({})
    expect(await readdir(join(home, '.cache'))).toEqual([])
  })

  it('is compiled again where a byte of it is another, and kept again', async () => {
    await asked()
    const file = await keptFile('main')
    const whole = await readFile(file)
    for (const at of [0, 20, whole.length / 3, whole.length / 2, whole.length - 1].map(Math.floor)) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0x10
      await writeFile(file, damaged)
      expect([at, await asked()]).toEqual([at, expect.objectContaining({ main: 'nothing', core: 'used' })])
    }
    for (const cut of [0, 1, whole.length / 2, whole.length - 1].map(Math.floor)) {
      await writeFile(file, whole.subarray(0, cut))
      expect([cut, await asked()]).toEqual([cut, expect.objectContaining({ main: 'nothing' })])
    }
    expect(await asked()).toMatchObject({ main: 'used' })
  })

  it('is compiled again where it is of another version, other flags or other code', async () => {
    await asked()
    const file = await keptFile('main')
    const whole = await readFile(file)
    const version = whole.lastIndexOf(process.version)
    expect(version).toBeGreaterThan(whole.length - 1000)
    const other = Buffer.from(whole)
    other.write('v0'.padEnd(process.version.length, '0'), version)
    await writeFile(file, other)
    expect(await asked()).toMatchObject({ main: 'nothing' })
    expect(await asked()).toMatchObject({ main: 'used' })
    // Flags of V8 have files of their own, and V8 itself takes no others.
    const flagged = { NODE_OPTIONS: '--stack-trace-limit=20' }
    expect(await asked(flagged)).toMatchObject({ main: 'nothing' })
    const files = (await readdir(join(cache, 'code'))).filter((name) => name.startsWith('part-main-'))
    expect(files).toHaveLength(2)
    await appendFile(join(lib, 'part-main.cjs'), '\n//')
    expect(await asked()).toMatchObject({ main: 'nothing', core: 'used' })
    expect(await asked()).toMatchObject({ main: 'used' })
  })

  it('is not used where others may write it, or it has other names', async () => {
    await asked()
    const file = await keptFile('main')
    const aside = join(home, 'aside')
    for (const mode of [0o620, 0o602, 0o640]) {
      await chmod(file, mode)
      expect([mode, await asked()]).toEqual([mode, expect.objectContaining({ main: 'nothing', core: 'used' })])
    }
    await link(file, aside)
    expect(await asked()).toMatchObject({ main: 'nothing' })
    await rm(aside)
    await rename(file, aside)
    await symlink(aside, file)
    expect(await asked()).toMatchObject({ main: 'nothing' })
  })

  it('is kept by a program that opened a layout with a catalogue, and has closed it', async () => {
    const host = join(home, 'host')
    await mkdir(host)
    for (const [file, bytes] of Object.entries(recordedBoot())) await writeFile(join(host, file), bytes)
    const program = `
      const { openCatalog, writeLayout } = require(${JSON.stringify(join(root, 'dist/lib/catalog.cjs'))})
      const { openKernel } = require(${JSON.stringify(join(root, 'dist/lib/index.cjs'))})
      const [host, layout, directory] = process.argv.slice(1)
      void (async () => {
        const catalog = await openCatalog({ directory })
        await catalog.add(host)
        await writeLayout(layout, { from: host })
        await (await openKernel({ from: layout, catalog, threads: 0 })).close()
      })()`
    const args = ['-e', program, host, join(home, 'host.layout'), join(home, 'catalog')]
    await run(process.execPath, args, { env: { HOME: home, PATH: process.env.PATH } })
    const kept = (await readdir(join(cache, 'code'))).map((name) => name.replace(/^part-|-[0-9a-f]{8}$/g, ''))
    expect(kept).toEqual(expect.arrayContaining(['catalog', 'workspace']))
  })

  it('goes with the cache when that is cleared', async () => {
    await asked()
    await writeFile(join(cache, 'code', 'notes'), 'mine')
    const clear = [join(lib, 'cli.cjs'), 'cache', 'clear']
    const { stdout } = await run(process.execPath, clear, { env: { HOME: home, PATH: process.env.PATH } })
    expect(stdout).toMatch(/^\d+ files removed/)
    expect(await readdir(join(cache, 'code'))).toEqual(['notes'])
  })

  it('is done without where it cannot be kept', async () => {
    await writeFile(join(cache, 'code'), 'something else')
    expect(await asked()).toEqual({})
    expect(await readFile(join(cache, 'code'), 'utf8')).toBe('something else')
  })

  describe.runIf(uid === 0)('of another user', () => {
    const NOBODY = 65_534

    it('is not used', async () => {
      await asked()
      const file = await keptFile('main')
      await chown(file, NOBODY, NOBODY)
      expect(await asked()).toMatchObject({ main: 'nothing', core: 'used' })
      await chown(join(cache, 'code'), NOBODY, NOBODY)
      expect(await asked()).toEqual({})
      await chown(join(cache, 'code'), 0, 0)
      await chown(home, NOBODY, NOBODY)
      expect(await asked()).toEqual({})
    })

    it("is that user's, but not where a process may do more than its user", async () => {
      for (const path of [home, join(home, '.cache'), cache]) await chown(path, NOBODY, NOBODY)
      await chmod(join(lib, '..', '..'), 0o755)
      const nobody = ['setpriv', '--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups']
      const more = [...nobody, '--inh-caps', '+net_raw', '--ambient-caps', '+net_raw']
      expect(await asked({}, [...nobody, '--bounding-set', '-all'])).toMatchObject({ main: 'nothing' })
      expect(await asked({}, [...nobody, '--bounding-set', '-all'])).toMatchObject({ main: 'used' })
      expect(await asked({}, more)).toEqual({})
    })
  })
})
