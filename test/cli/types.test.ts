// The commands about types on a small capture: output, JSON fields, exit codes.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fixture, plainFixture } from '../btf/fixtures.ts'
import { writeElf } from '../core/elf-writer.ts'
import { asked } from './run.ts'

let capture = ''

beforeAll(async () => {
  capture = await mkdtemp(join(tmpdir(), 'kerndex-'))
  await mkdir(join(capture, 'btf'))
  for (const name of ['nf_tables', 'veth', 'ext4', 'xfs']) {
    await writeFile(join(capture, 'btf', name), fixture(`deb61/mod/${name}.btf`))
  }
  await writeFile(join(capture, 'btf', 'vmlinux'), fixture('deb61/vmlinux.btf'))
  await writeFile(join(capture, 'vmlinux.gz'), gzipSync(fixture('deb61/vmlinux.btf'), { level: 1 }))
  await writeFile(join(capture, 'bad.btf'), plainFixture('kernel-raw-tests/003.btf'))
  const elf = writeElf({
    is64: true,
    little: true,
    sections: [{ name: '.BTF', type: 1, data: fixture('deb61/mod/veth.btf') }],
  })
  await writeFile(join(capture, 'veth.ko'), elf)
})

afterAll(() => rm(capture, { recursive: true, force: true }))

interface Run {
  readonly exit: number | null
  readonly out: string
  readonly err: string
  readonly json: Record<string, unknown>[]
}

async function run(args: readonly string[], from: string | undefined = capture, input = ''): Promise<Run> {
  const { code, stdout, stderr } = await asked(from === '' ? args : [...args, '--from', from], input)
  const out = Buffer.from(stdout, 'latin1').toString()
  const lines = args.includes('--json') ? out.split('\n').filter(Boolean) : []
  return { exit: code, out, err: stderr, json: lines.map((line) => JSON.parse(line)) }
}

describe('type', () => {
  test('answers names and paths, in order, and says what was not found', async () => {
    const { exit, json } = await run(
      ['type', '--json'],
      capture,
      'list_head\ntask_struct.mm.pgd\nsk_buff.ip_summed\nno_such\n',
    )
    expect(exit).toBe(1)
    expect(json).toMatchObject([
      {
        query: 'list_head',
        candidates: [{ module: 'vmlinux', kind: 'STRUCT', name: 'list_head', size: 16, align: 8 }],
      },
      {
        query: 'task_struct.mm.pgd',
        module: 'vmlinux',
        offset: 72,
        bits: 0,
        size: 8,
        type: 'pgd_t *',
        through: [2272],
      },
      { query: 'sk_buff.ip_summed', offset: 128, bits: 2, bitOffset: 1029 },
      { query: 'no_such', candidates: [] },
    ])
  })

  test('a module in front is the only one read', async () => {
    await writeFile(join(capture, 'btf', 'broken'), 'not BTF')
    const one = await run(['type', 'nf_tables:nft_ctx', '--json'])
    expect(one).toMatchObject({ exit: 0, err: '' })
    expect(one.json[0]).toMatchObject({ candidates: [{ module: 'nf_tables', size: 48 }] })
    const all = await run(['type', 'nft_ctx', '--json'])
    expect(all.exit).toBe(0)
    expect(all.err).toContain('btf/broken')
    await rm(join(capture, 'btf', 'broken'))
  })

  test('a path that leads nowhere names the step that fails', async () => {
    const { exit, err } = await run(['type', 'sk_buff.nope', 'fstrim_range.len'])
    expect(exit).toBe(1)
    expect(err).toContain('struct sk_buff has no member nope')
  })

  test('an unknown module and a source without types', async () => {
    expect(await run(['type', 'nope:x'])).toMatchObject({ exit: 1, err: expect.stringContaining('no types of nope') })
    expect(await run(['type', 'x'], join(capture, 'missing'))).toMatchObject({ exit: 3 })
  })

  test('prints layouts for people', async () => {
    const { out } = await run(['type', 'struct path'])
    expect(out).toContain('struct vfsmount *mnt;')
    expect(out).toContain('/* size: 16, cachelines: 1, members: 2 */')
  })
})

