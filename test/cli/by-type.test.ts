// Questions by type as commands ask them, on the shipped capture, held to the prototypes of all functions as C text.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTypes } from '../../src/index.ts'
import { CAPTURE } from '../fixtures.ts'
import { kerndex, kerndexes, type Outcome, objects } from './run.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-by-type-'))
afterAll(() => rmSync(folder, { recursive: true }))
/** The capture as each command opens it soonest. */
const SAVED = join(folder, 'capture.kerndex')
const at = (...args: readonly string[]) => [...args, '--from', SAVED]

let functions: { readonly prototype: string; readonly place: string }[]

/** Functions whose prototype, as it is printed in C, has such a text: types that no typedef renames. */
const printed = (matches: (prototype: string) => boolean) =>
  functions.filter(({ prototype }) => matches(prototype)).map(({ place }) => place)

const LINES = {
  takes: at('function', '--takes', 'struct virtqueue *', '--returns', 'bool', '--json'),
  named: at('function', '--takes', 'const struct inode *', '--as', '2', 'v9fs_*', '9p:nothing', '-v', '--json'),
  verbose: at('function', 'vfs_read', '-v'),
  unknown: at('function', '--takes', 'struct no_such *'),
  missing: at('function', 'no_such_function', '--json'),
  unreadable: at('function', '--takes', 'int (*)(void)'),
  alone: at('function', '--as', '2', 'vfs_read'),
  users: at('type', 'struct virtqueue', '--users', '--json'),
  usersText: at('type', 'struct virtqueue', '--users'),
  member: at('type', '--with-member', 'vq:struct virtqueue *', 'virtio*', '--json'),
  noMember: at('type', '--with-member', 'no_such_member'),
  type: at('type', 'vfs_read', '-v'),
  list: at('probe', 'list', '--takes', 'struct virtqueue *', 'kprobe:virtio_ring:*', '--json'),
  plan: at('probe', 'plan', '--takes', 'struct virtqueue *', '--returns', 'bool', '--json'),
  none: at('probe', 'plan', '--takes', 'struct virtqueue *', 'kprobe:vfs_read', '--json'),
} as const

let outcomes: Record<keyof typeof LINES, Outcome>
beforeAll(async () => {
  const [, ...all] = await kerndexes([['snapshot', 'save', SAVED, '--from', CAPTURE], ...Object.values(LINES)])
  outcomes = Object.fromEntries(Object.keys(LINES).map((key, i) => [key, all[i]])) as typeof outcomes
  const { types } = await openTypes({ from: SAVED })
  functions = Array.from(types.functions('*'), ({ prototype, name, module }) => {
    return { prototype, place: `${module}:${name}` }
  })
}, 120_000)

const rows = (key: keyof typeof LINES) => objects(outcomes[key].stdout) as Record<string, unknown>[]

describe('function', () => {
  test('by what it takes and returns', async () => {
    const expected = printed((text) => /^bool .*\(.*\bstruct virtqueue \*\w+[,)]/.test(text))
    expect(expected.length).toBeGreaterThan(5)
    expect(rows('takes').map(({ module, name }) => `${module}:${name}`)).toEqual(expected)
    expect(outcomes.takes.code).toBe(0)
  })

  test('by the type of one parameter, of names, and where they are', async () => {
    const expected = printed((text) => /\bv9fs_\w+\([^,]*, (?:const )?struct inode \*\w+[,)]/.test(text))
    const found = rows('named').filter(({ name }) => name !== undefined)
    expect(found.map(({ module, name }) => `${module}:${name}`)).toEqual(expected)
    expect(found[0]?.places).toMatchObject([{ address: expect.stringMatching(/^0xffffffff[0-9a-f]{8}$/), owner: '9p' }])
    expect(rows('named').at(-1)).toMatchObject({ query: '9p:nothing', module: null })
    expect(outcomes.named.code).toBe(1)
    expect(outcomes.verbose.stdout).toMatch(
      /^ssize_t vfs_read\(.*\); {2}\[vmlinux\]\n {4}0xffffffff[0-9a-f]{8} \[vmlinux\] {2}fentry /,
    )
  })

  test('what there is not', () => {
    expect(outcomes.unknown).toMatchObject({ code: 1, stdout: '' })
    expect(outcomes.unknown.stderr).toContain('there is no type struct no_such *')
    expect(rows('missing')).toEqual([{ query: 'no_such_function', module: null, reason: 'no such function' }])
    expect(outcomes.missing.code).toBe(1)
    expect(outcomes.unreadable.code).toBe(2)
    expect(outcomes.unreadable.stderr).toContain('cannot be read as a type')
    expect(outcomes.alone).toMatchObject({ code: 2 })
  })
})

