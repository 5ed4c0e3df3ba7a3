// The suffix census of the 6.18 host against its known figures, and its functions that have no symbol.
import { expect, test } from 'vitest'
import { Types } from '../../src/btf/types.ts'
import { Probes } from '../../src/probes/probes.ts'
import { BtfBuilder } from '../btf/builder.ts'
import { oneRecord } from '../btf/fixtures.ts'
import { fixtureBytes } from '../fixtures.ts'
import { sourceOf } from './fixtures.ts'

/** The names of its FUNCs in a set of their own: what they take is of no matter here. */
function hostTypes(): Types {
  const btf = new BtfBuilder()
  const names = fixtureBytes('probes/host618.functions.br').toString('latin1').split('\n').filter(Boolean)
  const proto = btf.proto(0, [])
  btf.funcs(names, proto)
  return new Types([oneRecord('vmlinux', btf.build())])
}

const probes = new Probes(
  sourceOf({
    symbols: fixtureBytes('probes/host618.kallsyms.br').toString('latin1'),
    all: hostTypes(),
    facts: { version: fixtureBytes('probes/host618.version') },
    release: '6.18.44',
  }),
)

test('the census has the known figures', () => {
  const census = probes.suffixes()
  expect(Object.fromEntries(census.classes.map(({ suffix, count }) => [suffix, count]))).toEqual({
    cold: 2822,
    isra: 764,
    constprop: 446,
    part: 344,
    'isra.cold': 69,
    'part.cold': 30,
    'constprop.cold': 24,
    'constprop.isra': 18,
    'part.isra': 15,
    'part.constprop': 6,
    'constprop.isra.cold': 1,
  })
  expect(census.totals).toEqual({ isra: { count: 797, withBtf: 328 }, constprop: { count: 470, withBtf: 272 } })
  expect(census.variantNames).toBe(1165)
  expect(census.besideBase).toBe(16)
  expect(census.labels.toSorted()).toEqual(['.E_copy', '.slowpath'])
  expect(census.withoutSymbol).toEqual({ functions: 944, suffixOnly: 593 })
  const entries = census.classes.filter(({ entry }) => entry).map(({ suffix }) => suffix)
  expect(entries.toSorted()).toEqual(['constprop', 'constprop.isra', 'isra'])
  for (const { count, withBtf, withoutBtf } of census.classes) expect(withBtf + withoutBtf).toBe(count)
})

test('a function that exists only with a suffix', () => {
  const [fentry] = probes.plan('fentry:ip_setup_cork').specs[0]!.targets
  expect(fentry).toMatchObject({ verdict: 'no', address: undefined })
  expect(fentry!.reasons.map(({ code }) => code)).toEqual(['BTF_NO_ADDRESS'])
  expect(fentry!.candidates).toEqual([
    {
      function: 'ip_setup_cork.constprop.0',
      module: 'vmlinux',
      address: 0xffffffff81ffa490n,
      trusted: 'likely',
      entry: true,
    },
  ])
})

test('fentry on everything: those without a symbol are refused, the rest waits for the list of traceable functions', () => {
  const plan = probes.plan('fentry:vmlinux:*')
  const { targets, rejected } = plan.specs[0]!
  const without = rejected.filter(({ reasons }) => reasons.some(({ code }) => code === 'BTF_NO_ADDRESS'))
  expect(without).toHaveLength(944)
  expect(targets.length).toBeGreaterThan(50_000)
  expect(
    targets.every(({ verdict, reasons }) => verdict === 'unknown' && reasons[0]!.code === 'UNKNOWN_TRACEABLE'),
  ).toBe(true)
})

test('a kernel without kprobes has none, whatever else is missing', () => {
  const [target] = probes.plan('kprobe:vfs_read').specs[0]!.targets
  expect(target!.reasons.map(({ code }) => code)).toEqual(['KPROBES_OFF'])
  expect(probes.plan('entry:vfs_read').targets[0]).toMatchObject({ kind: 'fentry', verdict: 'unknown' })
})
