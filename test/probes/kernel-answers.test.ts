// Plans against what a running kernel said: Debian 7.3 was given 6,900 kprobes, kretprobes, fentry, fexit and fmod_ret programs of
// every class, and answered each.
import { describe, expect, test } from 'vitest'
import { Types } from '../../src/btf/types.ts'
import { Probes } from '../../src/probes/probes.ts'
import { CAUTIONS, type Caution } from '../../src/probes/reasons.ts'
import { BtfBuilder } from '../btf/builder.ts'
import { oneRecord, oneSet } from '../btf/fixtures.ts'
import { fixtureBytes } from '../fixtures.ts'
import { sourceOf } from './fixtures.ts'

const text = (name: string) => fixtureBytes(`probes/deb73/${name}.br`).toString('latin1')
const rows = (name: string) =>
  text(name)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'))

const probes = new Probes(
  sourceOf({
    symbols: text('kallsyms'),
    all: typesOf(text('functions')),
    facts: {
      available_filter_functions_addrs: text('available_filter_functions_addrs'),
      kprobes_blacklist: text('kprobes_blacklist'),
    },
    release: '7.3.4+deb13-amd64',
  }),
)

/** The functions as the kernel's BTF has them, their types reduced to kind and size: `MODULE NAME RESULT ARGUMENT…`. */
function typesOf(lines: string): Types {
  const modules = new Map<string, string[][]>([['vmlinux', []]])
  for (const line of lines.trimEnd().split('\n')) {
    const [module, ...words] = line.split(' ')
    const own = modules.get(module!)
    if (own === undefined) modules.set(module!, [words])
    else own.push(words)
  }
  const build = (btf: BtfBuilder, functions: string[][]) => {
    const known = new Map<string, number>()
    const make = (shape: string): number => {
      const size = Number(shape.slice(1))
      switch (shape[0]) {
        case 'i':
          return btf.int(`int${size}`, size)
        case 'e':
          return btf.enum(`enum${size}`, size, { a: 0 })
        case 's':
          return btf.struct(`struct${size}`, size, [])
        case 'u':
          return btf.union(`union${size}`, size, [])
        case 'f':
          return btf.float(`float${size}`, size)
        case 'p':
          return btf.ptr(0)
        default:
          return 0
      }
    }
    const typeOf = (shape: string): number => {
      const id = known.get(shape) ?? make(shape)
      known.set(shape, id)
      return id
    }
    for (const [name, result, ...args] of functions) {
      const params = args.map((shape, i) => ({ name: shape === '...' ? '' : `a${i}`, type: typeOf(shape) }))
      btf.func(name!, btf.proto(typeOf(result!), params))
    }
    return btf.build()
  }
  const core = new BtfBuilder()
  const base = oneSet('vmlinux', build(core, modules.get('vmlinux')!))
  const others = [...modules].filter(([module]) => module !== 'vmlinux')
  return new Types([
    base.record,
    ...others.map(([module, functions]) => oneRecord(module, build(core.split(), functions), base)),
  ])
}

interface Try {
  readonly spec: string
  readonly taken: boolean
}

const KPROBES: Try[] = rows('kprobes').map(([kind, target, error]) => ({
  spec: `${kind}:${target}`,
  taken: error === '',
}))
const TRAMPOLINES: Try[] = rows('trampolines').map(([kind, target, failed]) => ({
  spec: `${kind}:${target}`,
  taken: failed === '',
}))

/** Counts of `VERDICT taken|refused`, and the specifications behind each. */
function confusion(tries: readonly Try[], allow: readonly Caution[]) {
  const found = new Map<string, string[]>()
  for (const { spec, taken } of tries) {
    const plan = probes.plan(spec, { allow })
    const reasons = plan.specs[0]!.targets.flatMap((target) => target.reasons)
    const byKernel = reasons.some(({ by, code }) => by === 'kernel' && !code.startsWith('UNKNOWN_'))
    const verdict = plan.verdict === 'no' ? (byKernel ? 'no, the kernel' : 'no, a caution') : plan.verdict
    const key = `${verdict}: ${taken ? 'taken' : 'refused'}`
    const of = /^\w+:0x/.test(spec) ? ` ${plan.specs[0]!.targets[0]!.function}` : ''
    const line = `${spec}${of} ${reasons.map(({ code }) => code)}`
    const same = found.get(key)
    if (same === undefined) found.set(key, [line])
    else same.push(line)
  }
  const of = (key: string): string[] => found.get(key) ?? []
  return { of, count: (key: string): number => of(key).length }
}

describe.each([
  ['with cautions', []],
  ['as the kernel judges', CAUTIONS],
] satisfies [string, readonly Caution[]][])('%s', (_, allow) => {
  test('kprobes and kretprobes', () => {
    // What lies behind a function's end is no longer what it was: the symbols are cut to those that were asked about.
    const asked = allow.length === 0 ? KPROBES : KPROBES.filter(({ spec }) => !spec.endsWith('+1048576'))
    const { of, count } = confusion(asked, allow)
    expect(of('ok: refused')).toEqual([])
    expect(of('no, the kernel: taken')).toEqual([])
    if (allow.length > 0) expect([...of('no, a caution: taken'), ...of('no, a caution: refused')]).toEqual([])
    expect(count('ok: taken')).toBeGreaterThan(1500)
    expect(count('no, the kernel: refused')).toBeGreaterThan(1900)
    // What is not known are offsets behind the call of __fentry__, and what is cold: both need the code.
    for (const line of [...of('unknown: taken'), ...of('unknown: refused')]) {
      expect(line).toMatch(/(\+(5|8|9|16)|\.cold\S*) UNKNOWN_INSTRUCTION$/)
    }
  })

  test('fentry, fexit and fmod_ret', () => {
    const { of, count } = confusion(TRAMPOLINES, allow)
    expect(of('ok: refused')).toEqual([])
    expect(of('no, the kernel: taken')).toEqual([])
    expect([...of('unknown: taken'), ...of('unknown: refused')]).toEqual([])
    expect(count('ok: taken')).toBeGreaterThan(1000)
    expect(count('no, the kernel: refused')).toBeGreaterThan(1200)
  })
})

test('each caution is one: the kernel took such a probe', () => {
  const taken = confusion(KPROBES, []).of('no, a caution: taken')
  const codes = new Set(taken.map((line) => line.split(' ').at(-1)!))
  expect([...codes].sort()).toEqual(['AMBIGUOUS', 'FRAGMENT', 'MODULE_NOT_LOADED', 'OUT_OF_BOUNDS'])
})
