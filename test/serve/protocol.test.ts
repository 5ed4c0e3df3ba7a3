// What programs ask over HTTP: frames in JSON and packed, Mozilla's symbolication, pprof's symbols, texts; equal to what the
// library answers, and to the kernel's own addresses.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { Function as Fn, Line, Location, Mapping, Profile, Sample, StringTable, ValueType } from 'pprof-format'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Kernel, openKernel } from '../../src/index.ts'
import type { Serving } from '../../src/serve/app.ts'
import { debugIdOf } from '../../src/serve/debug-id.ts'
import { rawFrame } from '../../src/stacks/frame.ts'
import { StackResolver } from '../../src/stacks/resolve.ts'
import { CAPTURE, fixturePath } from '../fixtures.ts'
import { ask, parsed, post, start, TOKEN } from './server.ts'

let serving: Serving & { readonly url: string }
let kernel: Kernel
let url: string

beforeAll(async () => {
  serving = await start()
  url = serving.url
  kernel = await openKernel({ from: CAPTURE, threads: 0 })
})
afterAll(async () => {
  await serving?.close()
  await kernel?.close()
})

/** Addresses of all kinds: in functions, at their starts, in data, in holes, outside. */
function addresses(count: number): bigint[] {
  const list: bigint[] = []
  let random = 7
  for (let i = 0; i < count; i++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    list.push(
      kernel.symbols.addressOf(random % kernel.symbols.size) + BigInt(random % 97) - (i % 50 === 0 ? 0x100000n : 0n),
    )
  }
  return list.map((address) => BigInt.asUintN(64, address))
}

const hex = (address: bigint) => `0x${address.toString(16).padStart(16, '0')}`

interface FrameAnswer {
  readonly address: string
  readonly symbol: string | null
  readonly offset: number | null
  readonly size: number | null
  readonly owner: string | null
  readonly aliases: readonly string[]
  readonly reason: string | null
}

