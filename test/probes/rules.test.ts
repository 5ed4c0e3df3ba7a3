// One rule at a time, on kernels made up for it: limits of trampolines, ambiguity, suffixes, groups, recipes.
import { describe, expect, test } from 'vitest'
import { attachAll, type PlanOptions } from '../../src/probes/plan.ts'
import type { ProbeTarget } from '../../src/probes/target.ts'
import { BtfBuilder } from '../btf/builder.ts'
import { type MadeUp, probesOf } from './fixtures.ts'

const MARKERS =
  'ffffffff81000000 T _stext\nffffffff81ff0000 T _etext\nffffffff82000000 T _sinittext\nffffffff82001000 T _einittext\n'
const X86 = 'ffffffff81000100 T __x64_sys_read\n'

/** A kernel of these symbols (address, type, name, module), all of them traceable, with an empty blacklist. */
function kernel(lines: readonly string[], more: Partial<MadeUp> = {}): MadeUp {
  const filter = lines
    .filter((line) => / [tTwW] /.test(line))
    .map((line) => /^\S+ \S (\S+)(?:\t(\[.+\]))?$/.exec(line)!)
    .map(([, name, module]) => (module === undefined ? name : `${name} ${module}`))
  return {
    symbols: `${MARKERS}${X86}${lines.join('\n')}\nffffffff81fff000 T _end\n`,
    release: '6.12.0',
    ...more,
    facts: { available_filter_functions: `${filter.join('\n')}\n`, kprobes_blacklist: '', ...more.facts },
  }
}

const targets = (made: MadeUp, spec: string | readonly string[], options?: PlanOptions): readonly ProbeTarget[] =>
  probesOf(made)
    .plan(spec, options)
    .specs.flatMap((each) => each.targets)
const codes = (made: MadeUp, spec: string, options?: PlanOptions): string[] =>
  targets(made, spec, options).flatMap(({ reasons }) => reasons.map(({ code }) => code))

