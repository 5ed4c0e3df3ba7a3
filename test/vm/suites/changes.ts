// An open kernel while modules come and go: after each change every symbol and every type set is compared with what the kernel
// has then; the memory of the process must not grow; and a watch must see what happens by itself.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Kernel, openKernel, saveSnapshot } from 'kerndex'
import { openKept } from '../snapshots.ts'
import type { Guest, Suite } from '../suite.ts'
import { compareTable, linesByAddress } from '../table-text.ts'

/** Modules that come and go, large and small, some with others that they need. */
const COMING = ['xfs', 'dummy', 'veth', 'wireguard', 'nf_tables', 'e1000', 'vxlan', 'sctp', 'raid456', 'btrfs']
const CYCLES = 50
/** Cycles after which the memory must not grow any more, and by how much it may: pages that the system has not taken back. */
const SETTLED = 20
const GROWTH = 1.15

/** For each change a pair of files: the kernel's text and what kerndex had then. The host, which is no emulation, compares them. */
const PAIRS = 'pairs'
const TEXT = '.txt'
const SNAPSHOT = '.snapshot'

export const changes: Suite = {
  name: 'changes',
  title: `refresh and watch while modules come and go, ${CYCLES} times: every table compared, memory flat`,
  before: 'modules',

  async record(guest) {
    mkdirSync(join(guest.folder, PAIRS))
    const kernel = await openKernel()
    const cycles = Math.max(COMING.length, Math.round(CYCLES * guest.scale))
    const resident: number[] = []
    await keep(guest, kernel, '000 at first')
    for (let i = 0; i < cycles; i++) {
      const module = COMING[i % COMING.length]!
      const number = String(i + 1).padStart(3, '0')
      const stays = isLoaded(module)
      guest.run('modprobe', module)
      await refresh(guest, kernel, stays ? 'no change' : 'a change', `modprobe ${module}`)
      await keep(guest, kernel, `${number}a modprobe ${module}`)
      const gone = await unload(guest, module)
      if (!gone) guest.say(`${module} stays: something holds it`)
      await refresh(guest, kernel, gone ? 'a change' : 'no change', `modprobe -r ${module}`)
      await keep(guest, kernel, `${number}b modprobe -r ${module}`)
      if (i % 5 === 0) await refresh(guest, kernel, 'no change', `nothing behind cycle ${number}`)
      resident.push(residentKilobytes())
      if (i % 5 === 4) guest.say(`${i + 1} of ${cycles} cycles, ${resident.at(-1)} kB`)
    }
    const settled = Math.max(...resident.slice(0, Math.min(SETTLED, cycles / 2)))
    const grows = Math.min(...resident.slice(-5)) > settled * GROWTH
    guest.note({
      check: 'memory',
      class: `${cycles} cycles`,
      kernel: 'as many symbols as before',
      kerndex: grows ? 'grows' : 'flat',
      wrong: grows,
      subject: `resident kB after each cycle: ${resident.join(' ')}`,
    })
    await watch(guest, kernel)
    await kernel.close()
  },

  async judge({ folder, note, say }) {
    const pairs = join(folder, PAIRS)
    for (const file of readdirSync(pairs).sort()) {
      if (!file.endsWith(TEXT)) continue
      const when = file.slice(0, -TEXT.length)
      const text = readFileSync(join(pairs, file))
      const kernel = await openKept(join(pairs, `${when}${SNAPSHOT}`), 0, say)
      if (kernel === undefined) return
      note({
        ...compareTable(when, linesByAddress(text), kernel.symbols),
        class: 'after a change',
        kernel: 'its lines',
      })
      await kernel.close()
    }
  },
}

/** Whether a module is there already, because something has held it since an earlier cycle. */
function isLoaded(module: string): boolean {
  return existsSync(`/sys/module/${module}/initstate`)
}

/** Tries to unload a module, which something may hold for a moment. Whether it has gone. */
async function unload(guest: Guest, module: string): Promise<boolean> {
  for (let i = 0; i < 10; i++) {
    try {
      guest.run('modprobe', '-r', module)
      return true
    } catch {
      await pause(200)
    }
  }
  return false
}

async function refresh(guest: Guest, kernel: Kernel, expected: 'a change' | 'no change', what: string): Promise<void> {
  const { changed } = await kernel.refresh()
  const kerndex = changed ? 'a change' : 'no change'
  const subject = `${what}, then refresh()`
  guest.note({ check: 'refresh', class: 'refresh', kernel: expected, kerndex, wrong: kerndex !== expected, subject })
}

/** Keeps the kernel's text as it is now, and the current snapshot; compares the names of type sets. */
async function keep(guest: Guest, kernel: Kernel, when: string): Promise<void> {
  writeFileSync(join(guest.folder, PAIRS, `${when}${TEXT}`), readFileSync('/proc/kallsyms'))
  await saveSnapshot(kernel.snapshot(), join(guest.folder, PAIRS, `${when}${SNAPSHOT}`))
  const there = new Set(readdirSync('/sys/kernel/btf'))
  const mine = new Set(kernel.types.sets.map(({ name }) => name))
  const missing = [...there].filter((name) => !mine.has(name))
  const tooMany = [...mine].filter((name) => !there.has(name))
  const wrong = missing.length + tooMany.length > 0
  guest.note({
    check: 'type sets',
    class: 'after a change',
    kernel: 'its sets',
    kerndex: wrong ? 'others' : 'the same',
    wrong,
    subject: `${when}: missing ${missing.join(' ') || 'none'}, too many ${tooMany.join(' ') || 'none'}`,
  })
}

/** Kilobytes of this process in memory, after what is not needed any more has gone. */
function residentKilobytes(): number {
  global.gc?.()
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1])
}

/** Milliseconds that a watch may take to tell of a change, in an emulator on a busy machine. */
const LATE_MS = 120_000

/** A watch tells of a module that comes, and of its going. */
async function watch(guest: Guest, kernel: Kernel): Promise<void> {
  const module = 'veth'
  const ends = new AbortController()
  const seen = kernel.watch({ intervalMs: 100, signal: ends.signal })
  for (const [what, args] of [
    ['comes', [module]],
    ['goes', ['-r', module]],
  ] as const) {
    const next = seen.next()
    guest.run('modprobe', ...args)
    const result = await Promise.race([next, pause(LATE_MS, undefined, { ref: false })])
    const here = kernel.symbols.owners.includes(module)
    const right = result !== undefined && result.done !== true && here === (what === 'comes')
    guest.note({
      check: 'watch',
      class: `a module ${what}`,
      kernel: what,
      kerndex: right ? 'tells' : 'does not tell',
      wrong: !right,
      subject: `watch({ intervalMs: 100 }) while modprobe ${args.join(' ')}`,
    })
  }
  ends.abort()
  await seen.return()
}
