import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kindName } from '../../src/btf/kinds.ts'
import {
  AbortedError,
  LimitError,
  NoPermissionError,
  NotReadableError,
  WorkerFailedError,
} from '../../src/core/errors.ts'
import { workerUrl } from '../../src/core/place.ts'
import { type LoadOptions, loadKernel } from '../../src/load/load.ts'
import type { LoaderThreads } from '../../src/load/tasks.ts'
import { type LoaderResult, type LoaderTask, runLoaderTask } from '../../src/load/tasks.ts'
import { Threads } from '../../src/load/threads.ts'
import { Snapshot } from '../../src/snapshot/snapshot.ts'
import { captureSource } from '../../src/sources/capture.ts'
import type { Source } from '../../src/sources/source.ts'
import { decodePlainly } from '../btf/plain-decoder.ts'
import { CAPTURE, edge, fixtureBytes } from '../fixtures.ts'
import { build } from '../symbols/build-table.ts'
import { fakeSource } from './sources.ts'

const pools = new Map<number, LoaderThreads>()
const loader = (count: number): LoaderThreads => {
  const known = pools.get(count)
  if (known !== undefined) return known
  const threads = new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), count)
  pools.set(count, threads)
  return threads
}
afterAll(() => Promise.all([...pools.values()].map((threads) => threads.close())))

const load = async (source: Source, options: LoadOptions = {}): Promise<Snapshot> =>
  new Snapshot((await loadKernel(source, 1, options)).handle)
const sameBytes = (a: SharedArrayBuffer, b: SharedArrayBuffer) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0
const text = fixtureBytes('debian-6.1-amd64/kallsyms.gz')

describe('the table of a load', () => {
  let expected: SharedArrayBuffer
  let small: SharedArrayBuffer
  const smallText = Buffer.concat([
    text.subarray(0, text.indexOf('\n', 40_000) + 1),
    Buffer.from('\nbad line here\n'),
    edge('longname'),
    edge('utf8'),
  ])
  beforeAll(() => {
    expected = build(text).buffer
    small = build(smallText).buffer
  })

  for (const threads of [0, 1, 2, 3]) {
    it(`is the same, byte for byte, with ${threads} threads and any size of chunk`, async () => {
      const pool = threads === 0 ? undefined : loader(threads)
      await pool?.start()
      for (const chunkBytes of [64, 100, 1_000, 4_096, 100_000]) {
        const { symbols, skipped } = await load(fakeSource(smallText), { threads: pool, chunkBytes })
        expect(sameBytes(symbols.buffer, small), `${chunkBytes} bytes a chunk`).toBe(true)
        expect(skipped.count).toBe(2)
      }
      for (const chunkBytes of [20_000, 512 * 1024, 1 << 23]) {
        const { symbols } = await load(fakeSource(text), { threads: pool, chunkBytes })
        expect(sameBytes(symbols.buffer, expected), `${chunkBytes} bytes a chunk`).toBe(true)
      }
    })
  }

  it('is the same while the threads still boot', async () => {
    const threads = new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), 2)
    const { symbols } = await load(fakeSource(text), { threads, chunkBytes: 50_000 })
    expect(sameBytes(symbols.buffer, expected)).toBe(true)
    await threads.close()
  })

  it('does not depend on how the bytes arrive', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 6 }),
        fc.constantFrom('never', 'always', 'sometimes'),
        fc.constantFrom(64, 333, 8_192),
        fc.boolean(),
        async (portions, promised, chunkBytes, pooled) => {
          const fits = portions.map((portion) => Math.max(portion, 50))
          const source = fakeSource(smallText, { portions: fits, promised, sizeHint: 0 })
          const { symbols } = await load(source, { chunkBytes, threads: pooled ? loader(2) : undefined })
          expect(sameBytes(symbols.buffer, small)).toBe(true)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('numbers bad lines through the whole text, whoever parsed them', async () => {
    const lines = text.toString('latin1').split('\n').slice(0, 3_000)
    const broken = [5, 700, 701, 2_999]
    for (const number of broken) lines[number - 1] = 'broken'
    const source = () => fakeSource(Buffer.from(lines.join('\n'), 'latin1'))
    for (const options of [{}, { threads: loader(2), chunkBytes: 512 }, { chunkBytes: 512 }]) {
      const { skipped } = await load(source(), options)
      expect(skipped.lines.map(({ line }) => line)).toEqual(broken)
    }
  })

  it.each([0, 2])('%i threads: an empty text is no kernel without symbols', async (threads) => {
    const source = fakeSource(Buffer.alloc(0))
    await expect(load(source, { threads: threads === 0 ? undefined : loader(threads) })).rejects.toMatchObject({
      code: 'NOT_READABLE',
    })
    expect(source.reader?.closed).toBe(1)
  })

  it.each([
    ['what has no symbol', 'x\n', 'BAD_FORMAT'],
    ['lines of symbols', 'ffffffff81000000 t a\n', 'LIMIT'],
    ['lines that are none behind one that is', 'x\n', 'LIMIT'],
  ])('of %s without end ends', async (_, line, code) => {
    const block = Buffer.from(line.repeat(10_000))
    const first = Buffer.from(code === 'LIMIT' ? 'ffffffff81000000 T _stext\n' : '')
    // A text that is never over: what is asked for beyond a gigabyte fails the test.
    let at = 0
    const source = fakeSource(first)
    const endless = {
      ...source,
      openSymbols: () => ({
        ...source.openSymbols(),
        read(target: Uint8Array) {
          if (at > 2 ** 30) throw new Error('read on and on')
          const from = at === 0 ? first : block
          const count = from.length === 0 ? block.copy(target) : Buffer.from(from).copy(target)
          at += Math.max(count, 1)
          return count
        },
      }),
    }
    await expect(load(endless)).rejects.toMatchObject({ code })
  })
})

