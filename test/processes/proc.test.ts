// What /proc says of a process, and the scan of a directory that looks like it.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { NotReadableError } from '../../src/core/errors.ts'
import { ProcessCache } from '../../src/processes/cache.ts'
import { parseArguments, parseStat, parseUid } from '../../src/processes/proc.ts'
import { scanProc, seedCache } from '../../src/processes/scan.ts'

const stat = (pid: number, comm: string, ppid: number, flags: number, start: number) =>
  `${pid} (${comm}) S ${ppid} ${pid} ${pid} 0 -1 ${flags} 1 2 3 4 5 6 7 8 20 0 1 0 ${start} 9 10 18446744073709551615 1\n`

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
  it('of no directory is an error that says so', async () => {
    rmSync(root, { recursive: true })
    await expect(scanProc(root)).rejects.toThrow(NotReadableError)
  })
})
