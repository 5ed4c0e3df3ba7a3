// A boot predicted by another one of the same kernel: builds of one and layout of the other are that one's own table, in both directions,
// with modules loaded in unlike order and some unloaded and loaded again. And the cache of the first boot opens the second.
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKernel, writeCapture } from 'kerndex'
import { openCatalog, readLayout, writeLayout } from 'kerndex/catalog'
import { compareAnswers, compareSymbols, type NotPlaced } from '../predicted-truth.ts'
import type { Guest, Judging, Suite } from '../suite.ts'

/** What each boot leaves: a capture, and the layout that the running kernel tells. */
export const BOOT_CAPTURE = 'capture'
const LIVE_LAYOUT = 'live.layout'
const CACHE = 'cache'

/** Modules that go and come again in the second boot. */
const RELOADED = ['btrfs', 'xfs', 'wireguard', 'nf_tables', 'ext4', 'raid456', 'f2fs', 'sctp', 'nvme', 'vxlan']

/** One that the first boot does not have. */
const UNKNOWN = 'dummy'

/** Addresses asked of each pair of tables, at most as many as there are symbols; on the host and in the guest. */
const ADDRESSES = 200_000
const ADDRESSES_IN_GUEST = 10_000

export const catalog: Suite = {
  name: 'catalog',
  title:
    'a boot predicted by the builds of another and its layout, in both directions; a new boot opened from the cache',

  async record(guest) {
    await leave(guest)
    const kernel = await openKernel({ cache: { directory: cacheIn(guest.folder), wait: true } })
    await kernel.close()
    guest.say('cached')
  },

  async again(guest, first) {
    for (const module of RELOADED) {
      try {
        guest.run('modprobe', '-r', module)
        guest.run('modprobe', module)
      } catch {
        guest.say(`${module} stays, or is not there`)
      }
    }
    guest.run('modprobe', UNKNOWN)
    await leave(guest)
    await openFromCache(guest, first)
  },

  async judge(judging) {
    const { folder, again } = judging
    await predict(judging, 'second by first', folder, again)
    await predict(judging, 'first by second', again, folder)
  },
}

async function leave(guest: Guest): Promise<void> {
  const { unsettled } = await writeCapture(join(guest.folder, BOOT_CAPTURE))
  if (unsettled) throw new Error('modules came or went while the capture was written')
  await writeLayout(join(guest.folder, LIVE_LAYOUT))
  guest.say('captured')
}

/** A directory that the cache trusts. */
function cacheIn(folder: string): string {
  const directory = join(folder, CACHE)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return directory
}

/** What the first boot's cache says before it has been checked, and after. */
async function openFromCache(guest: Guest, first: string): Promise<void> {
  const directory = cacheIn('/tmp')
  cpSync(join(first, CACHE), directory, { recursive: true })
  const fresh = await openKernel({ types: false })
  const kernel = await openKernel({ cache: { directory } })
  const early = kernel.symbols
  const how = `${early.size} symbols before the check`
  guest.note({
    check: 'cache of another boot',
    class: 'opening',
    kernel: 'is of another boot',
    kerndex: kernel.provisional ? 'provisional' : 'not provisional',
    wrong: !kernel.provisional || early.size === 0,
    subject: how,
  })
  await kernel.verified()
  guest.say(`opened from the first boot's cache: ${how}`)
  const bytes = [kernel, fresh].map(({ symbols }) => new Uint8Array(symbols.buffer))
  const equal = Buffer.compare(bytes[0]!, bytes[1]!) === 0
  guest.note({
    check: 'cache of another boot',
    class: 'after the check',
    kernel: 'a plain load',
    kerndex: equal ? 'the same bytes' : 'other bytes',
    wrong: !equal,
    subject: `${kernel.symbols.size} and ${fresh.symbols.size} symbols`,
  })
  const asked = Math.round(ADDRESSES_IN_GUEST * guest.scale)
  const [check, none] = ['addresses, cache of another boot before the check', { missing: [], unplaced: [] }]
  for (const outcome of compareAnswers(check, fresh.symbols, early, none, 'not wrong', asked)) guest.note(outcome)
  await kernel.close()
  await fresh.close()
}

/** One boot, by the builds of another: by what its capture tells of its places, and by the layout that the running kernel told. */
async function predict(judging: Judging, how: string, known: string, host: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'kerndex-predicted-'))
  try {
    const builds = await openCatalog({ directory: join(scratch, 'builds') })
    const { skipped } = await builds.add(join(known, BOOT_CAPTURE))
    judging.note({
      check: 'builds',
      class: how,
      kernel: 'its modules',
      kerndex: skipped.length === 0 ? 'all known' : `all but ${skipped.length}`,
      wrong: skipped.length > 0,
      subject: skipped.map(({ module, reason }) => `${module}: ${reason}`).join(', '),
    })
    const told = join(scratch, 'told.layout')
    await writeLayout(told, { from: join(host, BOOT_CAPTURE) })
    const own = await openKernel({ from: join(host, BOOT_CAPTURE), types: false, threads: 0 })
    for (const from of [told, join(host, LIVE_LAYOUT)]) {
      const check = from === told ? how : `${how}, live layout`
      const placed = await builds.place(readLayout(from))
      const notPlaced: NotPlaced = placed.host.placement ?? { missing: [], unplaced: [] }
      judging.say(`${check}: unknown modules: ${notPlaced.missing.map(({ name }) => name).join(' ') || 'none'}`)
      for (const outcome of compareSymbols(check, own.symbols, placed.symbols, notPlaced)) judging.note(outcome)
      if (from !== told) continue
      const asked = Math.min(ADDRESSES, own.symbols.size)
      const answers = compareAnswers(`addresses, ${how}`, own.symbols, placed.symbols, notPlaced, 'the same', asked)
      for (const outcome of answers) judging.note(outcome)
    }
    await own.close()
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
