// Profiles as other programs read them: pprof by a decoder of its own and by `go tool pprof`, Firefox's tables by what their
// description asks, SVG as XML; the events that are told apart, chosen, and turned around.

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Profile as Pprof } from 'pprof-format'
import { beforeAll, describe, expect, it } from 'vitest'
import type { EventFilter } from '../../src/events/filter.ts'
import type { Folding } from '../../src/events/fold.ts'
import { diffLines } from '../../src/events/output/diff.ts'
import { firefoxJson } from '../../src/events/output/firefox.ts'
import { flameTree } from '../../src/events/output/flame-tree.ts'
import type { ProfileFacts } from '../../src/events/output/output.ts'
import { pprofBytes } from '../../src/events/output/pprof.ts'
import { flameSvg } from '../../src/events/output/svg.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { Profile, Profiles } from '../../src/stacks/profile.ts'
import { HOST, output, run, sample, snapshotOf } from './samples.ts'

let host: Snapshot
beforeAll(async () => {
  host = await snapshotOf(HOST)
})

const FACTS: ProfileFacts = { title: 'a <trace>', weighing: 'measured', release: '6.18.0' }

const TWO_EVENTS = `a 7/8 [000]  1.000001:     250000 cpu-clock:
\tffffffff821f2c2b pv_native_safe_halt+0xb ([kernel.kallsyms])
\tffffffff816b8aab vfs_read+0xbb ([kernel.kallsyms])

b 9/9 [001]  2.500000:          3 page-faults:
\tffffffff816b8aab vfs_read+0xbb ([kernel.kallsyms])
\t          b1cb9b main+0x4b (/usr/bin/node)

a 7/7 [000]  3.000000:     500000 cpu-clock:
\tffffffff816b8aab vfs_read+0xbb ([kernel.kallsyms])

`

async function profiles(
  text: string | Buffer,
  folding: Partial<Folding> = {},
  filter: EventFilter = {},
): Promise<Profiles> {
  const made = new Profiles()
  for (const answer of await run(Buffer.from(text), host, 'profile', { folding, filter }))
    made.merge(answer.profile ?? [])
  return made
}

const foldedOf = ({ all }: Profiles) => all.map((profile) => [profile.event, profile.folded()])

describe('events', () => {
  it('of different names make a profile each', async () => {
    expect(foldedOf(await profiles(TWO_EVENTS))).toEqual([
      [
        'cpu-clock',
        [
          ['vfs_read', 500000n],
          ['vfs_read;pv_native_safe_halt', 250000n],
        ],
      ],
      ['page-faults', [['main;vfs_read', 3n]]],
    ])
  })

  it('of different names stay apart as NDJSON', async () => {
    const once = await output(Buffer.from(TWO_EVENTS), host, 'ndjson')
    expect(once.toString()).toContain('"page-faults"')
    expect(foldedOf(await profiles(once))).toEqual(foldedOf(await profiles(TWO_EVENTS)))
  })

  it('that are stacks for their own sake make one profile, whatever they are called', async () => {
    const line = (name: string) => `{"type":"stack","name":"${name}","stack":["0xffffffff816b8aab"]}\n`
    expect(foldedOf(await profiles(line('kernel_stack') + line('dump_stack')))).toEqual([
      [undefined, [['vfs_read', 2n]]],
    ])
  })

  it('that a tracer prints stacks behind make one profile, as NDJSON too', async () => {
    const trace = sample(HOST, 'ftrace-stack-symoffset.txt')
    const direct = foldedOf(await profiles(trace))
    expect(direct.map(([event]) => event)).toEqual([undefined])
    expect(foldedOf(await profiles(await output(trace, host, 'ndjson')))).toEqual(direct)
  })

  it.each<[string, EventFilter, (string | undefined)[]]>([
    ['by name of the process', { comms: ['b'] }, ['page-faults']],
    ['by number of the process or the thread', { pids: [8, 9] }, ['cpu-clock', 'page-faults']],
    ['by name of the event', { events: ['cpu-clock'] }, ['cpu-clock']],
    ['from a time on', { from: 2_600_000_000n }, ['cpu-clock']],
    ['up to a time', { to: 1_000_001_000n }, ['cpu-clock']],
    ['by all of these', { comms: ['a'], events: ['page-faults'] }, []],
  ])('are chosen %s', async (_, filter, events) => {
    expect((await profiles(TWO_EVENTS, {}, filter)).all.map(({ event }) => event)).toEqual(events)
  })

  it('say which unit they are in', async () => {
    const [clock, faults] = (await profiles(TWO_EVENTS)).all
    expect([clock?.unit(), clock?.unit('events'), faults?.unit(), clock?.total(), clock?.total('events')]).toEqual([
      'nanoseconds',
      'samples',
      'count',
      750000n,
      2n,
    ])
    expect(clock?.time).toEqual([1_000_001_000n, 3_000_000_000n])
  })

  it('cannot be chosen where the text stays as it was', async () => {
    await expect(run(Buffer.from(TWO_EVENTS), host, 'text', { filter: { comms: ['a'] } })).rejects.toMatchObject({
      code: 'USAGE',
    })
  })
})

