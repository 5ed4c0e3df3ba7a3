// Rules that depend on the kernel, on kernels made up for them: names that repeat, cautions, lists of functions that are refused,
// first instructions, lockdown, names of events.
import { describe, expect, test } from 'vitest'
import { has, parseVersion } from '../../src/probes/kernel-rules.ts'
import type { PlanOptions } from '../../src/probes/plan.ts'
import { CAUTIONS, type Reason } from '../../src/probes/reasons.ts'
import { BtfBuilder } from '../btf/builder.ts'
import { type MadeUp, probesOf } from './fixtures.ts'

const MARKERS = ['ffffffff81000000 T _stext', 'ffffffff81000100 T __x64_sys_read']
const END = ['ffffffff81ff0000 T _etext', 'ffffffff82000000 T _sinittext', 'ffffffff82001000 T _einittext']

/** A kernel whose functions can all be traced, with nothing on the blacklist. */
function kernel(lines: readonly string[], release: string, more: Partial<MadeUp> = {}): MadeUp {
  const traced = lines.flatMap((line) => {
    const [, name, module] = / [tTwW] (\S+)(?:\t(\[.+\]))?$/.exec(line) ?? []
    return name === undefined ? [] : [module === undefined ? name : `${name} ${module}`]
  })
  const core = lines.filter((line) => !line.startsWith('ffffffffc'))
  const modules = lines.filter((line) => line.startsWith('ffffffffc'))
  return {
    symbols: `${[...MARKERS, ...core, ...END, ...modules].join('\n')}\n`,
    release,
    ...more,
    facts: { available_filter_functions: `${traced.join('\n')}\n`, kprobes_blacklist: '', ...more.facts },
  }
}

/** A configuration with all that probes need but one option. */
const configWithout = (option: string): string =>
  `CONFIG_KPROBES=y\nCONFIG_BPF_JIT=y\nCONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y\n# ${option} is not set\n`

const reasonsOf = (made: MadeUp, spec: string, options?: PlanOptions): readonly Reason[] =>
  probesOf(made)
    .plan(spec, options)
    .specs.flatMap(({ targets }) => targets.flatMap(({ reasons }) => reasons))
const said = (made: MadeUp, spec: string, options?: PlanOptions): string =>
  reasonsOf(made, spec, options)
    .map(({ code, by }) => `${code} ${by}`)
    .join(', ') || 'ok'

describe('versions', () => {
  test.each([
    ['6.1.0-56-amd64', 'Linux version 6.1.0-56-amd64 (…) #1 SMP Debian 6.1.192-2 (2026-11-16)', 6, 1, 192],
    ['6.1.0-56-amd64', '', 6, 1, undefined],
    ['6.6.51', '', 6, 6, 51],
    ['7.3.4+deb13-amd64', 'Debian 7.3.4-1~bpo13+1', 7, 3, 4],
    // Words about another series tell nothing.
    ['6.1.0-56-amd64', 'Debian 6.12.3-1', 6, 1, undefined],
  ])('%s, %s', (release, version, major, minor, patch) => {
    expect(parseVersion(release, version)).toEqual({ major, minor, patch })
  })

  test.each([
    ['6.6.0', true],
    ['6.5.0', undefined],
    ['6.5.9', true],
    ['6.5.8', false],
    ['6.4.9', false],
    ['5.18.4', undefined],
  ])('a change of 6.6 that 6.5.9 and some 5.18 took over, on %s: %s', (release, expected) => {
    expect(has(parseVersion(release), { since: [6, 6], stable: { '6.5': 9, '5.18': null } })).toBe(expected)
  })
})

