// What is written: each output format against literal expectations; plain addresses in bulk against the slow road.

import { beforeAll, describe, expect, it } from 'vitest'
import { traceEvent } from '../../src/events/event.ts'
import { StackFolder } from '../../src/events/fold.ts'
import { diffLines } from '../../src/events/output/diff.ts'
import { flameGraphHtml } from '../../src/events/output/flamegraph.ts'
import { foldedLines } from '../../src/events/output/folded.ts'
import { speedscopeJson } from '../../src/events/output/speedscope.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import type { Frame } from '../../src/stacks/frame.ts'
import { Profile, Profiles, type Weighing } from '../../src/stacks/profile.ts'
import { HOST, output, run, sample, snapshotOf } from './samples.ts'

let host: Snapshot
beforeAll(async () => {
  host = await snapshotOf(HOST)
})

function profile(stacks: Record<string, bigint>): Profile {
  const made = new Profile()
  for (const [stack, weight] of Object.entries(stacks)) made.add(stack.split(';'), weight)
  return made
}

const STACK = `a;b 7 [000]  1.000001:     250000 cpu-clock:
\tffffffff821f2c2b pv_native_safe_halt+0xb ([kernel.kallsyms])
\tffffffff837907c0 __pfx_clear_bss+0x0 ([kernel.kallsyms])
\t          b1cb9b v8::A;B+0x4b (/usr/bin/node)

`

describe('folded stacks', () => {
  const folded = async (folding = {}, weighing?: Weighing) => {
    const sum = new Profiles()
    for (const answer of await run(Buffer.from(STACK + STACK), host, 'profile', { folding }))
      sum.merge(answer.profile ?? [])
    return [...foldedLines(sum.all[0]!, weighing)].join('')
  }
  it('are outermost first, weighed by period, `;` in names put aside', async () => {
    expect(await folded()).toBe('v8::A:B;x86_64_start_reservations;pv_native_safe_halt 500000\n')
  })
  it('marked, with the process in front, weighed by events', async () => {
    expect(await folded({ kernelMark: true, prefix: 'comm-pid' }, 'events')).toBe(
      'a:b-7;v8::A:B;x86_64_start_reservations_[k];pv_native_safe_halt_[k] 2\n',
    )
  })
  it('sum up over stretches, whatever they weigh', () => {
    const folder = new StackFolder({ kernelMark: false, prefix: 'none', addresses: false, samples: false }, false)
    const take = () => {
      const profiles = new Profiles()
      profiles.merge(folder.take())
      return profiles.all.flatMap((profile) => profile.folded())
    }
    const frame = (symbol: string): Frame => ({
      ...{ address: undefined, symbol, offset: null, size: null, owner: null, aliases: [], reason: undefined },
      ...{ user: false, reliable: true, pc: false, entry: false, printed: false, inlined: false },
    })
    const [a, b, c] = ['a', 'b', 'c'].map(frame)
    const add = (weight: bigint, ...frames: (Frame | undefined)[]) =>
      folder.add(
        traceEvent({ type: 'sample', line: 0, weight }),
        frames.filter((one) => one !== undefined),
      )
    add(0n, b, a)
    add(2n, b, a)
    add(3n, a)
    add(5n, b, a)
    add(7n, c, b, a)
    expect(take()).toEqual([
      ['a', 3n],
      ['a;b', 7n],
      ['a;b;c', 7n],
    ])
    add(1n, a)
    add(4n, frame('b'), a)
    expect(take()).toEqual([
      ['a', 1n],
      ['a;b', 4n],
    ])
    expect(take()).toEqual([])
  })
  it('read again weigh the same, and sums beyond 2^53 are exact', async () => {
    const huge = profile({ 'a;b': 9007199254740993n })
    huge.add(['a', 'b'], 9007199254740993n)
    expect([...foldedLines(huge)]).toEqual(['a;b 18014398509481986\n'])
  })
})

it('the difference of two profiles has every stack of either', () => {
  expect([...diffLines(profile({ b: 1n, a: 2n }), profile({ b: 5n, c: 3n }))]).toEqual([
    'a 2 0\n',
    'b 1 5\n',
    'c 0 3\n',
  ])
})

