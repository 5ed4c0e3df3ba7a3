// Kernels for the tests of probe planning: the Debian capture, the 6.18 host, and small ones made up for one rule.
import { Types } from '../../src/btf/types.ts'
import type { ProbeSource } from '../../src/probes/context.ts'
import { Probes } from '../../src/probes/probes.ts'
import { parseRelease } from '../../src/sources/facts.ts'
import type { FactFile } from '../../src/sources/source.ts'
import type { BtfBuilder } from '../btf/builder.ts'
import { debian as debianTypes, oneRecord, oneSet } from '../btf/fixtures.ts'
import { fixtureBytes } from '../fixtures.ts'
import { tableOf } from '../symbols/build-table.ts'

export interface MadeUp {
  readonly symbols: string
  /** vmlinux first; the others split on it. */
  readonly types?: Readonly<Record<string, BtfBuilder>>
  readonly facts?: Partial<Record<FactFile, string | Uint8Array>>
  readonly release?: string | undefined
  readonly leftOut?: { readonly data: number; readonly owners: number }
  /** The kernel's memory from an address on; it cannot be read where there is none. */
  readonly memory?: { readonly from: bigint; readonly bytes: Uint8Array }
}

/** A source of plans over the given text and types; facts that are not given are missing. */
export function sourceOf(kernel: MadeUp & { readonly all?: Types }): ProbeSource & { readonly asked: FactFile[] } {
  const asked: FactFile[] = []
  return {
    asked,
    symbols: tableOf(kernel.symbols),
    types: kernel.all ?? typesOf(kernel.types ?? {}),
    host: { release: kernel.release, source: 'the test' },
    skipped: { leftOut: kernel.leftOut ?? { data: 0, owners: 0 } },
    fact(name) {
      asked.push(name)
      const fact = kernel.facts?.[name]
      if (fact === undefined) return { what: name, reason: 'not there' }
      return typeof fact === 'string' ? Buffer.from(fact) : fact
    },
    memory(address, length) {
      const { from, bytes } = kernel.memory ?? { from: 0n, bytes: Buffer.alloc(0) }
      const at = Number(address - from)
      const isThere = at >= 0 && at + length <= bytes.length
      return isThere ? bytes.subarray(at, at + length) : { what: 'memory', reason: 'not there' }
    },
  }
}

function typesOf(builders: Readonly<Record<string, BtfBuilder>>): Types {
  const [vmlinux, ...modules] = Object.entries(builders)
  if (vmlinux === undefined) return new Types([])
  const base = oneSet('vmlinux', vmlinux[1].build())
  return new Types([base.record, ...modules.map(([name, builder]) => oneRecord(name, builder.build(), base))])
}

export const probesOf = (kernel: MadeUp): Probes => new Probes(sourceOf(kernel))

export const DEBIAN = {
  kallsyms: fixtureBytes('probes/deb61.kallsyms.br').toString('latin1'),
  filter: fixtureBytes('probes/deb61.available_filter_functions.br').toString('latin1'),
  blacklist: fixtureBytes('probes/deb61.kprobes_blacklist.br').toString('latin1'),
  version: fixtureBytes('probes/deb61.version').toString('latin1'),
}

/** The Debian capture with all its facts, or some replaced (undefined: missing). */
export function debianSource(facts: Partial<Record<FactFile, string | undefined>> = {}) {
  const given: Partial<Record<FactFile, string>> = {}
  const all: Partial<Record<FactFile, string | undefined>> = {
    available_filter_functions: DEBIAN.filter,
    kprobes_blacklist: DEBIAN.blacklist,
    version: DEBIAN.version,
    ...facts,
  }
  for (const name of Object.keys(all) as FactFile[]) {
    const text = all[name]
    if (text !== undefined) given[name] = text
  }
  const version = given.version
  return sourceOf({
    symbols: DEBIAN.kallsyms,
    all: debianTypes(),
    facts: given,
    release: version === undefined ? undefined : parseRelease(Buffer.from(version)),
  })
}

/** A line of kallsyms as the tests read it, apart from kerndex. */
export interface PlainLine {
  readonly address: bigint
  readonly type: string
  readonly name: string
  readonly module: string
}

export function plainLines(text: string): PlainLine[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, address, type, name, module] = /^([0-9a-f]+) (\S) (\S+)(?:\t\[(.+)\])?$/.exec(line)!
      return { address: BigInt(`0x${address}`), type: type!, name: name!, module: module ?? 'vmlinux' }
    })
}
