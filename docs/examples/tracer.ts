// A small tracer: processes as they come and go, and the hottest kernel stacks of forks, out of a tracefs instance of its own.
//
//   npm run example:tracer -- [SECONDS]        in the repository; elsewhere, with kerndex installed: compile it with tsc, and run it
//
// It needs root, and tracefs mounted, or TRACEFS names where it is.
//
// Writes to stderr how long it took from start to the first event with a symbolized stack. Its instance is removed however
// it ends, short of SIGKILL; what a killed run left is removed by the next.
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openKernel } from 'kerndex'
import {
  inputFormat,
  ProcessCache,
  Profile,
  placeEvent,
  readEvents,
  StackResolver,
  scanProc,
  seedCache,
} from 'kerndex/events'

const begun = performance.now()
const seconds = Number(process.argv[2] ?? 10)
const tracefs =
  process.env.TRACEFS ??
  ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'].find((path) => existsSync(join(path, 'instances')))
if (tracefs === undefined) throw new Error('tracefs is not mounted: mount -t tracefs nodev /sys/kernel/tracing')

const PREFIX = 'kerndex-tracer-'
const instances = join(tracefs, 'instances')
for (const name of readdirSync(instances)) {
  if (!name.startsWith(PREFIX)) continue
  // The instance of a run that is alive cannot be removed while its pipe is open.
  if (!existsSync(`/proc/${name.slice(PREFIX.length)}`)) rmdirSync(join(instances, name))
}
const instance = join(instances, `${PREFIX}${process.pid}`)
mkdirSync(instance)
const set = (file: string, value: string) => writeFileSync(join(instance, file), value)
let pipe = -1
let ending = false
function end(): void {
  if (ending) return
  ending = true
  set('tracing_on', '0')
  if (pipe >= 0) closeSync(pipe)
  rmdirSync(instance)
}
process.on('exit', end)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))

set('trace_options', 'record-tgid')
for (const option of ['sym-offset', 'sym-addr']) set('trace_options', option)
for (const event of ['fork', 'exec', 'exit']) set(`events/sched/sched_process_${event}/enable`, '1')
set('events/sched/sched_process_fork/trigger', 'stacktrace')

/** The pipe's bytes until the time is over. It is read without waiting, so that the end is noticed. */
async function* bytes(): AsyncGenerator<Uint8Array> {
  pipe = openSync(join(instance, 'trace_pipe'), constants.O_RDONLY | constants.O_NONBLOCK)
  const buffer = Buffer.alloc(1 << 16)
  const until = performance.now() + seconds * 1000
  while (performance.now() < until) {
    let count = 0
    try {
      count = readSync(pipe, buffer)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
    }
    if (count > 0) yield Buffer.from(buffer.subarray(0, count))
    else await pause(20)
  }
}

const kernel = await openKernel({ threads: 0, types: false })
const cache = new ProcessCache()
seedCache(cache, await scanProc())
const resolver = new StackResolver(kernel.symbols)
const stacks = new Profile()
let symbolized = false
for await (const event of readEvents(bytes(), inputFormat('ftrace'))) {
  const { type, pid, process: image, parent } = placeEvent(event, cache)
  const frames = resolver.resolve(event.frames, event.shape)
  if (!symbolized && frames.some(({ symbol, address }) => symbol !== null && address !== undefined)) {
    symbolized = true
    process.stderr.write(`first symbolized event after ${(performance.now() - begun).toFixed(0)} ms\n`)
  }
  if (frames.length > 0) stacks.add(frames.map((frame) => frame.symbol ?? '[unknown]').reverse(), 1n)
  process.stdout.write(`${type.padEnd(11)} ${pid} ${image?.binary ?? image?.comm ?? '?'} (of ${parent?.comm ?? '?'})\n`)
}
process.stdout.write('\nhottest kernel stacks\n')
const hottest = stacks.folded().sort(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0))
for (const [stack, count] of hottest.slice(0, 5)) process.stdout.write(`${count}  ${stack}\n`)
await kernel.close()
