// What a kernel's small files say: its release, its build id, its modules and their memory. Pure parsing of their bytes.

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

/** The modules that /proc/modules lists, newest first as there; lines of another form are left out. */
export function parseModules(text: Buffer): ModuleInfo[] {
  const modules: ModuleInfo[] = []
  for (const line of text.toString('latin1').split('\n')) {
    const [name, size, , , state, address] = line.split(' ')
    if (name === undefined || size === undefined || state === undefined) continue
    if (!/^\d+$/.test(size) || !/^0x[0-9a-f]+$/.test(address ?? '')) continue
    modules.push({ name, size: Number(size), state, address: BigInt(address ?? 0) })
  }
  return modules
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