it('turned around, callers stand inside of what they call, and the process stays outside', async () => {
  const [clock] = (await profiles(TWO_EVENTS, { prefix: 'comm' })).all
  expect(clock?.inverted().folded()).toEqual([
    ['a;pv_native_safe_halt;vfs_read', 250000n],
    ['a;vfs_read', 500000n],
  ])
})

it('frames that the kernel marks as doubtful are in no profile', async () => {
  const text = `{"type":"stack","stack":[{"address":"0xffffffff816b8aab"}]}\n`
  expect(foldedOf(await profiles(text))).toEqual([[undefined, [['vfs_read', 1n]]]])
  const { StackFolder } = await import('../../src/events/fold.ts')
  const { traceEvent } = await import('../../src/events/event.ts')
  const { rawFrame } = await import('../../src/stacks/frame.ts')
  const { StackResolver } = await import('../../src/stacks/resolve.ts')
  const resolver = new StackResolver(host.symbols)
  const frames = [
    rawFrame({ address: 0xffffffff821f2c2bn }),
    rawFrame({ address: 0xffffffff816b8aabn, reliable: false }),
  ]
  const folder = new StackFolder({ kernelMark: false, prefix: 'none', addresses: false, samples: false }, false)
  folder.add(traceEvent({ type: 'stack', line: 0 }), resolver.resolve(frames, 'pc-first'))
  folder.add(traceEvent({ type: 'stack', line: 1 }), resolver.resolve(frames.slice(1), 'pc-first'))
  const made = new Profiles()
  made.merge(folder.take())
  expect(foldedOf(made)).toEqual([[undefined, [['pv_native_safe_halt', 1n]]]])
})

describe('pprof', () => {
  const facts: ProfileFacts = {
    ...FACTS,
    mappings: [{ owner: 'vmlinux', start: 0xffffffff81000000n, end: 0xffffffff84000000n, buildId: 'abcdef01' }],
  }
  const made = async () => {
    const [clock] = (await profiles(TWO_EVENTS, { prefix: 'comm', addresses: true })).all
    return pprofBytes(clock!, facts)
  }

  it('has samples, units, addresses within instructions, and the build of the kernel', async () => {
    const decoded = Pprof.decode(gunzipSync(await made()))
    const { strings } = decoded.stringTable
    const text = (index: number | bigint) => strings[Number(index)]
    expect(decoded.sampleType.map(({ type, unit }) => [text(type), text(unit)])).toEqual([
      ['samples', 'count'],
      ['cpu-clock', 'nanoseconds'],
    ])
    expect(decoded.mapping.map((one) => [text(one.filename), BigInt(one.memoryStart), text(one.buildId)])).toEqual([
      ['vmlinux', 0xffffffff81000000n, 'abcdef01'],
    ])
    const location = (id: number | bigint) => decoded.location[Number(id) - 1]!
    const named = decoded.sample.map(({ locationId, value, label }) => [
      locationId.map((id) => [
        BigInt(location(id).address),
        text(decoded.function[Number(location(id).line[0]?.functionId) - 1]!.name),
      ]),
      value.map(BigInt),
      label.map(({ key, str }) => [text(key), text(str)]),
    ])
    // The first stack's vfs_read is a return address, which lies behind the call; the second's is where the CPU was.
    expect(named).toEqual([
      [
        [
          [0xffffffff821f2c2bn, 'pv_native_safe_halt'],
          [0xffffffff816b8aaan, 'vfs_read'],
        ],
        [1n, 250000n],
        [['comm', 'a']],
      ],
      [[[0xffffffff816b8aabn, 'vfs_read']], [1n, 500000n], [['comm', 'a']]],
    ])
  })

  const go = spawnSync('go', ['version']).status === 0
  if (!go) console.warn('the test of `go tool pprof` is skipped: go is not installed')
  it.skipIf(!go)('is what go tool pprof reads', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kerndex-pprof-'))
    const file = join(folder, 'profile.pb.gz')
    writeFileSync(file, await made())
    const top = execFileSync('go', ['tool', 'pprof', '-top', '-unit=us', file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, PPROF_TMPDIR: folder, HOME: folder },
    })
    expect(top).toMatch(/Type: cpu-clock/)
    expect(top).toMatch(/500us 66\.67% 66\.67%\s+750us\s+100%\s+vfs_read/)
    expect(top).toMatch(/250us 33\.33%\s+100%\s+250us 33\.33%\s+pv_native_safe_halt/)
  })
})