describe('names that repeat', () => {
  // Each name: how many functions the core, the module a and the module b have of it.
  const lines = [
    'ffffffff81001000 t core_and_module',
    'ffffffff81002000 t core_twice',
    'ffffffff81003000 t core_twice',
    'ffffffff81004000 t end_of_them',
    'ffffffffc0001000 t core_and_module\t[a]',
    'ffffffffc0002000 t module_twice\t[a]',
    'ffffffffc0003000 t module_twice\t[a]',
    'ffffffffc0004000 t two_modules\t[a]',
    'ffffffffc0005000 t end_of_a\t[a]',
    'ffffffffc0011000 t two_modules\t[b]',
    'ffffffffc0012000 t end_of_b\t[b]',
  ]
  const KERNEL = 'AMBIGUOUS kernel'
  const OK = 'ok'
  const UNSURE = 'UNKNOWN_RELEASE kernel'
  test.each([
    // release, core_and_module, core_twice, two_modules, a:module_twice
    ['5.10.100', OK, OK, OK, OK],
    ['6.1.59', OK, OK, OK, OK],
    // Modules did not count, and what only they have was not found at all.
    ['6.1.60', OK, KERNEL, KERNEL, OK],
    ['6.1.71', KERNEL, KERNEL, KERNEL, OK],
    ['6.6.1', KERNEL, KERNEL, KERNEL, OK],
    ['6.10.1', KERNEL, KERNEL, KERNEL, UNSURE],
    ['6.12.3', KERNEL, KERNEL, KERNEL, KERNEL],
    ['7.0.1', UNSURE, KERNEL, KERNEL, KERNEL],
    ['7.1.0', OK, KERNEL, KERNEL, KERNEL],
    ['7.3.4', OK, KERNEL, KERNEL, KERNEL],
  ])('%s', (release, coreAndModule, coreTwice, twoModules, moduleTwice) => {
    const made = kernel(lines, release)
    const judged = ['core_and_module', 'core_twice', 'two_modules', 'a:module_twice'].map((name) => [
      said(made, `kprobe:${name}`, { allow: ['AMBIGUOUS'] }),
      said(made, `kprobe:${name}`),
    ])
    expect(judged.map(([kernels]) => kernels)).toEqual([coreAndModule, coreTwice, twoModules, moduleTwice])
    // By default kerndex refuses where the kernel does not, and says that it is the one.
    for (const [kernels, cautious] of judged) {
      expect(cautious).toBe(kernels === KERNEL ? KERNEL : 'AMBIGUOUS kerndex')
    }
  })

  test('what the kernel takes is attached to by address', () => {
    const [target] = probesOf(kernel(lines, '7.3.4')).plan('kprobe:core_and_module', { allow: ['AMBIGUOUS'] }).targets
    expect(target).toMatchObject({ module: 'vmlinux', attach: { method: 'address', address: 0xffffffff81001000n } })
    expect(target!.warnings.map(({ code }) => code)).toEqual(['FIRST_OF_SEVERAL'])
  })

  test('of a module that has two the kernel takes one, and nothing tells which', () => {
    const made = kernel(lines, '6.1.192')
    const traced = `${(0xffffffffc0002000n).toString(16)} module_twice [a]\n`
    const one = { ...made, facts: { ...made.facts, available_filter_functions_addrs: traced } }
    expect(said(one, 'kprobe:a:module_twice', { allow: ['AMBIGUOUS'] })).toBe('UNKNOWN_WHICH kernel')
  })

  test('a symbol of the kernel tells the rule where the version does not', () => {
    const made = kernel([...lines, 'ffffffff81005000 t validate_probe_symbol'], '6.10.1')
    expect(said(made, 'kprobe:a:module_twice', { allow: ['AMBIGUOUS'] })).toBe(KERNEL)
  })
})

