// A stream as a whole: whatever pieces it comes in and however many threads work on it, the same bytes come out, in order;
// what is damaged is counted and ends nothing.

import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { AbortedError, UnsupportedError } from '../../src/core/errors.ts'
import { Cutter, STRETCH_BYTES } from '../../src/events/cut.ts'
import { inputFormat } from '../../src/events/formats.ts'
import type { Snapshot } from '../../src/snapshot/snapshot.ts'
import { Profiles } from '../../src/stacks/profile.ts'
import { same } from '../same.ts'
import { DEBIAN, HOST, inPieces, output, run, sample, snapshotOf } from './samples.ts'

let host: Snapshot
let debian: Snapshot
beforeAll(async () => {
  host = await snapshotOf(HOST)
  debian = await snapshotOf(DEBIAN)
})

const profileOf = async (...given: Parameters<typeof run>) => {
  const profiles = new Profiles()
  for (const answer of await run(...given)) profiles.merge(answer.profile ?? [])
  return profiles.all.map((profile) => [profile.event, profile.folded()])
}

describe('the bytes that come out', () => {
  it('are the same for any number of threads, over several stretches', async () => {
    const text = sample(DEBIAN, 'perf-script.txt').subarray(0, 7 * STRETCH_BYTES)
    expect(text.length).toBeGreaterThan(6 * STRETCH_BYTES)
    for (const [product, ...counts] of [
      ['text', 1, 2, 3],
      ['ndjson', 2],
      ['compact', 2],
    ] as const) {
      const inline = await output(text, debian, product)
      for (const threads of counts) {
        expect((await output(text, debian, product, { threads })).equals(inline), `${product} ${threads}`).toBe(true)
      }
    }
    expect(await profileOf(text, debian, 'profile', { threads: 2 })).toEqual(await profileOf(text, debian, 'profile'))
  })

  it.each([
    ['perf-script-taskevents.txt', 'ndjson'],
    ['perf-data-convert.json', 'ndjson'],
    ['ftrace-stack-symaddr.txt', 'text'],
    ['bpftrace-kstack.txt', 'ndjson'],
    ['proc-pid-stack.txt', 'text'],
  ] as const)('of %s are the same when it comes one byte at a time', async (name, product) => {
    const text = sample(HOST, name).subarray(0, 40_000)
    const whole = await output(text, host, product)
    expect(whole.length).toBeGreaterThan(100)
    expect((await output(inPieces(text, 1), host, product)).equals(whole)).toBe(true)
  })

  it('are the same for any pieces', async () => {
    const text = sample(HOST, 'perf-script-default.txt').subarray(0, 1_300_000)
    const whole = await output(text, host, 'ndjson')
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 700_000 }), { minLength: 1, maxLength: 6 }),
        async (lengths) => {
          const few = lengths.map((length) => length + 5_000)
          expect((await output(inPieces(text, ...few), host, 'ndjson')).equals(whole)).toBe(true)
        },
      ),
      { numRuns: 8 },
    )
  })
})