describe('/v1/resolve', () => {
  it('answers addresses as the library does', async () => {
    const asked = addresses(3000)
    const { frames, generation, release } = await post<{ frames: FrameAnswer[]; generation: number; release: string }>(
      `${url}v1/resolve`,
      { addresses: asked.map(hex) },
    )
    expect({ generation, release }).toEqual({ generation: 1, release: '6.1.0-56-amd64' })
    expect(frames).toHaveLength(asked.length)
    for (const [i, address] of asked.entries()) {
      const match = kernel.symbols.at(address)
      const { symbol, offset, size, owner } = frames[i]!
      expect({ symbol, offset, size, owner }).toEqual({
        symbol: match?.symbol.name ?? null,
        offset: match?.offset ?? null,
        size: match?.size ?? null,
        owner: match?.symbol.owner ?? null,
      })
      if (match === undefined) expect(frames[i]!.reason).not.toBeNull()
    }
  })

  it('looks return addresses of stacks up before the call, unless told not to', async () => {
    const asked = addresses(40)
    for (const mode of ['return', 'raw'] as const) {
      const { stacks } = await post<{ stacks: FrameAnswer[][] }>(`${url}v1/resolve`, { mode, stacks: [asked.map(hex)] })
      const frames = new StackResolver(kernel.symbols, { mode, trust: 'table' }).resolve(
        asked.map((address) => rawFrame({ address })),
        'pc-first',
      )
      expect(stacks[0]!.map(({ symbol, offset }) => [symbol, offset])).toEqual(
        frames.map(({ symbol, offset }) => [symbol, offset]),
      )
    }
  })

  it('keeps a place for what is no frame, so that answers stand where questions stood', async () => {
    const { stacks } = await post<{ stacks: FrameAnswer[][] }>(`${url}v1/resolve`, {
      stacks: [['0xffffffffffffff80', hex(kernel.symbols.named('vfs_read')[0]!.address), '0x0'], []],
    })
    expect(stacks[0]!.map(({ symbol, reason }) => symbol ?? reason)).toEqual(['marker', 'vfs_read', 'marker'])
    expect(stacks[1]).toEqual([])
  })

  it('answers packed addresses with numbers, and the numbers with names', async () => {
    const asked = BigUint64Array.from(addresses(70_000))
    const headers = { 'Content-Type': 'application/octet-stream', 'X-Kerndex-Table': 'debian' }
    const body = Buffer.from(asked.buffer)
    const answer = await ask(`${url}v1/resolve`, { method: 'POST', headers, body })
    expect(answer.status).toBe(200)
    const words = new Uint32Array(
      answer.body.buffer.slice(answer.body.byteOffset, answer.body.byteOffset + answer.body.length),
    )
    const { ids, offsets } = kernel.symbols.findMany(asked)
    expect(words.subarray(0, asked.length)).toEqual(ids)
    expect(words.subarray(asked.length)).toEqual(offsets)

    const rows = Uint32Array.of(ids.find((id) => id !== 0xffffffff)!, 0xffffffff)
    const generation = String(answer.headers['x-kerndex-generation'])
    const names = await ask(`${url}v1/names`, {
      method: 'POST',
      headers: { 'X-Kerndex-Generation': generation },
      body: Buffer.from(rows.buffer),
    })
    const { symbols } = parsed<{ symbols: unknown[] }>(names)
    expect(symbols).toEqual([kernel.symbols.get(rows[0]!).toJSON(), null])
    const old = await ask(`${url}v1/names`, {
      method: 'POST',
      headers: { 'X-Kerndex-Generation': '9' },
      body: Buffer.from(rows.buffer),
    })
    expect(old.status).toBe(409)
  })

  it('chooses the table by key or build, and never answers from another build', async () => {
    const { buildId } = kernel.host
    const named = await post<{ table: string }>(`${url}v1/resolve`, { buildId, addresses: [] })
    expect(named.table).toBe('debian')
    const other = await ask(`${url}v1/resolve`, {
      method: 'POST',
      body: JSON.stringify({ buildId: '00'.repeat(20), addresses: [] }),
    })
    expect(other.status).toBe(404)
    const missing = await ask(`${url}v1/resolve`, {
      method: 'POST',
      body: JSON.stringify({ table: 'x', addresses: [] }),
    })
    expect(missing.status).toBe(404)
  })

  it('moves addresses of another boot by its _stext, and refuses those of another kernel', async () => {
    const delta = 0x1200000n
    const read = kernel.symbols.named('vfs_read')[0]!.address
    const stext = hex(kernel.symbols.named('_stext')[0]!.address - delta)
    const moved = await post<{ stacks: FrameAnswer[][] }>(`${url}v1/resolve`, {
      boot: { stext },
      stacks: [[hex(read - delta)]],
    })
    expect(moved.stacks[0]![0]!.symbol).toBe('vfs_read')
    const body = JSON.stringify({ boot: { release: '5.10.0' }, stacks: [] })
    expect((await ask(`${url}v1/resolve`, { method: 'POST', body })).status).toBe(409)
  })

  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['neither', '{}'],
    ['both', '{"addresses":[],"stacks":[]}'],
    ['a number, whose last digits are gone', '{"addresses":[18446744071562067968]}'],
    ['a name', '{"addresses":["vfs_read"]}'],
    ['a wrong mode', '{"mode":"x","addresses":[]}'],
    ['a stack that is none', '{"stacks":["0x1"]}'],
  ])('refuses %s with what is needed', async (_, body) => {
    const answer = await ask(`${url}v1/resolve`, { method: 'POST', body })
    expect(answer.status).toBe(400)
    expect(parsed<{ error: string }>(answer).error).not.toBe('')
  })
})

