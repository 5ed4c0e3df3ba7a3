// `kerndex address` for what people paste, and its rows and those of `kerndex symbol`.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PastedReader, readPasted } from '../../src/stacks/pasted.ts'
import { CAPTURE, edge, fixtureBytes, fixturePath } from '../fixtures.ts'
import { tableOf } from '../symbols/build-table.ts'
import { asked, kerndex, kerndexes, objects } from './run.ts'

const EDGE = fixturePath('edge/edge.kallsyms')
const at = (...args: string[]) => ['address', ...args, '--from', EDGE, '--threads', '0']

/** What JSON says of each line: the query, if there is one, the address, and the symbol or the reason. */
const brief = (stdout: string) =>
  (objects(stdout) as Record<string, unknown>[]).map(({ query, address, symbol, offset, owner, reason }) => [
    query,
    address,
    symbol === null ? reason : `${symbol}+${offset} [${owner}]`,
  ])

describe('what people paste', () => {
  const F = [undefined, '0xffffffff81000018', 'f_global+8 [vmlinux]']
  const A = ['0xffffffffc0100044', 'dupname+4 [mod_a]']
  const B = ['0xffffffffc0080044', 'dupname+4 [mod_b]']
  const named = (query: string, ...answers: string[][]) => answers.map((answer) => [query, ...answer])
  const cases: [string, unknown[][]][] = [
    ['ffffffff81000018:', [F]],
    ['[<ffffffff81000018>]', [F]],
    ['<ffffffff81000018>', [F]],
    ['(0xFFFFFFFF81000018)', [F]],
    ['0Xffffffff81000018', [F]],
    ['"0xffffffff81000018",', [F]],
    ["['ffffffff81000018', `ffffffff81000018`]", [F, F]],
    ['ffffffff81000018,0xffffffff81000018;ffffffff81000018\tffffffff81000018', [F, F, F, F]],
    ['[ffffffff81000018] [ffffffff81000018]', [F, F]],
    ['f_global+0x8/0x30', named('f_global+0x8/0x30', F.slice(1) as string[])],
    ['f_global+8', named('f_global+8', F.slice(1) as string[])],
    ['0010:f_global+0x8/0x30', named('0010:f_global+0x8/0x30', F.slice(1) as string[])],
    ['f_global+0x8/0x30 ([kernel.kallsyms])', named('f_global+0x8/0x30 [vmlinux]', F.slice(1) as string[])],
    // By address: what lies there is said, not the name repeated.
    ['_stext+0x18', named('_stext+0x18', F.slice(1) as string[])],
    ['0xffffffff81000000+0x18', [F]],
    // All addresses of a name; of the size and the module that are given.
    ['dupname+0x4', named('dupname+0x4', A, B)],
    ['dupname+0x4/0x40', named('dupname+0x4/0x40', A)],
    ['mod_b:dupname+0x4', named('mod_b:dupname+0x4', B)],
    ['dupname+0x4 [mod_b]', named('dupname+0x4 [mod_b]', B)],
    ['dupname+0x4/0x40 [mod_a 3f2a3f2a3f2a], [<ffffffff81000018>]', [...named('dupname+0x4/0x40 [mod_a]', A), F]],
    [
      '[<ffffffff81000018>] f_global+0x8/0x30 [ffffffff81000018]',
      [F, ...named('f_global+0x8/0x30', F.slice(1) as string[]), F],
    ],
    // Addresses that the kernel does not show stand as nought.
    ['[<0>] f_global+0x8/0x30', named('f_global+0x8/0x30', F.slice(1) as string[])],
    ['  [<0000000000000000>] f_global+0x8/0x30', named('f_global+0x8/0x30', F.slice(1) as string[])],
    ['f_global+0x8/0x31', [['f_global+0x8/0x31', null, 'size_mismatch']]],
    ['mod_b:f_global+0x8', [['mod_b:f_global+0x8', null, 'unknown_name']]],
    ['nope+0x8 [mod_a]', [['nope+0x8 [mod_a]', null, 'unknown_name']]],
  ]

  it('is read', async () => {
    const outcomes = await kerndexes(cases.map(([text]) => at(text, '--json')))
    expect(outcomes.map(({ stdout }) => brief(stdout))).toEqual(cases.map(([, answers]) => answers))
    expect(outcomes.map(({ code }) => code)).toEqual(
      cases.map(([, answers]) => (answers.some(([, to]) => to === null) ? 1 : 0)),
    )
  })

  it('is read from stdin, a bad word on any line notwithstanding', async () => {
    const stdin = `RIP: 0010:f_global+0x8/0x30\r\nffffffff81000018\n\xff\xfe\x1b[2J\n\n${'x'.repeat(1000)}\n12345678901234567 dupname+4`
    const { code, stdout, stderr } = await asked(at('--json'), Buffer.from(stdin, 'latin1'))
    expect(code).toBe(1)
    expect(brief(stdout)).toEqual([
      ...named('0010:f_global+0x8/0x30', F.slice(1) as string[]),
      F,
      ...named('dupname+4', A, B),
    ])
    expect(stderr).toMatch(/^kerndex: "RIP:" is no address/)
    expect(stderr).toContain('4 more words are no addresses')
    expect(stderr).not.toContain('\x1b')
  })

  it('may be a line of any length', async () => {
    const stdin = 'ffffffff81000018, '.repeat(100_000)
    const { code, stdout, stderr } = await kerndex(at(), { stdin })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout.split('\n').length).toBe(100_001)
    expect(stdout).toBe(stdout.slice(0, stdout.indexOf('\n') + 1).repeat(100_000))
    const endless = await asked(at(), `${'z'.repeat(3 << 20)}\nffffffff81000018`)
    expect(endless.code).toBe(1)
    expect(endless.stdout).toContain('f_global')
  })

  it('is refused as an argument before anything is loaded, with what would be right', async () => {
    const words = [
      'f_global',
      'a+',
      'x+0xg',
      'f+0x8/',
      'ffffffff81000018 zz',
      ' ',
      '12345678901234567:',
      'a+b+1',
      '[mod]',
    ]
    const outcomes = await kerndexes(words.map((word) => ['address', word, '--from', '/nowhere']))
    expect(outcomes).toEqual(
      words.map(() => ({ code: 2, stdout: '', stderr: expect.stringMatching(/is no address: .*NAME\+OFFSET/) })),
    )
  })

  it('a module may be an argument of its own', async () => {
    const { code, stdout } = await asked(at('dupname+0x4', '[mod_b]', 'ffffffff81000018', '--json'))
    expect(code).toBe(0)
    expect(brief(stdout)).toEqual([...named('dupname+0x4 [mod_b]', B), F])
  })
})