it('speedscope has each frame once and the stacks as their numbers', () => {
  const file = JSON.parse(
    speedscopeJson(profile({ 'main;f': 3n, 'main;g;f': 4n }), { title: 'name', weighing: 'measured' }),
  )
  expect(file.$schema).toBe('https://www.speedscope.app/file-format-schema.json')
  expect(file.shared.frames).toEqual([{ name: 'main' }, { name: 'f' }, { name: 'g' }])
  expect(file.profiles).toEqual([
    {
      type: 'sampled',
      name: 'name',
      unit: 'none',
      startValue: 0,
      endValue: 7,
      samples: [
        [0, 1],
        [0, 2, 1],
      ],
      weights: [3, 4],
    },
  ])
})

it('the flame graph is one file that names nothing outside of it', () => {
  const html = flameGraphHtml(profile({ 'a;</script><b>&"': 1n }), { title: '<title> & "more"', weighing: 'measured' })
  expect(html).not.toMatch(/<(?:script|link|img)[^>]*(?:src|href)=/)
  expect(html).not.toContain('</script><b>')
  expect(html).toContain('<title>&lt;title&gt; &amp; &quot;more&quot;</title>')
})

it('compact words', async () => {
  const text = (await output(Buffer.from(STACK), host, 'compact')).toString()
  expect(text).toBe(`1.000001000 sample     a;b[?/7] cpu-clock
   0xffffffff821f2c2b: pv_native_safe_halt+0xb/0x10
   0xffffffff837907c0: x86_64_start_reservations+0x20/0x20
   0x0000000000b1cb9b: v8::A;B+0x4b [/usr/bin/node]
`)
})

describe('addresses in bulk', () => {
  const { symbols } = { symbols: () => host.symbols }
  const addresses = () => {
    const all: bigint[] = []
    for (let id = 0; id < symbols().size; id += 97) {
      const start = symbols().addressOf(id)
      all.push(start, start + 1n, start - 1n, start + 0x12345n)
    }
    all.push(0x55d0c0de1234n, 0xffff888100000000n, 1n)
    return all
  }
  it.each(['text', 'ndjson'] as const)('%s says what the slow road says', async (product) => {
    const lines = addresses().map(
      (address, i) => `${i % 2 === 0 ? '0x' : ''}${(address & 0xffffffffffffffffn).toString(16)}`,
    )
    // Blanks around an address, which change nothing, keep it off the fast road.
    const fast = await run(Buffer.from(`${lines.join('\n')}\n`), host, product, { input: 'addresses' })
    const slow = await run(Buffer.from(`${lines.map((line) => `${line} `).join('\n')}\n`), host, product, {
      input: 'addresses',
    })
    const bytes = (answers: typeof fast) => Buffer.concat(answers.flatMap((answer) => answer.bytes ?? [])).toString()
    expect(bytes(fast)).toBe(bytes(slow).replaceAll(' \n', '\n'))
    const sum = (answers: typeof fast) =>
      answers.map(({ lines: n, events, frames, unresolved }) => [n, events, frames, unresolved])
    expect(sum(fast)).toEqual(sum(slow))
    expect(bytes(fast).split('\n')).toHaveLength(lines.length + 1)
  })
  it('with bad lines and markers among them', async () => {
    const text = 'ffffffff816b8aab\nnonsense\n\n0\nffffffffffffff80\nffffffff816b8aab'
    const answers = await run(Buffer.from(text), host, 'text', { input: 'addresses' })
    expect(Buffer.from(answers[0]?.bytes ?? []).toString()).toBe(
      'vfs_read+0xbb/0x360\nnonsense\n\n0\nffffffffffffff80\nvfs_read+0xbb/0x360',
    )
    expect(answers[0]?.bad.map(({ line }) => line)).toEqual([1])
  })
})

it('folded real stacks hold every sample', async () => {
  const sum = new Profiles()
  for (const answer of await run(sample(HOST, 'perf-script-default.txt'), host, 'profile', {}))
    sum.merge(answer.profile ?? [])
  expect(sum.all).toHaveLength(1)
  expect(sum.all[0]?.total()).toBe(1201n * 250000n)
  expect(sum.all[0]?.total('events')).toBe(1201n)
  const idle = sum.all[0]
    ?.folded()
    .map(([stack]) => stack)
    .find((stack) => stack.startsWith('common_startup_64;x86_64_start_kernel;'))
  expect(idle).toMatch(/^common_startup_64;x86_64_start_kernel;x86_64_start_reservations;start_kernel;rest_init;/)
})
