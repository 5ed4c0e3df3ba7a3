// A function tracer: plans kprobes by a glob, attaches them through tracefs with their arguments, prints each call with its stack, and
// says when modules come and go.
//
//   node probes.js 'kprobe:vfs_*link*' [ARGUMENT,…]      as root, compiled with tsc, with kerndex installed
//
// What it attached is taken away however it ends, short of SIGKILL.
import { appendFileSync, createReadStream, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { attachAll, openKernel, type ProbeTarget } from 'kerndex'
import { frameInWords, inputFormat, readEvents, StackResolver } from 'kerndex/events'

const [spec = 'kprobe:vfs_*link*', names] = process.argv.slice(2)
const tracefs = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'].find((path) => existsSync(join(path, 'instances')))
if (tracefs === undefined) throw new Error('tracefs is not mounted: mount -t tracefs nodev /sys/kernel/tracing')

await using kernel = await openKernel({ types: 'lazy', probes: true })
const plan = kernel.probes.plan(spec, names === undefined ? {} : { args: names.split(',') })
process.stderr.write(`${plan}\n`)
for (const { message } of [...plan.reasons, ...plan.warnings]) process.stderr.write(`${message}\n`)
if (plan.verdict === 'no') process.exit(1)

// An instance of its own: other tracers see nothing of it.
const instance = join(tracefs, 'instances', `kerndex-probes-${process.pid}`)
mkdirSync(instance)
const end = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end.abort())

/** Attaches one probe: its line makes an event, which is switched on here with a stack for each call. */
async function attach(target: ProbeTarget): Promise<() => void> {
  const line = target.attach?.kprobeEvents
  if (line === undefined) throw new Error(`${target} cannot be attached by tracefs`)
  const event = line.slice(line.indexOf(':') + 1, line.indexOf(' '))
  appendFileSync(join(tracefs!, 'kprobe_events'), `${line}\n`)
  const folder = join(instance, 'events', event)
  writeFileSync(join(folder, 'trigger'), 'stacktrace')
  writeFileSync(join(folder, 'enable'), '1')
  return () => {
    writeFileSync(join(folder, 'enable'), '0')
    writeFileSync(join(folder, 'trigger'), '!stacktrace')
    appendFileSync(join(tracefs!, 'kprobe_events'), `-:${event}\n`)
  }
}

let detach = async () => {}
try {
  for (const option of ['sym-offset', 'sym-addr']) writeFileSync(join(instance, 'trace_options'), option)
  detach = await attachAll(plan.targets, attach)
  const resolver = new StackResolver(kernel.symbols)
  const changes = (async () => {
    for await (const change of kernel.watch({ intervalMs: 1000, signal: end.signal }))
      process.stderr.write(`${change}\n`)
  })()
  const pipe = createReadStream(join(instance, 'trace_pipe'), { signal: end.signal })
  for await (const event of readEvents(pipe, inputFormat('ftrace'), undefined, { signal: end.signal })) {
    process.stdout.write(`${event.type} ${event.comm ?? '?'} ${event.pid ?? '?'}\n`)
    for (const frame of resolver.resolve(event.frames, event.shape))
      process.stdout.write(`    ${frameInWords(frame)}\n`)
  }
  await changes
} catch (error) {
  // Ctrl-C ends the reading.
  if (!end.signal.aborted) throw error
} finally {
  await detach()
  rmdirSync(instance)
}
