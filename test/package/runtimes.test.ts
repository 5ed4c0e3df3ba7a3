// The packed package under every runtime that README names, each from its npm package: a long campaign, because they have to be
// fetched.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CAPTURE } from '../fixtures.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

/** npm's name of the package, the program in it, and what stands in front of a script. */
const RUNTIMES: readonly (readonly [spec: string, program: string, ...before: string[]])[] = [
  ['node@20', 'node'],
  ['node@22', 'node'],
  ['node@24', 'node'],
  ['bun', 'bun'],
  ['deno', 'deno', 'run', '-A'],
]

/** Their programs come by scripts of theirs, which npm runs where they are named. */
const ALLOWING = '{ "private": true, "allowScripts": { "node": true, "bun": true, "deno": true } }'

const PROGRAM = `
import { openKernel } from 'kerndex'
for (const threads of [0, 2]) {
  const kernel = await openKernel({ from: process.argv[2], threads })
  const [symbol] = kernel.symbols.named('vfs_read')
  const { ids } = await kernel.findMany(new BigUint64Array(40_000).fill(symbol.address + 3n))
  const [target] = kernel.probes.plan('kprobe:vfs_read').targets
  console.log(String(kernel.symbols.at(symbol.address + 3n)), ids[39_999] === symbol.id, target.verdict)
  await kernel.close()
}
`

describe.runIf(process.env.KERNDEX_LONG)('the packed package', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerndex-runtimes-'))
    const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], { cwd: root })
    const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }]
    await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
    await run('npm', ['install', '--no-audit', '--no-fund', join(folder, filename)], { cwd: folder })
    await writeFile(join(folder, 'program.mjs'), PROGRAM)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it.each(RUNTIMES)('runs under %s', async (spec, program, ...before) => {
    const home = join(folder, spec.replace('@', '-'))
    await mkdir(home)
    await writeFile(join(home, 'package.json'), ALLOWING)
    await run('npm', ['install', '--no-audit', '--no-fund', spec], { cwd: home })
    const runtime = join(home, 'node_modules', '.bin', program)
    const { stdout } = await run(runtime, [...before, join(folder, 'program.mjs'), CAPTURE])
    expect(stdout).toBe('vfs_read+0x3/0x310 true ok\n'.repeat(2))
    const command = join(folder, 'node_modules/kerndex/dist/lib/cli.cjs')
    const answer = await run(runtime, [...before, command, 'address', 'ffffffff8ab669e8', '--from', CAPTURE])
    expect(answer.stdout).toBe('0xffffffff8ab669e8  vfs_read+0x8/0x310\n')
  })
})