describe('cutting', () => {
  const format = inputFormat('perf-script')
  const record = (i: number) =>
    `comm ${i} [000] 1.${String(i).padStart(6, '0')}: 1 x: \n${'\tffffffff81000010 f+0x1 ([m])\n'.repeat(i % 40)}\n`
  it('happens between records, never within one, and loses no byte', () => {
    const text = Buffer.from(Array.from({ length: 3000 }, (_, i) => record(i)).join(''))
    const cutter = new Cutter(format)
    const pieces: string[] = []
    for (const stretch of cutter.push(text)) {
      pieces.push(Buffer.from(new Uint8Array(stretch.text, 0, stretch.length)).toString())
      cutter.release(stretch)
    }
    const rest = cutter.end()
    if (rest !== undefined) pieces.push(Buffer.from(new Uint8Array(rest.text, 0, rest.length)).toString())
    expect(pieces.length).toBeGreaterThan(2)
    expect(pieces.join('')).toBe(text.toString())
    // A blank line ends a record, and may be cut off in front.
    for (const piece of pieces) expect(piece).toMatch(/^\n?comm /)
  })
  it('of a record without end stops at some length', () => {
    const cutter = new Cutter(format)
    const line = Buffer.from('\tffffffff81000010 f+0x1 ([m])\n'.repeat(10_000))
    let stretches = 0
    for (let i = 0; i < 60; i++) for (const _ of cutter.push(line)) stretches++
    expect(stretches).toBeGreaterThan(0)
  })
  it('of a line without end too', () => {
    const cutter = new Cutter(inputFormat('ndjson'))
    let bytes = 0
    for (let i = 0; i < 20; i++) for (const stretch of cutter.push(Buffer.alloc(1 << 20, 'x'))) bytes += stretch.length
    bytes += cutter.end()?.length ?? 0
    expect(bytes).toBe(20 << 20)
  })
  it('of a stream that pauses gives the complete records', () => {
    const cutter = new Cutter(format)
    const text = `${record(2)}${record(3)}comm 4 [000] 1.0`
    expect([...cutter.push(Buffer.from(text))]).toEqual([])
    const stretch = cutter.pause()
    expect(Buffer.from(new Uint8Array(stretch!.text, 0, stretch!.length)).toString()).toBe(
      `${record(2)}${record(3)}`.slice(0, -1),
    )
    expect(cutter.end()?.length).toBe('\ncomm 4 [000] 1.0'.length)
  })
})

describe('damage', () => {
  it('of lines is counted with their numbers, and everything else comes through', async () => {
    const lines = Array.from(
      { length: 40_000 },
      (_, i) => `{"type":"kprobe","pid":${i},"stack":["0xffffffff81000010"]}`,
    )
    const broken = [0, 5, 17_000, 39_999]
    for (const i of broken) lines[i] = `{"type":"kprobe","pid":${i}`
    for (const threads of [0, 2]) {
      const answers = await run(Buffer.from(`${lines.join('\n')}\n`), host, 'ndjson', { input: 'ndjson', threads })
      expect(answers.length).toBeGreaterThan(2)
      const bad = answers.flatMap((answer) => answer.bad.map(({ line, text }) => [answer.firstLine + line, text]))
      expect(bad).toEqual(broken.map((i) => [i, lines[i]]))
      const pids = Buffer.concat(answers.flatMap(({ bytes }) => bytes ?? []))
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).pid)
      expect(pids).toEqual(lines.map((_, i) => i).filter((i) => !broken.includes(i)))
    }
  })
  it('of a line that is too long does not shift the numbers of the lines after it', async () => {
    const text = `{"type":"exit","pid":1}\n${'x'.repeat(9 << 20)}\n{"type":"exit","pid":2}\n{"type":\n`
    const answers = await run(Buffer.from(text), host, 'ndjson', { input: 'ndjson' })
    const bad = answers.flatMap((answer) => answer.bad.map(({ line }) => answer.firstLine + line))
    // The long one is bad twice, as it is cut in two.
    expect(bad).toEqual([1, 1, 3])
    expect(answers.reduce((sum, { events }) => sum + events, 0)).toBe(2)
  })
  it('of the last line, torn off, costs that line', async () => {
    const answers = await run(Buffer.from('{"type":"exit","pid":1}\n{"type":"exit","pi'), host, 'ndjson', {
      input: 'ndjson',
    })
    expect(answers.map(({ events, bad }) => [events, bad.map(({ line }) => line)])).toEqual([[1, [1]]])
  })
  it.each([
    'perf-script',
    'ftrace',
    'bpftrace',
    'oops',
    'proc-stack',
    'folded',
    'perf-json',
    'tetragon',
    'ndjson',
    'any-text',
  ])('of any kind never stops %s', async (input) => {
    const texts = [...'pqr'].map(() => '')
    texts.push(sample(HOST, 'perf-script-sched.txt').toString('latin1'))
    texts.push(sample(HOST, 'ftrace-stack-symaddr.txt').toString('latin1').slice(0, 9000))
    texts.push(sample(HOST, 'bpftrace-kstack.txt').toString('latin1').slice(0, 9000))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...texts),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 60 }),
        fc.uint8Array({ maxLength: 200 }),
        async (text, changes, more) => {
          const bytes = Buffer.concat([Buffer.from(text, 'latin1'), more])
          for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte
          const answers = await run(bytes, host, 'ndjson', { input, boot: { release: host.host.release } })
          for (const { bytes: written } of answers) {
            for (const line of Buffer.from(written ?? [])
              .toString()
              .split('\n'))
              if (line !== '') JSON.parse(line)
          }
        },
      ),
      { numRuns: 25 },
    )
  })
})

