// The texts of /proc about a process, parsed. Knows nothing of files.

import { text } from '../core/arguments.ts'

/** PF_KTHREAD of include/linux/sched.h. */
const PF_KTHREAD = 0x0020_0000

/** Field numbers as in proc_pid_stat(5), counted from the state, which follows the comm. */
const PPID = 4 - 3
const FLAGS = 9 - 3
const NUM_THREADS = 20 - 3
const START_TIME = 22 - 3

/** The fields of /proc/PID/stat that are used here. */
export interface ProcStat {
  readonly pid: number
  readonly comm: string
  readonly ppid: number
  readonly kernelThread: boolean
  /** Its threads, the leader among them. */
  readonly threadCount: number
  /** Clock ticks since boot. */
  readonly startTicks: bigint
}

/** Reads /proc/PID/stat. The comm may hold blanks and parentheses: it ends at the last `)`. */
export function parseStat(text: string): ProcStat | undefined {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open < 0 || close < open) return undefined
  const fields = text
    .slice(close + 2)
    .trim()
    .split(' ')
  const pid = Number(text.slice(0, open))
  const ppid = Number(fields[PPID])
  const flags = Number(fields[FLAGS])
  const start = fields[START_TIME]
  if (!Number.isInteger(pid) || !Number.isInteger(ppid) || !Number.isInteger(flags)) return undefined
  if (start === undefined || !/^\d+$/.test(start)) return undefined
  return {
    pid,
    comm: text.slice(open + 1, close),
    ppid,
    // An empty command line would not do: zombies and programs that clear theirs have one too.
    kernelThread: Math.floor(flags / PF_KTHREAD) % 2 === 1,
    threadCount: Number(fields[NUM_THREADS]) || 1,
    startTicks: BigInt(start),
  }
}

/** The effective user id in /proc/PID/status. */
export function parseUid(status: string): number | undefined {
  const uid = /^Uid:\t\d+\t(\d+)/m.exec(status)?.[1]
  return uid === undefined ? undefined : Number(uid)
}

/** The thread group in /proc/PID/status: of a thread, whose directory is there though nothing lists it, its process. */
export function parseGroup(status: string): number | undefined {
  const group = /^Tgid:\t(\d+)/m.exec(status)?.[1]
  return group === undefined ? undefined : Number(group)
}

/** Clocks that a stream's times may be of: since boot with suspend (`boot`) or without (`monotonic`), or since 1970 (`real`). */
export const STREAM_CLOCKS = ['boot', 'monotonic', 'real'] as const
export type StreamClock = (typeof STREAM_CLOCKS)[number]

/** What ftrace's `trace_clock` says is in use, `[local] global …`; undefined for counters that count no nanoseconds. */
export function parseTraceClock(content: string): StreamClock | undefined {
  if (typeof content !== 'string') text(content, 'content')
  const chosen = /\[([\w-]+)\]/.exec(content)?.[1]
  if (chosen === 'boot') return 'boot'
  if (chosen === 'tai') return 'real'
  return chosen === undefined || chosen === 'counter' || chosen === 'x86-tsc' ? undefined : 'monotonic'
}

/** The arguments in /proc/PID/cmdline, without the program's name; joined by blanks, those with blanks in quotes. */
export function parseArguments(cmdline: string): string {
  const words = cmdline.replace(/\0$/, '').split('\0').slice(1)
  return words.map((word) => (word === '' || /\s/.test(word) ? JSON.stringify(word) : word)).join(' ')
}
