// The commands that keep and move what was loaded: snapshot, capture, cache, and --from with what they write.
import { copyFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CAPTURE, fixturePath } from '../fixtures.ts'
import { kerndex, kerndexes, type Outcome, objects } from './run.ts'

let folder: string
let snapshot: string
let capture: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kerndex-cli-'))
  // Nothing may reach the cache of whoever runs the tests.
  process.env.XDG_CACHE_HOME = join(folder, 'xdg')
  snapshot = join(folder, 'host.kerndex')
  capture = join(folder, 'host.tar.gz')
  const made = await kerndexes([
    ['snapshot', 'save', snapshot, '--from', CAPTURE],
    ['capture', capture, '--from', CAPTURE],
  ])
  expect(made.map(({ code }) => code)).toEqual([0, 0])
})
afterAll(async () => {
  delete process.env.XDG_CACHE_HOME
  await rm(folder, { recursive: true })
})

describe('every command takes --from with a snapshot file and with an archive', () => {
  it('and answers the same', async () => {
    const stacks = join(folder, 'stacks.txt')
    await writeFile(stacks, 'cat-1  [000] .....  1.0: kprobe: ip=ffffffff8ab669e4\nffffffff8ab669e4\n')
    const questions: readonly (readonly string[])[] = [
      ['address', 'ffffffff8ab669e4', '--json'],
      ['symbol', 'vfs_*', '--json'],
      ['type', 'task_struct.mm.pgd', 'list_head', '--json'],
      ['function', 'vfs_read', '--json'],
      ['probe', 'plan', 'kprobe:vfs_read', 'fentry:9p:v9fs_*', '--json'],
      ['btf', 'dump', '--root', 'list_head', '--format', 'c'],
      ['resolve', stacks, '--threads', '0'],
      ['events', stacks, '--threads', '0'],
    ]
    const from = [CAPTURE, snapshot, capture]
    const outcomes = await kerndexes(from.flatMap((path) => questions.map((question) => [...question, '--from', path])))
    const codes: (number | null)[] = []
    for (const [i, question] of questions.entries()) {
      const [expected, ...others] = from.map((_, n) => outcomes[n * questions.length + i]!) as [Outcome, ...Outcome[]]
      codes.push(expected.code)
      expect(expected.stdout, question.join(' ')).not.toBe('')
      for (const { code, stdout } of others) {
        expect({ code, stdout }, question.join(' ')).toEqual({ code: expected.code, stdout: expected.stdout })
      }
    }
    // Stacks with lines that are none, end in 1.
    expect(codes).toEqual([0, 0, 0, 0, 0, 0, 1, 1])
  })

  it('status', async () => {
    const from = [CAPTURE, snapshot, capture]
    const outcomes = await kerndexes(from.map((path) => ['status', '--json', '--threads', '0', '--from', path]))
    const [expected, ...others] = outcomes.map(({ stdout }) => objects(stdout)[0] as Record<string, unknown>)
    const { symbols, types, release, buildId } = expected!
    for (const other of others) expect(other).toMatchObject({ symbols, types, release, buildId })
    expect(others).toHaveLength(2)
  })

  it('from a process of its own', async () => {
    const { code, stdout } = await kerndex(['address', 'ffffffff8ab669e4', '--from', snapshot])
    expect([code, stdout]).toEqual([0, expect.stringContaining('+0x')])
  })
})

describe('kerndex snapshot', () => {
  it('tells what is in a file', async () => {
    const [json, words] = await kerndexes([
      ['snapshot', 'info', snapshot, '--json'],
      ['snapshot', 'info', snapshot],
    ])
    const { size } = await stat(snapshot)
    expect(objects(json!.stdout)).toMatchObject([
      { path: snapshot, bytes: size, release: '6.1.0-56-amd64', source: CAPTURE },
    ])
    expect(words!.stdout).toMatch(/release +6\.1\.0-56-amd64/)
  })

  it('verifies: the same, different, damaged', async () => {
    const cut = join(folder, 'cut.kerndex')
    await copyFile(snapshot, cut)
    await truncate(cut, 100_000)
    const [same, other, ...damaged] = await kerndexes([
      ['snapshot', 'verify', snapshot, '--from', CAPTURE],
      ['snapshot', 'verify', snapshot, '--from', fixturePath('edge/edge.kallsyms'), '--json'],
      ['snapshot', 'verify', cut, '--from', CAPTURE],
      ['snapshot', 'info', cut],
    ])
    expect([same!.code, same!.stdout]).toEqual([0, `${snapshot} is whole and says what ${CAPTURE} says\n`])
    expect(other!.code).toBe(1)
    expect(objects(other!.stdout)).toMatchObject([
      { same: false, host: [{ what: 'release', before: '6.1.0-56-amd64' }, { what: 'buildId' }] },
    ])
    for (const { code, stdout, stderr } of damaged) {
      expect([code, stdout, stderr]).toEqual([3, '', expect.stringMatching(/BAD_FORMAT/)])
    }
    expect(damaged).toHaveLength(2)
  })

  it('does not write over a file without --force', async () => {
    const before = await readFile(snapshot)
    const [refused] = await kerndexes([['snapshot', 'save', snapshot, '--from', fixturePath('edge/edge.kallsyms')]])
    expect([refused!.code, refused!.stderr]).toEqual([2, expect.stringMatching(/--force/)])
    expect((await readFile(snapshot)).equals(before)).toBe(true)
    const [forced] = await kerndexes([['snapshot', 'save', snapshot, '--force', '--from', CAPTURE]])
    expect(forced!.code).toBe(0)
  })
})

