// Plans over a real capture, Debian 6.1 with modules: lists against sets computed apart from kerndex, and the functions
// that tell the rules apart.
import { describe, expect, test } from 'vitest'
import { Types } from '../../src/btf/types.ts'
import { Probes } from '../../src/probes/probes.ts'
import { debian, fixture } from '../btf/fixtures.ts'
import { decodePlainly } from '../btf/plain-decoder.ts'
import { DEBIAN, debianSource, plainLines } from './fixtures.ts'

const probes = new Probes(debianSource())
const lines = plainLines(DEBIAN.kallsyms)
const traced = new Set(DEBIAN.filter.split('\n').filter(Boolean))
const functions = lines.filter(({ type }) => /[tTwW]/.test(type))

const lineOf = (name: string, module: string) => (module === 'vmlinux' ? name : `${name} [${module}]`)
const one = (spec: string, options?: Parameters<Probes['plan']>[1]) => {
  const plan = probes.plan(spec, options)
  expect(plan.specs).toHaveLength(1)
  expect(plan.specs[0]!.targets).toHaveLength(1)
  return plan.specs[0]!.targets[0]!
}
const codes = (spec: string, options?: Parameters<Probes['plan']>[1]) =>
  one(spec, options).reasons.map(({ code }) => code)

describe('lists', () => {
  test.each(['nf_tables', 'bridge', 'ext4'])(
    'fentry:%s:* is available_filter_functions and BTF, less what is refused',
    (module) => {
      const base = decodePlainly(fixture('deb61/vmlinux.btf'))
      const { types } = decodePlainly(fixture(`deb61/mod/${module}.btf`), base)
      const all = types.filter(({ kind }) => kind === 12).map(({ name }) => name)
      // Two FUNCs of one name differ, and nothing says which is the function's.
      const funcs = new Set(all.filter((name) => all.indexOf(name) === all.lastIndexOf(name)))
      const here = functions.filter((each) => each.module === module)
      const once = new Set(
        here.map(({ name }) => name).filter((name, _, all) => all.indexOf(name) === all.lastIndexOf(name)),
      )
      const expected = [...funcs].filter((name) => traced.has(`${name} [${module}]`) && once.has(name))
      expect(expected.length).toBeGreaterThan(100)
      const plan = probes.plan(`fentry:${module}:*`)
      const found = plan.targets.map((target) => target.function)
      const refused = plan.specs[0]!.rejected.filter(({ reasons }) =>
        reasons.every(({ code }) => code === 'TOO_MANY_ARGS' || code === 'UNSUPPORTED_PROTOTYPE'),
      )
      expect(new Set([...found, ...refused.map((target) => target.function)])).toEqual(new Set(expected))
      expect(plan.targets.every((target) => target.verdict === 'ok' && target.module === module)).toBe(true)
    },
  )

  test('kprobe:*_read finds every function whose name ends so', () => {
    const listed = functions.filter(({ name }) => name.endsWith('_read') && !/^(__pfx_|__cfi_|\.)/.test(name))
    const plan = probes.plan('kprobe:*_read')
    const { targets, rejected } = plan.specs[0]!
    const found = [...targets, ...rejected].map((target) => `${target.module}:${target.function}@${target.address}`)
    expect(new Set(found)).toEqual(new Set(listed.map(({ name, module, address }) => `${module}:${name}@${address}`)))
    expect(found.length).toBeGreaterThan(300)
    const notrace = listed.filter(({ name, module }) => !traced.has(lineOf(name, module)))
    const named = new Set(rejected.map((target) => target.function))
    expect(
      notrace.filter(({ name, address }) => !named.has(name) && !aliasTraced(address)).map(({ name }) => name),
    ).toEqual([])
  })

  test('a glob over functions and modules', () => {
    const plan = probes.plan('fentry:nf*:nft_*_init')
    expect(plan.targets.length).toBeGreaterThan(10)
    expect(plan.modules).toEqual(['nf_tables'])
    for (const target of plan.targets) expect(target.function).toMatch(/^nft_.*_init$/)
  })

  test('the best for each function: fentry where BTF has it, else a kprobe', () => {
    const { types } = decodePlainly(fixture('deb61/vmlinux.btf'))
    const funcs = new Set(types.filter(({ kind }) => kind === 12).map(({ name }) => name))
    for (const [spec, best, other] of [
      ['entry:vmlinux:tcp_*', 'fentry', 'kprobe'],
      ['return:vmlinux:tcp_*', 'fexit', 'kretprobe'],
    ] as const) {
      const plan = probes.plan(spec)
      const listed = functions.filter(
        ({ name, module }) => module === 'vmlinux' && /^tcp_(?!.*\.part\.)/.test(name) && traced.has(name),
      )
      expect(new Set(plan.targets.map(({ address }) => address))).toEqual(new Set(listed.map(({ address }) => address)))
      expect(plan.targets).toHaveLength(listed.length)
      const kinds = new Map(plan.targets.map((target) => [target.function, target.kind]))
      const wrong = [...kinds].filter(([name, kind]) => kind !== best && funcs.has(name))
      // Those have more than six arguments, which trampolines of 6.1 do not pass, or return a union (two init_seq functions).
      const refused = wrong.map(([name]) => one(`fentry:vmlinux:${name}`).reasons[0]!.code)
      expect(new Set(refused)).toEqual(new Set(['TOO_MANY_ARGS', 'UNSUPPORTED_PROTOTYPE']))
      expect([...kinds].filter(([name, kind]) => kind !== other && !funcs.has(name))).toEqual([])
    }
  })

  test('only the types of modules that have such a function are opened', () => {
    const source = debianSource()
    const own = new Probes(source)
    expect(own.plan('fentry:nft_trans_alloc_gfp').opened).toEqual(['vmlinux', 'nf_tables'])
    expect(own.plan('fentry:vmlinux:vfs_*').opened).toEqual(['vmlinux', 'nf_tables'])
    expect(new Probes(debianSource()).plan('fentry:vfs_read').opened).toEqual(['vmlinux'])
    expect(new Probes(debianSource()).plan('fentry:br_dev_*').opened).toEqual(['vmlinux', 'bridge'])
  })
})