describe('/symbolicate/v5', () => {
  it('writes debug ids as they are defined', () => {
    // The first three fields change their byte order; the age of 0 comes behind.
    expect(debugIdOf('000102030405060708090a0b0c0d0e0f10111213')).toBe('030201000504070608090A0B0C0D0E0F0')
  })

  it('answers jobs field by field', async () => {
    const text = kernel.symbols.named('_text')[0]!.address
    const read = kernel.symbols.named('vfs_read')[0]!
    const id = debugIdOf(kernel.host.buildId!)
    const offset = Number(read.address - text) + 16
    const job = {
      memoryMap: [
        ['[kernel.kallsyms]:x', id],
        ['other.so', `${'AB'.repeat(16)}0`],
        ['unused', id],
      ],
      stacks: [
        [
          [0, offset],
          [1, 4096],
        ],
        [
          [-1, 5],
          [0, 0x7fffffff],
        ],
      ],
    }
    const row = (frame: number, module: string, at: number) => ({
      frame,
      module,
      module_offset: `0x${at.toString(16)}`,
    })
    const result = {
      stacks: [
        [
          { ...row(0, '[kernel.kallsyms]:x', offset), function: 'vfs_read', function_offset: '0x10' },
          row(1, 'other.so', 4096),
        ],
        [row(0, '<unknown>', 5), row(1, '[kernel.kallsyms]:x', 0x7fffffff)],
      ],
      found_modules: {
        [`[kernel.kallsyms]:x/${id}`]: true,
        [`other.so/${'AB'.repeat(16)}0`]: false,
        [`unused/${id}`]: null,
      },
    }
    expect(await post(`${url}symbolicate/v5`, { jobs: [job, job] })).toEqual({ results: [result, result] })
    // A single job at the top, sent as browsers send it without asking first.
    const simple = await ask(`${url}symbolicate/v5`, {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain' },
      body: JSON.stringify(job),
    })
    expect(parsed(simple)).toEqual({ results: [result] })
  })

  it('lets pages of the origins that were named read the answer, and no others', async () => {
    const named = await start({ origins: ['https://profiler.example'] })
    try {
      const from = (origin: string, method = 'POST') =>
        ask(`${named.url}symbolicate/v5`, {
          method,
          headers: { Origin: origin },
          ...(method === 'POST' && { body: '{"jobs":[]}' }),
        })
      expect((await from('https://profiler.example')).headers['access-control-allow-origin']).toBe(
        'https://profiler.example',
      )
      expect((await from('https://evil.example')).headers['access-control-allow-origin']).toBeUndefined()
      const preflight = await from('https://profiler.example', 'OPTIONS')
      expect(preflight.status).toBe(204)
      expect(preflight.headers['access-control-allow-headers']).toContain('Authorization')
      // The page's own answers are nobody else's.
      const tables = await ask(`${named.url}v1/tables`, { headers: { Origin: 'https://profiler.example' } })
      expect(tables.headers['access-control-allow-origin']).toBeUndefined()
    } finally {
      await named.close()
    }
  })

  it.each([
    '{"jobs":{}}',
    '{"memoryMap":[],"stacks":[[[0,1]]]}',
    '{"memoryMap":[["a"]],"stacks":[]}',
    '{"memoryMap":[["a","b"]],"stacks":[[[0,-1]]]}',
  ])('refuses %s', async (body) => {
    expect((await ask(`${url}symbolicate/v5`, { method: 'POST', body })).status).toBe(400)
  })
})

/** A profile as a collector writes it that knows no names: two kernel frames and one of user space, no kernel mapping of its own. */
function rawProfile(delta = 0n, text?: bigint): Buffer {
  const strings = new StringTable()
  const place = (name: string, more: bigint) => kernel.symbols.named(name)[0]!.address + more - delta
  const sampleType = [new ValueType({ type: strings.dedup('samples'), unit: strings.dedup('count') })]
  const end = kernel.symbols.named('_end')[0]!.address
  const mapping = [
    new Mapping({ id: 1, memoryStart: 0x400000n, memoryLimit: 0x500000n, filename: strings.dedup('/bin/app') }),
    new Mapping({
      id: 2,
      memoryStart: (text ?? 0xffffffff00000000n) - delta,
      memoryLimit: end - delta,
      filename: strings.dedup('[kernel.kallsyms]'),
    }),
  ]
  const location = [
    new Location({ id: 1, mappingId: 2, address: place('vfs_read', 32n) }),
    new Location({ id: 2, mappingId: 2, address: place('ksys_read', 64n) }),
    new Location({ id: 3, mappingId: 1, address: 0x401000n, line: [new Line({ functionId: 1 })] }),
  ]
  const fn = [new Fn({ id: 1, name: strings.dedup('main'), systemName: strings.dedup('main') })]
  const sample = [new Sample({ locationId: [1, 2, 3], value: [5] })]
  return Buffer.from(
    new Profile({ sampleType, sample, mapping, location, function: fn, stringTable: strings }).encode(),
  )
}

