// The state of a table for the page: its parts, how long each took to load, and what is missing and why.

import type { Absence } from '../sources/source.ts'
import type { SymbolCensus, SymbolTable } from '../symbols/table.ts'
import type { StatusAnswer, TableAnswer } from './answers.ts'
import type { OpenTable, TableState } from './tables.ts'

/** Spans of a timeline that are drawn: the longest of thousands. */
const MOST_SPANS = 2000
const MOST_LINES = 50

/** A table in a list. */
export function tableAnswer({ key, live, open, identity, failure }: TableState): TableAnswer {
  return {
    ...{ key, live, open },
    source: identity?.source ?? null,
    release: identity?.release ?? null,
    buildId: identity?.buildId ?? null,
    bootId: identity?.bootId ?? null,
    generation: identity?.generation ?? null,
    symbols: identity?.symbols ?? null,
    module: identity?.module ?? null,
    failure: failure ?? null,
  }
}

/** Everything that `kerndex status` tells, without the measuring. */
export function statusAnswer({ kernel, snapshot, live }: OpenTable, state: TableState): StatusAnswer {
  const { symbols, types, host, skipped } = snapshot
  const { timing } = kernel
  const { byOwner, byType, aliases, repeatedNames } = censusOf(symbols)
  const byKind: Record<string, number> = {}
  for (const set of types.sets) {
    for (const [kind, count] of Object.entries(set.countByKind()))
      if (count > 0) byKind[kind] = (byKind[kind] ?? 0) + count
  }
  const withTypes = new Set(types.sets.map(({ name }) => name))
  const spans = [...timing.spans].sort((a, b) => b.end - b.start - (a.end - a.start)).slice(0, MOST_SPANS)
  return {
    table: tableAnswer(state),
    ...{ readyMs: timing.readyMs, typesMs: timing.typesMs ?? null, threads: timing.threads },
    spans: spans.sort((a, b) => a.start - b.start),
    symbols: {
      ...{ count: symbols.size, bytes: symbols.byteLength, byType, owners: Object.keys(byOwner).length },
      ...{ aliases, repeatedNames, skipped: skipped.count },
      skippedLines: skipped.lines.slice(0, MOST_LINES).map(({ line, reason }) => ({ line, reason })),
    },
    types: { sets: types.sets.length, count: types.size, byKind },
    modules:
      host.modules?.map(({ name, size, state: is }) => ({
        ...{ name, size, state: is, symbols: byOwner[name] ?? 0, types: withTypes.has(name) },
      })) ?? null,
    absences: host.absences.map((absence) => ({ ...absence, mend: mendOf(absence, live) })),
    failures: [...types.failures].map(([module, error]) => ({ module, reason: error.message })),
    provisional: kernel.provisional,
  }
}

const censuses = new WeakMap<SymbolTable, SymbolCensus>()

/** A table does not change, and counting its names takes longer than all the rest of an answer. */
function censusOf(symbols: SymbolTable): SymbolCensus {
  let census = censuses.get(symbols)
  if (census === undefined) {
    census = symbols.census()
    censuses.set(symbols, census)
  }
  return census
}

/** How each absence can be mended. */
function mendOf({ what, reason }: Absence, live: boolean): string | null {
  if (/permission|hides addresses/.test(reason))
    return 'run kerndex as root, or with CAP_SYSLOG and CAP_DAC_READ_SEARCH'
  if (
    what.startsWith('available_filter_functions') ||
    what === 'error_injection_list' ||
    what === 'kprobes_blacklist'
  ) {
    return 'mount tracefs and debugfs: mount -t tracefs tracefs /sys/kernel/tracing; mount -t debugfs debugfs /sys/kernel/debug'
  }
  if (what.startsWith('btf'))
    return 'a kernel built with CONFIG_DEBUG_INFO_BTF and CONFIG_DEBUG_INFO_BTF_MODULES has types'
  if (live && what === 'modules') return 'a kernel that was built without modules has no list of them'
  if (!live && (what === 'module_sections' || what === 'module_identities'))
    return 'take the capture anew as root: kerndex capture DIR'
  if (what === 'config') return 'CONFIG_IKCONFIG_PROC, or /boot/config-RELEASE beside the kernel'
  return reason === 'not there' && !live ? 'take the capture anew with this version: kerndex capture DIR' : null
}