describe('cautions', () => {
  const lines = [
    'ffffffff81001000 t foo',
    'ffffffff81001800 t foo.cold',
    'ffffffff81001900 t bar.part.0',
    'ffffffff81001a00 t .label',
    'ffffffff81002000 t end_of_them',
  ]
  const made = kernel(lines, '6.12.0', { facts: { available_filter_functions: 'foo\nend_of_them\n' } })
  test.each<[string, string, string]>([
    // It may begin with the UD2 of a WARN.
    ['kprobe:foo.cold', 'FRAGMENT kerndex', 'UNKNOWN_INSTRUCTION kernel'],
    // Its base is no function, so that nothing says that ftrace can hook it.
    ['kprobe:bar.part.0', 'FRAGMENT kerndex, NOTRACE kernel', 'NOTRACE kernel'],
    ['kprobe:nosuch:fn', 'MODULE_NOT_LOADED kerndex', 'ok'],
    ['kretprobe:nosuch:fn', 'MODULE_NOT_LOADED kerndex', 'ok'],
    ['fentry:nosuch:fn', 'MODULE_NOT_LOADED kernel', 'MODULE_NOT_LOADED kernel'],
    // It lands on the first byte of foo.cold, whose base can be hooked.
    ['kprobe:foo+0x800', 'OUT_OF_BOUNDS kerndex', 'UNKNOWN_INSTRUCTION kernel'],
    ['kprobe:end_of_them+0x7fffffff', 'OUT_OF_BOUNDS kerndex', 'NOT_TEXT kernel'],
    ['kprobe:0xffffffff81001a00', 'LABEL kerndex, NOTRACE kernel', 'NOTRACE kernel'],
  ])('%s: %s, and as the kernel judges: %s', (spec, cautious, kernels) => {
    expect(said(made, spec)).toBe(cautious)
    expect(said(made, spec, { allow: CAUTIONS })).toBe(kernels)
  })

  test('kprobes that are disarmed are registered', () => {
    const disarmed = { ...made, facts: { ...made.facts, kprobes_enabled: '0\n' } }
    expect(said(disarmed, 'kprobe:foo')).toBe('KPROBES_DISABLED kerndex')
    expect(said(disarmed, 'kprobe:foo', { allow: ['KPROBES_DISABLED'] })).toBe('ok')
    // Of a place that the kernel refuses it still is said.
    expect(said(disarmed, 'kprobe:bar.part.0')).toContain('NOTRACE kernel')
  })

  test('the message names the option, and an unknown one is refused', () => {
    expect(reasonsOf(made, 'kprobe:foo.cold')[0]!.message).toContain("--allow FRAGMENT, or { allow: ['FRAGMENT'] }")
    expect(() => probesOf(made).plan('kprobe:foo', { allow: ['NOTRACE' as 'LABEL'] })).toThrow(/allow.*AMBIGUOUS/)
  })

  test('a module to come has a line and no address', () => {
    const [target] = probesOf(made).plan('kretprobe:nosuch:fn', { allow: ['MODULE_NOT_LOADED'] }).targets
    expect(target).toMatchObject({
      verdict: 'ok',
      address: undefined,
      attach: { method: 'module:name', address: undefined, bpftrace: 'kretprobe:nosuch:fn' },
    })
    expect(target!.attach!.kprobeEvents).toBe('r:kerndex/fn_ret nosuch:fn ret=$retval')
    expect(target!.toJSON().attach).toMatchObject({ address: null })
  })

  test('globs list fragments where they are allowed', () => {
    const names = (options?: PlanOptions) =>
      probesOf(made)
        .plan('kprobe:foo*', options)
        .targets.map((target) => target.function)
    expect(names()).toEqual(['foo'])
    expect(names({ allow: ['FRAGMENT'] })).toEqual(['foo', 'foo.cold'])
  })
})

