// The process cache: images, reference counts, collection, and a model of what it must hold.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/core/errors.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import { dumpLines } from '../../src/processes/dump.ts'
import type { Entry } from '../../src/processes/entry.ts'
import { execId } from '../../src/processes/process.ts'
import { treeLines } from '../../src/processes/tree.ts'

const birth = (pid: number, startTs: bigint, more = {}) => ({ pid, startTs, flags: 'clone', ...more })

/** A parent with a child. */
function family() {
  const cache = new ProcessCache()
  const parent = cache.add(birth(10, 1n, { comm: 'sh', binary: '/bin/sh' }), undefined)
  const { entry: child } = cache.fork(birth(20, 5n), parent, false)
  return { cache, parent, child }
}

it('names an image as tetragon does', () => {
  expect(execId('kind-control-plane', 11428615636901n, 51583)).toBe(
    'a2luZC1jb250cm9sLXBsYW5lOjExNDI4NjE1NjM2OTAxOjUxNTgz',
  )
})

describe('an image', () => {
  it('of a fork is a copy of its parent with a number of its own', () => {
    const { parent, child } = family()
    expect(child.snapshot).toMatchObject({ pid: 20, tid: 20, comm: 'sh', binary: '/bin/sh', startTs: 5n })
    expect(child.snapshot.parentExecId).toBe(parent.snapshot.execId)
  })
  it('of an exec keeps the real parent, and says which image it replaced', () => {
    const { cache, parent, child } = family()
    const { entry } = cache.exec(birth(20, 9n, { binary: '/bin/true' }), undefined)
    expect(entry.snapshot.parentExecId).toBe(parent.snapshot.execId)
    expect(entry.snapshot.previousExecId).toBe(child.snapshot.execId)
    expect([child.alive, entry.alive]).toEqual([false, true])
  })
  it('is found by the time of the event', () => {
    const { cache, child } = family()
    const { entry } = cache.exec(birth(20, 9n), undefined)
    expect(cache.find(20, 4n)).toBeUndefined()
    expect(cache.find(20, 8n)).toBe(child)
    expect(cache.find(20, 9n)).toBe(entry)
    expect(cache.find(20, undefined)).toBe(entry)
    expect(cache.counters.misses.get).toBe(1)
  })
  it('heard of late takes its place before the newer one', () => {
    const { cache } = family()
    const { entry: newer } = cache.exec(birth(30, 50n), undefined)
    const { entry: older } = cache.fork(birth(30, 40n), undefined, false)
    expect([cache.find(30, 45n), cache.find(30, 55n)]).toEqual([older, newer])
    expect([older.alive, newer.alive]).toEqual([false, true])
  })
})

describe('snapshots', () => {
  it('are frozen, shared by the leader’s events and copied for other threads', () => {
    const { cache, child } = family()
    const own = cache.snapshotFor(child, 20)
    const other = cache.snapshotFor(child, 21)
    expect(own).toBe(child.snapshot)
    expect(other).toEqual({ ...own, tid: 21 })
    expect(Object.isFrozen(own) && Object.isFrozen(other)).toBe(true)
    expect(cache.counters.handedOut).toEqual({ shared: 1, copied: 1 })
  })
  it('that were given out do not change when the process does', () => {
    const { cache, child } = family()
    const before = cache.snapshotFor(child, 20)
    const text = JSON.stringify(before, (_, value) => (typeof value === 'bigint' ? String(value) : value))
    cache.rename(child, 'renamed')
    cache.exit(child)
    expect(JSON.stringify(before, (_, value) => (typeof value === 'bigint' ? String(value) : value))).toBe(text)
    expect(cache.snapshotFor(child, 20).comm).toBe('renamed')
  })
})