describe('text in place', () => {
  it('is the same text with words where addresses stood', async () => {
    const text = sample(HOST, 'perf-script-default.txt')
    const words = (await output(text, host, 'text')).toString('latin1').split('\n')
    const lines = text.toString('latin1').split('\n')
    expect(words).toHaveLength(lines.length)
    let replaced = 0
    lines.forEach((line, i) => {
      const kernel = /^(\t[0-9a-f]{16}) .*( \(\[kernel\.kallsyms\]\))$/.exec(line)
      if (kernel === null) {
        same(words[i], line)
        return
      }
      replaced++
      const [, before = '', behind = ''] = kernel
      const changed = words[i] ?? ''
      same(changed.startsWith(before) && changed.endsWith(behind), true)
      expect(changed.slice(before.length, changed.length - behind.length)).toMatch(/^ [\w.]+\+0x[0-9a-f]+$/)
    })
    expect(replaced).toBeGreaterThan(2_500)
  })
  it('gives perf text its names in perf’s manner', async () => {
    const head = 'a 7 [000] 1.000000: 1 x: \n'
    const bare = `${head}\tffffffff816b8aab\n\tffffffff816b8aab [unknown] ([unknown])\n\t401000 [unknown] (/bin/a)\n\n`
    const words = `${head}\tffffffff816b8aab vfs_read+0xbb ([kernel.kallsyms])\n\tffffffff816b8aab vfs_read+0xbb ([kernel.kallsyms])\n\t401000 [unknown] (/bin/a)\n\n`
    expect((await output(Buffer.from(bare), host, 'text')).toString()).toBe(words)
    expect((await output(Buffer.from(words), host, 'text')).toString()).toBe(words)
  })
  it('puts found addresses where they were hidden', async () => {
    const text = Buffer.from('[<0>] vfs_read+0xbb/0x360\n[<0>] unheard_of+0x1/0x2\n')
    expect((await output(text, host, 'text')).toString()).toBe(
      '[<ffffffff816b8aab>] vfs_read+0xbb/0x360\n[<0>] unheard_of+0x1/0x2\n',
    )
  })
  it('leaves bytes that are no text, line ends and a missing last one alone', async () => {
    const text = Buffer.concat([
      Buffer.from([0xff, 0xfe, 0x00, 0x0d, 0x0a]),
      Buffer.from('at ffffffff82000000\r\n\r\nend \xe9', 'latin1'),
    ])
    const words = await output(text, host, 'text', { input: 'any-text' })
    const [before, after] = text.toString('latin1').split('ffffffff82000000')
    const changed = words.toString('latin1')
    expect(changed.startsWith(before ?? '-')).toBe(true)
    expect(changed.endsWith(after ?? '-')).toBe(true)
    expect(changed.slice(before?.length, changed.length - (after?.length ?? 0))).toMatch(
      /^\w+\+0x[0-9a-f]+\/0x[0-9a-f]+$/,
    )
  })
  it('changes nothing in words that are all there', async () => {
    const text = sample(HOST, 'ftrace-stack-symoffset.txt')
    expect((await output(text, host, 'text')).equals(text)).toBe(true)
  })
})

