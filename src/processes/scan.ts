// The processes that run when a stream begins, out of /proc. One that is gone before it is read was never there.

import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { like, listOf, number, path } from '../core/arguments.ts'
import { decodeName } from '../core/bytes.ts'
import { NotReadableError } from '../core/errors.ts'
import { type ProcessCache, processCache } from './cache.ts'
import type { Birth, Entry } from './entry.ts'
import { type ProcStat, parseArguments, parseStat, parseUid } from './proc.ts'

/** Files open at once. */
const OPEN_FILES = 32
/** Nanoseconds of a clock tick: USER_HZ is 100 on every architecture that kerndex knows. */
const TICK_NS = 10_000_000n

/** A process in /proc. */
export interface RunningProcess {
  readonly stat: ProcStat
  readonly birth: Birth
}

/** Reads all processes under `root`. @throws NotReadableError if there is no such directory */
export async function scanProc(at: string | URL = '/proc'): Promise<RunningProcess[]> {
  const root = path(at, 'root')
  let names: string[]
  try {
    names = await readdir(root)
  } catch (cause) {
    throw new NotReadableError(`${root} cannot be read: ${String(cause)}`, { path: root }, { cause })
  }
  const { default: pLimit } = await import('p-limit')
  const limit = pLimit(OPEN_FILES)
  const pids = names.filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(pids.map((pid) => limit(() => readProcess(join(root, pid)))))
  return found.filter((process) => process !== undefined)
}

async function readProcess(directory: string): Promise<RunningProcess | undefined> {
  const text = async (name: string) => {
    const bytes = await readFile(join(directory, name)).catch(() => undefined)
    return bytes && decodeName(bytes, 0, bytes.length)
  }
  const line = await text('stat')
  const stat = line === undefined ? undefined : parseStat(line)
  if (stat === undefined) return undefined
  const [cmdline, status, binary] = [
    (await text('cmdline')) ?? '',
    (await text('status')) ?? '',
    await readlink(join(directory, 'exe')).catch(() => undefined),
  ]
  const args = stat.kernelThread ? undefined : parseArguments(cmdline)
  const birth: Birth = {
    pid: stat.pid,
    startTs: stat.startTicks * TICK_NS,
    comm: stat.comm,
    binary,
    args: args === '' ? undefined : args,
    uid: parseUid(status),
    flags: stat.kernelThread ? 'procFS kthread' : 'procFS',
  }
  return { stat, birth }
}

const RUNNING = listOf(
  like<RunningProcess>(
    { stat: like<ProcStat>({ pid: number, ppid: number }, 'what stat says'), birth: like({}, 'a birth') },
    '{ stat, birth }',
  ),
  'processes, as scanProc gives them',
)

/** Puts what runs into a cache, parents before their children, under the kernel's own pid 0. */
export function seedCache(cache: ProcessCache, running: readonly RunningProcess[]): void {
  processCache(cache, 'cache')
  RUNNING(running, 'running')
  const kernel = cache.add({ pid: 0, startTs: 1n, comm: '<kernel>', flags: 'procFS' }, undefined)
  const byPid = new Map(running.map((process) => [process.stat.pid, process]))
  const added = new Map<number, Entry>([[0, kernel]])
  for (const start of running) {
    // The ancestors that are not yet there, nearest first; a ring, which a racing scan may show, is cut.
    const chain: RunningProcess[] = []
    let at: RunningProcess | undefined = start
    while (at !== undefined && !added.has(at.stat.pid) && !chain.includes(at)) {
      chain.push(at)
      at = byPid.get(at.stat.ppid)
    }
    for (const { stat, birth } of chain.reverse()) added.set(stat.pid, cache.add(birth, added.get(stat.ppid)))
  }
}