describe('prototypes that a trampoline cannot pass on', () => {
  const btf = new BtfBuilder()
  const int = btf.int('int', 4, 1)
  const u64 = btf.int('long unsigned int', 8)
  const s16 = btf.struct('s16', 16, [
    { name: 'a', type: u64 },
    { name: 'b', type: u64, offset: 64 },
  ])
  const s24 = btf.struct('s24', 24, [{ name: 'a', type: u64 }])
  const empty = btf.struct('empty', 0, [])
  const union = btf.union('u', 8, [{ name: 'a', type: u64 }])
  const double = btf.float('double', 8)
  const params = (...types: number[]) => types.map((type, i) => ({ name: `p${i}`, type }))
  const many = (count: number) => params(...Array.from({ length: count }, () => int))
  const prototypes: Record<string, number> = {
    six: btf.proto(int, many(6)),
    seven: btf.proto(int, many(7)),
    twelve: btf.proto(int, many(12)),
    thirteen: btf.proto(int, many(13)),
    variadic: btf.proto(int, params(int, 0)),
    returns_struct: btf.proto(s16, params(int)),
    struct16: btf.proto(int, params(s16, int)),
    struct24: btf.proto(int, params(s24)),
    struct0: btf.proto(int, params(empty)),
    takes_union: btf.proto(int, params(union)),
    takes_double: btf.proto(int, params(double)),
    nothing: btf.proto(0, []),
  }
  for (const [name, proto] of Object.entries(prototypes)) btf.func(name, proto)
  const lines = Object.keys(prototypes).map((name, i) => `ffffffff8100${(0x1000 + i * 16).toString(16)} T ${name}`)
  const on = (release: string | undefined, arch = X86): MadeUp => {
    const made = kernel(lines, { types: { vmlinux: btf }, release })
    return { ...made, symbols: made.symbols.replace(X86, arch) }
  }
  const ARM = 'ffffffff81000100 T __arm64_sys_read\n'
  const S390 = 'ffffffff81000100 T __s390x_sys_read\n'

  test.each([
    ['nothing', '6.1.0', X86, []],
    ['six', '6.1.0', X86, []],
    ['seven', '6.1.0', X86, ['TOO_MANY_ARGS']],
    ['seven', '6.6.0', X86, []],
    ['seven', '6.1.0', ARM, []],
    ['seven', undefined, X86, ['UNKNOWN_RELEASE']],
    ['six', undefined, X86, ['UNKNOWN_RELEASE']],
    ['twelve', '6.12.0', X86, []],
    ['twelve', '6.12.0', ARM, ['TOO_MANY_ARGS']],
    ['thirteen', '6.12.0', X86, ['TOO_MANY_ARGS']],
    ['variadic', '6.12.0', X86, ['UNSUPPORTED_PROTOTYPE']],
    ['returns_struct', '6.12.0', X86, ['UNSUPPORTED_PROTOTYPE']],
    ['struct16', '6.12.0', X86, []],
    ['struct16', '6.0.0', X86, ['UNSUPPORTED_PROTOTYPE']],
    ['struct24', '6.12.0', X86, ['UNSUPPORTED_PROTOTYPE']],
    ['struct0', '6.12.0', X86, ['UNSUPPORTED_PROTOTYPE']],
    ['takes_union', '6.12.0', X86, ['UNSUPPORTED_PROTOTYPE']],
    ['takes_double', '6.12.0', X86, ['UNSUPPORTED_PROTOTYPE']],
    ['nothing', '5.4.0', X86, ['NO_TRAMPOLINE']],
    ['nothing', '5.5.0', X86, []],
    ['nothing', '5.15.0', ARM, ['NO_TRAMPOLINE']],
    ['nothing', '6.0.0', ARM, []],
    ['nothing', '6.2.0', S390, ['NO_TRAMPOLINE']],
    ['nothing', '6.3.0', S390, []],
    ['nothing', '6.12.0', '', ['UNKNOWN_ARCHITECTURE']],
  ])('%s on %s', (name, release, arch, expected) => {
    expect(codes(on(release, arch), `fentry:${name}`)).toEqual(expected)
    // A kprobe does not care.
    expect(codes(on(release, arch), `kprobe:${name}`)).toEqual([])
  })

  test('bpftrace has no attach point for what it leaves out', () => {
    const rcu = new BtfBuilder()
    rcu.func('rcu_core', rcu.proto(0, []))
    const made = kernel(['ffffffff81001000 T rcu_core'], { types: { vmlinux: rcu } })
    const [fentry] = targets(made, 'fentry:rcu_core')
    expect(fentry).toMatchObject({
      verdict: 'ok',
      attach: { bpftrace: undefined, kprobeEvents: 'p:kerndex/rcu_core rcu_core' },
    })
    expect(targets(made, 'kprobe:rcu_core')[0]!.attach!.bpftrace).toBe('kprobe:rcu_core')
    // No offset behind a kretprobe, even where it still is the entry.
    const entry = { ...made, facts: { ...made.facts, available_filter_functions_addrs: 'ffffffff81001004 rcu_core\n' } }
    expect(targets(entry, 'kretprobe:rcu_core+4')[0]).toMatchObject({
      verdict: 'ok',
      attach: { bpftrace: undefined, kprobeEvents: 'r:kerndex/rcu_core_4_ret rcu_core+4' },
    })
  })

  test('bpftrace attaches to six arguments at most', () => {
    const [six] = targets(on('6.12.0'), 'fentry:six')
    const [seven] = targets(on('6.12.0'), 'fentry:seven')
    expect(six!.attach!.bpftrace).toBe('fentry:vmlinux:six')
    expect(seven!.attach!.bpftrace).toBeUndefined()
    expect(seven!.args.at(-1)!.location).toBe('[rsp+0x8]')
  })
})