describe('functions that the verifier refuses', () => {
  const btf = new BtfBuilder()
  const proto = btf.proto(0, [])
  const names = ['do_exit', 'migrate_disable', 'own_exit', 'plain']
  for (const name of names) btf.func(name, proto)
  const functions = names.map((name, i) => `ffffffff8100${(0x1000 + i * 16).toString(16)} T ${name}`)
  const list = (at: number, name: string, ...members: string[]) => {
    const line = (i: number, text: string) => `ffffffff83${(at + 4 * i).toString(16).padStart(6, '0')} r ${text}`
    const heads = [line(0, name), line(0, `__BTF_ID__set__${name}`)]
    return [...heads, ...members.map((member, i) => line(i + 2, `__BTF_ID__func__${member}__${1000 + i}`))]
  }
  const on = (release: string, data: readonly string[] = []): MadeUp => {
    const made = kernel(functions, release, { types: { vmlinux: btf } })
    return { ...made, symbols: `${made.symbols}${data.join('\n')}\nffffffff83ff0000 D end\n` }
  }
  const both = [...list(0, 'btf_id_deny', 'migrate_disable'), ...list(64, 'noreturn_deny', 'own_exit')]

  test.each([
    ['6.1.0', [], 'fexit:do_exit', 'NORETURN kerndex', 'ok'],
    ['6.12.5', [], 'fexit:do_exit', 'NORETURN kerndex', 'ok'],
    ['6.12.30', [], 'fexit:do_exit', 'NORETURN kernel', 'NORETURN kernel'],
    ['6.12.0-1-amd64', [], 'fexit:do_exit', 'NORETURN kerndex', 'UNKNOWN_RELEASE kernel'],
    ['6.15.0', [], 'fexit:do_exit', 'NORETURN kernel', 'NORETURN kernel'],
    ['6.15.0', [], 'fentry:do_exit', 'ok', 'ok'],
    ['6.15.0', [], 'fentry:migrate_disable', 'DENIED kernel', 'DENIED kernel'],
    // The kernel's own lists come first, whatever the version.
    ['7.3.0', both, 'fexit:own_exit', 'NORETURN kernel', 'NORETURN kernel'],
    ['7.3.0', both, 'fexit:do_exit', 'NORETURN kerndex', 'ok'],
    ['6.1.0', both, 'fexit:own_exit', 'NORETURN kernel', 'NORETURN kernel'],
    ['7.3.0', list(0, 'btf_id_deny', 'plain'), 'fentry:migrate_disable', 'ok', 'ok'],
    ['7.3.0', list(0, 'btf_id_deny', 'plain'), 'fentry:plain', 'DENIED kernel', 'DENIED kernel'],
    ['7.3.0', list(0, 'btf_id_deny', 'plain'), 'fexit:do_exit', 'NORETURN kerndex', 'ok'],
  ] as const)('%s %j: %s', (release, data, spec, cautious, kernels) => {
    expect(said(on(release, data), spec)).toBe(cautious)
    expect(said(on(release, data), spec, { allow: ['NORETURN'] })).toBe(kernels)
  })

  test.each([
    ['7.1.0', '__x64_sys_read', 'ok'],
    ['7.0.0', '__x64_sys_read', 'NOT_ERROR_INJECTABLE kernel'],
    ['7.1.0', '__ia32_sys_read', 'NOT_ERROR_INJECTABLE kernel'],
    ['6.1.0', 'security_file_open', 'ok'],
  ])('fmod_ret without error injection on %s: %s', (release, name, expected) => {
    const own = new BtfBuilder()
    own.func(name, own.proto(0, []))
    const extra = name === '__x64_sys_read' ? [] : [`ffffffff81001000 T ${name}`]
    const made = kernel(extra, release, {
      types: { vmlinux: own },
      facts: { config: configWithout('CONFIG_FUNCTION_ERROR_INJECTION') },
    })
    const listed = { ...made.facts, available_filter_functions: `${name}\n` }
    expect(said({ ...made, facts: listed }, `fmod_ret:${name}`)).toBe(expected)
  })
})

describe('unions and structs as arguments', () => {
  const btf = new BtfBuilder()
  const int = btf.int('int', 4, 1)
  const struct = btf.struct('s16', 16, [])
  const union = btf.union('u8', 8, [])
  const big = btf.union('u24', 24, [])
  const prototypes = {
    takes_struct: [struct],
    takes_union: [union],
    takes_both: [struct, union, int],
    takes_big: [big],
  }
  for (const [name, types] of Object.entries(prototypes)) {
    btf.func(
      name,
      btf.proto(
        int,
        types.map((type, i) => ({ name: `a${i}`, type })),
      ),
    )
  }
  btf.func('returns_union', btf.proto(union, []))
  const names = [...Object.keys(prototypes), 'returns_union']
  const lines = names.map((name, i) => `ffffffff8100${(0x1000 + i * 16).toString(16)} T ${name}`)
  const NO = 'UNSUPPORTED_PROTOTYPE kernel'
  test.each([
    ['6.0.0', NO, NO, `${NO}, ${NO}`, NO],
    ['6.1.0', 'ok', NO, NO, NO],
    ['6.17.9', 'ok', NO, NO, NO],
    ['6.18.0', 'ok', 'ok', 'ok', NO],
  ])('%s', (release, ...expected) => {
    const made = kernel(lines, release, { types: { vmlinux: btf } })
    expect(Object.keys(prototypes).map((name) => said(made, `fentry:${name}`))).toEqual(expected)
    expect(said(made, 'fentry:returns_union')).toBe(NO)
  })

  test('arm64 passes structs since 6.5', () => {
    const on = (release: string) => {
      const made = kernel(lines, release, { types: { vmlinux: btf } })
      return { ...made, symbols: made.symbols.replace('__x64_sys_read', '__arm64_sys_read') }
    }
    expect(said(on('6.4.0'), 'fentry:takes_struct')).toBe(NO)
    expect(said(on('6.5.0'), 'fentry:takes_struct')).toBe('ok')
  })
})