describe('lookups at a time', () => {
  it('give the image and the name of then', () => {
    const { cache, child } = family()
    cache.rename(child, 'worker', 7n)
    cache.exec({ ...birth(20, 9n, { comm: 'ls' }), flags: 'execve' }, undefined)
    cache.rename(cache.find(20, 9n)!, 'ls-2', 11n)
    cache.exit(cache.find(20, 12n)!, 13n)
    expect([4n, 5n, 6n, 7n, 8n, 9n, 11n, 13n, 14n].map((ts) => cache.at(20, ts)?.comm)).toEqual([
      undefined,
      'sh',
      'sh',
      'worker',
      'worker',
      'ls',
      'ls-2',
      'ls-2',
      undefined,
    ])
    expect(cache.snapshotFor(child, 20, 6n).comm).toBe('sh')
  })
  it('keep the last of many names only', () => {
    const { cache, child } = family()
    for (let i = 0; i < 1000; i++) cache.rename(child, `n${i}`, BigInt(10 + i))
    expect(child.former).toHaveLength(16)
    expect(cache.at(20, 1000n)?.comm).toBe('n990')
  })
  it('know threads, their names, when they began and when they ended', () => {
    const { cache } = family()
    cache.learnThread(21, 20, 6n, 'sh')
    cache.renameThread(21, 'pool')
    cache.dropThread(21, 20, 8n)
    cache.learnThread(21, 10, 9n, 'other')
    expect([5n, 6n, 8n, 9n].map((ts) => cache.thread(21, ts))).toEqual([
      undefined,
      { tid: 21, pid: 20, comm: 'pool', startTs: 6n, endTs: 8n },
      { tid: 21, pid: 20, comm: 'pool', startTs: 6n, endTs: 8n },
      { tid: 21, pid: 10, comm: 'other', startTs: 9n, endTs: undefined },
    ])
    expect(cache.thread(20, 7n)).toEqual({ tid: 20, pid: 20, comm: 'sh', startTs: 5n, endTs: undefined })
    expect(cache.thread(99)).toBeUndefined()
  })
  it('say why nothing was found', () => {
    const { cache, child } = family()
    cache.find(99, 5n)
    cache.find(20, 4n)
    cache.exit(child)
    cache.tick()
    cache.tick()
    cache.find(20, 6n)
    expect(cache.counters.missKinds).toEqual({ unseen: 1, before_start: 1, gone: 1 })
  })
})

it('a dump says what holds each image, and its threads', () => {
  const { cache, child } = family()
  cache.learnThread(21, 20, 6n, 'pool')
  cache.exit(child, 9n)
  const lines = [...dumpLines(cache.entries())].map((line) => JSON.parse(line))
  expect(lines.map(({ pid, refcnt, alive, color }) => [pid, refcnt, alive, color])).toEqual([
    [10, 1, true, 'inUse'],
    [20, 0, false, 'deletePending'],
  ])
  expect(lines[0].refcnt_ops).toEqual({ 'process++': 1, 'process--': 0, 'parent++': 1, 'parent--': 1 })
  expect(lines[1]).toMatchObject({ end_ts: '9', refcnt_ops: { 'process++': 1, 'process--': 1 } })
  expect(lines[1].threads).toEqual([
    { tid: 20, comm: 'sh', start_ts: '5', end_ts: '9' },
    { tid: 21, comm: 'pool', start_ts: '6', end_ts: '9' },
  ])
  expect([...dumpLines(cache.entries(), { heldOnly: true })]).toHaveLength(1)
})

describe('numbers that are used again', () => {
  it('end whoever had them unseen', () => {
    const { cache, parent, child } = family()
    const { entry, reused } = cache.fork(birth(20, 100n), parent, false)
    expect([reused, child.alive, entry.alive]).toEqual([true, false, true])
    expect(cache.find(20, 50n)).toBe(child)
    expect(cache.find(20, 100n)).toBe(entry)
    expect(cache.counters.pidReuses).toBe(1)
  })
  it('after an exit that was seen are no surprise', () => {
    const { cache, parent, child } = family()
    cache.exit(child)
    expect(cache.fork(birth(20, 100n), parent, false).reused).toBe(false)
    expect(cache.counters.pidReuses).toBe(1)
  })
  it('of a thread that was taken for a process are given back', () => {
    const { cache, parent } = family()
    cache.fork(birth(21, 7n), parent, true)
    expect(parent.refcount).toBe(3)
    cache.learnThread(21, 20)
    expect(parent.refcount).toBe(2)
    expect(cache.find(21, 8n)).toBeUndefined()
    expect(cache.groupOf(21)).toBe(20)
    expect(cache.counters.retractedForks).toBe(1)
  })
})