describe('one probe for several functions', () => {
  const btf = new BtfBuilder()
  const int = btf.int('int', 4, 1)
  const ptr = btf.ptr(0)
  btf.func('func_1', btf.proto(int, [{ name: 'a', type: int }]))
  btf.func(
    'func_2',
    btf.proto(int, [
      { name: 'a', type: int },
      { name: 'b', type: ptr },
    ]),
  )
  btf.func(
    'func_3',
    btf.proto(int, [
      { name: 'b', type: ptr },
      { name: 'a', type: int },
    ]),
  )
  const made = kernel(
    ['ffffffff81001000 T func_1', 'ffffffff81001010 T func_2', 'ffffffff81001020 T func_3', 'ffffffff81001030 T plain'],
    { types: { vmlinux: btf } },
  )
  const plan = (specs: readonly string[], args?: readonly string[]) => probesOf(made).plan(specs, { args })

  test('differing functions are fine until an argument is used', () => {
    expect(plan(['fentry:func_1', 'fentry:func_2', 'fentry:func_3']).verdict).toBe('ok')
    expect(plan(['fentry:func_1', 'fentry:func_2', 'fentry:func_3']).groups).toEqual([])
  })

  test('an argument that all have alike', () => {
    const { verdict, groups } = plan(['fentry:func_1', 'fentry:func_2'], ['a'])
    expect(verdict).toBe('ok')
    expect(groups.map(({ signature }) => signature)).toEqual(['a: int @ rdi'])
  })

  test('an argument that one has not', () => {
    const { specs, targets: left, verdict, reasons } = plan(['fentry:func_1', 'fentry:func_2'], ['b'])
    expect([verdict, reasons.map(({ code }) => code)]).toEqual(['no', ['ARGS_DISAGREE']])
    expect(specs[0]).toMatchObject({ verdict: 'no' })
    expect(specs[0]!.targets[0]!.reasons).toEqual([
      { code: 'ARGS_DISAGREE', message: 'func_1 has no argument b; it has a', by: 'kerndex' },
    ])
    expect(left.map((target) => target.function)).toEqual(['func_2'])
  })

  test('an argument that lies elsewhere', () => {
    const { verdict, reasons, groups } = plan(['fentry:func_*'], ['a'])
    expect(verdict).toBe('no')
    expect(reasons.map(({ code }) => code)).toEqual(['ARGS_DISAGREE'])
    expect(groups.map(({ signature, targets: own }) => [signature, own.length])).toEqual([
      ['a: int @ rdi', 2],
      ['a: int @ rsi', 1],
    ])
  })

  test('an argument of a function without BTF is unknown, and of a return probe gone', () => {
    expect(codes(made, 'kprobe:plain', { args: ['a'] })).toEqual(['UNKNOWN_ARGUMENTS'])
    expect(codes(made, 'kretprobe:func_1', { args: ['a'] })).toEqual(['UNKNOWN_ARGUMENTS'])
    expect(codes(made, 'fexit:func_1', { args: ['a'] })).toEqual([])
  })

  test('one of several that is missing is a warning, a single one a failure', () => {
    const several = plan(['fentry:func_1', 'fentry:gone'])
    expect(several.verdict).toBe('ok')
    expect(several.targets.map((target) => target.function)).toEqual(['func_1'])
    expect(several.warnings.map(({ code, message }) => [code, /fentry:gone is skipped/.test(message)])).toEqual([
      ['SKIPPED', true],
    ])
    const single = plan(['fentry:gone'])
    expect(single.verdict).toBe('no')
    expect(single.warnings).toEqual([])
    expect(single.reasons.map(({ code }) => code)).toEqual(['NOT_FOUND'])
  })

  test('a plan is attached whole, or what was attached is taken back', async () => {
    const log: string[] = []
    const attach = (failing: string) => async (target: ProbeTarget) => {
      if (target.function === failing) throw new Error(`cannot attach ${failing}`)
      log.push(`+${target.function}`)
      return () => {
        log.push(`-${target.function}`)
      }
    }
    const { targets: all } = plan(['fentry:func_*'])
    await expect(attachAll(all, attach('func_3'))).rejects.toThrow('cannot attach func_3')
    expect(log).toEqual(['+func_1', '+func_2', '-func_2', '-func_1'])
    log.length = 0
    const detach = await attachAll(all, attach(''))
    expect(log).toEqual(['+func_1', '+func_2', '+func_3'])
    await detach()
    expect(log.slice(3)).toEqual(['-func_3', '-func_2', '-func_1'])
    await expect(
      attachAll(all, async (target) => {
        if (target.function === 'func_2') throw new Error('no')
        return () => {
          throw new Error('stuck')
        }
      }),
    ).rejects.toThrow(AggregateError)
  })
})

