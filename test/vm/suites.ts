// The suites, in the order in which they run in one boot. A further one is a file in suites/ and a line here.
import type { Suite } from './suite.ts'
import { catalog } from './suites/catalog.ts'
import { changes } from './suites/changes.ts'
import { hidden } from './suites/hidden.ts'
import { lockdown } from './suites/lockdown.ts'
import { probes } from './suites/probes.ts'
import { processes } from './suites/processes.ts'
import { rights } from './suites/rights.ts'
import { symbols } from './suites/symbols.ts'
import { tables } from './suites/tables.ts'
import { trampolines } from './suites/trampolines.ts'

// Those that need few modules first; lockdown, which no boot takes back, last.
export const SUITES: readonly Suite[] = [
  rights,
  changes,
  processes,
  tables,
  symbols,
  catalog,
  hidden,
  probes,
  trampolines,
  lockdown,
]
