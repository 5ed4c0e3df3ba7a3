// A kernel in small: processes and threads that fork, exec, rename themselves and end at random, with what is true of each event,
// and the lines that ftrace and perf print of them. It shares nothing with the code under test but the meaning of the events:
// include/linux/sched.h, kernel/fork.c, kernel/exit.c and de_thread of fs/exec.c say what follows what.

import { seededRandom } from '../../bench/lib/random.ts'

/** What a simulated recording is like. */
export interface Workload {
  readonly seed: number
  readonly events: number
  /** Numbers there are; few of them are used again soon. */
  readonly pidMax: number
  /** Of a hundred forks so many make threads, and so many are CLONE_PARENT. */
  readonly threads: number
  readonly cloneParent: number
  /** Of a hundred exits of leaders that have threads so many leave those running. */
  readonly leaderFirst: number
  /** Names that programs take. */
  readonly names: readonly string[]
}

/** An event, and what is true of it. */
export interface Happened {
  /** Nanoseconds, in whole microseconds; no two are equal. */
  readonly ts: bigint
  readonly cpu: number
  readonly name: string
  readonly payload: string
  readonly comm: string
  /** The thread that the line is of, its group then, and who had its number last of all: what a column says that is read later. */
  readonly tid: number
  readonly tgid: number
  readonly truth: Truth
  /** clone_flags of the child of a fork; group_dead of an exit. */
  readonly flags: number | undefined
  readonly groupDead: boolean | undefined
  readonly child: { readonly pid: number; readonly tid: number; readonly parent: number } | undefined
}

export interface Truth {
  readonly type: 'fork' | 'thread_fork' | 'exec' | 'exit' | 'thread_exit' | 'probe'
  readonly pid: number
  readonly tid: number
  /** `PID START`; empty where it was there before the recording. */
  readonly image: string
  /** The image that forked it, or that one's parent for CLONE_PARENT; undefined where the recording does not know. */
  readonly parent: string | undefined
}

interface Image {
  readonly name: string
  readonly parent: Image | undefined
}

interface Process {
  readonly pid: number
  image: Image
  parent: Process | undefined
  readonly threads: Set<Task>
  leaderGone: boolean
}

interface Task {
  tid: number
  process: Process
  comm: string
}

const CLONE_VM_FS_FILES_SIGHAND = 0xf00
const CLONE_PARENT = 0x8000
const CLONE_THREAD = 0x10000

/** Lets a workload happen. */
export function simulate({ seed, events, pidMax, threads, cloneParent, leaderFirst, names }: Workload): Happened[] {
  const below = seededRandom(seed)
  const chance = (percent: number) => below(100) < percent
  const happened: Happened[] = []
  const tasks: Task[] = []
  const inUse = new Set<number>()
  /** Processes that have ended and whose parents have not asked yet. */
  const zombies: Process[] = []
  let now = 1_000_000_000n
  let last = 300

  const nextNumber = (): number | undefined => {
    for (let tried = 0; tried < pidMax; tried++) {
      last = last + 1 >= 300 + pidMax ? 300 : last + 1
      if (!inUse.has(last)) {
        inUse.add(last)
        return last
      }
    }
    return undefined
  }

  const tell = (
    { tid, process, comm }: Task,
    name: string,
    payload: string,
    type: Truth['type'],
    rest: Partial<Pick<Happened, 'flags' | 'groupDead' | 'child'>> = {},
  ) => {
    now += 1000n * BigInt(1 + below(chance(1) ? 900_000 : 300))
    // What is of the process as a whole has its number; what is of a thread has the thread's.
    const ofProcess = type === 'fork' || type === 'exec' || type === 'exit'
    happened.push({
      ...{ ts: now, cpu: below(2), name, payload, comm, tid, tgid: process.pid },
      truth: {
        ...{ type, pid: process.pid, tid: ofProcess ? process.pid : tid },
        image: process.image.name,
        parent: process.image.parent?.name,
      },
      flags: rest.flags,
      groupDead: rest.groupDead,
      child: rest.child,
    })
  }

  const start = (pid: number, parent: Process | undefined, comm: string): Task => {
    const image = { name: '', parent: undefined }
    const process: Process = { pid, image, parent, threads: new Set(), leaderGone: false }
    const task = { tid: pid, process, comm }
    process.threads.add(task)
    tasks.push(task)
    inUse.add(pid)
    return task
  }

  const fork = (task: Task) => {
    const number = nextNumber()
    if (number === undefined) return
    const isThread = chance(threads)
    const asSibling = !isThread && chance(cloneParent) && task.process.parent !== undefined
    const flags = isThread ? CLONE_THREAD | CLONE_VM_FS_FILES_SIGHAND : asSibling ? CLONE_PARENT : 0x1200011
    const { process, comm } = task
    const parent = asSibling ? process.parent : process
    const payload = `comm=${comm} pid=${task.tid} child_comm=${comm} child_pid=${number}`
    const group = isThread ? process.pid : number
    tell(task, 'sched_process_fork', payload, isThread ? 'thread_fork' : 'fork', {
      flags,
      child: { pid: group, tid: number, parent: parent?.pid ?? 1 },
    })
    if (isThread) {
      const thread = { tid: number, process, comm }
      process.threads.add(thread)
      tasks.push(thread)
      return
    }
    const child = start(number, parent, comm)
    child.process.image = { name: `${number} ${now}`, parent: parent?.image }
  }

  const leave = (task: Task) => {
    const { process, tid } = task
    process.threads.delete(task)
    tasks.splice(tasks.indexOf(task), 1)
    const dead = process.threads.size === 0
    tell(task, 'sched_process_exit', `comm=${task.comm} pid=${tid} prio=120`, dead ? 'exit' : 'thread_exit', {
      groupDead: dead,
    })
    if (tid !== process.pid) inUse.delete(tid)
    else process.leaderGone = true
    if (dead) zombies.push(process)
  }

  const exec = (task: Task) => {
    const { process } = task
    // All others are killed first, the leader among them: the thread that execs takes its number.
    for (const other of [...process.threads]) if (other !== task) leave(other)
    if (task.tid !== process.pid && !process.leaderGone) throw new Error('the leader is still there')
    const old = task.tid
    if (old !== process.pid) inUse.delete(old)
    task.tid = process.pid
    process.leaderGone = false
    const file = names[below(names.length)]!
    task.comm = file.slice(0, 15)
    const { image } = process
    // The image begins with its event.
    const begun: { name: string; parent: Image | undefined } = { name: '', parent: image.parent }
    process.image = begun
    tell(task, 'sched_process_exec', `filename=/bin/${file} pid=${process.pid} old_pid=${old}`, 'exec')
    begun.name = `${process.pid} ${now}`
    const event = happened.pop()!
    happened.push({ ...event, truth: { ...event.truth, image: begun.name } })
  }

  const init = start(1, undefined, 'init')
  const shells = [start(200, init.process, 'bash'), start(201, init.process, names[0]!)]
  const lasting = new Set([init.process, ...shells.map(({ process }) => process)])
  while (happened.length < events) {
    const task = tasks[below(tasks.length)]!
    const what = below(100)
    if (task === init) {
      if (what < 3) fork(task)
    } else if (what < 30) fork(task)
    else if (what < 62) tell(task, 'op', '(do_sys_openat2+0x0/0x170)', 'probe')
    else if (lasting.has(task.process)) {
      if (task.tid !== task.process.pid) leave(task)
    } else if (what < 70) exec(task)
    else if (what < 73) {
      const comm = names[below(names.length)]!.slice(0, 15)
      tell(task, 'task_rename', `pid=${task.tid} oldcomm=${task.comm} newcomm=${comm} oom_score_adj=0`, 'probe')
      task.comm = comm
    } else if (what < 88 && (task.tid !== task.process.pid || chance(leaderFirst))) leave(task)
    else for (const one of [...task.process.threads]) leave(one)
    if (zombies.length > 0 && chance(60)) inUse.delete(zombies.splice(below(zombies.length), 1)[0]!.pid)
  }
  return happened
}