describe('names that modules share', () => {
  const base = new BtfBuilder()
  const int = base.int('int', 4, 1)
  const proto = base.proto(int, [])
  base.func('core', proto)
  const a = base.split()
  a.func('foo', proto)
  a.func('only_a', proto)
  const b = base.split()
  b.func('foo', proto)
  const lines = [
    'ffffffff81001000 T core',
    'ffffffffc0001000 t foo\t[a]',
    'ffffffffc0001010 t only_a\t[a]',
    'ffffffffc0002000 t foo\t[b]',
    'ffffffffc0003000 t foo.isra.0\t[c]',
  ]
  const made = (release: string) => kernel(lines, { types: { vmlinux: base, a, b }, release })

  test('an unqualified name is ambiguous and names both; a module settles it', () => {
    const [asked] = targets(made('6.12.0'), 'fentry:foo')
    expect(asked).toMatchObject({ verdict: 'no' })
    expect(asked!.reasons[0]!.message).toMatch(/foo is 2 functions, in a, b; name the module, as in fentry:a:foo/)
    const [settled] = targets(made('6.12.0'), 'fentry:a:foo')
    expect(settled).toMatchObject({ verdict: 'ok', module: 'a', btf: { module: 'a' } })
    expect(settled!.warnings).toEqual([{ code: 'DUPLICATE_NAME', message: 'foo is defined in a and b' }])
  })

  test('kernels before 6.4 attach to the first of the name', () => {
    const [old] = targets(made('6.3.0'), 'fentry:b:foo')
    expect(old!.warnings[0]!.message).toMatch(/kernels before 6\.4 attach to the first/)
  })

  test('a function maps to every module that has it', () => {
    const plan = probesOf(made('6.12.0')).plan('fentry:*:foo*')
    expect(plan.targets.map(({ module }) => module)).toEqual(['a', 'b'])
    expect(plan.opened).toEqual(['vmlinux', 'a', 'b'])
    expect(plan.modules).toEqual(['a', 'b'])
    expect(probesOf(made('6.12.0')).plan('fentry:only_a').opened).toEqual(['vmlinux', 'a'])
    expect(
      probesOf(made('6.12.0'))
        .plan('kprobe:foo', { ambiguous: 'all' })
        .targets.map(({ attach }) => attach!.method),
    ).toEqual(['module:name', 'module:name'])
  })
})

