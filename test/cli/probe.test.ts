// `kerndex probe` on a capture: listings, JSON rows, exit codes.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fixture } from '../btf/fixtures.ts'
import { fixturePath } from '../fixtures.ts'
import { DEBIAN } from '../probes/fixtures.ts'
import { asked } from './run.ts'

let capture = ''

beforeAll(async () => {
  capture = await mkdtemp(join(tmpdir(), 'kerndex-probes-'))
  await mkdir(join(capture, 'btf'))
  await writeFile(join(capture, 'kallsyms'), DEBIAN.kallsyms)
  await writeFile(join(capture, 'available_filter_functions.gz'), gzipSync(DEBIAN.filter, { level: 1 }))
  await writeFile(join(capture, 'kprobes_blacklist'), DEBIAN.blacklist)
  await writeFile(join(capture, 'version'), DEBIAN.version)
  await writeFile(join(capture, 'btf', 'vmlinux.gz'), gzipSync(fixture('deb61/vmlinux.btf'), { level: 1 }))
  for (const name of ['nf_tables', 'bridge', 'ext4']) {
    await writeFile(join(capture, 'btf', name), fixture(`deb61/mod/${name}.btf`))
  }
})

afterAll(() => rm(capture, { recursive: true, force: true }))

async function run(args: readonly string[], input = '', from = capture) {
  const { code, stdout, stderr } = await asked(['probe', ...args, '--from', from, '--threads', '0'], input)
  return { exit: code, out: Buffer.from(stdout, 'latin1').toString(), err: stderr }
}

const rows = (out: string): Record<string, unknown>[] =>
  out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))

describe('probe list', () => {
  test('prints kind:module:function', async () => {
    const { exit, out } = await run(['list', 'fentry:nf_tables:nft_trans_alloc*', 'kfunc:vfs_read'])
    expect(exit).toBe(0)
    expect(out).toBe('fentry:nf_tables:nft_trans_alloc_gfp\nfentry:vmlinux:vfs_read\n')
  })

  test('indents parameters by exactly four spaces', async () => {
    const { out } = await run(['list', '-v', 'fentry:nf_tables:nft_trans_*'])
    const lines = out.trimEnd().split('\n')
    const at = lines.indexOf('fentry:nf_tables:nft_trans_alloc_gfp')
    expect(lines.slice(at + 1, at + 5)).toEqual([
      '    const struct nft_ctx *ctx',
      '    int msg_type',
      '    u32 size',
      '    gfp_t gfp',
    ])
    for (const line of lines) expect(line).toMatch(/^(fentry:nf_tables:nft_trans_\w+| {4}[^ ].*)$/)
  })

  test('says what it did not find', async () => {
    const { exit, out, err } = await run(['list', 'fentry:no_such_function', 'fentry:vfs_read'])
    expect({ exit, out }).toEqual({ exit: 1, out: 'fentry:vmlinux:vfs_read\n' })
    expect(err).toContain('there is no function no_such_function')
  })
})

