// A process of its own that opens a kernel and makes its first plan of probes, then the same plan again.

import { openKernel } from '../../src/index.ts'
import { answer, coldTask } from '../lib/cold.ts'

export interface ProbesTask {
  readonly from: string | undefined
  readonly spec: string
}

export interface ProbesResult {
  /** Targets and those rejected. */
  readonly found: number
  readonly firstMs: number
  /** Matching the functions' names with a regular expression and a Set of the traceable ones: no reasons, no addresses. */
  readonly plainMs: number
  readonly againMs: number
}

const { from, spec } = coldTask<ProbesTask>()
await using kernel = await openKernel({ from, threads: 0, types: 'lazy', probes: true })
const timed = <T>(run: () => T): { ms: number; result: T } => {
  const start = performance.now()
  const result = run()
  return { ms: performance.now() - start, result }
}

const first = timed(() => kernel.probes.plan(spec))
const again = timed(() => kernel.probes.plan(spec))
const filter = kernel.snapshot().fact('available_filter_functions')
const lines = filter instanceof Uint8Array ? Buffer.from(filter).toString('latin1').split('\n') : []
const [kind, module, glob] =
  spec.split(':').length === 3 ? spec.split(':') : [spec.split(':')[0], undefined, spec.split(':')[1]]
const names =
  kind === 'fentry'
    ? Array.from(kernel.types.functions('*', { module: module ?? 'vmlinux' }), ({ name }) => name)
    : Array.from(kernel.symbols, ({ name, owner }) => (owner === 'vmlinux' ? name : `${name} [${owner}]`))
const plain = timed(() => {
  const traceable = new Set(lines)
  const pattern = new RegExp(`^${(glob ?? '').replaceAll('*', '.*')}( \\[|$)`)
  return names.filter((name) => pattern.test(name) && traceable.has(name)).length
})
const found = first.result.specs.reduce((sum, { targets, rejected }) => sum + targets.length + rejected.length, 0)
answer<ProbesResult>({ found, firstMs: first.ms, plainMs: plain.ms, againMs: again.ms })