describe('counting', () => {
  it('holds a parent for as long as it or a child lives', () => {
    const { cache, parent, child } = family()
    expect([parent.refcount, child.refcount]).toEqual([2, 1])
    cache.exit(parent)
    expect(parent.refcount).toBe(1)
    cache.exit(child)
    expect([parent.refcount, child.refcount]).toEqual([0, 0])
  })
  it('says the same exit twice once, and never goes below nothing', () => {
    const { cache, child, parent } = family()
    expect([cache.exit(child), cache.exit(child)]).toEqual([true, false])
    expect([child.refcount, parent.refcount]).toEqual([0, 1])
    expect(cache.counters.duplicates.exit).toBe(1)
    expect(cache.counters.refcountUnderflows).toEqual({ process: 0, parent: 0 })
  })
  it('takes the same fork and the same exec once', () => {
    const { cache, parent, child } = family()
    expect(cache.fork(birth(20, 5n), parent, false)).toMatchObject({ entry: child, known: true })
    cache.exec({ ...birth(20, 9n), flags: 'execve' }, undefined)
    expect(cache.exec({ ...birth(20, 9n), flags: 'execve' }, undefined).known).toBe(true)
    expect(cache.counters.duplicates).toEqual({ clone: 1, exec: 1, exit: 0 })
    expect(parent.refcount).toBe(2)
  })
})

describe('collection', () => {
  it('keeps what ended for one tick and takes it at the second', () => {
    const { cache, child } = family()
    cache.exit(child)
    cache.tick()
    expect(cache.find(20, 6n)).toBe(child)
    expect(child.color).toBe('deleteReady')
    cache.tick()
    expect(cache.find(20, 6n)).toBeUndefined()
    expect(cache.counters.collected).toBe(1)
  })
  it('spares what is held again', () => {
    const { cache, parent, child } = family()
    cache.exit(child)
    cache.exit(parent)
    cache.tick()
    expect(parent.color).toBe('deleteReady')
    cache.fork(birth(22, 8n), parent, false) // A fork that comes late.
    cache.tick()
    expect(parent.color).toBe('inUse')
    expect(cache.find(10, 8n)).toBe(parent)
  })
  it('has an interval of one’s own', () => {
    const cache = new ProcessCache({ intervalNs: 10n })
    const { entry } = cache.fork(birth(20, 5n), undefined, false)
    cache.advance(5n)
    cache.exit(entry)
    cache.advance(15n)
    expect(entry.color).toBe('deleteReady')
    cache.advance(25n)
    expect(entry.color).toBe('deleted')
    expect(() => new ProcessCache({ intervalNs: 0n })).toThrow(UsageError)
  })
  it('goes by the time of the events', () => {
    const { cache, child } = family()
    const second = 1_000_000_000n
    cache.advance(second)
    cache.exit(child)
    cache.advance(31n * second)
    expect(child.color).toBe('deleteReady')
    cache.advance(60n * second)
    expect(child.color).toBe('deleteReady')
    cache.advance(61n * second)
    expect(child.color).toBe('deleted')
  })
})

describe('a full cache', () => {
  it('lets go of what was used longest ago, and of its hold on its parent', () => {
    const cache = new ProcessCache({ capacity: 3 })
    const init = cache.add(birth(1, 0n), undefined)
    cache.fork(birth(2, 1n), init, false)
    cache.fork(birth(3, 2n), init, false)
    expect(init.refcount).toBe(3)
    cache.find(1, 9n)
    cache.fork(birth(4, 3n), init, false)
    expect(cache.entries().map(({ snapshot }) => snapshot.pid)).toEqual([1, 3, 4])
    expect(init.refcount).toBe(3)
    expect(cache.counters).toMatchObject({ size: 3, capacity: 3, capacityEvictions: 1 })
  })
})