function aliasTraced(address: bigint): boolean {
  return functions.some((each) => each.address === address && traced.has(lineOf(each.name, each.module)))
}

describe('single functions', () => {
  test('a module function with its named arguments', () => {
    const target = one('fentry:nf_tables:nft_trans_alloc_gfp')
    expect(target.toJSON()).toMatchObject({
      spec: 'fentry:nf_tables:nft_trans_alloc_gfp',
      kind: 'fentry',
      function: 'nft_trans_alloc_gfp',
      module: 'nf_tables',
      verdict: 'ok',
      reasons: [],
      address: '0xffffffffc2f63640',
      size: 0x70,
      prototype: 'struct nft_trans *nft_trans_alloc_gfp(const struct nft_ctx *ctx, int msg_type, u32 size, gfp_t gfp)',
      args: [
        { name: 'ctx', type: 'const struct nft_ctx *', location: 'rdi', trusted: 'yes' },
        { name: 'msg_type', type: 'int', location: 'rsi', trusted: 'yes' },
        { name: 'size', type: 'u32', location: 'rdx', trusted: 'yes' },
        { name: 'gfp', type: 'gfp_t', location: 'rcx', trusted: 'yes' },
      ],
      attach: {
        method: 'module:name',
        module: 'nf_tables',
        symbol: 'nft_trans_alloc_gfp',
        bpftrace: 'fentry:nf_tables:nft_trans_alloc_gfp',
        kprobeEvents:
          'p:kerndex/nft_trans_alloc_gfp nft_trans_alloc_gfp ctx=%di:x64 msg_type=%si:s32 size=%dx:u32 gfp=%cx:u32',
      },
      btf: { module: 'nf_tables' },
      returns: { type: 'struct nft_trans *', location: 'rax' },
    })
    expect(one('fexit:do_exit').toJSON()).toMatchObject({ returns: { type: 'void', location: null } })
  })

  test('without a module the same function is found', () => {
    expect(one('fentry:vfs_read').toJSON()).toEqual({
      ...one('fentry:vmlinux:vfs_read').toJSON(),
      spec: 'fentry:vfs_read',
    })
    expect(one('kfunc:vfs_read').kind).toBe('fentry')
    expect(one('vfs_read')).toMatchObject({ kind: 'fentry', verdict: 'ok' })
    expect(one('return:vfs_read')).toMatchObject({ kind: 'fexit', verdict: 'ok' })
  })

  test.each([
    ['kprobe:asm_exc_bounds', ['BLACKLISTED', 'NOTRACE']],
    ['kprobe:vmlinux:no_such_function', ['NOT_FOUND']],
    ['fentry:no_such_function', ['NOT_FOUND']],
    ['fentry:nosuchmodule:foo', ['MODULE_NOT_LOADED']],
    ['kprobe:no_such_*_function', ['NO_MATCH']],
    ['fentry:nosuchmodule:foo*', ['MODULE_NOT_LOADED']],
    ['kprobe:vfs_read+0x310', ['OUT_OF_BOUNDS']],
    ['kprobe:vfs_read+0x30f', ['UNKNOWN_INSTRUCTION']],
    // That kernel was built without ENDBR64, so that the call of __fentry__ is the first instruction.
    ['kprobe:vfs_read+4', ['MID_INSTRUCTION']],
    ['kprobe:vfs_read+5', ['UNKNOWN_INSTRUCTION']],
    ['kretprobe:vfs_read+5', ['BAD_RETPROBE']],
    ['kretprobe:vfs_read+4', ['BAD_RETPROBE']],
    ['fentry:migrate_disable', ['DENIED']],
    ['fexit:do_exit', ['NORETURN']],
    ['fmod_ret:do_exit', ['NORETURN', 'NOT_ERROR_INJECTABLE']],
    ['fmod_ret:security_file_open', []],
    // That kernel was built without error injection.
    ['fmod_ret:vfs_read', ['NOT_ERROR_INJECTABLE']],
    ['kprobe:x86_64_start_kernel', ['INIT_TEXT']],
    ['kprobe:init_task', ['NOT_A_FUNCTION']],
    ['kprobe:0xffffffff00000000', ['NOT_TEXT']],
    ['kprobe:s_start', ['AMBIGUOUS']],
    ['kprobe:flush_store', ['AMBIGUOUS']],
    ['kprobe:bridge:flush_store', []],
    ['kprobe:nf_tables:flush_store', ['NOT_FOUND']],
    ['kprobe:nf_tables:sctp_csum_update', ['NOTRACE']],
    ['fentry:flush_store', ['AMBIGUOUS']],
    ['fentry:bridge:flush_store', []],
    ['fentry:vmlinux:flush_store', []],
    ['fentry:vmlinux:init_once', ['AMBIGUOUS']],
  ])('%s: %j', (spec, expected) => {
    expect(codes(spec)).toEqual(expected)
  })

  test('a function in two modules is listed with both, and attached by module or address', () => {
    const asked = one('kprobe:flush_store')
    expect(asked.candidates.map(({ module }) => module)).toEqual(['vmlinux', 'bridge'])
    expect(asked.reasons[0]!.message).toMatch(/name the module/)
    expect(one('fentry:flush_store').candidates.map(({ module }) => module)).toEqual(['vmlinux', 'bridge'])
    expect(one('kprobe:bridge:flush_store').attach).toMatchObject({
      method: 'module:name',
      bpftrace: 'kprobe:bridge:flush_store',
      kprobeEvents: 'p:kerndex/flush_store bridge:flush_store d=%di:x64 attr=%si:x64 buf=%dx:x64 len=%cx:u64',
    })
    const all = probes.plan('kprobe:flush_store', { ambiguous: 'all' })
    expect(all.verdict).toBe('ok')
    expect(all.targets.map(({ module, attach }) => [module, attach!.method])).toEqual([
      ['vmlinux', 'address'],
      ['bridge', 'module:name'],
    ])
    const both = probes.plan('fentry:*:flush_store')
    expect(both.targets.map(({ module, btf }) => [module, btf!.module])).toEqual([
      ['vmlinux', 'vmlinux'],
      ['bridge', 'bridge'],
    ])
    const fentry = one('fentry:bridge:flush_store')
    expect(fentry.warnings.map(({ code }) => code)).toEqual(['DUPLICATE_NAME'])
    expect(fentry.warnings[0]!.message).toMatch(/vmlinux and bridge; kernels before 6\.4/)
  })

  test('several functions of one name are told apart by address', () => {
    const addresses = functions.filter(({ name }) => name === 's_start').map(({ address }) => address)
    const asked = one('kprobe:s_start')
    expect(asked.candidates.map(({ address }) => address)).toEqual(addresses)
    // Three of the five are in the list of traceable functions. It has them in the order of their addresses: behind
    // kprobe_seq_stop, s_next_module and so on, whose places are known.
    expect(addresses).toHaveLength(5)
    expect(DEBIAN.filter.match(/^s_start$/gm)).toHaveLength(3)
    const listed = DEBIAN.filter.split('\n')
    const addressOf = (name: string | undefined) => {
      const same = functions.filter((each) => each.name === name)
      return same.length === 1 ? same[0]!.address : undefined
    }
    const behind = listed.flatMap((name, at) =>
      name === 's_start' ? [listed.slice(0, at).findLast((each) => addressOf(each) !== undefined)] : [],
    )
    const expected = behind.map((name) => addresses.find((address) => address > addressOf(name)!)!)
    const all = probes.plan('kprobe:s_start', { ambiguous: 'all' })
    expect(all.targets.map(({ attach }) => [attach!.method, attach!.address])).toEqual(
      expected.map((address) => ['address', address]),
    )
    const codesOf = new Map(
      all.specs[0]!.targets.map(({ address, reasons }) => [address, reasons.map(({ code }) => code)]),
    )
    for (const address of addresses) {
      expect(codesOf.get(address)).toEqual(expected.includes(address) ? [] : ['NOTRACE'])
    }
    const first = one('kprobe:s_start', { ambiguous: 'first' })
    expect(first.address).toBe(addresses[0])
    expect(first.warnings.map(({ code }) => code)).toEqual(['FIRST_OF_SEVERAL'])
  })

  test('an address is attached to as such', () => {
    const [vfsRead] = functions.filter(({ name }) => name === 'vfs_read')
    const hex = (address: bigint) => `0x${address.toString(16)}`
    expect(one(`kprobe:${hex(vfsRead!.address)}`)).toMatchObject({
      verdict: 'ok',
      function: 'vfs_read',
      offset: 0,
      attach: { method: 'address', address: vfsRead!.address, bpftrace: `kprobe:${hex(vfsRead!.address)}` },
    })
    expect(one(`kprobe:${hex(vfsRead!.address + 7n)}`)).toMatchObject({
      verdict: 'unknown',
      function: 'vfs_read',
      offset: 7,
    })
  })

  test('suffix-only functions are offered, and taken only on demand', () => {
    const [variant] = functions.filter(({ name }) => name === '__nft_trace_verdict.isra.0')
    const asked = one('kprobe:__nft_trace_verdict')
    expect(asked).toMatchObject({ verdict: 'no', match: 'exact' })
    expect(asked.candidates).toEqual([
      {
        function: '__nft_trace_verdict.isra.0',
        module: 'nf_tables',
        address: variant!.address,
        trusted: 'unknown',
        entry: true,
      },
    ])
    const loose = one('kprobe:__nft_trace_verdict', { looseSuffix: true })
    expect(loose).toMatchObject({
      verdict: 'ok',
      match: 'suffix',
      suffix: '.isra.0',
      argsTrusted: 'unknown',
      address: variant!.address,
      attach: { method: 'name', symbol: '__nft_trace_verdict.isra.0' },
    })
    expect(loose.warnings.map(({ code }) => code)).toEqual(['SUFFIX_MATCH'])
    expect(one('kprobe:__nft_trace_verdict.isra.0')).toMatchObject({ verdict: 'ok', match: 'exact' })
    expect(codes('fentry:__nft_trace_verdict', { looseSuffix: true })).toEqual(['NOT_FOUND'])
  })
})

