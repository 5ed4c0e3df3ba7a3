// A process of its own that does alone what a fleet does: looks packed addresses up and writes ids and offsets to a file, or makes a
// profile of stacks. Prints the processor time that all of it took, its start included.

import { closeSync, createReadStream, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { foldedLines, Profiles, runStream } from '../../src/events.ts'
import { openKernel } from '../../src/index.ts'
import { answer, coldTask } from '../lib/cold.ts'

const { works, to } = coldTask<{ works: { table: string; file: string; input: string }[]; to: string }>()
const PIECE = 1 << 19

const out = openSync(to, 'w')
for (const { table, file, input } of works) {
  await using kernel = await openKernel({ from: table, threads: 0, types: false })
  if (input === 'packed') {
    const descriptor = openSync(file, 'r')
    const addresses = new BigUint64Array(PIECE / 8)
    const found = { ids: new Uint32Array(PIECE / 8), offsets: new Uint32Array(PIECE / 8) }
    for (;;) {
      const bytes = readSync(descriptor, new Uint8Array(addresses.buffer))
      if (bytes === 0) break
      const count = bytes / 8
      const { ids, offsets } = kernel.symbols.findMany(addresses.subarray(0, count), {
        ids: found.ids.subarray(0, count),
        offsets: found.offsets.subarray(0, count),
      })
      writeSync(out, ids)
      writeSync(out, offsets)
    }
    closeSync(descriptor)
    continue
  }
  const profiles = new Profiles()
  const options = { threads: 0, folding: { prefix: 'comm', addresses: true } } as const
  const bytes = createReadStream(file, { highWaterMark: 1 << 18 })
  for await (const { profile } of runStream(bytes, kernel.snapshot(), 'profile', options)) profiles.merge(profile ?? [])
  for (const profile of profiles.all) writeFileSync(out, [...foldedLines(profile)].join(''))
}
closeSync(out)
const { user, system } = process.cpuUsage()
answer((user + system) / 1000)
