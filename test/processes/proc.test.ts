// What /proc says of a process, and the scan of a directory that looks like it.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { NotReadableError } from '../../src/core/errors.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import { parseArguments, parseStat, parseTraceClock, parseUid } from '../../src/processes/proc.ts'
import { addRunning, clockOffset, readRunning, scanProc, seedCache } from '../../src/processes/scan.ts'

const stat = (pid: number, comm: string, ppid: number, flags: number, start: number, threads = 1) =>
  `${pid} (${comm}) S ${ppid} ${pid} ${pid} 0 -1 ${flags} 1 2 3 4 5 6 7 8 20 0 ${threads} 0 ${start} 9 10 18446744073709551615 1\n`

describe('/proc/PID/stat', () => {
  it.each([
    ['plain', 'bash'],
    ['with blanks', 'tmux: server'],
    ['with parentheses', 'a) S 99 (b'],
    ['that looks like the end', ') R 1 1'],
    ['empty', ''],
  ])('comm %s', (_, comm) => {
    expect(parseStat(stat(4242, comm, 17, 0x400000, 123456))).toEqual({
      pid: 4242,
      comm,
      ppid: 17,
      kernelThread: false,
      threadCount: 1,
      startTicks: 123456n,
    })
  })
  it('tells kernel threads by their flag', () => {
    expect(parseStat(stat(2, 'kthreadd', 0, 0x208040, 1))?.kernelThread).toBe(true)
    expect(parseStat(stat(9, 'zombie', 1, 0x40014c, 1))?.kernelThread).toBe(false)
  })
  it.each(['', '12 bash S 1', '12 (bash', '12 (bash) S x y'])('%j is none', (text) => {
    expect(parseStat(text)).toBeUndefined()
  })
})

it('takes the effective user, and the arguments without the program', () => {
  expect(parseUid('Name:\tx\nUid:\t1000\t0\t1000\t1000\n')).toBe(0)
  expect(parseUid('Name:\tx\n')).toBeUndefined()
  expect(parseArguments('/bin/sh\0-c\0echo a b\0\0')).toBe('-c "echo a b" ""')
  expect(parseArguments('')).toBe('')
})

it.each([
  ['[local] global counter uptime perf mono mono_raw boot x86-tsc', 'monotonic'],
  ['local global counter uptime perf mono mono_raw [boot] tai x86-tsc', 'boot'],
  ['local [mono_raw] boot', 'monotonic'],
  ['local boot [tai]', 'real'],
  ['local [x86-tsc]', undefined],
  ['local [counter]', undefined],
  ['', undefined],
])('trace_clock %j is %s', (text, clock) => {
  expect(parseTraceClock(text)).toBe(clock)
})

it('compares clocks: with suspend, without, and since 1970', () => {
  const sleeper = mkdtempSync(join(tmpdir(), 'kerndex-clock-'))
  const hour = 3_600_000_000_000n
  const monotonic = process.hrtime.bigint()
  // As after an hour of suspend.
  writeFileSync(join(sleeper, 'uptime'), `${Number((monotonic + hour) / 10_000_000n) / 100} 1.00\n`)
  expect(clockOffset('boot', sleeper)).toEqual({ offsetNs: 0n, slackNs: 0n })
  const { offsetNs, slackNs } = clockOffset('monotonic', sleeper)
  const apart = offsetNs + hour
  expect(apart > -slackNs && apart < slackNs).toBe(true)
  const real = clockOffset('real', sleeper)
  const now = BigInt(Date.now()) * 1_000_000n - (monotonic + hour)
  expect(real.offsetNs - now > -real.slackNs && real.offsetNs - now < real.slackNs).toBe(true)
  // Another machine's.
  writeFileSync(join(sleeper, 'uptime'), '0.00 0.00\n')
  if (monotonic > 2_000_000_000n) expect(clockOffset('monotonic', sleeper).offsetNs).toBe(0n)
  rmSync(sleeper, { recursive: true })
  expect(() => clockOffset('monotonic', sleeper)).toThrow(NotReadableError)
})