it('a full cache lets the dead go before the living, however long ago those were used', () => {
  const cache = new ProcessCache({ capacity: 3 })
  const init = cache.add(birth(1, 0n), undefined)
  const { entry: worker } = cache.fork(birth(2, 1n), init, false)
  cache.exit(cache.fork(birth(3, 2n), init, false).entry)
  cache.find(3, 9n)
  cache.fork(birth(4, 3n), init, false)
  expect(cache.entries().map(({ snapshot }) => snapshot.pid)).toEqual([1, 2, 4])
  expect(worker.color).toBe('inUse')
})

it('holds as much after four times as many processes, threads and names', () => {
  const held = (processes: number) => {
    const cache = new ProcessCache({ capacity: 64 })
    const init = cache.add(birth(1, 0n), undefined)
    let most = 0
    for (let i = 0; i < processes; i++) {
      const ts = BigInt(i) * 50_000_000n
      const pid = 2 + (i % 4000)
      cache.advance(ts)
      const { entry } = cache.fork(birth(pid, ts), init, false)
      cache.learnThread(10_000 + (i % 4000), pid, ts, 't')
      for (const name of ['a', 'b']) cache.rename(entry, name, ts + 1n)
      if (i % 3 !== 0) cache.exit(entry, ts + 2n)
      most = Math.max(most, cache.counters.size)
    }
    const views = cache.entries()
    return { most, entries: views.length, threads: views.reduce((sum, { threads }) => sum + threads.length, 0) }
  }
  const [one, two, four] = [held(8000), held(16_000), held(32_000)]
  expect(one.most).toBeLessThanOrEqual(64)
  expect([two, four]).toEqual([one, one])
})

it('a process that is gone leaves nothing that grows', () => {
  const cache = new ProcessCache()
  let parent = cache.add(birth(1, 0n), undefined)
  const first = parent
  // A chain in which each forks the next and exits.
  for (let pid = 2; pid < 200; pid++) {
    const { entry } = cache.fork(birth(pid, BigInt(pid)), parent, false)
    cache.exit(parent)
    cache.tick()
    cache.tick()
    parent = entry
  }
  expect(cache.entries().length).toBeLessThan(5)
  expect(first.parent).toBeUndefined()
})

it('after a balanced stream and two ticks holds what lives and the parents that live children hold', () => {
  const step = fc.record({ what: fc.constantFrom('fork', 'exec', 'exit', 'tick'), which: fc.nat() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = new ProcessCache()
      const root = cache.add(birth(1, 0n), undefined)
      let alive: Entry[] = [root]
      let pid = 1
      let ts = 0n
      for (const { what, which } of steps) {
        ts++
        const one = alive[which % alive.length]!
        if (what === 'fork') alive.push(cache.fork(birth(++pid, ts), one, false).entry)
        else if (what === 'exec') {
          const { entry } = cache.exec({ ...birth(one.snapshot.pid, ts), flags: 'execve' }, undefined)
          alive = alive.map((entry_) => (entry_ === one ? entry : entry_))
        } else if (what === 'exit' && alive.length > 1) {
          cache.exit(one)
          alive = alive.filter((entry) => entry !== one)
        } else cache.tick()
      }
      cache.tick()
      cache.tick()
      const held = new Set<Entry>(alive)
      for (const { parent } of alive) if (parent !== undefined) held.add(parent)
      const entries = cache.entries()
      expect(entries.length).toBe(held.size)
      for (const entry of held) {
        const children = alive.filter(({ parent }) => parent === entry).length
        expect(entry.refcount).toBe((alive.includes(entry) ? 1 : 0) + children)
      }
      expect(cache.counters.refcountUnderflows).toEqual({ process: 0, parent: 0 })
    }),
    { numRuns: 200 },
  )
})

it('prints the tree, children below their parents', () => {
  const { cache, parent, child } = family()
  cache.fork(birth(21, 6n, { binary: '/bin/b', args: '-l' }), child, false)
  cache.fork(birth(15, 7n), parent, false)
  cache.exit(child)
  expect([...treeLines(cache.entries())].join('')).toBe(`10 /bin/sh  (refcnt 2, inUse)
  15 /bin/sh  (refcnt 1, inUse)
  20 /bin/sh  (refcnt 1, inUse, ended)
    21 /bin/b -l  (refcnt 1, inUse)
`)
})
