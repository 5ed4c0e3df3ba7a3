// The examples in docs/examples: they compile against the package's own entry points, and those that need no tracefs answer.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { CAPTURE } from '../fixtures.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const example = (name: string) => `${root}dist/docs/examples/${name}.js`

beforeAll(() => {
  // Whoever installs kerndex compiles them so: `kerndex` is resolved by the exports in package.json.
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'docs/examples'], {
    cwd: root,
    stdio: 'inherit',
  })
}, 120_000)

test('all of them compile', () => {
  for (const name of ['tracer', 'probes', 'bulk', 'pool', 'http']) expect(existsSync(example(name)), name).toBe(true)
})

test('the bulk job answers in order', () => {
  const input = 'ffffffff8ab669e8\n0\n0xffffffffc04a2060\n'
  const stdout = execFileSync(process.execPath, [example('bulk'), CAPTURE], { input, encoding: 'utf8' })
  expect(stdout).toBe('vfs_read+0x8\n-\nvirtqueue_is_broken+0x0\n')
}, 60_000)

test('threads of its own answer by a handle', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [example('pool'), CAPTURE])
  expect(stdout.trim().split('\n')).toHaveLength(6)
  expect(stdout).toMatch(/^ +\d{3,} {2}struct file \*$/m)
}, 60_000)

test('the HTTP answer', async () => {
  const child = spawn(process.execPath, [example('http'), CAPTURE], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = await new Promise<Buffer[]>((resolve, reject) => {
      child.stdout.once('data', (...data: Buffer[]) => resolve(data))
      child.once('error', reject)
    })
    const url = String(line).trim()
    const ask = async (path: string) => (await fetch(url + path)).json()
    expect(await ask('address/0xffffffff8ab669e8')).toMatchObject({ found: { symbol: 'vfs_read', offset: 8 } })
    expect(await ask('symbol/vfs_read')).toMatchObject({ found: [{ address: '0xffffffff8ab669e0' }] })
    expect(await ask('%zz')).toHaveProperty('error')
  } finally {
    child.kill()
  }
}, 60_000)
