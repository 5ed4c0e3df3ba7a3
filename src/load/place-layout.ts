// Books and a layout to a handle: the table of the host, which any thread can attach.

import { statSync } from 'node:fs'
import type { Book } from '../catalog/book.ts'
import type { HostLayout } from '../catalog/layout.ts'
import { identitiesText, type PlacedHost, placeHost } from '../catalog/place.ts'
import { inSharedMemory } from '../core/shared-memory.ts'
import type { HostFacts } from '../snapshot/host-facts.ts'
import { keepCode } from '../snapshot/keep-code.ts'
import type { FactRecord, Handle } from '../snapshot/snapshot.ts'
import { identityOf } from '../sources/identity.ts'
import { TableBuilder } from '../symbols/build.ts'
import { placeTable } from '../symbols/placed.ts'
import { SymbolTable } from '../symbols/table.ts'
import { type Plan, Workspace } from '../symbols/workspace.ts'
import type { KernelLoad } from './cached-file.ts'
import { carryOn } from './carry-on.ts'
import type { Opening } from './opening.ts'
import { Timeline } from './timeline.ts'

/** Bytes of lines scanned at once. */
const TEXT_BYTES = 1 << 18

/** Makes a handle of the given generation; undefined where the books do not have the layout's kernel. @throws LimitError, AbortedError */
export async function placeLayout(
  books: readonly Book[],
  layout: HostLayout,
  source: string,
  generation: number,
  signal?: AbortSignal,
): Promise<Handle | undefined> {
  const workspace = Workspace.open()
  try {
    const dynamic =
      layout.dynamic.length === 0
        ? undefined
        : await carryOn(dynamicTable(workspace, layout.dynamic), workspace, signal)
    const host = await carryOn(placeHost(workspace, books, layout, dynamic), workspace, signal)
    if (host === undefined) return undefined
    const buffer = await carryOn(placeTable(workspace, host.table), workspace, signal)
    return handleOf(layout, host, buffer, source, generation)
  } finally {
    workspace.release()
  }
}

/** The table of a layout's own lines. */
function* dynamicTable(workspace: Workspace, lines: readonly string[]): Plan<SymbolTable> {
  const builder = new TableBuilder(workspace)
  const text = Buffer.from(`${lines.join('\n')}\n`, 'latin1')
  for (let at = 0; at < text.length; ) {
    const cut = at + TEXT_BYTES >= text.length ? text.length : text.indexOf('\n', at + TEXT_BYTES) + 1
    const room = workspace.bytes(workspace.room(cut - at + 1), cut - at)
    room.set(text.subarray(at, cut))
    const number = builder.addText(room)
    yield { step: 'scan', from: number, to: number + 1 }
    builder.trim(number)
    at = cut
  }
  const { buffer } = yield* builder.finish()
  return new SymbolTable(buffer)
}

function handleOf(
  layout: HostLayout,
  { table, placement }: PlacedHost,
  symbols: SharedArrayBuffer,
  source: string,
  generation: number,
): Handle {
  const { release, bootId, buildId, modules } = layout
  const identities = identitiesText(layout)
  const facts: Record<string, FactRecord> =
    identities === '' ? {} : { module_identities: inSharedMemory(Buffer.from(identities, 'latin1')) }
  const host: HostFacts = {
    source,
    release,
    bootId,
    buildId,
    modules: modules.map(({ name, bytes, state, address }) => ({ name, size: bytes, state, address })),
    absences: [{ what: 'btf', reason: 'a catalogue holds no types' }],
    placement,
  }
  return {
    kerndex: 1,
    generation,
    symbols,
    names: table.lenders.map(({ buffer }) => buffer),
    types: [],
    host,
    skipped: { count: 0, lines: [], leftOut: { data: 0, owners: 0 } },
    later: { facts, types: [] },
  }
}

/** Puts layouts together with a catalogue's entries. */
interface Placer {
  place(layout: HostLayout, source: string, generation: number, signal?: AbortSignal): Promise<Handle>
}

/** Opens a layout with a catalogue; later loads read it again if it is another file by then. `source` is what people call it. */
export function layoutOpening(
  layout: () => HostLayout,
  source: string,
  path: string | undefined,
  files: Placer,
  signal?: AbortSignal,
): Opening {
  let known: { readonly handle: Handle; readonly identity: string | undefined } | undefined
  const identity = () => {
    const now = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })
    return path === undefined ? '' : now && identityOf(now)
  }
  const read = async (generation: number, end: AbortSignal | undefined): Promise<KernelLoad> => {
    const before = identity()
    const timeline = new Timeline()
    if (known !== undefined && before !== undefined && before === known.identity) {
      return { handle: known.handle, memory: undefined, timeline }
    }
    const handle = await files.place(layout(), source, generation, end)
    timeline.record('read', 'layout', 0)
    known = { handle, identity: before }
    return { handle, memory: undefined, timeline }
  }
  return {
    first: () => read(1, signal),
    again: (generation, _, end) => read(generation, end),
    close: () => keepCode('a layout'),
    reports: [],
  }
}
