// Several `--from`: layouts of one boot, each of which holds from when it was read until the next one was.

import type { Command } from 'commander'
import { UsageError } from '../core/errors.ts'
import type { Kernel } from '../kernel.ts'
import { isLayoutFile, readLayout } from '../load/layout-file.ts'
import { openCatalog } from '../open-catalog.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { HostState } from '../stacks/states.ts'
import { type CommonOptions, withKernel } from './open.ts'
import { note } from './output.ts'

/** The common options of a command that takes `--from` several times. */
export interface OverTimeOptions extends Omit<CommonOptions, 'from'> {
  readonly from?: readonly string[]
}

/** Lets a command take `--from` several times. */
export function severalFrom(command: Command): Command {
  const option = command.options.find(({ long }) => long === '--from')
  if (option === undefined) throw new UsageError('no --from to be taken several times')
  option.argParser((path: string, before: readonly string[] = []) => [...before, path])
  option.description += '; layouts of one boot may be several: each stack by that of its time'
  return command
}

/**
 * Opens what `--from` names, as `withKernel` does; of several layouts the last, beside the states of the host that they are, and the host in
 * each of them.
 * @throws UsageError if several are named and one is no layout, or they are of several boots
 */
export async function withHost<T>(
  { from = [], ...options }: OverTimeOptions & Omit<Parameters<typeof withKernel>[0], 'from'>,
  use: (kernel: Kernel, states: readonly HostState[], hosts: readonly Snapshot[]) => Promise<T>,
): Promise<T> {
  if (from.length < 2) return withKernel({ ...options, from: from[0] }, (kernel) => use(kernel, [], []))
  for (const path of from) {
    if (!isLayoutFile(path)) throw new UsageError(`${path} is no layout: only of layouts can --from name several`)
  }
  const layouts = from.map((path) => ({ path, layout: readLayout(path) }))
  layouts.sort((a, b) => a.layout.taken.getTime() - b.layout.taken.getTime())
  const catalog = await openCatalog({ directory: options.catalog })
  const history = await catalog.placeAll(layouts.map(({ layout }) => layout))
  for (const { path, layout } of layouts) {
    if (layout.monotonic !== undefined) continue
    note(
      `${path} does not tell how long after the boot it was read: of stacks with such times only what all layouts agree about is named`,
    )
    break
  }
  const last = layouts[layouts.length - 1]?.path
  return withKernel({ ...options, from: last }, (kernel) =>
    use(
      kernel,
      history.tables,
      history.states.map(({ host }) => host),
    ),
  )
}
