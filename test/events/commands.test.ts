// The commands `resolve` and `events` as they are run: options, exit codes, files that are whole or not there.

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asked, MAIN } from '../cli/run.ts'
import { HOST, sample } from './samples.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-commands-'))
afterAll(() => rmSync(folder, { recursive: true }))
/** The host as each command opens it soonest. */
const SAVED = join(folder, 'host.kerndex')
beforeAll(() => asked(['snapshot', 'save', SAVED, '--from', HOST]))

interface Ended {
  code: number | null
  out: string
  err: string
}

function start(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args, '--from', SAVED, '--threads', '0'])
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  // A command that refuses to go on does not read to the end.
  child.stdin.on('error', () => {})
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) =>
      resolve({ code, out: Buffer.concat(out).toString('latin1'), err: Buffer.concat(err).toString() }),
    )
  })
  return { child, ended }
}

async function kerndex(input: string | Buffer, ...args: string[]): Promise<Ended> {
  const { code, stdout, stderr } = await asked([...args, '--from', SAVED, '--threads', '0'], input)
  return { code, out: stdout, err: stderr }
}

const file = (name: string, content: string | Buffer = '') => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

describe('resolve', () => {
  it('is a filter from stdin to stdout', async () => {
    const { child, ended } = start('resolve')
    child.stdin.end('[<0>] vfs_read+0xbb/0x360\n')
    const { code, out, err } = await ended
    expect({ code, out, err }).toEqual({ code: 0, out: '[<ffffffff816b8aab>] vfs_read+0xbb/0x360\n', err: '' })
  })
  it('takes plain and packed files one after another, of different formats', async () => {
    const packed = join(HOST, 'samples', 'proc-pid-stack.txt.gz')
    const { code, out } = await kerndex('', 'resolve', packed, file('a.txt', 'ffffffff816b8aab\n'), '--json')
    expect(code).toBe(0)
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).toHaveLength(3)
    expect(lines[2]).toEqual({
      type: 'stack',
      kernel_stack: [{ address: '0xffffffff816b8aab', symbol: 'vfs_read', offset: 187, size: 864, module: 'vmlinux' }],
      generation: 1,
    })
  })
  it('tells packed input by its first bytes, also where it comes through a pipe', async () => {
    const text = '[<0>] vfs_read+0xbb/0x360\n'
    // Made by xz and zstd, whose name and content that is.
    const packed = {
      gzip: gzipSync(text),
      xz: Buffer.from(
        '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAZWzwwPl0gdmZzX3JlYWQrMHhiYi8weDM2MAoAAABHelX2dKgDpAABMhogGJQwH7bzfQEAAAAABFla',
        'base64',
      ),
      zstd: Buffer.from('KLUv/SQa0QAAWzwwPl0gdmZzX3JlYWQrMHhiYi8weDM2MArgrEMz', 'base64'),
    }
    for (const [name, bytes] of Object.entries(packed)) {
      for (const ended of [
        await kerndex(bytes, 'resolve'),
        await kerndex('', 'resolve', file(`packed.${name}.txt`, bytes)),
      ])
        expect(ended, name).toEqual({ code: 0, out: '[<ffffffff816b8aab>] vfs_read+0xbb/0x360\n', err: '' })
    }
    const cut = await kerndex(packed.gzip.subarray(0, 30), 'resolve')
    expect(cut).toMatchObject({ code: 3, out: '' })
    expect(cut.err).toContain('cannot be unpacked as gzip')
  })
  it('says what to do with recordings, and nothing of nothing', async () => {
    const recording = await kerndex('PERFILE2\0\0', 'resolve')
    expect(recording).toMatchObject({ code: 3, out: '' })
    expect(recording.err).toContain('perf script')
    expect(await kerndex('', 'resolve')).toEqual({ code: 0, out: '', err: '' })
    expect(await kerndex('no address\n', 'resolve')).toEqual({ code: 0, out: 'no address\n', err: '' })
  })
  it('folds user frames without a symbol by their file, or by address', async () => {
    const text =
      'sh 7 [000] 1.000000: 3 x: \n\tffffffff816b8aab [unknown] ([kernel.kallsyms])\n\t    7f0000000010 [unknown] (/lib/libc.so.6)\n\t 10 [unknown] ([unknown])\n\n'
    expect((await kerndex(text, 'resolve', '--output', 'folded')).out).toBe('sh;[unknown];[libc.so.6];vfs_read 3\n')
    expect((await kerndex(text, 'resolve', '--output', 'folded', '--user-addresses')).out).toBe(
      'sh;0x0000000000000010;0x00007f0000000010;vfs_read 3\n',
    )
  })
  it('keeps and tells names that contradict the symbols', async () => {
    const text = 'cat 4711 [000] 10.000001: 1 cycles: \n\tffffffff816b8aab sys_enter_old+0x95 ([kernel.kallsyms])\n\n'
    const { code, out, err } = await kerndex(text, 'resolve', '--output', 'folded', '--prefix', 'none')
    expect({ code, out }).toEqual({ code: 1, out: 'sys_enter_old 1\n' })
    expect(err).toContain('the trace has sys_enter_old+0x95')
    expect(err).toContain('vfs_read+0xbb')
  })
  it('ends in 1 where a kernel address has no symbol or a line is not understood, and keeps such lines', async () => {
    const letters = join(folder, 'letters.ndjson')
    const metrics = join(folder, 'metrics.prom')
    const text = '{"type":"exit","pid":1}\n{"type":\n{"type":"exit","pid":2}\n'
    const { code, out, err } = await kerndex(text, 'resolve', '--dead-letter', letters, '--metrics', metrics)
    expect(code).toBe(1)
    expect(out.trim().split('\n')).toHaveLength(2)
    expect(err).toContain('1 lines were not understood')
    expect(JSON.parse(readFileSync(letters, 'utf8'))).toMatchObject({ file: 'stdin', line: 2, text: '{"type":' })
    const counted = readFileSync(metrics, 'utf8')
    expect(counted).toContain('kerndex_decode_errors_total{format="ndjson"} 1')
    expect(counted).toContain('kerndex_events_total 2')
    expect((await kerndex('ffff888100000000\n', 'resolve')).code).toBe(1)
  })
  it.each([
    ['an unknown format', ['resolve', '--input', 'nothing']],
    ['a difference of one', ['resolve', '--output', 'diff']],
    ['text out of JSON', ['resolve', '--input', 'ndjson', '--output', 'text']],
    ['a trace of another release', ['resolve', '--trace-release', '5.0']],
  ])('%s is wrong usage', async (_, args) => {
    const { code, out, err } = await kerndex('{"type":"exit","pid":1}\n', ...args)
    expect([code, out]).toEqual([2, ''])
    expect(err).not.toBe('')
  })
  it('a text without addresses stays what it is, and has no stacks; what is not there cannot be read', async () => {
    expect(await kerndex('hello\n', 'resolve')).toMatchObject({ code: 0, out: 'hello\n' })
    expect(await kerndex('hello\n', 'resolve', '--output', 'folded')).toMatchObject({ code: 3, out: '' })
    expect((await kerndex('', 'resolve', join(folder, 'missing'))).code).toBe(3)
  })
  it('says so where no event is one of those that were chosen', async () => {
    const { code, out, err } = await kerndex('a;b 1\n', 'resolve', '--output', 'folded', '--comm', 'nobody')
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('no event is what --comm')
  })
  it('compares two profiles', async () => {
    const before = file('before', 'a;b 1\nc 2\n')
    const after = file('after', 'a;b 3\n')
    expect((await kerndex('', 'resolve', before, after, '--output', 'diff')).out).toBe('a;b 1 3\nc 2 0\n')
  })
  it('writes profiles of each kind', async () => {
    const text = sample(HOST, 'perf-script-pidtid.txt')
    const folded = await kerndex(text, 'resolve', '--output', 'folded')
    expect(folded.out).toMatch(/^perf;|ret_from_fork_asm;ret_from_fork;kthread;/m)
    expect(JSON.parse((await kerndex(text, 'resolve', '--output', 'speedscope')).out).exporter).toBe('kerndex')
    expect((await kerndex(text, 'resolve', '--output', 'flamegraph')).out).toMatch(/^<!DOCTYPE html>/)
  })
})

