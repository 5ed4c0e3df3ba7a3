// The process cache as a tree in words: who is whose child, and what holds each entry.

import { like, listOf } from '../core/arguments.ts'
import { printable } from '../core/printable.ts'
import type { EntryView } from './entry.ts'

/** Levels that are indented: a chain of thousands would be mostly blanks. */
const MOST_INDENT = 100
const ENTRIES = listOf(
  like<EntryView>({ snapshot: like({}, "a process's snapshot") }, 'an entry, as cache.entries() gives it'),
  'entries, as cache.entries() gives them',
)

/** Lines of the tree: children below their parents, in the order of their numbers. */
export function* treeLines(entries: readonly EntryView[]): Generator<string> {
  ENTRIES(entries, 'entries')
  const children = new Map<string | undefined, EntryView[]>()
  const here = new Set(entries.map(({ snapshot }) => snapshot.execId))
  for (const entry of entries) {
    const parent = entry.parent?.execId
    const under = parent !== undefined && here.has(parent) && parent !== entry.snapshot.execId ? parent : undefined
    const siblings = children.get(under)
    if (siblings === undefined) children.set(under, [entry])
    else siblings.push(entry)
  }
  // By hand, not by recursion: chains of processes can be long.
  const open = [...(children.get(undefined) ?? [])].reverse().map((entry) => ({ entry, depth: 0 }))
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { entry, depth } = next
    yield `${'  '.repeat(Math.min(depth, MOST_INDENT))}${printable(inWords(entry))}\n`
    const below = children.get(entry.snapshot.execId) ?? []
    for (let i = below.length - 1; i >= 0; i--) open.push({ entry: below[i]!, depth: depth + 1 })
  }
}

function inWords({ snapshot, refcount, color, alive }: EntryView): string {
  const { pid, comm, binary, args } = snapshot
  const what = [binary ?? `[${comm ?? '?'}]`, ...(args === undefined || args === '' ? [] : [args])].join(' ')
  return `${pid} ${what}  (refcnt ${refcount}, ${color}${alive ? '' : ', ended'})`
}
