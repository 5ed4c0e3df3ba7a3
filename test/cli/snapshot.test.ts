// The commands that keep and move what was loaded: snapshot, capture, cache, and --from with what they write.
import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CAPTURE, fixturePath } from '../fixtures.ts'
import { kerndex, type Outcome, objects } from './run.ts'

let folder: string
let snapshot: string
let capture: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-cli-'))
  // Nothing may reach the cache of whoever runs the tests.
  process.env.XDG_CACHE_HOME = join(folder, 'xdg')
  snapshot = join(folder, 'host.kerndex')
  capture = join(folder, 'host.tar.gz')
  expect((await kerndex(['snapshot', 'save', snapshot, '--from', CAPTURE])).code).toBe(0)
  expect((await kerndex(['capture', capture, '--from', CAPTURE])).code).toBe(0)
})
afterAll(async () => {
  delete process.env.XDG_CACHE_HOME
  await rm(folder, { recursive: true })
})

describe('every command takes --from with a snapshot file and with an archive', () => {
  const questions: readonly (readonly string[])[] = [
    ['address', 'ffffffff8ab669e4', '--json'],
    ['symbol', 'vfs_*', '--json'],
    ['symbol', '*', '--format', 'kallsyms'],
    ['type', 'task_struct.mm.pgd', 'list_head', '--json'],
    ['function', 'vfs_read', '--json'],
    ['probe', 'plan', 'kprobe:vfs_read', 'fentry:9p:v9fs_*', '--json'],
    ['btf', 'dump', '--root', 'list_head', '--format', 'c'],
  ]
  it.each(questions)('%s %s %s %s', async (...args) => {
    const outcomes = await Promise.all([CAPTURE, snapshot, capture].map((from) => kerndex([...args, '--from', from])))
    const [expected, ...others] = outcomes as [Outcome, ...Outcome[]]
    expect(expected.stdout).not.toBe('')
    for (const { code, stdout } of others) {
      expect({ code, stdout }).toEqual({ code: expected.code, stdout: expected.stdout })
    }
  })

  it('status, resolve and events', async () => {
    const status = async (from: string) => objects((await kerndex(['status', '--json', '--from', from])).stdout)[0]
    const { symbols, types, release, buildId } = (await status(CAPTURE)) as Record<string, unknown>
    for (const from of [snapshot, capture])
      expect(await status(from)).toMatchObject({ symbols, types, release, buildId })
    for (const command of ['resolve', 'events']) {
      const stdin = 'cat-1  [000] .....  1.0: kprobe: ip=ffffffff8ab669e4\nffffffff8ab669e4\n'
      const expected = await kerndex([command, '--from', CAPTURE], { stdin })
      expect(await kerndex([command, '--from', snapshot], { stdin })).toEqual(expected)
    }
  })
})

describe('kerndex snapshot', () => {
  it('tells what is in a file', async () => {
    const { stdout } = await kerndex(['snapshot', 'info', snapshot, '--json'])
    const { size } = await stat(snapshot)
    expect(objects(stdout)).toMatchObject([{ path: snapshot, bytes: size, release: '6.1.0-56-amd64', source: CAPTURE }])
    expect((await kerndex(['snapshot', 'info', snapshot])).stdout).toMatch(/release +6\.1\.0-56-amd64/)
  })

  it('verifies: the same, different, damaged', async () => {
    const same = await kerndex(['snapshot', 'verify', snapshot, '--from', CAPTURE])
    expect([same.code, same.stdout]).toEqual([0, `${snapshot} is whole and says what ${CAPTURE} says\n`])
    const other = await kerndex(['snapshot', 'verify', snapshot, '--from', fixturePath('edge/edge.kallsyms'), '--json'])
    expect(other.code).toBe(1)
    expect(objects(other.stdout)).toMatchObject([
      { same: false, host: [{ what: 'release', before: '6.1.0-56-amd64' }, { what: 'buildId' }] },
    ])
    const cut = join(folder, 'cut.kerndex')
    await copyFile(snapshot, cut)
    await truncate(cut, 100_000)
    for (const command of ['verify', 'info']) {
      const damaged = await kerndex(['snapshot', command, cut, ...(command === 'verify' ? ['--from', CAPTURE] : [])])
      expect([damaged.code, damaged.stdout]).toEqual([3, ''])
      expect(damaged.stderr).toMatch(/BAD_FORMAT/)
    }
  })

  it('does not write over a file without --force', async () => {
    const before = await readFile(snapshot)
    const refused = await kerndex(['snapshot', 'save', snapshot, '--from', fixturePath('edge/edge.kallsyms')])
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/--force/)])
    expect((await readFile(snapshot)).equals(before)).toBe(true)
    expect((await kerndex(['snapshot', 'save', snapshot, '--force', '--from', CAPTURE])).code).toBe(0)
  })
})

