// Where a kernel's code lies, by owner, for profiles that say of what build an address is.

import type { Snapshot } from '../snapshot/snapshot.ts'
import { parseBuildIds } from '../sources/facts.ts'
import { isAbsence } from '../sources/source.ts'
import type { CodeMapping } from './output/output.ts'

/** Where the kernel's code lies, and where it lay at other times of the same boot, vmlinux first, with the build ids that are known. */
export function codeMappings(hosts: readonly Snapshot[]): CodeMapping[] {
  const known = new Map<string, CodeMapping>()
  for (const mapping of hosts.flatMap(mappingsOf)) {
    const key = Object.values(mapping).join(' ')
    if (!known.has(key)) known.set(key, mapping)
  }
  return [...known.values()]
}

function mappingsOf(snapshot: Snapshot): CodeMapping[] {
  const { symbols, host } = snapshot
  const place = (name: string) => symbols.named(name, { owner: 'vmlinux' })[0]?.address
  const start = place('_text') ?? place('_stext')
  const end = place('_end') ?? place('_etext')
  const mappings: CodeMapping[] = []
  if (start !== undefined && end !== undefined) mappings.push({ owner: 'vmlinux', start, end, buildId: host.buildId })
  const facts = snapshot.fact('module_identities')
  const ids = isAbsence(facts) ? new Map<string, string>() : parseBuildIds(Buffer.from(facts))
  const modules = [...(host.modules ?? [])].filter(({ address }) => address !== undefined && address !== 0n)
  modules.sort((a, b) => (a.address! < b.address! ? -1 : 1))
  modules.forEach(({ name, address, size }, i) => {
    const next = modules[i + 1]?.address
    // Since Linux 6.4 the size is that of all pieces of a module, which lie apart: a mapping ends where the next begins.
    const last = address! + BigInt(size)
    mappings.push({
      owner: name,
      start: address!,
      end: next !== undefined && next < last ? next : last,
      buildId: ids.get(name),
    })
  })
  return mappings
}
