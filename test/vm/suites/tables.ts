// The table is the text: /proc/kallsyms against the tables that kerndex made of it in the guest, with threads and without, and
// against those that it makes on the host of the same boot's capture. Other suites judge from what this one leaves.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openKernel, saveSnapshot, writeCapture } from 'kerndex'
import { openKept } from '../snapshots.ts'
import type { Suite } from '../suite.ts'
import { compareTable, linesByAddress } from '../table-text.ts'

/** The capture's folder, below that of all suites. */
export const CAPTURE = 'capture'
const TEXT = 'kallsyms.txt'
const THREADS = [0, 2]

/** Snapshots of what was loaded live: their bytes are the table's, so the host, which is no emulation, can look into them. */
const snapshotName = (threads: number) => `live-${threads}-threads.snapshot`
/** One of them, below the folder of all suites. */
export const LIVE = 'tables/live-0-threads.snapshot'
/** What was loaded live with the sections of all modules, as a capture has them. */
const SECTIONS = 'live-sections.snapshot'
export const LIVE_SECTIONS = `tables/${SECTIONS}`

export const tables: Suite = {
  name: 'tables',
  title: 'the table is the text of /proc/kallsyms: live and captured, with threads and without, through snapshots',

  async record(guest) {
    writeFileSync(join(guest.folder, TEXT), readFileSync('/proc/kallsyms'))
    for (const threads of THREADS) {
      const kernel = await openKernel({ threads, types: 'lazy' })
      await saveSnapshot(kernel.snapshot(), join(guest.folder, snapshotName(threads)))
      await kernel.close()
      guest.say(`live with ${threads} threads`)
    }
    const kernel = await openKernel({ sections: true, types: false })
    await saveSnapshot(kernel.snapshot(), join(guest.folder, SECTIONS))
    await kernel.close()
    guest.say('live with sections')
    const { absences, unsettled } = await writeCapture(join(guest.share, CAPTURE))
    if (unsettled) throw new Error('modules came or went while the capture was written')
    writeFileSync(join(guest.folder, 'absences.json'), JSON.stringify(absences, undefined, 1))
    guest.say('captured')
  },

  async judge(judging) {
    const expected = linesByAddress(readFileSync(join(judging.folder, TEXT)))
    for (const threads of THREADS) {
      const sources = {
        [`live, ${threads} threads`]: join(judging.folder, snapshotName(threads)),
        [`from a capture, ${threads} threads`]: join(judging.share, CAPTURE),
      }
      for (const [how, from] of Object.entries(sources)) {
        const kernel = await openKept(from, threads, judging.say)
        if (kernel === undefined) continue
        judging.note(compareTable(how, expected, kernel.symbols))
        await kernel.close()
      }
    }
  },
}