/** What a line's column of groups says: nothing, the group at that moment, or what was known of the number when all was over. */
export type Column = 'none' | 'live' | 'as read'

/** How a workload is recorded. */
export interface Recorder {
  readonly column: Column
  readonly newTask?: boolean
  readonly groupDead?: boolean
  /** How threads that have exited leave their CPUs. */
  readonly switches?: boolean
}

/** A recording, and what it is of. */
export interface Recording {
  readonly happened: Happened[]
  readonly lines: string[]
}

/** A recorder without room: now and then some are gone. */
export function lossy({ happened, lines }: Recording, seed: number): Recording {
  const kept: Recording = { happened: [], lines: [] }
  for (let i = 0; i < happened.length; i++) {
    if (i % 150 === 149) {
      const lost = 5 + ((seed * 31 + i * 7) % 60)
      kept.lines.push(`CPU:${i % 2} [LOST ${lost} EVENTS]`)
      i += lost
    }
    if (happened[i] === undefined) break
    kept.happened.push(happened[i]!)
    kept.lines.push(lines[i]!)
  }
  return kept
}

/** The same with a clock that is set in the middle. */
export function clockSet(happened: readonly Happened[], by: bigint): Happened[] {
  const at = happened[happened.length >> 1]!.ts
  const to = (ts: bigint) => (ts >= at ? ts + by : ts)
  const named = (image: string) => image.replace(/ (\d+)$/, (_, start) => ` ${to(BigInt(start))}`)
  return happened.map((event) => {
    const { image, parent } = event.truth
    const truth = { ...event.truth, image: named(image), parent: parent === undefined ? undefined : named(parent) }
    return { ...event, ts: to(event.ts), truth }
  })
}

/** ftrace's lines of what happened. */
export function ftraceLines(
  happened: readonly Happened[],
  { column, newTask, groupDead, switches }: Recorder,
): string[] {
  const lastGroup = new Map(happened.map(({ tid, tgid }) => [tid, tgid]))
  return happened.map((event) => {
    const { ts, cpu, name, payload, comm, tid, tgid, flags, child } = event
    const group = column === 'live' ? tgid : lastGroup.get(tid)!
    const groups = column === 'none' ? '' : `(${String(group).padStart(7)}) `
    const seconds = `${ts / 1_000_000_000n}.${String((ts / 1000n) % 1_000_000n).padStart(6, '0')}`
    const head = `${comm.padStart(16)}-${String(tid).padEnd(7)} ${groups}[${String(cpu).padStart(3, '0')}] ..... ${seconds.padStart(12)}: `
    const dead = groupDead === true && event.groupDead !== undefined ? ` group_dead=${event.groupDead}` : ''
    const born =
      newTask === true && child !== undefined
        ? `${head}task_newtask: pid=${child.tid} comm=${comm} clone_flags=${flags!.toString(16)} oom_score_adj=0\n`
        : ''
    // Only leaders become zombies.
    const state = tid === tgid ? 'Z' : 'X'
    const left =
      switches === true && event.groupDead !== undefined
        ? `\n${head}sched_switch: prev_comm=${comm} prev_pid=${tid} prev_prio=120 prev_state=${state} ==> next_comm=swapper/0 next_pid=0 next_prio=120`
        : ''
    return `${born}${head}${name}: ${payload}${dead}${left}`
  })
}