describe('kerndex capture', () => {
  it('says what it wrote and what was missing, and does not write over anything without --force', async () => {
    const [again, forced, nowhere] = await kerndexes([
      ['capture', capture, '--from', CAPTURE],
      ['capture', capture, '--from', CAPTURE, '--force', '--json'],
      ['capture', join(folder, 'x'), '--from', join(folder, 'nowhere')],
    ])
    expect([again!.code, again!.stderr]).toEqual([2, expect.stringMatching(/--force/)])
    expect(forced!.code).toBe(0)
    expect(objects(forced!.stdout)).toContainEqual({
      name: 'version',
      bytes: (await stat(join(CAPTURE, 'version'))).size,
    })
    expect(forced!.stderr).toMatch(/available_filter_functions_addrs: not there/)
    expect(nowhere!.code).toBe(3)
  })
})

describe('kerndex cache', () => {
  it('lists nothing where there is nothing, and is not filled by commands unasked', async () => {
    const [empty, ...others] = await kerndexes([
      ['cache', 'list'],
      ['symbol', 'vfs_read'],
      ['symbol', 'vfs_read', '--from', CAPTURE, '--cache'],
      ['cache', 'clear', '--json'],
    ])
    expect([empty!.code, empty!.stdout]).toEqual([0, `nothing in ${join(folder, 'xdg', 'kerndex')}\n`])
    expect(others[2]!.stdout).toBe('')
    await expect(readdir(join(folder, 'xdg'))).rejects.toThrow()
  })

  it('is left, used and cleared where the running kernel can be read', async () => {
    const plain = await kerndex(['symbol', 'vfs_read', '--json'])
    if (plain.code === 3) return // No kernel that this user may look into.
    const first = await kerndex(['symbol', 'vfs_read', '--json', '--cache'])
    const second = await kerndex(['symbol', 'vfs_read', '--json', '--cache'])
    expect([first.stdout, second.stdout]).toEqual([plain.stdout, plain.stdout])
    const [, address = ''] = /"address":"(0x[0-9a-f]+)"/.exec(plain.stdout) ?? []
    // What is told before the check, and what after it, is what is told without the cache.
    for (const asked of [[address], [address, '0x10', 'vfs_read+0x10']]) {
      const [uncached, cached] = await kerndexes([
        ['address', ...asked],
        ['address', ...asked, '--cache'],
      ])
      expect([asked, cached!.code, cached!.stdout]).toEqual([asked, uncached!.code, uncached!.stdout])
    }
    const listed = objects((await kerndex(['cache', 'list', '--json'])).stdout)
    // A user who sees addresses by a capability only leaves no file, and is told so.
    if (listed.length === 0) expect(second.stderr).toMatch(/nothing is cached|no cache/)
    else expect((await kerndex(['cache', 'clear'])).stdout).toMatch(/^[1-9]\d* files? removed/)
    expect(objects((await kerndex(['cache', 'list', '--json'])).stdout)).toEqual([])
  })

  it('and its neighbours explain themselves', async () => {
    const commands = [
      ['snapshot'],
      ['snapshot', 'save'],
      ['snapshot', 'info'],
      ['snapshot', 'verify'],
      ['capture'],
      ['cache', 'list'],
      ['cache', 'clear'],
    ]
    const helps = await kerndexes(commands.map((command) => [...command, '--help']))
    const wrongs = await kerndexes(commands.map((command) => [...command, '--no-such-option']))
    for (const [i, command] of commands.entries()) {
      const { code, stdout } = helps[i]!
      expect(code, command.join(' ')).toBe(0)
      if (command.length > 1 || command[0] === 'capture') expect(stdout).toMatch(/Exit codes:[\s\S]*Examples:\n {2}\$/)
      expect(wrongs[i]!.code, command.join(' ')).toBe(2)
    }
  })
})
