// Text as tools write it, made of a kernel's own symbols: addresses one a line, and perf script with stacks that repeat as
// those of a real recording do.

import type { SymbolTable } from '../../src/symbols/table.ts'
import type { Random } from './random.ts'

/** Distinct stacks and frames: a recording of 22,366 kernel frames held 899 addresses. */
const STACKS = 600
const FRAMES = 900
const PROCESSES = 40

/** Addresses inside of random symbols, one a line. */
export function addressLines(addresses: BigUint64Array): Buffer {
  const lines: string[] = []
  for (const address of addresses) lines.push(address.toString(16).padStart(16, '0'))
  return Buffer.from(`${lines.join('\n')}\n`, 'latin1')
}

/** At least so many bytes of perf script. The idle task's one stack is every other sample. */
export function perfText(symbols: SymbolTable, addresses: BigUint64Array, bytes: number, random: Random): Buffer {
  const frames = Array.from(addresses.subarray(0, FRAMES), (address) => {
    const found = symbols.at(address)
    const offset = found === undefined ? 0n : address - found.symbol.address
    const owner =
      found === undefined || found.symbol.owner === 'vmlinux' ? '[kernel.kallsyms]' : `[${found.symbol.owner}]`
    const name = found === undefined ? '[unknown]' : `${found.symbol.name}+0x${offset.toString(16)}`
    return `\t${address.toString(16).padStart(16)} ${name} (${owner})\n`
  })
  const stacks = Array.from({ length: STACKS }, () =>
    Array.from({ length: 6 + random(24) }, () => frames[random(frames.length)] ?? '').join(''),
  )
  const records: string[] = []
  let length = 0
  for (let i = 0; length < bytes; i++) {
    const idle = i % 2 === 0
    const pid = idle ? 0 : 1000 + random(PROCESSES)
    const time = `${1000 + Math.floor(i / 4000)}.${String((i % 4000) * 250).padStart(6, '0')}`
    const head = `${idle ? 'swapper' : `worker-${pid}`}  ${pid}/${pid} [00${i & 1}]  ${time}:     250000 cpu-clock: \n`
    records.push(`${head}${stacks[idle ? 0 : random(STACKS)] ?? ''}\n`)
    length += records.at(-1)?.length ?? 0
  }
  return Buffer.from(records.join(''), 'latin1')
}

/** Numbers that processes of `ftraceText` have, and what they are called. */
const FIRST_PID = 1000
const PID_MAX = 32_768
const PROGRAMS = 97

/**
 * So many processes as ftrace tells of them: a shell forks each, it execs, does something, every fourth makes a thread, and it ends. Without
 * `told` nothing says which forks make threads: neither task_newtask nor group_dead nor a column of thread groups.
 */
export function ftraceText(processes: number, told: boolean): { readonly text: string; readonly events: number } {
  const lines: string[] = []
  let us = 100_000_000
  let last = FIRST_PID
  const number = () => {
    last = last + 1 === PID_MAX ? FIRST_PID + 1 : last + 1
    return last
  }
  const line = (comm: string, tid: number, what: string) => {
    us += 20
    const time = `${Math.floor(us / 1_000_000)}.${String(us % 1_000_000).padStart(6, '0')}`
    lines.push(`${comm.padStart(16)}-${tid} [000] d..2. ${time}: ${what}`)
  }
  const fork = (comm: string, tid: number, flags: string) => {
    const child = number()
    if (told) line(comm, tid, `task_newtask: pid=${child} comm=${comm} clone_flags=${flags} oom_score_adj=0`)
    line(comm, tid, `sched_process_fork: comm=${comm} pid=${tid} child_comm=${comm} child_pid=${child}`)
    return child
  }
  const exit = (comm: string, tid: number, dead: boolean) =>
    line(comm, tid, `sched_process_exit: comm=${comm} pid=${tid} prio=120${told ? ` group_dead=${dead}` : ''}`)
  for (let i = 0; i < processes; i++) {
    const comm = `program-of-${i % PROGRAMS}`
    const pid = fork('make', FIRST_PID - 100, '1200011')
    line('make', pid, `sched_process_exec: filename=/usr/bin/${comm} pid=${pid} old_pid=${pid}`)
    line(comm, pid, 'op: (do_sys_openat2+0x0/0x170)')
    if (i % 4 === 0) exit(comm, fork(comm, pid, '3d0f00'), false)
    exit(comm, pid, true)
  }
  return { text: `${lines.join('\n')}\n`, events: lines.length }
}