describe('many at once', () => {
  it('are answered as one by one, whatever lies there', async () => {
    const table = tableOf(edge('edge'))
    const near: bigint[] = []
    for (const { address, size } of table)
      for (const off of [-1n, 0n, 1n, BigInt(size) - 1n, BigInt(size)]) near.push(address + off)
    const questions = near.filter((address) => address >= 0n).map((address) => address.toString(16))
    const { stdout } = await asked(at('--json'), questions.join('\n'))
    const plain = questions.map((text) => {
      const address = BigInt(`0x${text}`)
      const match = table.at(address)
      return {
        address: `0x${text.padStart(16, '0')}`,
        symbol: match?.symbol.name ?? null,
        offset: match?.offset ?? null,
        size: match?.size ?? null,
        owner: match?.symbol.owner ?? null,
        type: match?.symbol.type ?? null,
        aliases: match?.aliases.map(({ name }) => name) ?? [],
        candidates:
          match?.candidates.map(({ symbol, offset }) => ({ symbol: symbol.name, offset, owner: symbol.owner })) ?? [],
        reason: match === undefined ? table.reasonFor(address) : null,
      }
    })
    expect(plain.some(({ candidates }) => candidates.length > 1)).toBe(true)
    expect(objects(stdout)).toEqual(plain)
  })

  it('are read alike, whether a line holds nothing but addresses or more', () => {
    const table = tableOf(edge('edge'))
    const word = fc.constantFrom(
      'ffffffff81000018',
      '0x10',
      'FFFF',
      'add',
      '0x',
      ':',
      'zz',
      'f_global+1',
      '12345678901234567',
      'a:',
      'a::',
      'b:c',
      '0x0x1',
    )
    const between = fc.constantFrom(' ', ',', '\n', '\t', '[<', '>]', ']', '[', '(', '"', '\r\n', '', ':')
    const reader = new PastedReader(table)
    fc.assert(
      fc.property(fc.array(fc.tuple(word, between), { maxLength: 12 }), (words) => {
        const text = words.flat().join('')
        const batch = reader.read(Buffer.from(text))
        const plain = text.split('\n').flatMap(readPasted)
        expect([...batch.addresses].filter((_, i) => !batch.names.has(i))).toEqual(
          plain.filter((one) => typeof one === 'bigint'),
        )
        expect(batch.bad).toEqual(plain.flatMap((one) => (typeof one === 'object' && 'bad' in one ? [one.bad] : [])))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('rows', () => {
  let folder: string
  let hostile: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kerndex-rows-'))
    hostile = join(folder, 'kallsyms')
    await writeFile(
      hostile,
      'ffffffff81000000 T _stext\nffffffff81000010 T say_"hi",there\nffffffff81000020 T c\u009b2J\nffffffff82000000 T _end\n',
    )
  })
  afterAll(() => rm(folder, { recursive: true }))
  const rows = (...lines: [format: string, ...words: string[]][]) =>
    kerndexes(lines.map(([format, ...words]) => at(...words, '--format', format)))

  it('follow a template', async () => {
    const given = ['ffffffff81000018', '0xffffffffc0100024', '0x10', 'dupname+4', 'nope+1']
    const every = '{{{query}}}\\t{symbol}|{size}|{owner}|{type}|{aliases}|{candidates}|{reason}\\\\{{x}}'
    const [plain, all] = await rows(['{address} {symbol}+{offset}', ...given], [every, ...given.slice(0, 4)])
    expect(plain?.code).toBe(1)
    expect(plain?.stdout.split('\n')).toEqual([
      '0xffffffff81000018 f_global+0x8',
      '0xffffffffc0100024 mod_a_fn1+0x24',
      '0x0000000000000010 -+-',
      '0xffffffffc0100044 dupname+0x4',
      '0xffffffffc0080044 dupname+0x4',
      '- -+-',
      '',
    ])
    expect(plain?.stderr).toContain('(user), nope+1 (unknown_name): 2 of 6')
    expect(all?.stdout.split('\n')).toEqual([
      '{0xffffffff81000018}\tf_global|0x30|vmlinux|T|f_weak; __f_local|f_global+0x8|-\\{x}',
      '{0xffffffffc0100024}\tmod_a_fn1|0x40|mod_a|t|-|mod_a_fn1+0x24 [mod_a]; freed_init+0x4 [mod_b]|-\\{x}',
      '{0x0000000000000010}\t-|-|-|-|-|-|user\\{x}',
      '{dupname+4}\tdupname|0x40|mod_a|t|-|dupname+0x4 [mod_a]|-\\{x}',
      '{dupname+4}\tdupname|0xfc0|mod_b|t|-|dupname+0x4 [mod_b]|-\\{x}',
      '',
    ])
  })

  it('are CSV and TSV', async () => {
    const [csv, tsv] = await rows(['csv', 'ffffffff81000018', '10'], ['tsv', 'ffffffff81000018'])
    expect(csv?.stdout.split('\n')).toEqual([
      'address,symbol,offset,size,owner,type,aliases,candidates,reason,query',
      '0xffffffff81000018,f_global,8,48,vmlinux,T,f_weak; __f_local,f_global+0x8,,0xffffffff81000018',
      '0x0000000000000010,,,,,,,,user,0x0000000000000010',
      '',
    ])
    expect(tsv?.stdout).toBe(
      'address\tsymbol\toffset\tsize\towner\ttype\taliases\tcandidates\treason\tquery\n' +
        '0xffffffff81000018\tf_global\t8\t48\tvmlinux\tT\tf_weak; __f_local\tf_global+0x8\t\t0xffffffff81000018\n',
    )
  })

  it('quote what CSV has quotes for, and escape what a terminal would act on', async () => {
    const given = ['address', '0xffffffff81000014', '0xffffffff81000024']
    const lines = [
      ['csv', ...given],
      ['{symbol}', ...given],
      ['csv', 'symbol', 'say*', '*2J*', 'nope'],
      ['tsv', 'symbol', 'say*'],
      ['{name}={address}/{size}', 'symbol', 'say*', 'nope'],
    ].map(([format = '', ...args]) => [...args, '--format', format, '--from', hostile, '--threads', '0'])
    const [csv, names, symbols, tsv, template] = (await kerndexes(lines)).map(({ stdout }) => stdout)
    expect(csv?.split('\n').slice(1)).toEqual([
      '0xffffffff81000014,"say_""hi"",there",4,16,vmlinux,T,,"say_""hi"",there+0x4",,0xffffffff81000014',
      expect.stringMatching(/^0xffffffff81000024,c\\x9b2J,4,/),
      '',
    ])
    expect(names).toBe('say_"hi",there\nc\\x9b2J\n')
    expect(symbols).toBe(
      'address,type,name,owner,size,query\n' +
        '0xffffffff81000010,T,"say_""hi"",there",vmlinux,16,say*\n' +
        '0xffffffff81000020,T,c\\x9b2J,vmlinux,16777184,*2J*\n' +
        ',,,,,nope\n',
    )
    expect(tsv).toBe(
      'address\ttype\tname\towner\tsize\tquery\n0xffffffff81000010\tT\tsay_"hi",there\tvmlinux\t16\tsay*\n',
    )
    expect(template).toBe('say_"hi",there=0xffffffff81000010/0x10\n-=-/-\n')
  })

  it('of all symbols are as many as there are', async () => {
    const lines = fixtureBytes('debian-6.1-amd64/kallsyms.gz').toString('latin1').trimEnd().split('\n')
    const { code, stdout } = await asked([
      'symbol',
      '*',
      '--format',
      '{address} {type} {name} {owner}',
      '--from',
      CAPTURE,
    ])
    expect(code).toBe(0)
    const expected = lines.map((line) => {
      const [, address, type, name, owner = 'vmlinux'] = /^(\S+) (\S) ([^\t]+)(?:\t\[(.*)\])?$/.exec(line)!
      return `0x${address} ${type} ${name} ${owner}`
    })
    expect(stdout.trimEnd().split('\n').sort()).toEqual(expected.sort())
  })

  it('are refused in a format that there is not, before anything is loaded', async () => {
    const cases: [string, string, RegExp][] = [
      ['address', '{adress}', /no field \{adress\}; did you mean "address"\?; it knows address, symbol/],
      ['address', '{}', /no field \{\}/],
      ['address', '{address', /does not close/],
      ['address', 'csb', /did you mean "csv"\?/],
      ['address', '', /csv, tsv or a template/],
      ['address', 'address', /csv, tsv or a template/],
      ['symbol', '{nmae}', /did you mean "name"\?/],
      ['symbol', 'kallsym', /did you mean "kallsyms"\?/],
    ]
    const outcomes = await kerndexes(
      cases.map(([command, format]) => [command, '10', '--format', format, '--from', '/nowhere']),
    )
    expect(outcomes).toEqual(
      cases.map(([, , words]) => ({ code: 2, stdout: '', stderr: expect.stringMatching(words) })),
    )
  })

  it('are not JSON at once', async () => {
    const outcomes = await kerndexes(
      ['address', 'symbol'].map((command) => [command, '10', '--json', '--format', 'csv', '--from', '/nowhere']),
    )
    for (const { code, stderr } of outcomes)
      expect([code, stderr]).toEqual([2, expect.stringContaining('--json and --format exclude each other')])
  })
})