describe('the Firefox Profiler', () => {
  it('gets threads whose samples have their times and units, and tables that hold together', async () => {
    const [clock] = (await profiles(TWO_EVENTS, { prefix: 'thread', samples: true })).all
    const file = JSON.parse(firefoxJson(clock!, FACTS))
    const { shared, threads, meta } = file
    expect(meta.preprocessedProfileVersion).toBe(60)
    const words = (stack: number | null): string[] => {
      if (stack === null) return []
      const name = shared.stringArray[shared.funcTable.name[shared.frameTable.func[shared.stackTable.frame[stack]]]]
      return [...words(shared.stackTable.prefix[stack]), name]
    }
    expect(
      threads.map(({ name, pid, tid, samples }: (typeof threads)[number]) => [
        [name, pid, tid, samples.weightType],
        samples.stack.map(words),
        samples.time,
        samples.weight,
      ]),
    ).toEqual([
      [['a', '7', 8, 'tracing-ms'], [['vfs_read', 'pv_native_safe_halt']], [0], [0.25]],
      [['a', '7', 7, 'tracing-ms'], [['vfs_read']], [1999.999], [0.5]],
    ])
    // Every column of a table is as long as the table says; parents come before their children.
    for (const [table, columns] of Object.entries<Record<string, unknown>>(shared)) {
      if (Array.isArray(columns)) continue
      for (const [column, values] of Object.entries(columns)) {
        if (Array.isArray(values)) expect(values.length, `${table}.${column}`).toBe(columns.length)
      }
    }
    shared.stackTable.prefix.forEach((parent: number | null, i: number) => {
      expect(parent ?? -1).toBeLessThan(i)
    })
  })

  it('gets every sample of a recording, the same for any number of threads', async () => {
    const text = sample(HOST, 'perf-script-default.txt')
    const of = async (threads: number) => {
      const made = new Profiles()
      const options = { threads, folding: { prefix: 'thread', samples: true } as const }
      for (const answer of await run(text, host, 'profile', options)) made.merge(answer.profile ?? [])
      return firefoxJson(made.all[0]!, FACTS)
    }
    const inline = await of(0)
    const count = JSON.parse(inline).threads.reduce(
      (sum: number, { samples }: { samples: { length: number } }) => sum + samples.length,
      0,
    )
    expect(count).toBe(1201)
    expect(await of(1)).toBe(inline)
  })
})

describe('flame graphs', () => {
  const made = (stacks: Record<string, bigint>) => {
    const profile = new Profile('cycles')
    for (const [stack, weight] of Object.entries(stacks)) profile.add(stack.split(';'), weight)
    return profile
  }

  it('sum up what goes through a frame, of both profiles that are compared', () => {
    const tree = flameTree(made({ 'a;b': 3n, 'a;c': 4n, a: 1n }), 'measured', made({ 'a;b': 5n, d: 2n }))
    expect(tree.nodes.map(({ name, depth, total, before }) => [name, depth, total, before])).toEqual([
      ['all', 0, 8n, 7n],
      ['a', 1, 8n, 5n],
      ['b', 2, 3n, 5n],
      ['c', 2, 4n, 0n],
    ])
    expect([tree.total, tree.before, tree.gone, tree.depth]).toEqual([8n, 7n, 2n, 2])
  })

  it('as SVG hold every frame at its place, and names as text', () => {
    const text = [...flameSvg(made({ 'a;<b>&"\u0001': 75n, 'a;c': 25n }), FACTS)].join('')
    const rects = [...text.matchAll(/<title>([^<]*)<\/title><rect x="([\d.]+)" y="\d+" width="([\d.]+)"/g)]
    expect(rects.map(([, name, x, width]) => [name?.split(' (')[0], Number(x), Number(width)])).toEqual([
      ['all', 0, 1200],
      ['a', 0, 1200],
      ['&lt;b&gt;&amp;&quot;\\u0001', 0, 900],
      ['c', 900, 300],
    ])
    expect(text).not.toContain('\u0001')
  })

  it('of stacks far deeper than any call stack do not overflow', () => {
    const deep = new Profile()
    deep.add(
      Array.from({ length: 20_000 }, (_, i) => `f${i}`),
      1n,
    )
    expect(flameTree(deep, 'measured').depth).toBe(20_000)
  })
})

it('the difference weighs as it is asked to', () => {
  const [before, after] = [new Profile(), new Profile()]
  before.add(['a'], 10n)
  after.add(['a'], 30n, 2)
  expect([...diffLines(before, after)]).toEqual(['a 10 30\n'])
  expect([...diffLines(before, after, 'events')]).toEqual(['a 1 2\n'])
})
