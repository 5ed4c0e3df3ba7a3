// The layout that a recording tells, a perf.data file or a pprof profile: which kernel build was recorded, and where its image and its
// modules were found.

import { statSync } from 'node:fs'
import { ANCHORS, type Anchor } from '../catalog/image.ts'
import { BUILD_ID, MODULE_NAME } from '../catalog/json.ts'
import type { HostLayout, LayoutModule } from '../catalog/layout.ts'
import { NotReadableError } from '../core/errors.ts'
import { moduleOfFile } from '../sources/facts.ts'
import { type PerfMapping, readPerfHeader, readPerfMappings } from '../sources/perf-data.ts'
import type { ProfileMappings } from '../sources/pprof.ts'

const KERNEL = '[kernel.kallsyms]'
const UPPER_HALF = 1n << 63n
/** What is left where a recording of a host that hid its addresses says nothing. */
const STACKS_TELL = 'Its stacks may: kerndex resolve PERF-SCRIPT-TEXT --build-id ID --slide-from-stacks'
const PAGE = 0x1000n
/** Images of x86-64 lie in the last 2 GiB, at multiples of this. */
const LAST_GIGABYTES = 0xffff_ffff_8000_0000n
const STEP = 0x20_0000n
/** What has such a name in the kernel's half is no module. */
const NO_MODULES: ReadonlySet<string> = new Set(['vsyscall', 'vmlinux', 'kernel.kallsyms'])

/** What a recording tells. */
interface Recorded {
  readonly path: string
  readonly buildId: string | undefined
  readonly release: string | undefined
  /** Build ids of files, beside those that mappings have themselves. */
  readonly files: ReadonlyMap<string, string>
  readonly mappings: readonly PerfMapping[]
  /** The symbol that places the image; undefined where no mapping is of it. */
  readonly anchor: Anchor | undefined
  readonly taken: Date
}

/** The layout of a perf.data file. @throws NotReadableError if it does not tell which kernel, or where it lay */
export async function recordedLayout(path: string, generation: number): Promise<HostLayout> {
  const { buildId, release, files } = await readPerfHeader(path)
  const mappings = await readPerfMappings(path)
  const image = mappings.find(({ file }) => namedAnchor(file) !== undefined)
  const anchor = image && { name: namedAnchor(image.file)!, address: image.offset } // It was found by that.
  const taken = statSync(path).mtime
  return layoutOf({ path, buildId, release, files, mappings, anchor, taken }, generation)
}

/** The layout of a pprof profile. @throws NotReadableError if it does not tell which kernel, or where it lay */
export function profiledLayout(path: string, { mappings, time }: ProfileMappings, generation: number): HostLayout {
  const image = mappings.find(isImage)
  const taken = time > 0n ? new Date(Number(time / 1_000_000n)) : statSync(path).mtime
  const told = { path, buildId: image?.buildId?.toLowerCase(), release: undefined, files: new Map<string, string>() }
  return layoutOf({ ...told, mappings, anchor: image && profiledAnchor(image), taken }, generation)
}

/** The symbol by which a mapping of a profile places the image. */
function profiledAnchor({ file, start, offset }: PerfMapping): Anchor | undefined {
  const name = namedAnchor(file)
  // Who leaves out the offset that perf tells begins the mapping at the symbol, or at the page below.
  if (name !== undefined) return { name, address: offset === 0n && start % PAGE === 0n ? start : offset }
  // One that is named after the file begins where images do, or tells nothing: arm64's begin where either symbol may be, 64 KiB apart.
  return start >= LAST_GIGABYTES && start % STEP === 0n ? { name: '_text', address: start } : undefined
}

/** Of modules recorders name the address of /proc/modules, which since 6.4 places their functions only. */
function layoutOf(
  { path, buildId, release, files, mappings, anchor, taken }: Recorded,
  generation: number,
): HostLayout {
  if (!mappings.some(isImage)) {
    throw new NotReadableError(
      `${path} has no mapping of a kernel by the symbol that it begins with (${KERNEL}_text, ${KERNEL}_stext), or its file (vmlinux): nothing ` +
        `tells where it lay. ${STACKS_TELL}`,
    )
  }
  if (buildId === undefined || !BUILD_ID.test(buildId)) {
    throw new NotReadableError(
      `${path} does not tell the kernel's build id: record with build ids (perf record --buildid-all), or name it: ` +
        'kerndex resolve --build-id ID --trace-stext ADDRESS',
    )
  }
  if (anchor === undefined || anchor.address < UPPER_HALF) {
    throw new NotReadableError(
      `${path} does not tell where the kernel lay: addresses were hidden from whoever recorded it. ${STACKS_TELL}`,
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
    anchor,
    modules: [...modules.values()],
    dynamic: [],
    taken,
    generation,
  }
}

/** The symbol that a mapping of the image is named by. */
function namedAnchor(file: string): Anchor['name'] | undefined {
  return ANCHORS.find((name) => file === `${KERNEL}${name}`)
}

/** Whether a mapping is of the image: perf names it by a symbol, profiles also by its file. */
function isImage({ file, start }: Pick<PerfMapping, 'file' | 'start'>): boolean {
  if (namedAnchor(file) !== undefined) return true
  return start >= UPPER_HALF && /(?:^|\/)vmlinux[^/]*$/.test(file)
}

/** The module that a mapping is of, if it is of any. */
function moduleIn({ file, start, bytes, buildId }: PerfMapping, hit: string | undefined): LayoutModule | undefined {
  // By its file, or by its name, in brackets as perf has it, or without.
  const name = moduleOfFile(file) ?? (file.startsWith('[') && file.endsWith(']') ? file.slice(1, -1) : file)
  if (
    !MODULE_NAME.test(name) ||
    NO_MODULES.has(name) ||
    isImage({ file, start }) ||
    !Number.isSafeInteger(bytes) ||
    bytes < 0 ||
    start < UPPER_HALF
  )
    return undefined
  const told = (buildId ?? hit)?.toLowerCase()
  const id = told !== undefined && BUILD_ID.test(told) ? told : undefined
  return {
    name,
    buildId: id,
    srcversion: undefined,
    state: 'Live',
    taint: undefined,
    // As kerndex writes profiles, a module ends where the next begins, so that its size tells nothing of its build.
    bytes: file === name && id === undefined ? 0 : bytes,
    address: start,
    sections: undefined,
  }
}