describe('the first instructions', () => {
  const lines = ['ffffffff81001000 t foo', 'ffffffff81002000 t end_of_them']
  const without = kernel(lines, '6.12.0', { facts: { config: configWithout('CONFIG_X86_KERNEL_IBT') } })
  const sited = (offset: number): MadeUp => {
    const made = kernel([...lines, 'ffffffff81003000 T ibt_save'], '6.12.0')
    const site = `${(0xffffffff81001000n + BigInt(offset)).toString(16)} foo\n`
    return { ...made, facts: { ...made.facts, available_filter_functions_addrs: site } }
  }
  const unknown = kernel([...lines, 'ffffffff81003000 T ibt_save'], '6.12.0')
  const MID = 'MID_INSTRUCTION kernel'
  const CODE = 'UNKNOWN_INSTRUCTION kernel'
  test.each([
    ['no ENDBR64 in this kernel', without, [MID, MID, CODE, CODE, CODE]],
    ['a site at the start', sited(0), [MID, MID, CODE, CODE, CODE]],
    ['a site behind an ENDBR64', sited(4), [MID, 'ok', MID, MID, CODE]],
    ['nothing tells', unknown, [CODE, CODE, CODE, CODE, CODE]],
  ])('%s: +1, +4, +5, +8, +9', (_, made, expected) => {
    expect([1, 4, 5, 8, 9].map((offset) => said(made, `kprobe:foo+${offset}`))).toEqual(expected)
    const entry = made === unknown ? CODE : expected[1] === 'ok' ? 'ok' : 'BAD_RETPROBE kernel'
    expect(said(made, 'kretprobe:foo+4')).toBe(entry)
    expect(said(made, 'kretprobe:foo+9')).toBe('BAD_RETPROBE kernel')
  })

  test('behind the call an instruction begins, and may be one that the kernel rewrites', () => {
    const messages = [5, 8].map((offset) => reasonsOf(without, `kprobe:foo+${offset}`)[0]!.message)
    expect(messages[0]).toMatch(/^an instruction begins there; whether it is a jump label/)
    expect(messages[1]).toMatch(/^whether an instruction begins there/)
  })

  test('instructions of arm64 have four bytes', () => {
    const arm = { ...unknown, symbols: unknown.symbols.replace('__x64_sys_read', '__arm64_sys_read') }
    expect([2, 4].map((offset) => said(arm, `kprobe:foo+${offset}`))).toEqual([MID, CODE])
    expect(said(arm, 'kretprobe:foo+4')).toBe('BAD_RETPROBE kernel')
  })
})

test('FUNCs that differ in the names of parameters alone are one', () => {
  const btf = new BtfBuilder()
  const int = btf.int('int', 4, 1)
  const proto = (name: string, type: number) => btf.proto(int, [{ name, type }])
  btf.func('alike', proto('a', int))
  btf.func('alike', proto('b', int))
  btf.func('unlike', proto('a', int))
  btf.func('unlike', proto('a', btf.ptr(int)))
  const lines = ['ffffffff81001000 t alike', 'ffffffff81002000 t unlike', 'ffffffff81003000 t end_of_them']
  const made = kernel(lines, '6.12.0', { types: { vmlinux: btf } })
  expect(said(made, 'fentry:alike')).toBe('ok')
  expect(said(made, 'fentry:unlike')).toBe('AMBIGUOUS kerndex')
  expect(said(made, 'fentry:unlike', { allow: ['AMBIGUOUS'] })).toBe('ok')
  const globbed = probesOf(made).plan('fentry:*like').specs[0]!
  expect(globbed.targets.map((target) => target.function)).toEqual(['alike'])
  expect(globbed.rejected.map((target) => target.function)).toEqual(['unlike'])
  expect(probesOf(made).plan('kprobe:alike').targets[0]!.args).toHaveLength(1)
})

