// One boot of a kernel in an emulator: what the guest gets, how it is waited for, what it says meanwhile.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { SHARES } from './initrd.ts'
import type { BootableKernel } from './kernels.ts'

export interface BootOptions {
  /** The folder that is /share in the guest: both write to it. */
  readonly share: string
  readonly cpus: number
  /** As qemu takes it, such as `3G`. */
  readonly memory: string
  readonly timeoutMs: number
  /** Called with every line that the guest says for people. */
  readonly say: (line: string) => void
}

/** Lines of the console that are for people begin so. */
const SPOKEN = 'vm: '
/** Lines of the console kept for the error. */
const CONSOLE_LINES = 40

/**
 * Boots a kernel and waits until it is off.
 * @throws Error with the end of its console where it fails or takes too long
 */
export async function boot(kernel: BootableKernel, options: BootOptions): Promise<void> {
  const { share, cpus, memory, timeoutMs, say } = options
  const folder = (id: string, path: string, readonly: boolean) => [
    '-fsdev',
    `local,id=${id},path=${path},security_model=none,multidevs=remap${readonly ? ',readonly=on' : ''}`,
    '-device',
    `virtio-9p-pci,fsdev=${id},mount_tag=${id}`,
  ]
  // Plain emulation: what looks like hardware support may be nested, and hang.
  const machine = ['-accel', 'tcg,thread=multi', '-cpu', 'max,-la57', '-m', memory, '-smp', String(cpus)]
  const quiet = ['-nographic', '-no-reboot', '-nodefaults', '-serial', 'stdio', '-monitor', 'none']
  const args = [
    ...machine,
    ...quiet,
    ...['-device', 'virtio-rng-pci'],
    ...['-kernel', kernel.image, '-initrd', kernel.initrd],
    ...folder(SHARES.root, '/', true),
    ...folder(SHARES.modules, kernel.modules, true),
    ...folder(SHARES.share, share, false),
    ...['-append', 'console=ttyS0 loglevel=4 panic=-1'],
  ]
  // A guest does not outlive the run that waits for it.
  const guarded = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args]
  const guest = spawn('setpriv', guarded, { stdio: ['ignore', 'pipe', 'pipe'] })
  const console: string[] = []
  const hear = (line: string) => {
    if (line.startsWith(SPOKEN)) say(line.slice(SPOKEN.length))
    console.push(line)
    if (console.length > CONSOLE_LINES) console.shift()
  }
  for (const stream of [guest.stdout, guest.stderr]) createInterface(stream).on('line', hear)
  let late = false
  const timer = setTimeout(() => {
    late = true
    guest.kill('SIGKILL')
  }, timeoutMs)
  const [status, failure] = await new Promise<[number | null, Error?]>((resolve) => {
    guest.on('error', (error) => resolve([null, error]))
    guest.on('close', (code) => resolve([code]))
  })
  clearTimeout(timer)
  if (status === 0) return
  const why = failure?.message ?? (late ? `took more than ${timeoutMs / 1000} s` : `the emulator ended with ${status}`)
  throw new Error(`${kernel.release}: ${why}; its console ends so:\n${console.join('\n')}`)
}