it('JSON that came in goes out unchanged, digit for digit', async () => {
  const line =
    '{ "type":"kprobe","pid":5,"big":18446744073709551615, "f":1.50,"t":"\\u00e9 \xe9","stack":["0xffffffff816b8aab"]}'
  const [text = ''] = (await output(Buffer.from(line), host, 'ndjson')).toString().trim().split('\n')
  expect(text.startsWith(line.slice(0, 2).trim())).toBe(true)
  expect(text).toContain(line.slice(1, -1).trim())
  expect(text).toContain(
    '"kernel_stack":[{"address":"0xffffffff816b8aab","symbol":"vfs_read","offset":187,"size":864,"module":"vmlinux"}]',
  )
})

describe('what events came with', () => {
  const text = '{"type":"kprobe","pid":5,"ts":7,"x":[1],"stack":["0xffffffff816b8aab"]}\n{"type":"lsm","pid":6,"x":1}\n'
  it('is left out if it is not wanted', async () => {
    const written = (await output(Buffer.from(text), host, 'ndjson', { passthrough: false })).toString()
    expect(written.trim().split('\n')).toEqual([
      expect.stringMatching(/^\{"type":"kprobe","pid":5,"ts":"7","kernel_stack":\[\{[^\]]*\}\],"generation":1\}$/),
      '{"type":"tracepoint","pid":6,"generation":1}',
    ])
    const perf = sample(HOST, 'perf-script-pidtid.txt')
    const line = (await output(perf, host, 'ndjson', { passthrough: false })).toString().split('\n')[0] ?? ''
    expect(Object.keys(JSON.parse(line)).join()).toBe('type,pid,tid,ts,kernel_stack,user_stack,generation')
  })
  it('of an unknown type is counted, and refused if so asked', async () => {
    const [loose] = await run(Buffer.from(text), host, 'ndjson', {})
    expect([loose?.events, loose?.strange, loose?.bad]).toEqual([2, 1, []])
    const [strict] = await run(Buffer.from(text), host, 'ndjson', { strict: true })
    expect([strict?.events, strict?.strange, strict?.bad]).toEqual([
      1,
      1,
      [{ line: 1, reason: 'no type of event: "lsm"', text: '{"type":"lsm","pid":6,"x":1}' }],
    ])
  })
})

it('output is an input again, and comes out the same', async () => {
  const once = await output(sample(HOST, 'perf-script-pidtid.txt'), host, 'ndjson')
  const twice = await output(once, host, 'ndjson')
  const kernel = (text: Buffer) =>
    text
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).kernel_stack)
  expect(kernel(twice)).toEqual(kernel(once))
})

it('a text in which nothing is known passes through, and stays nothing where events are wanted', async () => {
  const words = Buffer.from('nothing here\n')
  for (const input of [words, Buffer.alloc(0)]) {
    const answers = await run(input, host, 'text')
    expect(Buffer.concat(answers.map(({ bytes }) => bytes ?? Buffer.alloc(0)))).toEqual(input)
  }
  await expect(run(Buffer.from('\0\0\0\0'), host, 'text')).rejects.toThrow(/no format/)
  await expect(run(words, host, 'profile')).rejects.toThrow(/no format/)
  await expect(run(Buffer.from('at ffffffff81000010\n'), host, 'profile')).rejects.toThrow(/no format that has stacks/)
})

it('a text that nobody knows is refused, and an abort is heard', async () => {
  await expect(run(Buffer.from('nothing here\n'), host, 'ndjson')).rejects.toThrow(UnsupportedError)
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(run(sample(HOST, 'perf-script-default.txt'), host, 'text', { signal })).rejects.toThrow(AbortedError)
})