describe('a text that changes while it is read', () => {
  it('grows: everything up to its first end is there, also beyond the size it began with', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kerndex-grow-'))
    const path = join(folder, 'kallsyms')
    const lines = Array.from({ length: 2_000 }, (_, i) => `ffffffff81${i.toString(16).padStart(6, '0')} t f${i}\n`)
    await writeFile(path, lines.slice(0, 1_000).join(''))
    const real = captureSource(folder)
    let reads = 0
    const growing: Source = {
      ...real,
      openSymbols() {
        const reader = real.openSymbols()
        return {
          sizeHint: reader.sizeHint,
          identity: reader.identity,
          async read(target) {
            const count = await reader.read(target.subarray(0, 1_000))
            if (++reads === 3) await writeFile(path, lines.slice(1_000).join(''), { flag: 'a' })
            return count
          },
          close: () => reader.close(),
        }
      },
    }
    const { symbols } = await load(growing, { chunkBytes: 4_096 })
    expect(symbols.size).toBe(2_000)
    expect(symbols.named('f1999').length).toBe(1)
    await rm(folder, { recursive: true })
  })

  it('ends in the middle of a line: the rest of it is a line of its own, good or bad', async () => {
    const cut = text.subarray(0, text.indexOf('\n', 10_000) - 5)
    const { symbols } = await load(fakeSource(cut), { chunkBytes: 1_000 })
    expect(sameBytes(symbols.buffer, build(cut).buffer)).toBe(true)
    const { skipped } = await load(fakeSource(Buffer.from('ffffffff81000000 T a\nffffffff8')))
    expect(skipped).toEqual({
      count: 1,
      lines: [{ line: 2, reason: 'type' }],
      leftOut: { data: 0, owners: 0 },
    })
  })
})