describe('a scan', () => {
  const root = mkdtempSync(join(tmpdir(), 'kerndex-proc-'))
  const add = (pid: number, comm: string, ppid: number, flags: number, cmdline = '') => {
    const directory = join(root, String(pid))
    mkdirSync(directory)
    writeFileSync(join(directory, 'stat'), stat(pid, comm, ppid, flags, pid * 10))
    writeFileSync(join(directory, 'cmdline'), cmdline)
    writeFileSync(join(directory, 'status'), 'Uid:\t5\t6\t5\t5\n')
    if (cmdline !== '') symlinkSync(cmdline.split('\0')[0] ?? '', join(directory, 'exe'))
  }
  // A parent whose number is higher than its child's.
  add(300, 'child', 900, 0, '/bin/child\0-x\0')
  add(900, 'parent', 1, 0, '/bin/parent\0')
  add(1, 'init', 0, 0x400100, '/sbin/init\0')
  add(2, 'kthreadd', 0, 0x208040)
  mkdirSync(join(root, '77')) // It was there when the directory was listed, and is gone now.
  writeFileSync(join(root, 'uptime'), '1 1\n')

  it('finds who is whose child, in whatever order the numbers are', async () => {
    const cache = new ProcessCache()
    seedCache(cache, await scanProc(root))
    const entries = cache.entries()
    expect(entries.map(({ snapshot, parent }) => [snapshot.pid, parent?.pid, snapshot.flags])).toEqual([
      [0, undefined, 'procFS'],
      [1, 0, 'procFS'],
      [2, 0, 'procFS kthread'],
      [300, 900, 'procFS'],
      [900, 1, 'procFS'],
    ])
    expect(entries[3]?.snapshot).toMatchObject({
      comm: 'child',
      binary: '/bin/child',
      args: '-x',
      uid: 6,
      startTs: 30_000_000_000n,
    })
    expect(entries.map(({ refcount }) => refcount)).toEqual([3, 2, 1, 1, 2])
  })
  it('knows threads, and reads single processes by any of their threads', async () => {
    const task = join(root, '900', 'task')
    writeFileSync(join(root, '900', 'stat'), stat(900, 'parent', 1, 0, 9000, 3))
    for (const [tid, comm] of [
      [900, 'parent'],
      [901, 'pool-1'],
      [902, 'pool-2'],
    ] as const) {
      mkdirSync(join(task, String(tid)), { recursive: true })
      writeFileSync(join(task, String(tid), 'stat'), stat(tid, comm, 1, 0, tid * 10))
    }
    // Nothing lists a thread's directory, but it is there.
    const hidden = join(mkdtempSync(join(tmpdir(), 'kerndex-proc-')), 'proc')
    mkdirSync(join(hidden, '902'), { recursive: true })
    writeFileSync(join(hidden, '902', 'status'), 'Name:\tx\nTgid:\t900\n')
    symlinkSync(join(root, '900'), join(hidden, '900'))

    const cache = new ProcessCache()
    seedCache(cache, await scanProc(root), { offsetNs: -1_000_000_000n, slackNs: 5n })
    expect([cache.groupOf(901), cache.groupOf(902)]).toEqual([900, 900])
    expect(cache.thread(901)).toEqual({
      tid: 901,
      pid: 900,
      comm: 'pool-1',
      startTs: 89_100_000_000n,
      endTs: undefined,
    })
    // Its start is on the stream's clock, and events a little before it are its own.
    const [start, slack] = [89_000_000_000n, 5n]
    expect(cache.find(900, start - slack)?.snapshot.startTs).toBe(start)
    expect(cache.find(900, start - slack - 1n)).toBeUndefined()

    const single = new ProcessCache()
    const found = readRunning(902, hidden)
    if (found !== undefined) addRunning(single, found)
    expect(single.find(900, undefined)?.snapshot).toMatchObject({ comm: 'parent', flags: 'procFS' })
    expect([single.groupOf(902), single.thread(902)?.comm]).toEqual([900, 'pool-2'])
    // Its parent is known by its number only.
    expect(single.find(900, undefined)?.ppid).toBe(1)
    expect(readRunning(4242, hidden)).toBeUndefined()
  })
  it('gives way to the fork that the stream tells of afterwards', () => {
    const cache = new ProcessCache()
    const parent = cache.add({ pid: 1, startTs: 0n, flags: 'procFS' }, undefined)
    const born = { comm: 'x', flags: 'procFS', startTs: 50_000_000_000n, sinceTs: 49_000_000_000n }
    cache.add({ ...born, pid: 7 }, parent)
    cache.fork({ pid: 7, startTs: 50_004_000_000n, flags: 'clone' }, parent, false)
    // Long after: another process, whose number was used again.
    cache.add({ ...born, pid: 8 }, parent)
    cache.fork({ pid: 8, startTs: 90_000_000_000n, flags: 'clone' }, parent, false)
    expect(cache.entries().map(({ snapshot, alive }) => [snapshot.pid, snapshot.flags, alive])).toEqual([
      [1, 'procFS', true],
      [7, 'clone', true],
      [8, 'procFS', false],
      [8, 'clone', true],
    ])
  })
  it('of no directory is an error that says so', async () => {
    rmSync(root, { recursive: true })
    await expect(scanProc(root)).rejects.toThrow(NotReadableError)
  })
})
