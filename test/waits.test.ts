// Every wait of the library and of the command ends with its signal, or when what it belongs to is closed. Each case here waits for
// something that never comes: that it ends at all is what is tested.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { inputFormat, readEvents, runStream } from '../src/events.ts'
import { type Kernel, openElf, openKernel, openTypeFile, openTypes, saveSnapshot, writeCapture } from '../src/index.ts'
import { FACT_FILES } from '../src/sources/source.ts'
import { MAIN } from './cli/run.ts'
import { CAPTURE, fixtureBytes, fixturePath } from './fixtures.ts'

const EDGE = fixturePath('edge/edge.kallsyms')
const folder = mkdtempSync(join(tmpdir(), 'kerndex-waits-'))
const pipes: string[] = []

/** A pipe that nobody writes to. */
function quietPipe(suffix = ''): string {
  const path = join(folder, `pipe${pipes.length}${suffix}`)
  execFileSync('mkfifo', [path])
  pipes.push(path)
  return path
}

afterAll(() => {
  // Whoever is still waiting for a writer is let go: else a failing test would never end.
  for (const path of pipes) closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK))
  rmSync(folder, { recursive: true })
})

/** Bytes, and then none any more. */
async function* quietStream(...pieces: string[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece)
  await new Promise(() => {})
}

/** A kernel whose text is a quiet pipe by now. */
async function stuckKernel(): Promise<Kernel> {
  const path = quietPipe()
  const text = join(folder, `text${pipes.length}`)
  writeFileSync(text, fixtureBytes('edge/edge.kallsyms'))
  const kernel = await openKernel({ from: text, threads: 0, types: false })
  renameSync(path, text)
  pipes.push(text)
  pipes.splice(pipes.indexOf(path), 1)
  return kernel
}