describe('how kprobes are told which function', () => {
  const lines = [
    'ffffffff81001000 T one',
    'ffffffff81001010 t twice',
    'ffffffff81001020 t twice',
    'ffffffff81001030 t shared',
    'ffffffff81001040 t with_data',
    'ffffffff81fe0000 d with_data',
    'ffffffffc0001000 t shared\t[m]',
    'ffffffffc0001010 t own\t[m]',
  ]
  const method = (spec: string, more: Partial<MadeUp> = {}, options: PlanOptions = {}) =>
    targets(kernel(lines, more), spec, { ambiguous: 'all', ...options }).map(({ attach }) => attach?.method)

  test.each([
    ['kprobe:one', ['name']],
    ['kprobe:own', ['name']],
    ['kprobe:m:own', ['name']],
    ['kprobe:twice', ['address', 'address']],
    ['kprobe:m:shared', ['module:name']],
    ['kprobe:vmlinux:shared', ['address']],
    ['kprobe:shared', ['address', 'module:name']],
    // The kernel counts data symbols of the name as well.
    ['kprobe:with_data', ['address']],
    ['kprobe:0xffffffff81001000', ['address']],
  ])('%s: %j', (spec, expected) => {
    expect(method(spec)).toEqual(expected)
  })

  test('a table that lacks symbols is no proof that a name is unique', () => {
    expect(method('kprobe:one', { leftOut: { data: 3, owners: 0 } })).toEqual(['address'])
    expect(method('kprobe:own', { leftOut: { data: 0, owners: 3 } })).toEqual(['module:name'])
    expect(method('kprobe:one', { leftOut: { data: 0, owners: 3 } })).toEqual(['address'])
  })

  test('many at once, by name where names suffice, each place once', () => {
    const plan = (spec: string) => probesOf(kernel(lines)).plan(spec, { multi: true, ambiguous: 'all' })
    expect(plan('kprobe:o*').multi).toEqual({
      symbols: ['one', 'own'],
      addresses: [0xffffffff81001000n, 0xffffffffc0001010n],
      leftOut: 0,
      supported: true,
    })
    expect(plan('kprobe:*').multi.symbols).toBeUndefined()
    expect(plan('kprobe:twice').multi.addresses).toEqual([0xffffffff81001010n, 0xffffffff81001020n])
    expect(plan('kprobe:one+4').multi).toMatchObject({ symbols: [], leftOut: 1 })
    const aliased = kernel(['ffffffff81001000 T first', 'ffffffff81001000 T second'])
    expect(probesOf(aliased).plan('kprobe:[fs]*').multi).toMatchObject({
      symbols: ['first'],
      addresses: [0xffffffff81001000n],
    })
  })

  test('a kernel without fprobe has no multi-links', () => {
    const without = kernel(lines, { facts: { config: 'CONFIG_KPROBES=y\n# CONFIG_FPROBE is not set\n' } })
    const plan = probesOf(without).plan('kprobe:o*', { multi: true })
    expect(plan.multi).toMatchObject({ symbols: ['one', 'own'], supported: false })
    expect(plan.warnings.map(({ code }) => code)).toEqual(['NO_MULTI'])
    expect(plan.targets.map(({ attach }) => attach!.method)).toEqual(['name', 'name'])
    expect(
      probesOf(kernel(lines))
        .plan('kprobe:o*', { multi: true })
        .targets.map(({ attach }) => attach!.method),
    ).toEqual(['multi', 'multi'])
  })
})

