import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { CAPTURE, edge, fixtureBytes, fixturePath } from '../fixtures.ts'
import { readPlainly } from '../symbols/plain-table.ts'
import { asked, kerndex, kerndexes, MAIN, objects } from './run.ts'

const EDGE = fixturePath('edge/edge.kallsyms')
const ZERO = fixturePath('edge/zero.kallsyms')
const inline = ['--threads', '0'] as const

describe('kerndex address', () => {
  it('answers in JSON: one object an address, in the order asked', async () => {
    const given = ['ffffffff81000018', '0xffffffffc0100024', '0x10', '0xffffffff81000000']
    const { code, stdout, stderr } = await kerndex(['address', ...given, '--from', EDGE, '--json', ...inline])
    expect(stderr).toBe('kerndex: no symbol for 0x0000000000000010 (user): 1 of 4 addresses\n')
    expect(code).toBe(1)
    expect(objects(stdout)).toEqual([
      {
        address: '0xffffffff81000018',
        symbol: 'f_global',
        offset: 8,
        size: 48,
        owner: 'vmlinux',
        type: 'T',
        aliases: ['f_weak', '__f_local'],
        candidates: [{ symbol: 'f_global', offset: 8, owner: 'vmlinux' }],
        reason: null,
      },
      {
        address: '0xffffffffc0100024',
        symbol: 'mod_a_fn1',
        offset: 0x24,
        size: 0x40,
        owner: 'mod_a',
        type: 't',
        aliases: [],
        candidates: [
          { symbol: 'mod_a_fn1', offset: 0x24, owner: 'mod_a' },
          { symbol: 'freed_init', offset: 4, owner: 'mod_b' },
        ],
        reason: null,
      },
      {
        address: '0x0000000000000010',
        symbol: null,
        offset: null,
        size: null,
        owner: null,
        type: null,
        aliases: [],
        candidates: [],
        reason: 'user',
      },
      {
        address: '0xffffffff81000000',
        symbol: '_stext',
        offset: 0,
        size: 16,
        owner: 'vmlinux',
        type: 'T',
        aliases: ['_text', 'alias_local'],
        candidates: [{ symbol: '_stext', offset: 0, owner: 'vmlinux' }],
        reason: null,
      },
    ])
  })

  it('prints symbol+offset/size [owner] for people', async () => {
    const { code, stdout } = await asked(['address', 'ffffffffc0202010', 'ffffffff81000018', '--from', EDGE, ...inline])
    expect(code).toBe(0)
    expect(stdout).toContain('kprobe_insn_page+0x10/0x1000 [__builtin__kprobes]')
    expect(stdout).toMatch(/f_global\+0x8\/0x30 +(= )?f_weak, __f_local/)
  })

  it('takes addresses from stdin, one a line, and goes on after a bad one', async () => {
    const stdin = 'ffffffff81000018\r\n\n  0xffffffff82000004  \nqq\nffffffff81000000'
    const { code, stdout, stderr } = await asked(['address', '--from', EDGE, '--json', ...inline], stdin)
    expect(code).toBe(1)
    expect(stderr).toContain('"qq" is no address')
    expect(objects(stdout)).toMatchObject([{ symbol: 'f_global' }, { symbol: 'data_sym' }, { symbol: '_stext' }])
  })

  it('refuses an argument that is no address before it loads anything', async () => {
    for (const wrong of ['zz', '', '12345678901234567', '1.5']) {
      const { code, stdout, stderr } = await asked(['address', wrong, '--from', '/nowhere'])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('is no address')
    }
  })
})

