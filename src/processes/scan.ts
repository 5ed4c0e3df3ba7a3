// The processes that run when a stream begins, out of /proc, with their threads; and single ones that a live stream has not
// seen to start. One that is gone before it is read was never there.

import { readFileSync, readlinkSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { bigint, choice, like, listOf, number, type Options, options as optionsOf, path } from '../core/arguments.ts'
import { decodeName } from '../core/bytes.ts'
import { NotReadableError } from '../core/errors.ts'
import { readPLimit } from '../core/packages.ts'
import { type ProcessCache, processCache } from './cache.ts'
import type { Birth, Entry } from './entry.ts'
import {
  type ProcStat,
  parseArguments,
  parseGroup,
  parseStat,
  parseUid,
  STREAM_CLOCKS,
  type StreamClock,
} from './proc.ts'

/** Files open at once. */
const OPEN_FILES = 32
/** Nanoseconds of a clock tick: USER_HZ is 100 on every architecture that kerndex knows. */
const TICK_NS = 10_000_000n

/** A process in /proc. Times are nanoseconds since boot, suspend included. */
export interface RunningProcess {
  readonly stat: ProcStat
  readonly birth: Birth
  /** Its threads but the leader. */
  readonly threads?: readonly RunningThread[]
}

export interface RunningThread {
  readonly tid: number
  readonly comm: string
  readonly startTs: bigint
}

/** Reads all processes under `root`, and their threads. @throws NotReadableError if there is no such directory */
export async function scanProc(at: string | URL = '/proc'): Promise<RunningProcess[]> {
  const root = path(at, 'root')
  let names: string[]
  try {
    names = await readdir(root)
  } catch (cause) {
    throw new NotReadableError(`${root} cannot be read: ${String(cause)}`, { path: root }, { cause })
  }
  const pLimit = await readPLimit()
  const limit = pLimit(OPEN_FILES)
  const pids = names.filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(pids.map((pid) => limit(() => readProcess(join(root, pid)))))
  return found.filter((process) => process !== undefined)
}

async function readProcess(directory: string): Promise<RunningProcess | undefined> {
  const text = async (...name: string[]) => asText(await readFile(join(directory, ...name)).catch(() => undefined))
  const stat = parseStat((await text('stat')) ?? '')
  if (stat === undefined) return undefined
  const [cmdline, status] = [(await text('cmdline')) ?? '', (await text('status')) ?? '']
  const binary = await readlink(join(directory, 'exe')).catch(() => undefined)
  const tids = stat.threadCount > 1 ? await readdir(join(directory, 'task')).catch(() => []) : []
  const threads: RunningThread[] = []
  for (const tid of tids) {
    const thread = Number(tid) === stat.pid ? undefined : parseStat((await text('task', tid, 'stat')) ?? '')
    if (thread !== undefined) threads.push(threadOf(thread))
  }
  return { stat, birth: birthOf(stat, cmdline, status, binary), threads }
}

/**
 * Reads one process at once, by the number of any of its threads: what a stream's event needs that names a number of which
 * nothing is known. undefined if it is gone.
 */
export function readRunning(tid: number, at: string | URL = '/proc'): RunningProcess | undefined {
  number(tid, 'tid')
  const root = path(at, 'root')
  const read = (...name: string[]) => {
    try {
      return asText(readFileSync(join(root, ...name)))
    } catch {
      return undefined
    }
  }
  const pid = String(parseGroup(read(String(tid), 'status') ?? '') ?? tid)
  const stat = parseStat(read(pid, 'stat') ?? '')
  if (stat === undefined) return undefined
  let binary: string | undefined
  try {
    binary = readlinkSync(join(root, pid, 'exe'))
  } catch {}
  const birth = birthOf(stat, read(pid, 'cmdline') ?? '', read(pid, 'status') ?? '', binary)
  const thread = tid === stat.pid ? undefined : parseStat(read(pid, 'task', String(tid), 'stat') ?? '')
  return { stat, birth, threads: thread === undefined ? [] : [threadOf(thread)] }
}

function asText(bytes: Buffer | undefined): string | undefined {
  return bytes && decodeName(bytes, 0, bytes.length)
}

function threadOf({ pid, comm, startTicks }: ProcStat): RunningThread {
  return { tid: pid, comm, startTs: startTicks * TICK_NS }
}

function birthOf(stat: ProcStat, cmdline: string, status: string, binary: string | undefined): Birth {
  const args = stat.kernelThread ? undefined : parseArguments(cmdline)
  return {
    ...{ pid: stat.pid, comm: stat.comm, binary, ppid: stat.ppid },
    startTs: stat.startTicks * TICK_NS,
    args: args === '' ? undefined : args,
    uid: parseUid(status),
    flags: stat.kernelThread ? 'procFS kthread' : 'procFS',
  }
}

const RUNNING_PROCESS = like<RunningProcess>(
  { stat: like<ProcStat>({ pid: number, ppid: number }, 'what stat says'), birth: like({}, 'a birth') },
  '{ stat, birth }',
)
const RUNNING = listOf(RUNNING_PROCESS, 'processes, as scanProc gives them')

/** How times of /proc become times of a stream. */
export interface ClockOffset {
  /** Nanoseconds to add to a time since boot. */
  readonly offsetNs: bigint
  /** By how much a time may be wrong then. */
  readonly slackNs: bigint
}

/** Nanoseconds of /proc/uptime's steps, and of what passes between reading two clocks. */
const UNSURE_NS = 1_000_000_000n
/** Clocks of tracers are not adjusted while they run: they go wrong by at most one part in so many. */
const DRIFT = 10_000n

/** Compares a stream's clock with /proc's on this machine, now. @throws NotReadableError without `uptime` under `root` */
export function clockOffset(clock: StreamClock, at: string | URL = '/proc'): ClockOffset {
  choice(...STREAM_CLOCKS)(clock, 'clock')
  const file = join(path(at, 'root'), 'uptime')
  let seconds: string
  try {
    seconds = readFileSync(file, 'latin1').split(' ')[0] ?? ''
  } catch (cause) {
    throw new NotReadableError(`${file} cannot be read: ${String(cause)}`, { path: file }, { cause })
  }
  const [whole = '0', hundredths = '0'] = seconds.split('.')
  const sinceBoot = BigInt(whole) * 1_000_000_000n + BigInt(hundredths.padEnd(9, '0').slice(0, 9))
  const monotonic = process.hrtime.bigint()
  // A copy of another machine's /proc is compared with nothing here.
  if (clock === 'boot' || sinceBoot + UNSURE_NS < monotonic) return { offsetNs: 0n, slackNs: 0n }
  if (clock === 'real') return { offsetNs: BigInt(Date.now()) * 1_000_000n - sinceBoot, slackNs: UNSURE_NS }
  return { offsetNs: monotonic - sinceBoot, slackNs: UNSURE_NS + monotonic / DRIFT }
}

const SAME_CLOCK: ClockOffset = { offsetNs: 0n, slackNs: 0n }
const CLOCK: Options<ClockOffset> = { offsetNs: bigint, slackNs: bigint }

/**
 * Puts what runs into a cache, parents before their children, under the kernel's own pid 0. `clock` says how times of /proc
 * become times of the stream (`clockOffset`); default: they are of one clock.
 */
export function seedCache(cache: ProcessCache, running: readonly RunningProcess[], clock?: ClockOffset): void {
  processCache(cache, 'cache')
  RUNNING(running, 'running')
  const to = clock === undefined ? SAME_CLOCK : offsetOf(clock)
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
    for (const one of chain.reverse()) added.set(one.stat.pid, addOne(cache, one, added.get(one.stat.ppid), to))
  }
}