describe('suffixes', () => {
  const btf = new BtfBuilder()
  const int = btf.int('int', 4, 1)
  const proto = btf.proto(int, [{ name: 'a', type: int }])
  for (const name of ['known', 'renamed', 'base', 'exact.isra.0', 'discarded']) btf.func(name, proto)
  const lines = [
    'ffffffff81001000 t known.isra.0',
    'ffffffff81001010 t unknown.constprop.0',
    'ffffffff81001020 t renamed.llvm.123',
    'ffffffff81001030 T base',
    'ffffffff81001040 t base.constprop.0',
    'ffffffff81001050 t exact.isra.0',
    'ffffffff81001060 t part_only.part.0',
    'ffffffff81001070 t cold_only.cold',
    'ffffffff81001080 t several.isra.0',
    'ffffffff81001090 t several.constprop.0',
    'ffffffff810010a0 t __pfx_known.isra.0',
    'ffffffff810010b0 t .slowpath',
  ]
  const made = kernel(lines, { types: { vmlinux: btf } })

  test.each([
    ['known', 'likely', 'rdi'],
    ['unknown', 'unknown', undefined],
    ['renamed', 'yes', 'rdi'],
  ] as const)('%s only with a suffix: arguments trusted: %s', (name, trusted, location) => {
    const [strict] = targets(made, `kprobe:${name}`)
    expect(strict!.verdict).toBe('no')
    expect(strict!.candidates.map((each) => each.trusted)).toEqual([trusted])
    const [loose] = targets(made, `kprobe:${name}`, { looseSuffix: true })
    expect(loose).toMatchObject({ verdict: 'ok', match: 'suffix', argsTrusted: trusted })
    expect(loose!.args[0]?.location).toBe(location)
  })

  test('what is no function is not offered, by that name or another', () => {
    for (const name of ['part_only', 'cold_only', 'discarded']) {
      const [target] = targets(made, `kprobe:${name}`, { looseSuffix: true })
      expect(target!.reasons.map(({ code }) => code)).toEqual(['NOT_FOUND'])
      expect(target!.candidates).toEqual([])
    }
    expect(codes(made, 'kprobe:part_only.part.0')).toEqual(['FRAGMENT'])
    expect(codes(made, 'kprobe:cold_only.cold')).toEqual(['FRAGMENT'])
    expect(codes(made, 'kprobe:__pfx_known.isra.0')).toEqual(['PADDING'])
    expect(codes(made, 'kprobe:.slowpath')).toEqual(['LABEL'])
    const all = targets(made, 'kprobe:*').map((target) => target.function)
    expect(all).toEqual(expect.arrayContaining(['base', 'known.isra.0']))
    expect(all.filter((name) => /^(__pfx_|\.)|\.(part|cold)/.test(name))).toEqual([])
  })

  test('every variant is taken, and a base tells what it misses', () => {
    expect(targets(made, 'kprobe:several', { looseSuffix: true }).map((target) => target.function)).toEqual([
      'several.isra.0',
      'several.constprop.0',
    ])
    const [base] = targets(made, 'kprobe:base')
    expect(base!.warnings.map(({ code }) => code)).toEqual(['VARIANTS_MISSED'])
    expect(base!.warnings[0]!.message).toContain('base.constprop.0')
  })

  test('fentry finds addresses by exact name', () => {
    const [known] = targets(made, 'fentry:known', { looseSuffix: true })
    expect(known!.reasons.map(({ code }) => code)).toEqual(['BTF_NO_ADDRESS'])
    expect(known!.candidates.map((each) => each.function)).toEqual(['known.isra.0'])
    expect(codes(made, 'fentry:discarded')).toEqual(['BTF_NO_ADDRESS'])
    // Newer BTF has names with dots.
    expect(codes(made, 'fentry:exact.isra.0')).toEqual([])
    expect(targets(made, 'fentry:exact.isra.0')[0]).toMatchObject({ argsTrusted: 'yes' })
  })

  test('a clang kernel drops arguments without renaming', () => {
    const clang = { ...made, facts: { ...made.facts, version: 'Linux version 6.12.0 (clang version 18.1.0)\n' } }
    expect(targets(clang, 'kprobe:base')[0]!.argsTrusted).toBe('likely')
    expect(targets(made, 'kprobe:base')[0]!.argsTrusted).toBe('yes')
  })
})

test('notrace and blacklisted variants follow their base', () => {
  const lines = [
    'ffffffff81001000 T foo',
    'ffffffff81001010 t foo.isra.0',
    'ffffffff81001020 t foo.cold',
    'ffffffff81001030 T bar',
    'ffffffff81001040 t bar.isra.0',
    'ffffffff81001050 t lone.isra.0',
    'ffffffff81001060 T alias_a',
    'ffffffff81001060 T alias_b',
  ]
  const made = kernel(lines, {
    facts: {
      available_filter_functions: 'foo\nbar.isra.0\nalias_a\n',
      kprobes_blacklist: '0xffffffff81001030-0xffffffff81001040\tbar\n',
    },
  })
  expect(codes(made, 'kprobe:foo')).toEqual([])
  expect(codes(made, 'kprobe:foo.isra.0')).toEqual([])
  expect(codes(made, 'kprobe:bar')).toEqual(['BLACKLISTED', 'NOTRACE'])
  expect(codes(made, 'kprobe:bar.isra.0')).toEqual(['BLACKLISTED'])
  expect(codes(made, 'kprobe:lone.isra.0')).toEqual(['NOTRACE'])
  expect(codes(made, 'kprobe:alias_b')).toEqual([])
})

