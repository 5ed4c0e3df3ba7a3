// The layout that a perf.data file tells: which kernel build was recorded, and where perf found its image and its modules.

import { statSync } from 'node:fs'
import { ANCHORS } from '../catalog/image.ts'
import { BUILD_ID, MODULE_NAME } from '../catalog/json.ts'
import type { HostLayout, LayoutModule } from '../catalog/layout.ts'
import { NotReadableError } from '../core/errors.ts'
import { moduleOfFile } from '../sources/facts.ts'
import { type PerfMapping, readPerfHeader, readPerfMappings } from '../sources/perf-data.ts'

const KERNEL = '[kernel.kallsyms]'

/**
 * What a recording tells. Of modules perf names the address of /proc/modules, which since 6.4 places their functions only.
 * @throws NotReadableError if it does not tell which kernel, or where it lay
 */
export async function recordedLayout(path: string, generation: number): Promise<HostLayout> {
  const { buildId, release, files } = await readPerfHeader(path)
  const mappings = await readPerfMappings(path)
  const image = mappings.find(({ file }) => ANCHORS.some((name) => file === `${KERNEL}${name}`))
  const anchor = ANCHORS.find((name) => image?.file === `${KERNEL}${name}`)
  if (buildId === undefined || !BUILD_ID.test(buildId)) {
    throw new NotReadableError(
      `${path} does not tell the kernel's build id: record with perf's default of writing build ids`,
    )
  }
  if (image === undefined || anchor === undefined || image.offset === 0n) {
    throw new NotReadableError(
      `${path} does not tell where the kernel lay: addresses were hidden from whoever recorded it`,
    )
  }
  const modules = new Map<string, LayoutModule>()
  for (const mapping of mappings) {
    const module = moduleIn(mapping, files.get(mapping.file))
    if (module !== undefined && !modules.has(module.name)) modules.set(module.name, module)
  }
  return {
    buildId,
    bootId: undefined,
    release,
    architecture: undefined,
    anchor: { name: anchor, address: image.offset },
    modules: [...modules.values()],
    dynamic: [],
    taken: statSync(path).mtime,
    generation,
  }
}

/** The module that a mapping is of, if it is of any. */
function moduleIn({ file, start, bytes, buildId }: PerfMapping, hit: string | undefined): LayoutModule | undefined {
  const name = moduleOfFile(file) ?? (file.startsWith('[') && file.endsWith(']') ? file.slice(1, -1) : '')
  if (!MODULE_NAME.test(name) || !Number.isSafeInteger(bytes)) return undefined
  const id = buildId ?? hit
  return {
    name,
    buildId: id !== undefined && BUILD_ID.test(id) ? id : undefined,
    srcversion: undefined,
    state: 'Live',
    taint: undefined,
    bytes,
    address: start,
    sections: undefined,
  }
}
