// The layout that a recording tells, a perf.data file or a pprof profile: which kernel build was recorded, and where its image and its
// modules were found.

import { statSync } from 'node:fs'
import { ANCHORS } from '../catalog/image.ts'
import { BUILD_ID, MODULE_NAME } from '../catalog/json.ts'
import type { HostLayout, LayoutModule } from '../catalog/layout.ts'
import { NotReadableError } from '../core/errors.ts'
import { moduleOfFile } from '../sources/facts.ts'
import { type PerfMapping, readPerfHeader, readPerfMappings } from '../sources/perf-data.ts'
import type { ProfileMappings } from '../sources/pprof.ts'

const KERNEL = '[kernel.kallsyms]'
const UPPER_HALF = 1n << 63n
const PAGE = 0x1000n

/** What a recording tells. */
interface Recorded {
  readonly path: string
  readonly buildId: string | undefined
  readonly release: string | undefined
  /** Build ids of files, beside those that mappings have themselves. */
  readonly files: ReadonlyMap<string, string>
  readonly mappings: readonly PerfMapping[]
  /** Where the image's symbol lies; 0 where that is hidden. */
  readonly address: bigint
  readonly taken: Date
}

/** The layout of a perf.data file. @throws NotReadableError if it does not tell which kernel, or where it lay */
export async function recordedLayout(path: string, generation: number): Promise<HostLayout> {
  const { buildId, release, files } = await readPerfHeader(path)
  const mappings = await readPerfMappings(path)
  const address = mappings.find(isImage)?.offset ?? 0n
  return layoutOf({ path, buildId, release, files, mappings, address, taken: statSync(path).mtime }, generation)
}

/** The layout of a pprof profile. @throws NotReadableError if it does not tell which kernel, or where it lay */
export function profiledLayout(path: string, { mappings, time }: ProfileMappings, generation: number): HostLayout {
  const { buildId, start = 0n, offset = 0n } = mappings.find(isImage) ?? {}
  // Who leaves out the offset that perf tells begins the mapping at the symbol, or at the page below.
  const address = offset === 0n && start % PAGE === 0n ? start : offset
  const taken = time > 0n ? new Date(Number(time / 1_000_000n)) : statSync(path).mtime
  const told = { path, buildId: buildId?.toLowerCase(), release: undefined, files: new Map<string, string>() }
  return layoutOf({ ...told, mappings, address, taken }, generation)
}

/** Of modules recorders name the address of /proc/modules, which since 6.4 places their functions only. */
function layoutOf(
  { path, buildId, release, files, mappings, address, taken }: Recorded,
  generation: number,
): HostLayout {
  const image = mappings.find(isImage)
  const anchor = ANCHORS.find((name) => image?.file === `${KERNEL}${name}`)
  const isKnown = buildId !== undefined && BUILD_ID.test(buildId)
  // Of a recording that says nothing at all, not even that is known.
  if ((isKnown || release !== undefined) && (anchor === undefined || address < UPPER_HALF)) {
    throw new NotReadableError(
      `${path} does not tell where the kernel lay: addresses were hidden from whoever recorded it. Its stacks may tell: ` +
        'kerndex resolve PERF-SCRIPT-TEXT --build-id ID --slide-from-stacks',
    )
  }
  if (!isKnown || anchor === undefined) {
    throw new NotReadableError(`${path} does not tell the kernel's build id: it was recorded without build ids`)
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
    anchor: { name: anchor, address },
    modules: [...modules.values()],
    dynamic: [],
    taken,
    generation,
  }
}

function isImage({ file }: PerfMapping): boolean {
  return ANCHORS.some((name) => file === `${KERNEL}${name}`)
}

/** The module that a mapping is of, if it is of any. */
function moduleIn({ file, start, bytes, buildId }: PerfMapping, hit: string | undefined): LayoutModule | undefined {
  const name = moduleOfFile(file) ?? (file.startsWith('[') && file.endsWith(']') ? file.slice(1, -1) : '')
  if (!MODULE_NAME.test(name) || !Number.isSafeInteger(bytes) || bytes < 0 || start < UPPER_HALF) return undefined
  const id = (buildId ?? hit)?.toLowerCase()
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