describe('kerndex symbol', () => {
  it('answers in JSON: one object a name, globs and owners understood', async () => {
    const names = ['dupname', 'mod_a:dupname', 'mod_?:*fn1', 'foo', 'vmlinux:_stext']
    const { code, stdout } = await asked(['symbol', ...names, '--from', EDGE, '--json', ...inline])
    expect(code).toBe(1)
    const symbol = (address: string, name: string, owner: string, type = 't') => ({
      address: `0xffffffff${address}`,
      type,
      name,
      owner,
      size: expect.any(Number),
    })
    expect(objects(stdout)).toEqual([
      { query: 'dupname', symbols: [symbol('c0100040', 'dupname', 'mod_a'), symbol('c0080040', 'dupname', 'mod_b')] },
      { query: 'mod_a:dupname', symbols: [symbol('c0100040', 'dupname', 'mod_a')] },
      {
        query: 'mod_?:*fn1',
        symbols: [symbol('c0080000', 'mod_b_fn1', 'mod_b'), symbol('c0100000', 'mod_a_fn1', 'mod_a')],
      },
      { query: 'foo', symbols: [] },
      { query: 'vmlinux:_stext', symbols: [symbol('81000000', '_stext', 'vmlinux', 'T')] },
    ])
  })

  it('takes names from stdin', async () => {
    const { code, stdout } = await asked(['symbol', '--from', EDGE, '--json', ...inline], 'ro_sym\n\nf_*\n')
    expect(code).toBe(0)
    expect(objects(stdout)).toMatchObject([{ query: 'ro_sym' }, { query: 'f_*', symbols: [{}, {}, {}, {}] }])
  })

  it('prints the whole table as the bytes of its text, sorted by address and stable', async () => {
    for (const [from, text, digits] of [
      [CAPTURE, fixtureBytes('debian-6.1-amd64/kallsyms.gz'), 16],
      [fixturePath('edge/arm32.kallsyms'), edge('arm32'), 8],
      [fixturePath('edge/utf8.kallsyms'), edge('utf8'), 16],
      [fixturePath('edge/longname.kallsyms'), edge('longname'), 16],
    ] as const) {
      const { symbols } = readPlainly(text)
      const lines = text.toString('latin1').trimEnd().split('\n')
      const order = lines.map((_, i) => i)
      const at = (i: number) => symbols[i]!.address
      order.sort((a, b) => (at(a) < at(b) ? -1 : at(a) > at(b) ? 1 : a - b))
      const { code, stdout } = await asked(['symbol', '*', '--format', 'kallsyms', '--from', from])
      expect(code).toBe(0)
      expect(stdout.length).toBeGreaterThan(0)
      expect(stdout === `${order.map((i) => lines[i]).join('\n')}\n`).toBe(true)
      expect(stdout.split(' ')[0]!.length).toBe(digits)
    }
  })

  it('prints a part of it as kallsyms text too', async () => {
    const { stdout } = await asked(['symbol', 'mod_a:*', '--format', 'kallsyms', '--from', EDGE, ...inline])
    expect(stdout).toBe(
      edge('edge')
        .toString()
        .split('\n')
        .filter((line) => line.includes('[mod_a]'))
        .join('\n')
        .concat('\n'),
    )
  })
})

describe('kerndex status', () => {
  it('describes a capture in JSON', async () => {
    const { code, stdout } = await asked(['status', '--from', CAPTURE, '--json', '--threads', '2'])
    expect(code).toBe(0)
    const [facts, ...more] = objects(stdout)
    expect(more).toEqual([])
    const text = fixtureBytes('debian-6.1-amd64/kallsyms.gz')
    const { symbols } = readPlainly(text)
    const by = (key: 'owner' | 'type') => {
      const counts: Record<string, number> = {}
      for (const symbol of symbols) counts[symbol[key]] = (counts[symbol[key]] ?? 0) + 1
      return counts
    }
    expect(facts).toMatchObject({
      release: '6.1.0-56-amd64',
      bootId: null,
      buildId: expect.stringMatching(/^[0-9a-f]{40}$/),
      generation: 1,
      symbols: {
        count: 96_457,
        byOwner: by('owner'),
        byType: by('type'),
        aliases: symbols.length - new Set(symbols.map(({ address }) => address)).size,
        repeatedNames: symbols.length - new Set(symbols.map(({ name }) => name)).size,
        bytesPerSymbol: expect.any(Number),
        skipped: 0,
      },
      types: { sets: 13, count: 102_409, byKind: { FUNC: 45_161, FUNC_PROTO: 24_113, INT: 15, ENUM64: 7, DATASEC: 1 } },
      modules: { loaded: 12, withBtf: 12, withoutBtf: [] },
      timing: { readMs: expect.any(Number), readyMs: expect.any(Number), threads: 2 },
    })
  })

  it('draws a picture of the load for people', async () => {
    const { code, stdout } = await asked(['status', '--from', CAPTURE, ...inline])
    expect(code).toBe(0)
    const picture = Buffer.from(stdout, 'latin1').toString()
    for (const work of ['read', 'parse', 'gather', 'merge', 'index']) {
      expect(picture).toMatch(new RegExp(`^main +${work} +[ ░▒▓█]* [0-9.]+ ms$`, 'm'))
    }
    expect(stdout).toContain('96,457')
    expect(stdout).toContain('102,409 types in 13 sets')
  })

  it('does not take an empty kallsyms for a kernel', async () => {
    const { code, stdout, stderr } = await asked(['status', '--from', fixturePath('edge/empty.kallsyms'), ...inline])
    expect([code, stdout]).toEqual([3, ''])
    expect(stderr).toContain('NOT_READABLE')
  })

  it('names bad lines', async () => {
    const from = fixturePath('edge/short-line.kallsyms')
    expect((await asked(['status', '--from', from, ...inline])).stdout).toMatch(/1 bad lines? skipped: 4 \(name\)/)
    const { stdout } = await asked(['status', '--from', from, '--json', ...inline])
    expect(objects(stdout)).toMatchObject([{ symbols: { skipped: 1, skippedLines: [{ line: 4, reason: 'name' }] } }])
  })
})

