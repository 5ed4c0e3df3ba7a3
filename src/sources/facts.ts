// The facts in a kernel's small files: its release, its build id, its modules and their memory. Pure parsing of their bytes.

/** A line of /proc/modules. */
export interface ModuleInfo {
  readonly name: string
  /** Bytes in all, over every piece of its memory. */
  readonly size: number
  /** `Live`, `Loading` or `Unloading`. */
  readonly state: string
  /** The first address; 0 where addresses are hidden. */
  readonly address: bigint
}

/** A line of /proc/modules: name, size, users, who they are, state, address; what follows is of no interest. */
const MODULE = /^(\S+) (\d+) \S+ \S+ (\S+) (0x[0-9a-f]+)(?!\S)/gm
/** The states that the kernel knows: one string for each, as there are thousands of modules. */
const STATES = ['Live', 'Loading', 'Unloading']

/** The modules that /proc/modules lists, newest first as there; lines of another form are left out. */
export function parseModules(text: Buffer | string): ModuleInfo[] {
  // By one pattern, which a process that has just begun need not compile a loop for.
  return Array.from(text.toString('latin1').matchAll(MODULE), ([, name, size, given, address]): ModuleInfo => {
    const known = STATES.indexOf(given!) // A match has all groups, here and below.
    return { name: name!, size: Number(size), state: STATES[known] ?? given!, address: BigInt(address!) }
  })
}

/** The same modules as lines of /proc/modules, whose users are left out. */
export function formatModules(modules: readonly ModuleInfo[]): string {
  return modules
    .map(({ name, size, state, address }) => `${name} ${size} 0 - ${state} 0x${address.toString(16)}\n`)
    .join('')
}

/** The module that a file holds, by its name: `nf-tables.ko.xz` is `nf_tables`; undefined for any other file. */
export function moduleOfFile(path: string): string | undefined {
  const module = /^([\w-]+)\.ko(?:\.\w+)?$/.exec(path.slice(path.lastIndexOf('/') + 1))?.[1]
  return module?.replaceAll('-', '_')
}

/** The build ids in lines `MODULE BUILD-ID SRCVERSION STATE TAINT`, as captures hold them; a module without one has none here. */
export function parseBuildIds(text: Buffer): ReadonlyMap<string, string> {
  const ids = new Map<string, string>()
  for (const line of text.toString('latin1').split('\n')) {
    const [name = '', id = ''] = line.split(' ', 2)
    if (/^[0-9a-f]{2,128}$/.test(id)) ids.set(name, id)
  }
  return ids
}

/** The identity of a module across boots. */
export interface ModuleIdentity {
  readonly buildId: string | undefined
  readonly srcversion: string | undefined
  readonly state: string | undefined
  readonly taint: string | undefined
}

/** The identities in lines `MODULE BUILD-ID SRCVERSION STATE TAINT`, as captures hold them. */
export function parseIdentities(text: Buffer): ReadonlyMap<string, ModuleIdentity> {
  const identities = new Map<string, ModuleIdentity>()
  for (const line of text.toString('latin1').split('\n')) {
    const [name = '', ...words] = line.split(' ', 5)
    const [buildId, srcversion, state, taint] = words.map((word) => (word === '-' || word === '' ? undefined : word))
    if (name === '' || identities.has(name)) continue
    const isId = buildId !== undefined && /^[0-9a-f]{8,128}$/.test(buildId)
    const isVersion = srcversion !== undefined && /^[0-9A-Za-z]{1,64}$/.test(srcversion)
    identities.set(name, {
      buildId: isId ? buildId : undefined,
      srcversion: isVersion ? srcversion : undefined,
      state,
      taint,
    })
  }
  return identities
}

/** The release in /proc/version: `6.1.0-56-amd64` of `Linux version 6.1.0-56-amd64 (…) …`. */
export function parseRelease(version: Buffer): string | undefined {
  return /^Linux version (\S+)/.exec(version.toString('latin1'))?.[1]
}

const NT_GNU_BUILD_ID = 3

/**
 * The kernel's GNU build id in hexadecimal, out of the ELF notes of /sys/kernel/notes; undefined if there is none. The
 * notes' numbers are in the kernel's byte order, which is tried as little endian first.
 */
export function parseBuildId(notes: Buffer): string | undefined {
  return buildIdIn(notes, (at) => notes.readUInt32LE(at)) ?? buildIdIn(notes, (at) => notes.readUInt32BE(at))
}

function buildIdIn(notes: Buffer, word: (at: number) => number): string | undefined {
  let at = 0
  while (at + 12 <= notes.length) {
    const nameBytes = word(at)
    const valueBytes = word(at + 4)
    const valueStart = at + 12 + Math.ceil(nameBytes / 4) * 4
    const end = valueStart + valueBytes
    if (end > notes.length) return undefined
    const name = notes.toString('latin1', at + 12, at + 12 + nameBytes)
    if (name === 'GNU\0' && word(at + 8) === NT_GNU_BUILD_ID) return notes.toString('hex', valueStart, end)
    at = valueStart + Math.ceil(valueBytes / 4) * 4
  }
  return undefined
}