describe('a file that is written', () => {
  it('appears when it is whole', async () => {
    const path = join(folder, 'whole.txt')
    const { out } = await kerndex('ffffffff816b8aab\n', 'resolve', '--to', path)
    expect([out, readFileSync(path, 'utf8')]).toEqual(['', 'vfs_read+0xbb/0x360\n'])
  })
  it('keeps what it held when the command is killed half way', async () => {
    const path = file('kept.txt', 'as it was\n')
    const { child, ended } = start('resolve', '--input', 'addresses', '--to', path)
    // Until something lies beside it, the command is not half way.
    child.stdin.write('ffffffff816b8aab\n'.repeat(100_000))
    while (!readdirSync(folder).some((name) => name.startsWith('.kerndex-'))) {
      await new Promise((resume) => setImmediate(resume))
    }
    child.kill('SIGKILL')
    await ended
    expect(readFileSync(path, 'utf8')).toBe('as it was\n')
  })
  it('is not left behind by a command that fails', async () => {
    const path = join(folder, 'never.txt')
    expect((await kerndex('hello\n', 'resolve', '--output', 'folded', '--to', path)).code).toBe(3)
    expect(existsSync(path)).toBe(false)
    expect(readdirSync(folder).filter((name) => name.startsWith('.kerndex-'))).toEqual([])
  })
})