test('slips are told what was probably meant', async () => {
  // A process looks for near names three times: each has one of its own.
  const slips = await Promise.all(
    [
      at('function', '--takes', 'struct virtqueu *'),
      at('probe', 'list', '--takes', 'struct fle *'),
      at('type', 'task_struct.mm.pgdx'),
      at('type', '--with-member', 'pgdx'),
      at('probe', 'plan', 'kprobe:vfs_raed', 'kprobe:vfs_read', 'fentry:fscahe:x', 'fexit:fscahe:x'),
    ].map((line) => kerndex(line)),
  )
  const said = [
    'there is no type struct virtqueu *; did you mean "virtqueue"?',
    'there is no type struct fle *; did you mean "file"?',
    'struct mm_struct has no member pgdx; did you mean "pgd"?',
    'no such member; did you mean "pgd"?',
    'there is no vfs_raed; did you mean "vfs_read"?',
  ]
  for (const [i, { code, stderr }] of slips.entries()) {
    expect(stderr).toContain(said[i])
    expect(code).toBe(1)
  }
  expect(slips.at(-1)?.stderr.match(/no module fscahe is loaded; did you mean "fscache"\?/g)).toHaveLength(1)
})

describe('type', () => {
  test('--users', async () => {
    const [users] = rows('users')
    expect(users).toMatchObject({
      query: 'struct virtqueue',
      holds: [{ name: 'vring_virtqueue', member: 'vq', bitOffset: 0, module: 'virtio_ring' }],
    })
    const takes = printed((text) => /\(.*\bstruct virtqueue \*+\w+[,)]/.test(text))
    const named = users?.takes as { module: string; name: string }[]
    expect(named.map(({ module, name }) => `${module}:${name}`)).toEqual(takes)
    expect(outcomes.usersText.stdout).toMatch(/^\/\* struct virtqueue: held 1, /)
    expect(outcomes.usersText.stdout).toContain(
      '\nholds    struct vring_virtqueue.vq  offset 0  struct virtqueue  [virtio_ring]\n',
    )
  })

  test('--with-member', () => {
    expect(
      rows('member')
        .map(({ name, member }) => `${name}.${member}`)
        .sort(),
    ).toEqual(['virtio_blk_vq.vq', 'virtio_chan.vq', 'virtio_pci_vq_info.vq'])
    expect(outcomes.noMember).toMatchObject({ code: 1, stdout: '' })
  })

  test('-v says where a function is', () => {
    expect(outcomes.type.stdout).toMatch(/FUNC \*\/\nssize_t vfs_read\(.*\);\n\n {4}0xffffffff[0-9a-f]{8} \[vmlinux\]/)
  })
})

describe('probe', () => {
  test('list and plan of what functions take and return', async () => {
    const taking = printed((text) => /\(.*\bstruct virtqueue \*\w+[,)]/.test(text))
    const listed = rows('list').map(({ module, function: name }) => `${module}:${name}`)
    expect(listed.length).toBeGreaterThan(10)
    expect(taking).toEqual(expect.arrayContaining(listed))
    const expected = printed((text) => /^bool .*\(.*\bstruct virtqueue \*\w+[,)]/.test(text))
    expect(
      rows('plan')
        .map(({ module, function: name }) => `${module}:${name}`)
        .sort(),
    ).toEqual(expected.sort())
    expect(rows('none')).toMatchObject([{ verdict: 'no', reasons: [{ code: 'NO_MATCH', by: 'kerndex' }] }])
    expect(outcomes.none.code).toBe(1)
  })
})