describe('a load that cannot succeed', () => {
  for (const threads of [0, 2]) {
    const pool = () => (threads === 0 ? undefined : loader(threads))

    it(`${threads} threads: a read that fails half way is the load's failure, and the file is closed`, async () => {
      const failure = new NotReadableError('the disk is gone')
      const source = fakeSource(text, {
        portions: [10_000],
        onRead: (number) => {
          if (number === 200) throw failure
        },
      })
      await expect(load(source, { threads: pool(), chunkBytes: 30_000 })).rejects.toBe(failure)
      expect(source.reader?.closed).toBe(1)
      // The threads serve the next load.
      expect((await load(fakeSource(edge('edge')), { threads: pool() })).symbols.size).toBe(34)
    })

    it(`${threads} threads: an abort ends it wherever it is`, async () => {
      for (const at of [0, 1, 50, 400]) {
        const abort = new AbortController()
        const source = fakeSource(text, {
          portions: [10_000],
          promised: 'always',
          onRead: (number) => {
            if (number === at) abort.abort(new Error('enough'))
            // As slow as /proc, so that the load looks at the signal.
            const until = performance.now() + 0.2
            while (performance.now() < until);
          },
        })
        const loading = load(source, { threads: pool(), signal: abort.signal, chunkBytes: 30_000 })
        const error = await loading.catch((thrown: unknown) => thrown)
        expect(error).toBeInstanceOf(AbortedError)
        expect(error).toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } })
        expect(source.reader?.closed).toBe(1)
      }
    })

    it(`${threads} threads: hidden addresses are an error`, async () => {
      await expect(load(fakeSource(edge('zero')), { threads: pool() })).rejects.toThrow(NoPermissionError)
    })

    it(`${threads} threads: a limit is an error`, async () => {
      let many = ''
      for (let i = 0; i < 65_536; i++) many += `ffffffffc${i.toString(16).padStart(7, '0')} t f\t[m${i}]\n`
      await expect(load(fakeSource(Buffer.from(many)), { threads: pool() })).rejects.toThrow(LimitError)
    })
  }

  it.each([0, 2])(
    '%i threads: a file that is no kallsyms text at all is an error, not an empty table',
    async (threads) => {
      const pool = threads === 0 ? undefined : loader(threads)
      for (const other of ['#!/bin/sh\necho no\n', '\n\n', 'x', '\x7fELF\0\0\0']) {
        const loading = load(fakeSource(Buffer.from(other)), { threads: pool })
        await expect(loading, JSON.stringify(other)).rejects.toMatchObject({ code: 'BAD_FORMAT' })
      }
    },
  )

  it('a text without newlines does not take memory without limit', async () => {
    let given = 0
    const endless = {
      ...fakeSource(Buffer.alloc(0)),
      openSymbols: () => ({
        sizeHint: 0,
        identity: '',
        read: (target: Uint8Array) => {
          given += target.length
          return target.length
        },
        close: () => {},
      }),
    }
    await expect(load(endless)).rejects.toThrow(LimitError)
    expect(given).toBeLessThan(128e6)
  })

  it('a size that is only claimed costs nothing', async () => {
    const { symbols } = await load(fakeSource(edge('edge'), { sizeHint: 2 ** 45 }))
    expect(symbols.size).toBe(34)
    const folder = await mkdtemp(join(tmpdir(), 'kerndex-sparse-'))
    await writeFile(join(folder, 'blob'), '')
    await truncate(join(folder, 'blob'), 2 ** 40)
    const btf = [{ module: 'vmlinux', path: join(folder, 'blob') }]
    const { host } = await load(fakeSource(edge('edge'), { btf }))
    expect(host.absences).toContainEqual({ what: 'btf/vmlinux', reason: expect.stringContaining('more than') })
    await rm(folder, { recursive: true })
  })

  it('does not begin once aborted', async () => {
    const source = fakeSource(text)
    await expect(load(source, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError)
    expect(source.reader?.closed ?? 1).toBe(1)
  })
})