describe('kerndex capture', () => {
  it('says what it wrote and what was missing, and does not write over anything without --force', async () => {
    const again = await kerndex(['capture', capture, '--from', CAPTURE])
    expect([again.code, again.stderr]).toEqual([2, expect.stringMatching(/--force/)])
    const forced = await kerndex(['capture', capture, '--from', CAPTURE, '--force', '--json'])
    expect(forced.code).toBe(0)
    expect(objects(forced.stdout)).toContainEqual({
      name: 'version',
      bytes: (await stat(join(CAPTURE, 'version'))).size,
    })
    expect(forced.stderr).toMatch(/available_filter_functions: not there/)
    expect((await kerndex(['capture', join(folder, 'x'), '--from', join(folder, 'nowhere')])).code).toBe(3)
  })
})

describe('kerndex cache', () => {
  it('lists nothing where there is nothing, and is not filled by commands unasked', async () => {
    const { code, stdout } = await kerndex(['cache', 'list'])
    expect([code, stdout]).toEqual([0, `nothing in ${join(folder, 'xdg', 'kerndex')}\n`])
    await kerndex(['symbol', 'vfs_read'])
    await kerndex(['symbol', 'vfs_read', '--from', CAPTURE, '--cache'])
    await expect(readdir(join(folder, 'xdg'))).rejects.toThrow()
    expect((await kerndex(['cache', 'clear', '--json'])).stdout).toBe('')
  })

  it('is left, used and cleared where the running kernel can be read', async () => {
    const plain = await kerndex(['symbol', 'vfs_read', '--json'])
    if (plain.code === 3) return // No kernel that this user may look into.
    const first = await kerndex(['symbol', 'vfs_read', '--json', '--cache'])
    const second = await kerndex(['symbol', 'vfs_read', '--json', '--cache'])
    expect([first.stdout, second.stdout]).toEqual([plain.stdout, plain.stdout])
    const listed = objects((await kerndex(['cache', 'list', '--json'])).stdout)
    // A user who sees addresses by a capability only leaves no file, and is told so.
    if (listed.length === 0) expect(second.stderr).toMatch(/nothing is cached|no cache/)
    else expect((await kerndex(['cache', 'clear'])).stdout).toMatch(/^1 file removed/)
    expect(objects((await kerndex(['cache', 'list', '--json'])).stdout)).toEqual([])
  })

  it.each([
    ['snapshot'],
    ['snapshot', 'save'],
    ['snapshot', 'info'],
    ['snapshot', 'verify'],
    ['capture'],
    ['cache', 'list'],
    ['cache', 'clear'],
  ])('and its neighbours explain themselves: %s %s', async (...command) => {
    const { code, stdout } = await kerndex([...command, '--help'])
    expect(code).toBe(0)
    if (command.length > 1 || command[0] === 'capture') expect(stdout).toMatch(/Exit codes:[\s\S]*Examples:\n {2}\$/)
    expect((await kerndex([...command, '--no-such-option'])).code).toBe(2)
  })
})