describe('function', () => {
  test('prototypes by name and glob', async () => {
    const { exit, json } = await run(['function', 'nf_tables:nft_trans_alloc_gfp', '--json'])
    expect(exit).toBe(0)
    expect(json).toMatchObject([
      {
        name: 'nft_trans_alloc_gfp',
        module: 'nf_tables',
        tags: [],
        params: [{ name: 'ctx', type: 'const struct nft_ctx *' }, {}, {}, {}],
      },
    ])
    const text = await run(['function', 'veth:veth_*', '--params'])
    expect(text.out).toMatch(/^int veth_init\(void\); {2}\[veth\]$/m)
    // Parameters stand on lines of their own, four spaces in.
    expect(text.out).toMatch(/^ {4}\S/m)
  })

  test('missing ones end in 1', async () => {
    expect(await run(['function', 'vfs_read', 'no_such_function'])).toMatchObject({
      exit: 1,
      out: expect.stringContaining('vfs_read('),
    })
  })
})

describe('btf', () => {
  test('dump prints what bpftool prints', async () => {
    const raw = await run(['btf', 'dump', '--module', 'veth'])
    expect(raw.out).toBe(fixture('deb61/mod/veth.raw').toString())
    const file = await run(['btf', 'dump', join(capture, 'veth.ko'), '--base', join(capture, 'vmlinux.gz')], '')
    expect(file.out).toBe(raw.out)
    const header = await run(['btf', 'dump', '--format', 'c', '--unsorted'])
    expect(header.out).toBe(fixture('deb61/vmlinux.c-unsorted.h').toString())
  })

  test('dump of one type and as JSON', async () => {
    const { out } = await run(['btf', 'dump', '--format', 'c', '--root', 'veth_priv', '--module', 'veth'])
    expect(out).toContain('struct veth_priv {')
    expect(out).not.toContain('struct task_struct {')
    const { json } = await run(['btf', 'dump', '--json', '--module', 'veth'])
    expect(json.length).toBe(
      fixture('deb61/mod/veth.raw')
        .toString()
        .split('\n')
        .filter((line) => line.startsWith('[')).length,
    )
    expect(await run(['btf', 'dump', '--root', 'no_such_type'])).toMatchObject({ exit: 1 })
  })

  test('check', async () => {
    const bad = join(capture, 'bad.btf')
    const loose = await run(['btf', 'check', bad, '--json'], '')
    expect(loose).toMatchObject({ exit: 0, json: [{ file: bad, ok: true, errors: [] }] })
    const strict = await run(['btf', 'check', bad, '--strict', '--json'], '')
    expect(strict).toMatchObject({
      exit: 1,
      json: [
        { ok: false, errors: [{ kind: 'STRUCT', message: expect.stringContaining('Invalid member bits_offset') }] },
      ],
    })
    expect(await run(['btf', 'check', join(capture, 'missing')], '')).toMatchObject({ exit: 3 })
    const module = join(capture, 'btf', 'veth')
    expect(
      await run(['btf', 'check', module, '--strict', '--base', join(capture, 'btf', 'vmlinux')], ''),
    ).toMatchObject({ exit: 0 })
  })

  test('diff', async () => {
    const file = join(capture, 'vmlinux.gz')
    expect(await run(['btf', 'diff', capture, file, '--module', 'vmlinux', '--name', 'task_struct'], '')).toMatchObject(
      { exit: 0, out: '' },
    )
    const { json } = await run(['btf', 'diff', capture, file, '--module', 'veth', '--kind', 'func', '--json'], '')
    expect(json.length).toBeGreaterThan(20)
    expect(json[0]).toMatchObject({ change: 'removed', kind: 'FUNC', module: 'veth' })
    expect(await run(['btf', 'diff', capture, file, '--kind', 'nonsense'], '')).toMatchObject({ exit: 2 })
  })
})

test('core refuses what is no BPF object', async () => {
  expect(await run(['core', join(capture, 'bad.btf')])).toMatchObject({
    exit: 3,
    err: expect.stringContaining('not an ELF'),
  })
})

test('a type of two words needs no quotes', async () => {
  const { out, exit } = await run(['type', 'struct', 'veth_priv', 'union', 'nft_entry'])
  expect(exit).toBe(1)
  expect(out).toBe((await run(['type', 'struct veth_priv', 'union nft_entry'])).out)
  expect(out).toContain('struct veth_priv {')
  const alone = await run(['type', 'veth_priv', 'struct'])
  expect(alone.exit).toBe(2)
  expect(alone.err).toContain('a name is missing behind struct')
})
