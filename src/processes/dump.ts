// The process cache as lines of JSON, one an image: what is known of it, what holds it, and its threads.

import { flag, like, listOf, type Options, options as optionsOf } from '../core/arguments.ts'
import type { EntryView } from './entry.ts'
import { processJson } from './process.ts'

const ENTRIES = listOf(
  like<EntryView>({ snapshot: like({}, "a process's snapshot") }, 'an entry, as cache.entries() gives it'),
  'entries, as cache.entries() gives them',
)

export interface DumpOptions {
  /** Leave out what nothing holds, and what only waits to be collected. */
  readonly heldOnly?: boolean | undefined
}

const OPTIONS: Options<DumpOptions> = { heldOnly: flag }

/**
 * Lines of JSON, by number and start: the members of a process as events carry them, and `end_ts` (ns), `refcnt`, `refcnt_ops`
 * (who took it and gave it back, and how often), `color` of its collection, `alive`, and `threads`, the leader among them.
 * Takes a picture at once: `cache.entries()` may be asked for at any time.
 */
export function* dumpLines(entries: readonly EntryView[], given?: DumpOptions): Generator<string> {
  ENTRIES(entries, 'entries')
  const { heldOnly = false } = optionsOf(given, 'dumpLines', OPTIONS)
  for (const { snapshot, refcount, color, alive, endTs, operations, threads } of entries) {
    if (heldOnly && refcount === 0) continue
    const known = processJson(snapshot).slice(0, -1)
    const rest = JSON.stringify({
      end_ts: endTs === undefined ? undefined : String(endTs),
      refcnt: refcount,
      refcnt_ops: operations,
      ...{ color, alive },
      threads: threads.map(({ tid, comm, startTs, endTs: ended }) => ({
        ...{ tid, comm },
        start_ts: startTs === undefined ? undefined : String(startTs),
        end_ts: ended === undefined ? undefined : String(ended),
      })),
    })
    yield `${known},${rest.slice(1)}\n`
  }
}
