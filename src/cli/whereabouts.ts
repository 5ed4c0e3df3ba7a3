// Facts about functions beside their prototypes: where they are, which owner they belong to, and whether they can be probed.

import type { KernelFunction } from '../btf/ask/functions.ts'
import { formatAddress } from '../core/address.ts'
import { printable } from '../core/printable.ts'
import type { Kernel } from '../kernel.ts'
import type { ProbeTarget } from '../probes/target.ts'
import { fitRows } from './output.ts'

/** Where one function is, and what can be attached to it: one row for each place of its name in its module. */
export interface Whereabouts {
  readonly address: string | null
  readonly owner: string
  readonly kind: string
  readonly verdict: string
  readonly reasons: ProbeTarget['reasons']
}

/** The rows of many functions, by module and name. Plans them all at once, because each plan has its price. */
export function whereaboutsOf(
  kernel: Kernel,
  functions: readonly KernelFunction[],
): (each: KernelFunction) => Whereabouts[] {
  const specs = [...new Set(functions.map(specOf))]
  const plan = kernel.probes.plan(specs, { ambiguous: 'all' })
  const rows = new Map(plan.specs.map(({ spec, targets }) => [spec.text, targets.map(rowOf)]))
  return (each) => rows.get(specOf(each)) ?? []
}

/** The same as text: a line for each place, behind the prototype. What the reasons' codes mean, `probe plan` says. */
export function whereaboutsText(rows: readonly Whereabouts[]): string {
  return rows
    .map(({ address, owner, kind, verdict, reasons }) => {
      const codes = [...new Set(reasons.map(({ code }) => code))].join(', ')
      return fitRows(
        `    ${address ?? '-'} [${printable(owner)}]  ${kind} ${verdict}${codes === '' ? '' : ` (${codes})`}\n`,
      )
    })
    .join('')
}

function specOf({ module, name }: KernelFunction): string {
  return `entry:${module}:${name}`
}

function rowOf({ address, module, kind, verdict, reasons }: ProbeTarget): Whereabouts {
  return { address: address === undefined ? null : formatAddress(address), owner: module ?? '', kind, verdict, reasons }
}
