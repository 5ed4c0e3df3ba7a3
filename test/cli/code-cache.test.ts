// Where the command's compiled code may be kept: in the cache that a user has, and nowhere that is anybody else's as well.
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { codeDirectory } from '../../src/cli/code-cache.ts'

let home: string
let cache: string
const uid = process.geteuid?.() ?? 0
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'kerndex-code-'))
  cache = join(home, '.cache', 'kerndex')
  await mkdir(cache, { recursive: true, mode: 0o700 })
  await chmod(cache, 0o700)
})
afterEach(() => rm(home, { recursive: true, force: true }))

const found = (user = uid, env: Record<string, string> = { HOME: home }) => codeDirectory(env, user)

it('is the folder beside the snapshots, there or not', async () => {
  expect(found()).toBe(join(cache, 'code'))
  await mkdir(join(cache, 'code'), { mode: 0o755 })
  expect(found()).toBe(join(cache, 'code'))
  expect(found(uid, { XDG_CACHE_HOME: join(home, '.cache'), HOME: '/nowhere' })).toBe(join(cache, 'code'))
})

it('is nowhere without a cache that was asked for', async () => {
  await rm(cache, { recursive: true })
  expect(found()).toBeUndefined()
  for (const env of [{}, { HOME: 'relative' }, { HOME: '' }])
    expect(found(uid, env as Record<string, string>)).toBeUndefined()
  expect(codeDirectory({ HOME: home }, undefined)).toBeUndefined()
})

it('is nowhere that another user has, or may use', async () => {
  expect(found(uid + 1)).toBeUndefined()
  for (const mode of [0o770, 0o707, 0o750, 0o705]) {
    await chmod(cache, mode)
    expect([mode, found()]).toEqual([mode, undefined])
  }
  await chmod(cache, 0o700)
  const code = join(cache, 'code')
  await mkdir(code)
  await chmod(code, 0o777)
  expect(found()).toBeUndefined()
  await rm(code, { recursive: true })
  await writeFile(code, '')
  expect(found()).toBeUndefined()
  await rm(code)
  await symlink(home, code)
  expect(found()).toBeUndefined()
})