describe('BTF', () => {
  test('a function that BTF leaves out has no fentry, and says so', () => {
    const { types } = decodePlainly(fixture('deb61/vmlinux.btf'))
    const funcs = new Set(types.filter(({ kind }) => kind === 12).map(({ name }) => name))
    const left = functions.find(({ name, module }) => {
      return module === 'vmlinux' && /^[a-z]\w+$/.test(name) && traced.has(name) && !funcs.has(name)
    })
    const target = one(`fentry:vmlinux:${left!.name}`)
    expect(target.reasons).toEqual([
      { code: 'NO_BTF', message: `No BTF found for vmlinux:${left!.name}`, by: 'kernel' },
    ])
    expect(one(`entry:${left!.name}`)).toMatchObject({ kind: 'kprobe', verdict: 'ok' })
    expect(one(`entry:${left!.name}`).warnings.map(({ code }) => code)).toContain('FENTRY_NOT_POSSIBLE')
  })

  test('a FUNC that is there twice is ambiguous in lists as well', () => {
    const { targets, rejected } = probes.plan('fentry:vmlinux:parse_option*').specs[0]!
    const twice = rejected.filter((target) => target.function === 'parse_options')
    expect(twice.map(({ reasons }) => reasons.map(({ code }) => code))).toEqual([['AMBIGUOUS']])
    expect(targets.some((target) => target.function === 'parse_options')).toBe(false)
  })
})

