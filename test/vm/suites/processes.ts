// Processes as they really were: a workload with processes of every kind is recorded in the ways that people record, beside the
// kernel's own word of each task's start and end, and `kerndex events` is held to that.
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openKernel } from 'kerndex'
import { Definitions, takeErrorLog } from '../guest/tracefs.ts'
import { alignTraces, compareEvents, type PrintedEvent, readTrace, TRUTH_EVENTS, truthOf } from '../process-truth.ts'
import type { Suite } from '../suite.ts'

const TRACING = '/sys/kernel/tracing'
const WORKLOAD = 'workload'
const SCHED = ['fork', 'exec', 'exit'].map((what) => `sched/sched_process_${what}`)
const TRUTH = 'truth'
const SYMBOLS = 'kallsyms'

interface Recording {
  readonly tgid: boolean
  readonly kilobytes: number
  /** Read while it goes on, or from the file `trace` at the end. */
  readonly live: boolean
  /** Events beside fork, exec, exit and the traced call. */
  readonly more?: readonly string[]
}

const LARGE = 16_384

const RECORDINGS: Readonly<Record<string, Recording>> = {
  'as read': { tgid: true, kilobytes: LARGE, live: false },
  'live pipe': { tgid: true, kilobytes: LARGE, live: true },
  'no tgid': { tgid: false, kilobytes: LARGE, live: false },
  'no tgid, with task_newtask': { tgid: false, kilobytes: LARGE, live: false, more: ['task/task_newtask'] },
  'small buffer': { tgid: true, kilobytes: 8, live: true },
}

/** Milliseconds that events wait for older ones. */
const WAITS = [0, 200, 2000, 5000]

const fileOf = (name: string) => `${name.replace(/\W+/g, '-')}.txt`

export const processes: Suite = {
  name: 'processes',
  title:
    'processes and threads of a workload, recorded in several ways, against the starts and ends that the kernel tells',
  before: 'modules',
  onRequest: true,

  async record(guest) {
    writeFileSync(join(guest.folder, SYMBOLS), readFileSync('/proc/kallsyms'))
    await defineProbes()
    const bound = readFileSync('/proc/sys/kernel/pid_max', 'latin1')
    const all: [string, Recording][] = [
      [TRUTH, { tgid: false, kilobytes: LARGE, live: false }],
      ...Object.entries(RECORDINGS),
    ]
    const instances = all.map(([name, recording]) => new Instance(name, recording, join(guest.folder, fileOf(name))))
    guest.run(WORKLOAD, ...instances.map(({ marker }) => marker))
    for (const instance of instances) instance.stop()
    await pause(2000)
    for (const instance of instances) instance.finish()
    writeFileSync('/proc/sys/kernel/pid_max', bound)
    guest.say('recorded')
  },

  async judge({ folder, note }) {
    const lines = readTrace(readFileSync(join(folder, fileOf(TRUTH)), 'latin1'))
    const truth = truthOf(lines)
    const command = join(dirname(fileURLToPath(import.meta.resolve('kerndex'))), 'cli.cjs')
    for (const name of Object.keys(RECORDINGS)) {
      const file = join(folder, fileOf(name))
      const aligned = alignTraces(lines, readTrace(readFileSync(file, 'latin1')))
      for (const wait of WAITS) {
        const args = [
          command,
          'events',
          file,
          '--input',
          'ftrace',
          '--from',
          join(folder, SYMBOLS),
          '--wait',
          String(wait),
        ]
        // It ends with 1 where lines cannot be decoded, and prints the others all the same.
        const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 30 })
        if (status !== 0 && status !== 1) throw new Error(`${args.join(' ')} ended with ${status}`)
        const printed = stdout
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as PrintedEvent)
        for (const outcome of compareEvents(`${name}, --wait ${wait}`, truth, aligned, printed)) note(outcome)
      }
    }
  },
}

/** A traced call of the workload's, and where the kernel starts and ends tasks. */
async function defineProbes(): Promise<void> {
  const kernel = await openKernel({ types: 'lazy' })
  const at = (path: string) => {
    const member = kernel.types.member(`task_struct.${path}`)
    if (member === undefined) throw new Error(`this kernel has no task_struct.${path}`)
    return member.offset
  }
  const number = (name: string, path: string) => `${name}=+${at(path)}(%di):s32`
  const lines = [
    'p:kerndex/op do_sys_openat2',
    `p:kerndex/${TRUTH_EVENTS.woken} wake_up_new_task ${number('pid', 'pid')} ${number('tgid', 'tgid')}`,
    `p:kerndex/${TRUTH_EVENTS.ended} taskstats_exit ${number('code', 'exit_code')} last=%si:s32`,
  ]
  await kernel.close()
  const events = new Definitions('kprobe_events')
  for (const line of lines) {
    const refused = events.write(line)
    if (refused !== '') throw new Error(`the kernel refuses ${line}: ${refused} ${takeErrorLog()}`)
  }
  events.close()
}

/** A buffer of its own that records what one way of recording has. */
class Instance {
  readonly #folder: string
  readonly #file: string
  readonly #live: boolean
  readonly #reader: ReturnType<typeof spawn> | undefined

  constructor(name: string, { tgid, kilobytes, live, more = [] }: Recording, file: string) {
    this.#folder = join(TRACING, 'instances', `kerndex-${name.replace(/\W+/g, '-')}`)
    this.#file = file
    this.#live = live
    mkdirSync(this.#folder)
    this.#set('trace_clock', 'mono')
    this.#set('buffer_size_kb', String(kilobytes))
    this.#set('options/record-tgid', tgid ? '1' : '0')
    const own = name === TRUTH ? Object.values(TRUTH_EVENTS).map((event) => `kerndex/${event}`) : []
    for (const event of [...SCHED, 'kerndex/op', ...more, ...own]) this.#set(`events/${event}/enable`, '1')
    if (!live) return
    const to = openSync(file, 'w')
    this.#reader = spawn('cat', [join(this.#folder, 'trace_pipe')], { stdio: ['ignore', to, 'ignore'] })
    closeSync(to)
  }

  get marker(): string {
    return join(this.#folder, 'trace_marker')
  }

  stop(): void {
    this.#set('tracing_on', '0')
  }

  /** Leaves the recording in its file, and the kernel as it was. */
  finish(): void {
    this.#reader?.kill()
    if (!this.#live) writeFileSync(this.#file, readFileSync(join(this.#folder, 'trace')))
    this.#set('events/enable', '0')
    // A reader that is still ending holds it; it goes with the boot.
    try {
      rmdirSync(this.#folder)
    } catch {}
  }

  #set(file: string, text: string): void {
    writeFileSync(join(this.#folder, file), text)
  }
}
