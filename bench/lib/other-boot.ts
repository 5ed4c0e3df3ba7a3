// A cache as another boot of the running kernel would have left it: the same file, of a boot whose image lay elsewhere.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { moveCore } from '../../src/catalog/next-boot.ts'
import { openCache } from '../../src/index.ts'
import { identitiesOf } from '../../src/snapshot/format.ts'
import { SnapshotReader } from '../../src/snapshot/read.ts'

const OTHER_BOOT = '0b007000-0000-4000-8000-000000000000'
/** A distance by which x86 moves its kernel at boot. */
const SLIDE = 0x4a0_0000n

/** Writes the one file of a cache into another directory, as of another boot. */
export async function leaveOtherBoot(cache: string, directory: string): Promise<void> {
  const file = readdirSync(cache).find((name) => name.endsWith('.kerndex'))
  if (file === undefined) throw new Error(`${cache} holds no kernel`)
  const reader = new SnapshotReader(join(cache, file))
  const { meta } = reader.plan
  const { buildId = '' } = meta.host
  const { parts, types } = await reader.read({ symbols: true, core: true, groups: () => true })
  reader.close()
  const core = { symbols: parts.core!, anchors: meta.anchors } // Asked for.
  const anchors = meta.anchors.map(({ name, address }) => ({ name, address: address + SLIDE }))
  if (anchors[0] === undefined || !moveCore(core, anchors[0])) throw new Error('the kernel cannot lie elsewhere')
  const content = {
    symbols: parts.symbols!, // Asked for.
    types,
    identities: identitiesOf(meta),
    host: { ...meta.host, bootId: OTHER_BOOT },
    skipped: meta.skipped,
    text: meta.text,
    facts: {},
    core: { symbols: core.symbols, anchors },
  }
  await (await openCache({ directory })).store({ buildId, bootId: OTHER_BOOT }, content)
}
