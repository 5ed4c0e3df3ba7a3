// Writes a snapshot over another one and kills its own process before a given piece: what a crash, or a second process,
// does to a file. Arguments: the snapshot to copy, the file to write, the number of the piece (-1: none).
import { SnapshotReader } from '../../dist/src/snapshot/read.js'
import { writeSnapshot } from '../../dist/src/snapshot/write.js'

const [, , from, to, dies] = process.argv
const reader = new SnapshotReader(from)
const { parts, types } = await reader.read({ symbols: true, groups: () => true, facts: true })
reader.close()
const { host, skipped } = reader.plan.meta
const content = { symbols: parts.symbols, types, identities: new Map(), host, skipped, text: undefined, facts: {} }
await writeSnapshot(to, content, {
  onWrite(number) {
    if (number === Number(dies)) process.kill(process.pid, 'SIGKILL')
  },
})