describe('before 6.4 the bare name decides', () => {
  const btf = new BtfBuilder()
  const module = btf.split()
  btf.func('unrelated', btf.proto(0, []))
  module.func('foo', module.proto(0, []))
  const lines = [
    'ffffffff81001000 t foo',
    'ffffffff81002000 t bar',
    'ffffffffc0001000 t foo\t[a]',
    'ffffffffc0002000 t z\t[a]',
  ]
  // Only the module's can be hooked.
  const on = (release: string) =>
    kernel(lines, release, {
      types: { vmlinux: btf, a: module },
      facts: { available_filter_functions: 'bar\nfoo [a]\nz [a]\n' },
    })
  test.each([
    ['6.3.0', 'NOTRACE kernel'],
    ['6.4.0', 'ok'],
  ])('%s: %s', (release, expected) => {
    expect(said(on(release), 'fentry:a:foo')).toBe(expected)
    const { targets, rejected } = probesOf(on(release)).plan('fentry:a:*').specs[0]!
    const listed = [...targets, ...rejected].filter((target) => target.function === 'foo')
    expect(listed.map(({ verdict }) => verdict)).toEqual([expected === 'ok' ? 'ok' : 'no'])
  })
})

describe('lockdown', () => {
  const btf = new BtfBuilder()
  btf.func('foo', btf.proto(0, []))
  const lines = ['ffffffff81001000 t foo', 'ffffffff81002000 t end_of_them']
  const under = (level: string, facts: MadeUp['facts'] = {}) => {
    const text = 'none integrity confidentiality\n'.replace(level, `[${level}]`)
    return kernel(lines, '6.12.0', { types: { vmlinux: btf }, facts: { lockdown: text, ...facts } })
  }
  test.each([
    ['none', 'kprobe:foo', 'ok', []],
    ['integrity', 'kprobe:foo', 'ok', ['LOCKED_DOWN']],
    ['integrity', 'fentry:foo', 'ok', []],
    ['confidentiality', 'kprobe:foo', 'LOCKDOWN kernel', []],
    ['confidentiality', 'fentry:foo', 'ok', ['LOCKED_DOWN']],
  ])('%s: %s %s', (level, spec, expected, warnings) => {
    expect(said(under(level), spec)).toBe(expected)
    const [target] = probesOf(under(level)).plan(spec).specs[0]!.targets
    expect(target!.warnings.map(({ code }) => code)).toEqual(warnings)
  })

  test('what cannot be read is not asked for', () => {
    const [missing] = reasonsOf(
      { ...under('confidentiality'), facts: { lockdown: 'none integrity [confidentiality]\n' } },
      'fentry:foo',
    )
    expect(missing!.message).toMatch(/from a boot without lockdown/)
    expect(missing!.message).not.toMatch(/mount -t/)
  })
})

describe('names of events', () => {
  const lines = [
    'ffffffff81001000 t foo',
    'ffffffff81002000 t foo.isra.0',
    'ffffffff81003000 t foo_isra_0',
    'ffffffff81004000 t twice',
    'ffffffff81005000 t twice',
    `ffffffff81006000 t ${'x'.repeat(70)}`,
    `ffffffff81007000 t ${'x'.repeat(71)}`,
    'ffffffff81008000 t end_of_them',
    'ffffffffc0001000 t foo\t[a]',
    'ffffffffc0002000 t z\t[a]',
  ]
  const eventsOf = (specs: readonly string[], options: PlanOptions = {}) =>
    probesOf(kernel(lines, '6.12.0'))
      .plan(specs, options)
      .targets.map(({ attach }) => /^\w+:kerndex\/(\S+) /.exec(attach!.kprobeEvents!)![1]!)

  test('are unique within a plan, whatever repeats', () => {
    const events = eventsOf(['kprobe:*', 'kretprobe:*', 'kprobe:foo_isra_0', 'kprobe:twice', 'kprobe:foo_isra_0+0'], {
      ambiguous: 'all',
    })
    expect(events.length).toBeGreaterThan(20)
    expect(new Set(events).size).toBe(events.length)
    for (const event of events) expect(event).toMatch(/^[A-Za-z_]\w{0,62}$/)
  })

  test('are the functions’ where these are unique', () => {
    expect(eventsOf(['kprobe:vmlinux:foo', 'kprobe:foo.isra.0', 'kretprobe:z'])).toEqual(['foo', 'foo_isra_0', 'z_ret'])
    expect(eventsOf(['kprobe:vmlinux:foo', 'kprobe:a:foo'])).toEqual(['foo_ffffffff81001000', 'foo_ffffffffc0001000'])
    expect(eventsOf(['kprobe:z', 'kprobe:z'])).toEqual(['z_ffffffffc0002000', 'z_ffffffffc0002000_2'])
  })
})