async function drained(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

/** Lets what was begun come to where it waits. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn()
}

const kernel = await openKernel({ from: EDGE, threads: 1, types: false })
afterAll(() => kernel.close())
const format = inputFormat('addresses')

describe('a signal ends', () => {
  const WAITS: Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>> = {
    openKernel: (signal) => openKernel({ from: quietPipe(), threads: 0, signal }),
    'openKernel of a capture with a pipe in it': (signal) => {
      const capture = mkdtempSync(join(folder, 'capture-'))
      execFileSync('mkfifo', [join(capture, 'kallsyms')])
      pipes.push(join(capture, 'kallsyms'))
      return openKernel({ from: capture, threads: 0, signal })
    },
    openTypes: (signal) => openTypes({ from: quietPipe(), signal }),
    'openTypes of an archive': (signal) => openTypes({ from: quietPipe('.tar.gz'), signal }),
    'openKernel of an archive': (signal) => openKernel({ from: quietPipe('.tar'), threads: 0, signal }),
    openTypeFile: (signal) => openTypeFile(quietPipe(), undefined, { signal }),
    'openTypeFile, of its base': (signal) =>
      openTypeFile(fixturePath('debian-6.1-amd64/btf/vmlinux.gz'), quietPipe(), { signal }),
    writeCapture: (signal) => writeCapture(join(folder, 'never'), { from: quietPipe(), signal }),
    'runStream before the first byte': (signal) =>
      drained(runStream(quietStream(), kernel.snapshot(), 'text', { signal })),
    'runStream while it is told which format it is': (signal) =>
      drained(runStream(quietStream('ffffffff81000018\n'), kernel.snapshot(), 'text', { signal })),
    'runStream between two pieces': (signal) =>
      drained(runStream(quietStream('ffffffff81000018\n'), kernel.snapshot(), 'text', { input: 'addresses', signal })),
    'readEvents before the first byte': (signal) => drained(readEvents(quietStream(), format, undefined, { signal })),
    'readEvents between two pieces': (signal) =>
      drained(readEvents(quietStream('ffffffff81000018\n'), format, undefined, { signal })),
  }
  it.each(Object.keys(WAITS))('%s', async (name) => {
    const control = new AbortController()
    const waiting = WAITS[name]!(control.signal)
    waiting.catch(() => {})
    await turns()
    control.abort(new Error('enough'))
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } })
    // One that was aborted before it began does not begin.
    await expect(WAITS[name]!(control.signal)).rejects.toMatchObject({ code: 'ABORTED' })
    // No thread of Node's is held: it would hold the end of the process.
    await expect.poll(() => process.getActiveResourcesInfo().filter((what) => what.startsWith('FSReq'))).toEqual([])
  })

  it('a lookup whose threads are still starting', async () => {
    const cold = await openKernel({ from: EDGE, threads: 1, types: false })
    const control = new AbortController()
    const answer = cold.findMany(new BigUint64Array(1 << 20), { signal: control.signal })
    control.abort()
    await expect(answer).rejects.toMatchObject({ code: 'ABORTED' })
    await cold.close()
  })

  it('the waiting for types, and the writing of a snapshot', async () => {
    const early = await openKernel({ from: CAPTURE, threads: 0, ready: 'symbols' })
    const signal = AbortSignal.abort()
    await expect(early.ready('types', { signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(saveSnapshot(early.snapshot(), join(folder, 'never'), { signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    expect(readdirSync(folder).filter((name) => /never|\.tmp$/.test(name))).toEqual([])
    await early.close()
  })

  it('a watch, quietly, while it refreshes', async () => {
    const stuck = await stuckKernel()
    const control = new AbortController()
    const changes = stuck.watch({ intervalMs: 10, signal: control.signal })
    const next = changes.next()
    await new Promise((resume) => setTimeout(resume, 30))
    control.abort()
    expect(await next).toEqual({ done: true, value: undefined })
    await stuck.close()
  })
})

describe('closing a kernel ends', () => {
  it('a refresh under way, and every other after it', async () => {
    const stuck = await stuckKernel()
    const refreshes = [stuck.refresh(), stuck.refresh()]
    for (const each of refreshes) each.catch(() => {})
    await turns()
    await stuck.close()
    for (const each of [...refreshes, stuck.refresh()]) await expect(each).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('a watch, quietly, while it sleeps or refreshes', async () => {
    for (const [stuck, intervalMs] of [
      [await stuckKernel(), 10],
      [await openKernel({ from: EDGE, threads: 0, types: false }), 1e8],
    ] as const) {
      const next = stuck.watch({ intervalMs }).next()
      await new Promise((resume) => setTimeout(resume, 30))
      await stuck.close()
      expect(await next).toEqual({ done: true, value: undefined })
    }
  })

  it('the waiting for types', async () => {
    const early = await openKernel({ from: CAPTURE, threads: 0, ready: 'symbols' })
    const waiting = early.ready('types')
    waiting.catch(() => {})
    await early.close()
    await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

it('a listener that throws silences none behind it', async () => {
  const text = join(folder, 'changing')
  writeFileSync(text, fixtureBytes('edge/edge.kallsyms'))
  const changing = await openKernel({ from: text, threads: 0, types: false })
  const told: number[] = []
  changing.subscribe(() => {
    throw new Error('first')
  })
  changing.subscribe(({ generation }) => told.push(generation))
  writeFileSync(text, Buffer.concat([fixtureBytes('edge/edge.kallsyms'), Buffer.from('ffffffff8f000000 T added\n')]))
  await expect(changing.refresh()).rejects.toThrow('first')
  expect([told, changing.generation]).toEqual([[2], 2])
  await changing.close()
})

it('what cannot wait does not: the facts and the type blobs of a capture that are pipes', async () => {
  const capture = mkdtempSync(join(folder, 'capture-'))
  mkdirSync(join(capture, 'btf'))
  writeFileSync(join(capture, 'kallsyms'), fixtureBytes('edge/edge.kallsyms'))
  for (const name of [...FACT_FILES, 'btf/some']) {
    execFileSync('mkfifo', [join(capture, name)])
    pipes.push(join(capture, name))
  }
  const opened = await openKernel({ from: capture, threads: 0 })
  const why = opened.snapshot().host.absences.filter(({ reason }) => reason.endsWith('is not a regular file'))
  expect(why.map(({ what }) => what)).toEqual(expect.arrayContaining(['modules', 'version']))
  await opened.close()
})

it('what cannot wait does not: an ELF file that is a pipe', async () => {
  await expect(openElf(quietPipe())).rejects.toMatchObject({ code: 'NOT_READABLE' })
})

describe('Ctrl-C ends', () => {
  const start = (...args: readonly string[]) => {
    const child = spawn(process.execPath, [MAIN, ...args, '--threads', '0'])
    child.stderr.resume()
    return child
  }
  const ended = async (child: ChildProcess) => {
    const exit = once(child, 'exit')
    child.kill('SIGINT')
    return exit
  }

  it('resolve, whose stdin is quiet', async () => {
    const child = start('resolve', '--input', 'addresses', '--from', EDGE)
    child.stdin.write('ffffffff81000018\n')
    await once(child.stdout, 'data')
    expect(await ended(child)).toEqual([130, null])
  })

  it.each(['events', 'symbol'])('%s, of a pipe that is quiet', async (command) => {
    const pipe = quietPipe()
    const child = command === 'events' ? start('events', pipe, '--from', EDGE) : start('symbol', 'x', '--from', pipe)
    // Opening a pipe for writing waits until somebody has opened it for reading.
    const writer = await open(pipe, 'w')
    expect(await ended(child)).toEqual([130, null])
    await writer.close()
  })

  it('symbol, whose reader does not read', async () => {
    const child = start('symbol', '*', '--from', CAPTURE)
    await once(child.stdout, 'readable')
    // Its buffers and the pipe's are full soon; nobody takes anything out of them.
    await turns()
    expect(await ended(child)).toEqual([130, null])
  })
})
