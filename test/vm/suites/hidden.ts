// A host that hides every address (kptr_restrict=2): perf records stacks there, and the command names them by the builds of the other boot,
// which the suite `catalog` leaves. Truth is the kernel's own list, from before it was restricted.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openCatalog } from 'kerndex/catalog'
import { compareFrames, type NamedFrame } from '../hidden-truth.ts'
import { addressOf, readLines } from '../kallsyms.ts'
import type { Guest, Suite } from '../suite.ts'
import { BOOT_CAPTURE, catalog } from './catalog.ts'

const RESTRICT = '/proc/sys/kernel/kptr_restrict'
const RECORDING = 'perf.data'

/** Texts that perf script makes of the recording, and what each shows. */
const TEXTS: Readonly<Record<string, readonly string[]>> = {
  'script.txt': [],
  'ip.txt': ['-F', 'comm,tid,time,ip'],
  'symoff.txt': ['-F', 'comm,pid,tid,cpu,time,event,ip,sym,symoff,dso'],
}

/** What is recorded: system calls of many kinds, and code of a module, if its file system can be made. */
const WORK = `for i in 1 2 3 4 5 6; do
dd if=/dev/zero of=$1/f bs=64k count=100; sync; ls -la /proc/self/fd; cat /proc/meminfo; find /proc/sys; rm -f $1/f; done >/dev/null 2>&1`

/** What the command ends with where the kernel hides what it is asked for. */
const REFUSED = 3

export const hidden: Suite = {
  name: 'hidden',
  title: 'stacks of a boot that hides every address (kptr_restrict=2), named by the builds of another; needs `catalog`',

  async record() {},

  async again(guest) {
    const disk = mountModule(guest)
    const before = readFileSync(RESTRICT, 'latin1')
    writeFileSync(RESTRICT, '2')
    try {
      ask(guest, disk)
    } finally {
      writeFileSync(RESTRICT, before)
    }
  },

  async judge(judging) {
    const { share, again, say } = judging
    const known = join(share, catalog.name, BOOT_CAPTURE)
    const own = join(again, '..', catalog.name, BOOT_CAPTURE, 'kallsyms')
    if (!existsSync(join(again, RECORDING))) return
    if (!existsSync(known) || !existsSync(own)) {
      say(`not judged: it needs what the suite ${catalog.name} leaves`)
      return
    }
    const directory = mkdtempSync(join(tmpdir(), 'kerndex-hidden-'))
    try {
      const builds = await openCatalog({ directory })
      await builds.add(known)
      const kernel = (await builds.list()).find(({ kind }) => kind === 'vmlinux')?.buildId ?? 'none'
      const lines = readLines(readFileSync(own, 'latin1'))
      for (const name of Object.keys(TEXTS).filter((each) => existsSync(join(again, each)))) {
        const { place, frames } = resolved(join(again, name), directory, kernel)
        const right = addressOf(lines, '_text') || addressOf(lines, '_stext')
        const subject = `${name}: the kernel lay at 0x${right.toString(16)}, kerndex says ${place?.toString(16)}`
        const kerndex = place === right ? 'the same' : place === undefined ? 'refuses' : 'another'
        judging.note({ check: 'place', class: name, kernel: 'one', kerndex, wrong: place !== right, subject })
        for (const outcome of compareFrames(`frames, ${name}`, frames, lines)) judging.note(outcome)
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
}

/** Records stacks, and asks for layouts, which are refused. */
function ask(guest: Guest, disk: string): void {
  // The kernel's buffers that perf writes out of cannot be sent to the shared folder on every kernel.
  const recording = join('/tmp', RECORDING)
  const event = ['-e', 'cpu-clock', '-F', '199']
  const args = ['record', '-q', '-a', '-g', ...event, '-o', recording, '--', 'bash', '-c', WORK, 'work', disk]
  const { status, signal, stderr, error } = spawnSync('perf', args, { encoding: 'latin1' })
  if (error !== undefined || status !== 0) {
    // There may be none, or one that is older than the kernel and not up to it.
    guest.say(`not asked: perf: ${error?.message ?? `it ended with ${status ?? signal}: ${stderr.trim()}`}`)
    return
  }
  copyFileSync(recording, join(guest.folder, RECORDING))
  for (const [name, args] of Object.entries(TEXTS))
    writeFileSync(join(guest.folder, name), guest.run('perf', 'script', '-i', recording, ...args), 'latin1')
  for (const [what, args] of Object.entries({ 'the host': [], 'its recording': ['--from', recording] })) {
    const { status, stderr } = spawnSync('kerndex', ['layout', '/tmp/hidden.layout', ...args], { encoding: 'utf8' })
    const outcome = { check: 'layouts', class: what, kernel: 'hides where it lies', subject: stderr.trim() }
    guest.note({ ...outcome, kerndex: `ends with ${status}`, wrong: status !== REFUSED })
  }
  guest.say('recorded')
}

/** Mounts a file system that is a module, if it can be made; else a folder in memory. */
function mountModule(guest: Guest): string {
  const disk = '/tmp/disk'
  mkdirSync(disk, { recursive: true })
  try {
    guest.run('truncate', '-s', '64M', '/tmp/disk.img')
    guest.run('mkfs.ext4', '-q', '/tmp/disk.img')
    guest.run('mount', '-o', 'loop', '/tmp/disk.img', disk)
  } catch {
    guest.say('no ext4 to be mounted: few frames of modules')
  }
  return disk
}

/** What the command says of a recording's text. */
function resolved(text: string, directory: string, kernel: string) {
  const command = join(dirname(createRequire(import.meta.url).resolve('kerndex')), 'cli.cjs')
  const placing = ['--catalog', directory, '--build-id', kernel, '--slide-from-stacks']
  const args = [command, 'resolve', text, ...placing, '--mode', 'raw', '--json']
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'latin1', maxBuffer: 1 << 30 })
  const place = /the kernel lay at (0x[0-9a-f]+)/.exec(stderr)?.[1]
  const events = stdout.split('\n').filter((line) => line !== '')
  const frames = events.flatMap((line) => (JSON.parse(line) as { kernel_stack?: NamedFrame[] }).kernel_stack ?? [])
  return { place: place === undefined ? undefined : BigInt(place), frames }
}