describe('a thread that dies', () => {
  const openFiles = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
  const workerFile = (name: string) => new URL(name, import.meta.url)

  it('with a piece of a step is the load’s typed failure', async () => {
    const threads: LoaderThreads = new Threads(workerFile('taking-worker.mjs'), 2)
    await threads.start()
    const source = fakeSource(text)
    const before = openFiles()
    await expect(load(source, { threads, chunkBytes: 20_000 })).rejects.toThrow(WorkerFailedError)
    expect(source.reader?.closed).toBe(1)
    expect(openFiles()).toBeLessThanOrEqual(before + 1)
    await threads.close()
  })

  it('before it has taken a piece stops nobody', async () => {
    for (const count of [1, 2]) {
      const threads: LoaderThreads = new Threads(workerFile('dying-worker.mjs'), count)
      await threads.start()
      const { symbols } = await load(fakeSource(text), { threads, chunkBytes: 20_000 })
      expect(sameBytes(symbols.buffer, build(text).buffer)).toBe(true)
      await threads.close()
    }
  })

  it('comes too late or never: nobody waits for it, and it touches nothing any more', async () => {
    const tasks: LoaderTask[] = []
    const run = (task: LoaderTask) => {
      tasks.push(task)
      return new Promise<LoaderResult>(() => {})
    }
    const { symbols } = await load(fakeSource(text), {
      threads: { count: 3, run, takeMemory: () => undefined, keepMemory: () => false } as unknown as LoaderThreads,
      chunkBytes: 50_000,
    })
    expect(sameBytes(symbols.buffer, build(text).buffer)).toBe(true)
    expect(tasks.map((task) => task.do)).toEqual(['join', 'join', 'join'])
    // Their memory may be another load's by then: here it is such that nothing runs over it.
    const memory = { buffer: new SharedArrayBuffer(0), grow: () => 0 }
    for (const task of tasks) {
      const late = task.do === 'join' ? { ...task, memory } : task
      expect(await runLoaderTask(late)).toEqual({ did: 'join', spans: [] })
    }
  })

  it.each([
    ['stillborn-worker.mjs', /cannot start/],
    ['exiting-worker.mjs', /exited with code: 4|Terminating/],
    ['no-such-worker.mjs', /no-such-worker/],
  ])('before it could start fails the tasks given to it: %s', async (file, message) => {
    for (const count of [1, 2]) {
      const threads = new Threads<string, unknown>(workerFile(file), count)
      const first = await Promise.allSettled([threads.run('task'), threads.run('task'), threads.run('task')])
      for (const result of first) {
        expect(result.status === 'rejected' && result.reason).toBeInstanceOf(WorkerFailedError)
        expect(result.status === 'rejected' && result.reason.message).toMatch(message)
      }
      await expect(threads.run('task')).rejects.toThrow(WorkerFailedError)
      await threads.close()
    }
  })

  it('does not hold up a load that it never helped', async () => {
    const threads: LoaderThreads = new Threads(workerFile('stillborn-worker.mjs'), 2)
    const { symbols } = await load(fakeSource(edge('edge')), { threads })
    expect(symbols.size).toBe(34)
    await threads.close()
  })

  it('has not been started: a small refresh starts none, a load does', async () => {
    const first = await loadKernel(fakeSource(text), 1, { types: false })
    const threads = new Threads<LoaderTask, LoaderResult>(workerUrl('loader'), 2)
    const options = { threads, types: false }
    const changed = Buffer.concat([text, Buffer.from('ffffffffc0001000 t added\t[added]\n')])
    const second = await loadKernel(fakeSource(changed), 2, { ...options, earlier: first.memory })
    expect(threads.awake).toBe(false)
    expect(sameBytes(second.handle.symbols, build(changed).buffer)).toBe(true)
    const third = await loadKernel(fakeSource(text), 3, options)
    expect(threads.awake).toBe(true)
    expect(sameBytes(third.handle.symbols, first.handle.symbols)).toBe(true)
    await threads.close()
    await expect(threads.run({ do: 'help', paths: [] } as unknown as LoaderTask)).rejects.toMatchObject({
      code: 'CLOSED',
    })
  })

  it('leaves nothing open: the process ends by itself', async () => {
    const dist = (path: string) => JSON.stringify(new URL(`../../dist/src/${path}`, import.meta.url).href)
    const script = `
      const { loadKernel } = await import(${dist('load/load.js')})
      const { Threads } = await import(${dist('load/threads.js')})
      const { captureSource } = await import(${dist('sources/capture.js')})
      const threads = new Threads(new URL(${JSON.stringify(workerFile('taking-worker.mjs').href)}), 2)
      await threads.start()
      try {
        await loadKernel(captureSource(${JSON.stringify(CAPTURE)}), 1, { threads })
      } catch (error) {
        console.log(error.code)
      }
      await threads.close()`
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 50_000,
    })
    expect({ stdout, stderr }).toEqual({ stdout: 'WORKER_FAILED\n', stderr: '' })
  })

  it('is CLOSED for a task that was under way when the threads were closed', async () => {
    const threads = new Threads<string, unknown>(workerFile('echo-worker.mjs'), 1)
    await threads.start()
    const tasks = Array.from({ length: 8 }, () => threads.run('task'))
    const results = Promise.allSettled(tasks)
    await threads.close()
    const codes = (await results).map((result) => (result.status === 'rejected' ? result.reason.code : 'done'))
    expect(new Set([...codes, 'done', 'CLOSED'])).toEqual(new Set(['done', 'CLOSED']))
  })

  it('is CLOSED for tasks that come later', async () => {
    const threads = new Threads<string, unknown>(workerFile('echo-worker.mjs'), 1)
    await expect(threads.run('task')).resolves.toBe('task')
    await threads.close()
    await threads.close()
    await expect(threads.run('task')).rejects.toMatchObject({
      code: 'CLOSED',
    })
  })
})

describe('the event loop of the thread that loads', () => {
  it('gets a turn for every stretch of slow reading', async () => {
    const spun = 40
    let turns = 0
    let running = true
    const count = () => {
      turns++
      if (running) setImmediate(count)
    }
    setImmediate(count)
    const source = fakeSource(text, {
      portions: [Math.ceil(text.length / spun)],
      onRead: () => {
        // Longer than the load may hold the loop; the clock is only spun, never judged.
        const until = performance.now() + 6
        while (performance.now() < until);
      },
    })
    await load(source, { types: false })
    running = false
    expect(turns).toBeGreaterThanOrEqual(spun - 2)
    await once(process, 'nothing', { signal: AbortSignal.timeout(0) }).catch(() => {})
  })
})