describe("pprof's symbols", () => {
  it('says that there are some, and answers addresses as they stand', async () => {
    expect((await ask(`${url}symbol`)).body.toString()).toBe('num_symbols: 1\n')
    const read = kernel.symbols.named('vfs_read')[0]!.address
    const body = `0x${read.toString(16)}+0x${(read + 5n).toString(16)}+0x123+nonsense`
    const answer = await ask(`${url}debug/pprof/symbol`, { method: 'POST', body })
    expect(answer.body.toString().split('\n').slice(1, -1)).toEqual([
      `0x${read.toString(16)} vfs_read`,
      `0x${(read + 5n).toString(16)} vfs_read`,
    ])
  })

  it('hands a profile out with kernel mappings that have starts and build ids', async () => {
    await ask(`${url}p/raw`, { method: 'PUT', body: gzipSync(rawProfile()) })
    const answer = await ask(`${url}p/raw/debug/pprof/profile`)
    const { mapping, location, stringTable } = Profile.decode(gunzipSync(answer.body))
    const text = (i: number | bigint) => stringTable.strings[Number(i)]
    expect(mapping.map(({ filename }) => text(filename))).toEqual(['vmlinux', '/bin/app'])
    expect(text(mapping[0]!.buildId)).toBe(kernel.host.buildId)
    expect(BigInt.asUintN(64, BigInt(mapping[0]!.memoryStart))).toBe(kernel.symbols.named('_text')[0]!.address)
    expect(location.map(({ mappingId }) => Number(mappingId))).toEqual([1, 1, 2])
  })

  const hasGo = (() => {
    try {
      execFileSync('go', ['tool', 'pprof', '-h'], { stdio: 'ignore' })
      return true
    } catch (error) {
      return (error as { status?: number }).status !== undefined && (error as { code?: string }).code !== 'ENOENT'
    }
  })()
  if (!hasGo) console.warn('go tool pprof is not tested: go is not there')

  it.skipIf(!hasGo)('go tool pprof asks for the names that resolve gives', async () => {
    await ask(`${url}p/asked`, { method: 'PUT', body: rawProfile() })
    const { spawn } = await import('node:child_process')
    const args = ['tool', 'pprof', '-symbolize=remote', '-top', `${url}p/asked/debug/pprof/profile`]
    const env = { ...process.env, PPROF_TMPDIR: '/tmp/kerndex-test-pprof', PPROF_BINARY_PATH: '/nowhere' }
    const child = spawn('go', args, { env })
    let out = ''
    child.stdout.on('data', (piece: Buffer) => {
      out += piece.toString()
    })
    await new Promise((resolve) => child.on('close', resolve))
    expect(out).toContain('vfs_read')
    expect(out).toContain('ksys_read')
    expect(out).toContain('main')
  })

  it('keeps what was put under its name, within its bounds, until it is dropped', async () => {
    const small = await start({ limits: { profiles: 2, profileBytes: 4000 } })
    try {
      const put = (name: string, body: string | Buffer) => ask(`${small.url}p/${name}`, { method: 'PUT', body })
      const trace = 'a;b 1\n'
      for (const name of ['one', 'two', 'three']) expect((await put(name, trace)).status).toBe(201)
      expect(
        parsed<{ profiles: { name: string }[] }>(await ask(`${small.url}v1/profiles`)).profiles.map(({ name }) => name),
      ).toEqual(['two', 'three'])
      expect((await put('big', 'a;b 1\n'.repeat(1000))).status).toBe(413)
      expect((await put('%2e%2e%2fx', trace)).status).toBe(400)
      expect((await ask(`${small.url}p/one`)).status).toBe(404)
      expect((await ask(`${small.url}p/two`, { method: 'DELETE' })).status).toBe(204)
      expect((await ask(`${small.url}p/two`)).status).toBe(404)
    } finally {
      await small.close()
    }
  })
})