describe('events', () => {
  it('gives each event its process', async () => {
    const { code, out } = await kerndex(sample(HOST, 'ftrace-threads.txt'), 'events', '--node', 'n')
    expect(code).toBe(0)
    const exec = out.split('\n').find((line) => line.includes('"/bin/true"'))
    expect(JSON.parse(exec ?? '')).toMatchObject({
      type: 'exec',
      pid: 28613,
      tid: 28613,
      old_pid: 28615,
      process: { exec_id: Buffer.from('n:1815991184000:28613').toString('base64'), binary: '/bin/true' },
    })
  })
  it('in words, and as the tree that is left', async () => {
    const text = sample(HOST, 'ftrace-threads.txt')
    const words = await kerndex(text, 'events', '--output', 'compact')
    expect(words.out).toContain('1815.991184000 exec       true[28613] /bin/true\n')
    const tree = await kerndex(text, 'events', '--output', 'tree')
    expect(tree.out).toContain('28620 /usr/bin/sleep  (refcnt 1, inUse)\n')
  })
  it('puts the files of the CPUs together, one argument each, without headers', async () => {
    const line = (tid: number, cpu: number, ts: number, what: string) =>
      `  a-${tid} (${tid}) [00${cpu}] ..... ${ts}.000000: ${what}\n`
    const fork = line(10, 0, 1, 'sched_process_fork: comm=a pid=10 child_comm=a child_pid=20')
    const exit = line(20, 0, 30, 'sched_process_exit: comm=x pid=20 prio=120')
    const exec = line(20, 1, 2, 'sched_process_exec: filename=/bin/x pid=20 old_pid=20')
    const { out } = await kerndex('', 'events', file('cpu0', fork + exit), file('cpu1', exec))
    const seen = out
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text))
    expect(seen.map(({ type }) => type)).toEqual(['fork', 'exit', 'exec'])
    expect(seen[1].process.binary).toBe('/bin/x')
    expect(seen[2]).toMatchObject({ process: { previous_exec_id: expect.anything() }, parent: { pid: 10 } })
  })
  it('counts what happened to processes', async () => {
    const metrics = join(folder, 'events.prom')
    await kerndex('{"type":"exec","pid":5,"tid":6,"ts":1}\n', 'events', '--metrics', metrics)
    const counted = readFileSync(metrics, 'utf8')
    expect(counted).toContain('kerndex_pid_tid_mismatch_total{event="exec"} 1')
    expect(counted).toContain('kerndex_process_cache_size 1')
    expect(counted).toContain('kerndex_process_cache_capacity 65536')
  })
  it('has every counter that it promises, symbols and all', async () => {
    const metrics = join(folder, 'all.prom')
    await kerndex(
      '{"type":"lsm","pid":5,"stack":["ffffffff816b8aab","7f0000000000"]}\n',
      'events',
      '--metrics',
      metrics,
    )
    const counted = readFileSync(metrics, 'utf8')
    for (const line of [
      'symbols_ignored_total{reason="no_symbol_line"} 0',
      'reload_total{result="ok"} 1',
      'lookup_total{kind="frame",result="found"} 1',
      'lookup_total{kind="frame",result="not_kernel"} 1',
      'name_cache_size 2',
      'unknown_event_types_total 1',
      'event_cache_entries 0',
      'event_cache_inserts_total{entry_type="process_info"} 1',
      'event_cache_fetch_retries_total{entry_type="process_info"} 1',
      'event_cache_fetch_failures_total{entry_type="process_info"} 1',
    ])
      expect(counted).toContain(`kerndex_${line}\n`)
    expect(counted).toMatch(/^kerndex_reload_seconds \d+(\.\d+)?$/m)
  })
  it('refuses types that it does not know, and leaves out what events came with, if so asked', async () => {
    const text = '{"type":"lsm","pid":5}\n{"type":"exec","pid":6,"x":1,"ts":3}\n'
    const { code, out } = await kerndex(text, 'events', '--strict', '--no-passthrough', '--ancestors')
    expect(code).toBe(1)
    expect(out.split('\n')).toHaveLength(2)
    expect(JSON.parse(out)).toMatchObject({ type: 'exec', pid: 6, ts: '3', ancestors: [] })
    expect(JSON.parse(out)).not.toHaveProperty('x')
  })
  it('writes the processes with what holds them, at a signal and at the end', async () => {
    const dump = join(folder, 'dump.jsonl')
    const read = () =>
      readFileSync(dump, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    const { child, ended } = start('events', '--input', 'ndjson', '--wait', '0', '--dump', dump, '--gc-interval', '5')
    child.stdin.write('{"type":"exec","pid":5,"ts":1,"filename":"/bin/a"}\n{"type":"kprobe","pid":5,"ts":9}\n')
    // The first event is out: it was applied.
    await new Promise((resume) => child.stdout.once('data', resume))
    child.kill('SIGUSR1')
    while (!existsSync(dump)) await new Promise((resume) => setImmediate(resume))
    expect(read()).toMatchObject([{ pid: 5, refcnt: 1, refcnt_ops: { 'process++': 1 }, alive: true }])
    child.stdin.end('{"type":"exit","pid":5,"ts":20}\n')
    expect((await ended).code).toBe(0)
    expect(read()).toMatchObject([{ pid: 5, refcnt: 0, end_ts: '20', alive: false, color: 'deletePending' }])
  })
  it('knows who runs already', async () => {
    const { out } = await kerndex(`{"type":"kprobe","pid":${process.pid}}\n`, 'events', '--proc')
    expect(JSON.parse(out).process).toMatchObject({ pid: process.pid, flags: 'procFS' })
  })
})

it('a reader that goes away ends it quietly', async () => {
  const { child, ended } = start('resolve', '--input', 'addresses')
  child.stdin.write('ffffffff816b8aab\n'.repeat(50_000))
  await new Promise((resume) => child.stdout.once('data', resume))
  child.stdout.destroy()
  child.stdin.end('ffffffff816b8aab\n'.repeat(200_000))
  expect(await ended).toMatchObject({ code: 0, err: '' })
})