describe('exit codes and words', () => {
  it.each([
    ['hidden addresses', ['status', '--from', ZERO], 3, /kptr_restrict.*CAP_SYSLOG.*perf_event_paranoid/s],
    ['hidden addresses, symbol', ['symbol', '_stext', '--from', ZERO], 3, /kptr_restrict/],
    ['hidden addresses, inline', ['address', 'ffffffff81000000', '--from', ZERO, ...inline], 3, /kptr_restrict/],
    ['nothing there', ['status', '--from', '/nowhere/at/all'], 3, /\/nowhere\/at\/all/],
    ['no capture', ['status', '--from', fixturePath('edge')], 3, /kallsyms/],
    ['an unknown command', ['nonsense'], 2, /nonsense/],
    ['no command', [], 2, /Usage/],
    ['an unknown option', ['status', '--nonsense'], 2, /--nonsense/],
    ['a bad number of threads', ['status', '--threads', 'x'], 2, /--threads/],
    ['a negative number of threads', ['status', '--threads', '-1'], 2, /--threads/],
    ['too many threads', ['status', '--from', EDGE, '--threads', '5000'], 2, /threads.*256/],
    ['another kind of file', ['status', '--from', fixturePath('README.md')], 3, /no kallsyms text/],
    ['a bad format', ['symbol', 'x', '--format', 'nope'], 2, /kallsyms/],
    ['an option without its value', ['status', '--from'], 2, /--from/],
    ['too many arguments', ['status', 'x'], 2, /argument/],
  ])('%s', async (_, args, code, words) => {
    const outcome = await asked(args)
    expect({ code: outcome.code, stdout: outcome.stdout }).toEqual({ code, stdout: '' })
    expect(outcome.stderr).toMatch(words)
    expect(outcome.stderr).not.toMatch(/\n +at /)
  })

  it.each([[['--help']], [['status', '--help']], [['address', '--help']], [['symbol', '--help']]])(
    '%j shows examples and exit codes',
    async (args) => {
      const { code, stdout, stderr } = await asked(args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/Examples:\n +\$ /)
      expect(stdout).toMatch(/Exit codes?:/)
      for (const option of args.length > 1 ? ['--from', '--threads', '--json'] : ['status', 'address', 'symbol']) {
        expect(stdout).toContain(option)
      }
    },
  )

  it('--version is that of the package', async () => {
    const { code, stdout } = await kerndex(['--version'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('a closed pipe ends quietly', async () => {
    const { code, stderr } = await kerndex(['symbol', '*', '--format', 'kallsyms', '--from', CAPTURE], {
      during: (child) => child.stdout?.once('data', () => child.stdout?.destroy()),
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const heard = await kerndex(['symbol', '*', '--from', CAPTURE], {
      during: (child) => child.stdout?.once('data', () => child.stdout?.destroy()),
    })
    expect({ code: heard.code, stderr: heard.stderr }).toEqual({ code: 0, stderr: '' })
    const shell = promisify(execFile)
    const script = `"$0" "$1" symbol '*' --from "$2" | head -2`
    const { stdout, stderr: words } = await shell('sh', ['-c', script, process.execPath, MAIN, CAPTURE])
    expect({ lines: stdout.split('\n').length, words }).toEqual({ lines: 3, words: '' })
  })

  it('what a pipe has no room for arrives behind what it had room for', async () => {
    const shell = promisify(execFile)
    const print = `"$0" "$1" symbol '*' --format kallsyms --from "$2"`
    // A pipe takes 64 KiB until somebody reads; a file takes all.
    const script = `${print} | cksum; ${print} > "$3"; cksum < "$3"`
    const folder = await mkdtemp(join(tmpdir(), 'kerndex-pipe-'))
    const { stdout } = await shell('sh', ['-c', script, process.execPath, MAIN, CAPTURE, join(folder, 'out')])
    await rm(folder, { recursive: true })
    const [piped, written] = stdout.split('\n')
    expect(Number(piped!.split(' ')[1])).toBeGreaterThan(1 << 20)
    expect(piped).toBe(written)
  })

  it('Ctrl-C while it prints ends with 130', async () => {
    // Into a file, which takes everything at once: nothing but the command itself gives its event loop a turn.
    const folder = await mkdtemp(join(tmpdir(), 'kerndex-interrupt-'))
    const path = join(folder, 'out')
    const file = await open(path, 'w')
    // Half a minute of output, so that the signal comes long before the end.
    const names = new Array<string>(50).fill('*')
    const stdio = ['ignore', file.fd, 'ignore'] as const
    const child = spawn(process.execPath, [MAIN, 'symbol', ...names, '--from', CAPTURE], { stdio: [...stdio] })
    const ended = once(child, 'exit')
    while ((await file.stat()).size === 0) await new Promise((resume) => setImmediate(resume))
    child.kill('SIGINT')
    const [code] = await ended
    await file.close()
    await rm(folder, { recursive: true })
    expect(code).toBe(130)
  })

  it('Ctrl-C while it waits for stdin ends with 130', async () => {
    const { code, stdout } = await kerndex(['address', '--from', EDGE, ...inline], {
      during: (child) => {
        child.stdin?.write('ffffffff81000018\n')
        child.stdout?.once('data', () => child.kill('SIGINT'))
      },
    })
    expect(stdout).toContain('f_global')
    expect(code).toBe(130)
  })

  it('a large number of questions on stdin is answered in full', async () => {
    const { symbols } = readPlainly(edge('edge'))
    const questions = Array.from({ length: 20_000 }, (_, i) => symbols[3 + (i % 20)]!.address.toString(16))
    const { code, stdout } = await kerndex(['address', '--from', EDGE, '--json', ...inline], {
      stdin: questions.join('\n'),
    })
    expect(code).toBe(0)
    const answers = objects(stdout)
    expect(answers.length).toBe(20_000)
    expect(answers[19_999]).toMatchObject({ address: `0x${questions[19_999]}` })
  })
})

it('--fallback is used where the running kernel cannot be read, and that is said', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kerndex-fallback-'))
  await writeFile(join(folder, 'kallsyms'), edge('edge'))
  const { code, stderr, stdout } = await kerndex(['status', '--fallback', folder, '--json', ...inline])
  expect(code).toBe(0)
  const [facts] = objects(stdout) as { source: string }[]
  // Whether the kernel of the machine that runs this test can be read is not known here.
  if (facts?.source === folder) {
    expect(stderr).toMatch(/cannot be read/)
    expect(stderr).toContain(folder)
  } else expect(stderr).toBe('')
  // What was asked for by name is never replaced.
  expect((await kerndex(['status', '--from', ZERO, '--fallback', folder])).code).toBe(3)
  await rm(folder, { recursive: true })
})

describe('a command says how it ended', () => {
  it('with 1: why, on stderr, once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kerndex-cli-'))
    const [btf, text] = [join(folder, 'btf'), join(folder, 'text')]
    // One type, of a kind that there is not.
    const words = Uint32Array.of(0x0001eb9f, 24, 0, 12, 12, 1, 0, 0x1f00_0000, 0)
    await writeFile(btf, Buffer.concat([Buffer.from(words.buffer), Buffer.of(0)]))
    await writeFile(text, 'ffffffff00000018\n')
    const outcomes = await kerndexes([
      ['address', '0x10', '--from', EDGE, ...inline],
      ['symbol', 'nope', 'f_global', '--from', EDGE, '--json', ...inline],
      ['type', 'nope', 'task_struct.nope', '--from', CAPTURE, '--json', ...inline],
      ['function', 'nope', '--from', CAPTURE, '--json', ...inline],
      ['probe', 'plan', 'nope', '--from', CAPTURE, '--json', ...inline],
      ['btf', 'check', btf, '--json'],
      ['resolve', text, '--from', EDGE, ...inline],
    ])
    for (const { code, stderr } of outcomes) {
      expect([code, stderr]).toEqual([1, expect.stringMatching(/^kerndex: .*\n$/)])
    }
    await rm(folder, { recursive: true })
  })

  it('with 3 where its output cannot be written', async () => {
    for (const args of [['--version'], ['symbol', '*', '--from', EDGE, ...inline]]) {
      const full = await open('/dev/full', 'w')
      const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', full.fd, 'pipe'] })
      const words: Buffer[] = []
      child.stderr!.on('data', (piece: Buffer) => words.push(piece))
      const [code] = (await once(child, 'close')) as [number]
      await full.close()
      expect([code, String(Buffer.concat(words))]).toEqual([3, expect.stringMatching(/^kerndex: .*ENOSPC.*\n$/)])
    }
  })
})