describe('types of a capture', () => {
  const kinds = (set: { countByKind(): Record<string, number> }) =>
    Object.fromEntries(Object.entries(set.countByKind()).filter(([, count]) => count > 0))

  it('are those that a plain decoder counts, with and without threads', async () => {
    const base = decodePlainly(fixtureBytes('debian-6.1-amd64/btf/vmlinux.gz'))
    // The kernel keeps them in the order in which they were loaded; /proc/modules lists the newest first.
    const loaded = fixtureBytes('debian-6.1-amd64/modules').toString('latin1').trimEnd().split('\n').reverse()
    const names = loaded.map((line) => line.slice(0, line.indexOf(' ')))
    for (const threads of [undefined, loader(1), loader(2), loader(3)]) {
      const { types, host } = await load(captureSource(CAPTURE), { threads })
      expect(types.sets.map(({ name }) => name)).toEqual(['vmlinux', ...names])
      let total = 0
      for (const set of types.sets) {
        const bytes = fixtureBytes(`debian-6.1-amd64/btf/${set.name}.gz`)
        const plain = set.name === 'vmlinux' ? base : decodePlainly(bytes, base)
        const expected: Record<string, number> = {}
        for (const { kind } of plain.types) {
          const name = kindName(kind)
          expected[name] = (expected[name] ?? 0) + 1
        }
        expect(kinds(set), set.name).toEqual(expected)
        total += plain.types.length
      }
      expect(types.size).toBe(total)
      expect(host.absences).toEqual([{ what: 'boot_id', reason: 'not there' }])
      expect(types.find('virtqueue', { kind: 'STRUCT' }).length).toBeGreaterThan(0)
      expect(types.find('p9_fd_open', { kind: 'FUNC', module: '9pnet' })).toEqual(
        decodePlainly(fixtureBytes('debian-6.1-amd64/btf/9pnet.gz'), base)
          .types.filter(({ kind, name }) => kind === 12 && name === 'p9_fd_open')
          .map(({ id, name }) => ({ module: '9pnet', id, kind: 'FUNC', name })),
      )
    }
  })

  it('that vanish, are damaged or are no files are absences; the others are there', async () => {
    const blob = (module: string) => ({ module, path: join(CAPTURE, 'btf', `${module}.gz`) })
    const btf = [
      blob('vmlinux'),
      blob('9p'),
      { module: 'gone', path: join(CAPTURE, 'btf', 'gone') },
      { module: 'folder', path: CAPTURE },
      { module: 'text', path: join(CAPTURE, 'version') },
      blob('virtio'),
    ]
    for (const threads of [undefined, loader(2)]) {
      const { types, host, symbols } = await load(fakeSource(edge('edge'), { btf }), { threads })
      expect(symbols.size).toBe(34)
      expect(types.sets.map(({ name }) => name)).toEqual(['vmlinux', '9p', 'virtio'])
      const absent = Object.fromEntries(host.absences.map(({ what, reason }) => [what, reason]))
      expect(absent['btf/gone']).toMatch(/ENOENT/)
      expect(absent['btf/folder']).toMatch(/directory/)
      expect(absent['btf/text']).toMatch(/magic|BTF/)
    }
  })

  it('mean nothing without vmlinux, and that is said', async () => {
    const module = { module: '9p', path: join(CAPTURE, 'btf', '9p.gz') }
    const gone = { module: 'vmlinux', path: join(CAPTURE, 'btf', 'gone') }
    for (const threads of [undefined, loader(2)]) {
      const only = await load(fakeSource(edge('edge'), { btf: [module] }), { threads })
      expect(only.types.sets).toEqual([])
      expect(only.host.absences).toContainEqual({ what: 'btf/vmlinux', reason: expect.stringContaining('not there') })
      const vanished = await load(fakeSource(edge('edge'), { btf: [gone, module] }), { threads })
      expect(vanished.types.sets).toEqual([])
      expect(vanished.host.absences.map(({ what }) => what)).toContain('btf/vmlinux')
    }
  })
})

it('worker files are found from TypeScript and from compiled code', async () => {
  for (const name of ['loader', 'query'] as const) {
    expect(fileURLToPath(workerUrl(name))).toMatch(new RegExp(`dist/lib/thread-${name}\\.cjs$`))
  }
})