describe('probe plan', () => {
  test('gives a row for each target, in the order asked, with everything to attach it', async () => {
    const { exit, out } = await run(
      ['plan', '--json'],
      'fentry:nf_tables:nft_trans_alloc_gfp\nkprobe:asm_exc_bounds\nkprobe:flush_store\n',
    )
    expect(exit).toBe(1)
    const all = rows(out)
    expect(all.map(({ spec, verdict }) => [spec, verdict])).toEqual([
      ['fentry:nf_tables:nft_trans_alloc_gfp', 'ok'],
      ['kprobe:asm_exc_bounds', 'no'],
      ['kprobe:flush_store', 'no'],
    ])
    expect(all[0]).toMatchObject({
      kind: 'fentry',
      function: 'nft_trans_alloc_gfp',
      module: 'nf_tables',
      reasons: [],
      address: '0xffffffffc2f63640',
      probeAddress: '0xffffffffc2f63640',
      attach: { method: 'module:name', bpftrace: 'fentry:nf_tables:nft_trans_alloc_gfp', btf: { module: 'nf_tables' } },
      prototype: 'struct nft_trans *nft_trans_alloc_gfp(const struct nft_ctx *ctx, int msg_type, u32 size, gfp_t gfp)',
    })
    expect(all[0]!.args).toContainEqual({ name: 'gfp', type: 'gfp_t', location: 'rcx', trusted: 'yes' })
    expect(all[1]).toMatchObject({ attach: null, reasons: [{ code: 'BLACKLISTED' }, { code: 'NOTRACE' }] })
    expect(all[2]).toMatchObject({
      attach: null,
      address: null,
      candidates: [{ module: 'vmlinux' }, { module: 'bridge' }],
    })
  })

  test('tells people the verdict, the reasons, the arguments and what was opened', async () => {
    const { exit, out } = await run(['plan', 'fentry:nf_tables:nft_trans_alloc_gfp'])
    expect(exit).toBe(0)
    expect(out).toMatch(/^ok +fentry:nf_tables:nft_trans_alloc_gfp +0xffffffffc2f63640\/0x70 +module:name\n/)
    expect(out).toMatch(/arguments +rdi +ctx: const struct nft_ctx \*\n +rsi +msg_type: int\n/)
    expect(out).toContain('p:kerndex/nft_trans_alloc_gfp nft_trans_alloc_gfp ctx=%di:x64')
    expect(out).toContain('types opened: vmlinux, nf_tables\n')
    const refused = await run(['plan', 'kprobe:asm_exc_bounds'])
    expect(refused.exit).toBe(1)
    expect(refused.out).toMatch(/^no +kprobe:vmlinux:asm_exc_bounds .*BLACKLISTED NOTRACE\n/)
  })

  test('says why something is refused once, whatever stream it is read from', async () => {
    const times = (text: string, part: string) => text.split(part).length - 1
    const one = await run(['plan', 'kprobe:nope'])
    expect(times(one.out + one.err, 'there is no function nope')).toBe(1)
    expect([one.exit, one.err]).toEqual([1, 'kerndex: 1 specification cannot be attached to\n'])
    const some = await run(['plan', 'kprobe:nope', 'kprobe:vfs_read', 'kprobe:asm_exc_bounds'])
    expect(times(some.out + some.err, 'there is no function nope')).toBe(1)
    expect(some.err).toBe('kerndex: 2 of 3 specifications cannot be attached to\n')
    // Many are told by codes, and where the words are.
    const many = await run(['plan', ...Array.from({ length: 12 }, (_, i) => `kprobe:none_of_that_name_${i}`)])
    expect(times(many.out, 'NOT_FOUND')).toBe(12)
    expect(many.err).toBe('kerndex: 12 specifications cannot be attached to: -v says why\n')
    // Arguments that functions lack are in their rows, those about which they disagree in none.
    const lacking = await run(['plan', '--args', 'nope', 'kprobe:vfs_read'])
    expect(times(lacking.out + lacking.err, 'has no argument nope')).toBe(1)
    expect(lacking.err).toBe('kerndex: 1 specification cannot be attached to\n')
  })

  test('policies: ambiguous names, suffixes, arguments, many at once', async () => {
    const all = await run(['plan', '--ambiguous', 'all', '--json', 'kprobe:flush_store'])
    expect(rows(all.out).map(({ attach }) => (attach as { method: string }).method)).toEqual(['address', 'module:name'])
    expect(all.exit).toBe(0)
    const loose = await run(['plan', '--loose-suffix', '--json', 'kprobe:__nft_trace_verdict'])
    expect(rows(loose.out)).toMatchObject([
      { verdict: 'ok', match: 'suffix', suffix: '.isra.0', argsTrusted: 'unknown' },
    ])
    const differing = await run(['plan', '--args', 'buf', 'kprobe:vfs_read', 'kprobe:bridge:flush_store'])
    expect(differing.exit).toBe(1)
    expect(differing.err).toContain('cannot share a probe')
    const shared = await run(['plan', '--json', '--args', 'buf', 'kprobe:vfs_read', 'kprobe:bridge:flush_store'])
    expect(rows(shared.out).map(({ verdict, group }) => [verdict, group])).toEqual([
      ['ok', 'buf: char * @ rsi'],
      ['ok', 'buf: const char * @ rdx'],
    ])
    const multi = await run(['plan', '--kprobe-multi', '--json', 'kprobe:vfs_rea*'])
    // This kernel has CONFIG_FPROBE off.
    expect(rows(multi.out)).toMatchObject([{ symbols: ['vfs_readv', 'vfs_read', 'vfs_readlink'], supported: false }])
    expect(multi.err).toContain('no kprobe multi-links')
  })

  test('a specification that cannot be read is wrong usage, with its column', async () => {
    const { exit, err } = await run(['plan', 'kprobe:vfs_read+'])
    expect(exit).toBe(2)
    expect(err).toContain('column 17')
  })

  test('hidden addresses, and a table alone', async () => {
    expect((await run(['plan', 'kprobe:vfs_read'], '', fixturePath('edge/zero.kallsyms'))).exit).toBe(3)
    const { exit, out } = await run(['plan', '--json', 'kprobe:foo'], '', fixturePath('edge/edge.kallsyms'))
    expect(exit).toBe(1)
    expect(rows(out)).toMatchObject([{ verdict: 'no', candidates: [{ function: 'foo.llvm.123456789' }] }])
  })
})

test('probe suffixes counts classes', async () => {
  const { exit, out } = await run(['suffixes', '--json'])
  expect(exit).toBe(0)
  const [census] = rows(out)
  const counted = DEBIAN.kallsyms
    .split('\n')
    .filter((line) => /^\S+ [tTwW] (?!__pfx_)[^.\s]+\.isra\.\d+(\t|$)/.test(line))
  expect(census!.classes).toContainEqual(
    expect.objectContaining({ suffix: 'isra', count: counted.length, entry: true }),
  )
  expect((await run(['suffixes'])).out).toMatch(/^suffix +symbols +names +with BTF +without/)
})