describe('facts that are missing', () => {
  test.each([
    [{ available_filter_functions: undefined }, 'kprobe:vfs_read', ['UNKNOWN_TRACEABLE']],
    [{ available_filter_functions: undefined }, 'fentry:vfs_read', ['UNKNOWN_TRACEABLE']],
    [{ kprobes_blacklist: undefined }, 'kprobe:vfs_read', ['UNKNOWN_BLACKLIST']],
    [{ kprobes_blacklist: undefined }, 'fentry:vfs_read', []],
    [{ version: undefined }, 'fentry:vfs_read', ['UNKNOWN_RELEASE']],
    [{ kprobes_enabled: '0\n' }, 'kprobe:vfs_read', ['KPROBES_DISABLED']],
    [{ kprobes_enabled: '1\n' }, 'kprobe:vfs_read', []],
    [{ lockdown: 'none integrity [confidentiality]\n' }, 'kprobe:vfs_read', ['LOCKDOWN']],
    [{ lockdown: 'none integrity [confidentiality]\n' }, 'fentry:vfs_read', []],
    [{ lockdown: 'none [integrity] confidentiality\n' }, 'kprobe:vfs_read', []],
    [{ lockdown: 'none [integrity] confidentiality\n' }, 'fentry:vfs_read', []],
    [{ lockdown: '[none] integrity confidentiality\n' }, 'kprobe:vfs_read', []],
    [{ available_filter_functions: '' }, 'kprobe:vfs_read', ['UNKNOWN_TRACEABLE']],
    [{ config: 'CONFIG_X86_KERNEL_IBT=y\n' }, 'kretprobe:vfs_read+4', ['UNKNOWN_INSTRUCTION']],
    [{ config: '# CONFIG_X86_KERNEL_IBT is not set\n' }, 'kretprobe:vfs_read+4', ['BAD_RETPROBE']],
    [{ config: 'CONFIG_KPROBE_EVENTS_ON_NOTRACE=y\n' }, 'kprobe:asm_exc_bounds', ['BLACKLISTED']],
    [{ error_injection_list: 'vfs_read\tERRNO\n' }, 'fmod_ret:vfs_read', []],
    [{ error_injection_list: 'vfs_write\tERRNO\n' }, 'fmod_ret:vfs_read', ['NOT_ERROR_INJECTABLE']],
  ])('%j: %s %j', (facts, spec, expected) => {
    const plan = new Probes(debianSource(facts)).plan(spec)
    const [target] = plan.specs[0]!.targets
    expect(target!.reasons.map(({ code }) => code)).toEqual(expected)
    expect(target!.verdict).toBe(
      expected.length === 0 ? 'ok' : expected.every((code) => code.startsWith('UNKNOWN')) ? 'unknown' : 'no',
    )
  })

  test('without any of them nothing is ok, and the message says what to read', () => {
    const plan = new Probes(debianSource({ available_filter_functions: undefined, kprobes_blacklist: undefined })).plan(
      ['kprobe:*', 'fentry:*'],
    )
    expect(plan.verdict).toBe('unknown')
    expect(plan.targets.length).toBeGreaterThan(50_000)
    expect(plan.targets.some(({ verdict }) => verdict === 'ok')).toBe(false)
    const messages = plan.targets[0]!.reasons.map(({ message }) => message).join('\n')
    expect(messages).toContain('/sys/kernel/tracing/available_filter_functions')
    expect(messages).toContain('/sys/kernel/debug/kprobes/blacklist')
  })

  test('a module without BTF is unknown for fentry and fine for kprobes', () => {
    const records = debian().records.filter(({ name }) => name !== 'nf_tables')
    const without = new Probes({ ...debianSource(), types: new Types(records) })
    const [kprobe] = without.plan('kprobe:nf_tables:nft_do_chain').targets
    expect(kprobe).toMatchObject({ verdict: 'ok', argsTrusted: 'unknown', args: [] })
    for (const spec of [
      'fentry:nf_tables:nft_do_chain',
      'fentry:nft_do_chain',
      'fentry:nf_tables:nft_*',
      'fentry:nft_do_*',
    ]) {
      const plan = without.plan(spec)
      const [target] = plan.specs[0]!.targets
      expect({ spec, plan: plan.verdict, target: target!.verdict }).toEqual({
        spec,
        plan: 'unknown',
        target: 'unknown',
      })
      expect(target!.reasons[0]!.message).toMatch(/^No BTF found for nf_tables/)
      // There is nothing to hand to a program that attaches.
      expect(plan.targets).toEqual([])
      expect(target!.attach).toBeUndefined()
    }
  })

  test('the sites of newer kernels give the probe address and settle what names leave open', () => {
    const address = (wanted: string) => functions.filter(({ name }) => name === wanted).map((each) => each.address)
    const [start] = address('vfs_read')
    const [third] = address('s_start').slice(2)
    // What is left of a replaced weak function lies in whatever precedes it.
    const [other] = address('vfs_write')
    const text = `${(start! + 4n).toString(16)} vfs_read\n${third!.toString(16)} s_start\n${(other! + 64n).toString(16)} __ftrace_invalid_address___64\n`
    const own = new Probes(debianSource({ available_filter_functions_addrs: text }))
    const plan = own.plan('kprobe:vfs_read')
    expect(plan.targets[0]).toMatchObject({
      verdict: 'ok',
      address: start,
      probeAddress: start! + 4n,
      probeAddressKnown: true,
    })
    expect(own.plan('fentry:vfs_read').targets[0]).toMatchObject({ probeAddress: start! + 4n })
    expect(own.plan('kprobe:vfs_read+4').targets[0]).toMatchObject({ verdict: 'ok', probeAddress: start! + 4n })
    expect(own.plan('kretprobe:vfs_read+4').verdict).toBe('ok')
    expect(own.plan('kprobe:vfs_write').specs[0]!.targets[0]!.reasons.map(({ code }) => code)).toEqual(['NOTRACE'])
    const all = own.plan('kprobe:s_start', { ambiguous: 'all' })
    expect(all.targets.map((target) => target.address)).toEqual([third])
  })
})