describe('texts', () => {
  const prose = readFileSync(fixturePath('README.md')) // Any text that is no trace: it is passed on.

  it('come back with their addresses in words', async () => {
    const body = [...Array(3)]
      .map(() => `0x${(kernel.symbols.named('vfs_read')[0]!.address + 16n).toString(16)}`)
      .join('\n')
    const answer = await ask(`${url}v1/text`, { method: 'POST', body: `${body}\n` })
    expect(answer.status).toBe(200)
    expect(answer.body.toString()).toContain('vfs_read+0x10/0x310')
  })

  it('are the same whoever works on them: this thread, or threads that live on', async () => {
    const line = (name: string, more: bigint) =>
      `\t${(kernel.symbols.named(name)[0]!.address + more).toString(16)} [unknown] ([kernel.kallsyms])\n`
    const record = `app 1 [000] 1.000000: cycles:\n${line('vfs_read', 16n)}${line('ksys_read', 32n)}\n`
    const short = await ask(`${url}v1/text?input=perf-script&output=folded`, {
      method: 'POST',
      body: record.repeat(10),
    })
    expect(short.body.toString()).toBe('app;ksys_read;vfs_read 10\n')
    for (let i = 0; i < 2; i++) {
      const long = await ask(`${url}v1/text?input=perf-script&output=folded`, {
        method: 'POST',
        body: record.repeat(5000),
      })
      expect(long.body.toString()).toBe('app;ksys_read;vfs_read 5000\n')
    }
  })

  it('that are in no format, or asked for in none, are told so', async () => {
    expect((await ask(`${url}v1/text?output=nothing`, { method: 'POST', body: 'x' })).status).toBe(400)
    expect((await ask(`${url}v1/text?input=nothing`, { method: 'POST', body: 'x' })).status).toBe(400)
    expect((await ask(`${url}v1/text?output=folded`, { method: 'POST', body: Buffer.from([0, 1, 2, 3]) })).status).toBe(
      422,
    )
    expect((await ask(`${url}v1/text`, { method: 'POST', body: prose })).body).toEqual(prose)
  })

  it('become flame graphs that may run their own scripts and nothing else', async () => {
    await ask(`${url}p/flames`, { method: 'PUT', body: 'main;work 3\nmain;rest 1\n' })
    const answer = await ask(`${url}p/flames/output?output=flamegraph`)
    const policy = String(answer.headers['content-security-policy'])
    expect(policy).toMatch(/^default-src 'none'; script-src ('sha256-[A-Za-z0-9+/=]+' ?){3};/)
    expect(answer.body.toString()).toContain('<h1>flames</h1>')
  })
})

it('names a module of the table as an example, of which a search finds something', async () => {
  const { tables } = parsed<{ tables: { module: string }[] }>(await ask(`${url}v1/tables`))
  const [{ module } = { module: '' }] = tables
  expect(kernel.symbols.owners).toContain(module)
  const query = encodeURIComponent(`${module}:`)
  const { hits } = parsed<{ hits: { owner: string }[] }>(await ask(`${url}v1/k/debian/search?q=${query}`))
  expect(new Set(hits.map(({ owner }) => owner))).toEqual(new Set([module]))
})

it('tells what it counted as Prometheus reads it', async () => {
  const text = (await ask(`${url}metrics`)).body.toString()
  for (const line of text.split('\n')) {
    expect(line).toMatch(
      /^(?:# (?:HELP|TYPE) [a-z_]+ .*|[a-z_]+(?:\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})? [0-9.e+-]+|)$/,
    )
  }
  expect(text).toMatch(/kerndex_serve_requests_total\{route="\/v1\/resolve",status="200"\} \d+/)
  expect(text).toMatch(/kerndex_serve_frames_total\{outcome="found"\} \d+/)
  expect(text).not.toContain(TOKEN)
})