describe('lines for kprobe_events', () => {
  const line = (made: MadeUp, spec: string) =>
    targets(made, spec, { ambiguous: 'all' }).map(({ attach }) => attach!.kprobeEvents)

  test('events have names that tracefs takes', () => {
    const long = `f${'o'.repeat(100)}`
    const made = kernel([`ffffffff81001000 T ${long}`, 'ffffffff81001100 t 9p_foo.isra.0'])
    expect(line(made, `kprobe:${long}`)).toEqual([`p:kerndex/f${'o'.repeat(62)} ${long}`])
    expect(line(made, `kprobe:${long}+8`)[0]).toMatch(/^p:kerndex\/fo{60}_8 fo{100}\+8$/)
    expect(line(made, 'kretprobe:9p_foo.isra.0')).toEqual(['r:kerndex/_p_foo_isra_0_ret 9p_foo.isra.0 ret=$retval'])
  })

  test('a return that is given by address names the register: $retval is refused there', () => {
    const lines = ['ffffffff81001100 t foo', 'ffffffff81001110 t foo']
    const made = kernel(lines)
    const returns = (symbols: string) => line({ ...made, symbols }, 'kretprobe:foo')
    expect(returns(made.symbols)).toEqual([
      'r:kerndex/foo_ffffffff81001100_ret 0xffffffff81001100 ret=%ax',
      'r:kerndex/foo_ffffffff81001110_ret 0xffffffff81001110 ret=%ax',
    ])
    expect(returns(made.symbols.replace('__x64_sys_read', '__arm64_sys_read'))[0]).toMatch(/ ret=%x0$/)
    // Without an architecture no register is known.
    expect(returns(made.symbols.replace('__x64_sys_read', 'other'))[0]).toMatch(/ 0xffffffff81001100$/)
  })

  test('what is returned is printed as what it is', () => {
    const btf = new BtfBuilder()
    const int = btf.int('int', 4, 1)
    btf.func('number', btf.proto(int, []))
    btf.func('pointer', btf.proto(btf.ptr(0), []))
    btf.func('nothing', btf.proto(0, []))
    const names = ['number', 'pointer', 'nothing', 'unknown']
    const made = kernel(
      names.map((name, i) => `ffffffff8100${(0x1000 + i * 16).toString(16)} T ${name}`),
      { types: { vmlinux: btf } },
    )
    expect(names.flatMap((name) => line(made, `kretprobe:${name}`))).toEqual([
      'r:kerndex/number_ret number ret=$retval:s32',
      'r:kerndex/pointer_ret pointer ret=$retval:x64',
      'r:kerndex/nothing_ret nothing',
      'r:kerndex/unknown_ret unknown ret=$retval',
    ])
  })

  test('arguments have names that tracefs takes', () => {
    const btf = new BtfBuilder()
    const int = btf.int('int', 4, 1)
    const names = ['', 'a'.repeat(32), 'b'.repeat(33), '__probe_ip', 'same', 'same', 'arg8', 'common_pid']
    const params = names.map((name) => ({ name, type: int }))
    btf.func('foo', btf.proto(int, params))
    const made = kernel(['ffffffff81001000 T foo'], { types: { vmlinux: btf } })
    expect(line(made, 'kprobe:foo')[0]!.split(' ').slice(2)).toEqual([
      'arg1=%di:s32',
      `${'a'.repeat(32)}=%si:s32`,
      'arg3=%dx:s32',
      'arg4=%cx:s32',
      'same=%r8:s32',
      'arg6=%r9:s32',
      'arg8=$stack1:s32',
      'arg8_=$stack2:s32',
    ])
  })
})

test('code that the kernel made at run time is not probed by name', () => {
  const made = kernel([
    'ffffffffc0005000 t bpf_prog_6deef7357e7b4530\t[bpf]',
    'ffffffffc0006000 t ftrace_trampoline\t[__builtin__ftrace]',
    'ffffffff82000010 t early_setup',
    'ffffffff83000000 T outside',
  ])
  expect(codes(made, 'kprobe:bpf_prog_6deef7357e7b4530')).toEqual(['NOT_TEXT'])
  expect(codes(made, 'kprobe:ftrace_trampoline')).toEqual(['NOT_TEXT'])
  expect(codes(made, 'kprobe:early_setup')).toEqual(['INIT_TEXT'])
  expect(codes(made, 'kprobe:outside')).toEqual(['NOT_TEXT'])
  expect(targets(made, 'kprobe:bpf_*').map(({ reasons }) => reasons[0]!.code)).toEqual(['NO_MATCH'])
})