/** Puts one process that runs into a cache, as a child of whom the cache knows under its parent's number. */
export function addRunning(cache: ProcessCache, running: RunningProcess, clock?: ClockOffset): void {
  processCache(cache, 'cache')
  RUNNING_PROCESS(running, 'running')
  const to = clock === undefined ? SAME_CLOCK : offsetOf(clock)
  const { pid, ppid } = running.stat
  if (cache.knows(pid)) learnThreads(cache, running, to)
  else addOne(cache, running, cache.knows(ppid) ? cache.find(ppid, undefined) : undefined, to)
}

function offsetOf(clock: ClockOffset): ClockOffset {
  const { offsetNs, slackNs } = optionsOf(clock, 'the clock', CLOCK)
  return { offsetNs: offsetNs ?? 0n, slackNs: slackNs ?? 0n }
}

function addOne(cache: ProcessCache, running: RunningProcess, parent: Entry | undefined, to: ClockOffset): Entry {
  const { birth } = running
  const startTs = birth.startTs === undefined ? undefined : later(birth.startTs, to.offsetNs)
  const sinceTs = startTs === undefined ? undefined : later(startTs, -to.slackNs)
  const entry = cache.add({ ...birth, startTs, sinceTs }, parent)
  learnThreads(cache, running, to)
  return entry
}

function learnThreads(cache: ProcessCache, { stat, threads = [] }: RunningProcess, { offsetNs }: ClockOffset): void {
  for (const { tid, comm, startTs } of threads) cache.learnThread(tid, stat.pid, later(startTs, offsetNs), comm)
}

function later(ts: bigint, by: bigint): bigint {
  const sum = ts + by
  return sum < 0n ? 0n : sum
}
