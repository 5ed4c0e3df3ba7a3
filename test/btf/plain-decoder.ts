// A BTF decoder written straight from the format's description, for comparison: sequential, eager, slow, no shared code.
export interface PlainType {
  id: number
  kind: number
  name: string
  sizeOrType: number
  flag: boolean
  /** The words behind the record. */
  rest: number[]
}

export interface PlainBtf {
  types: PlainType[]
  nextId: number
  strings: Buffer
}

export function decodePlainly(blob: Buffer, base?: PlainBtf): PlainBtf {
  const little = blob.readUInt16LE(0) === 0xeb9f
  const u32 = (at: number): number => (little ? blob.readUInt32LE(at) : blob.readUInt32BE(at))
  const header = u32(4)
  const typesAt = header + u32(8)
  const typesEnd = typesAt + u32(12)
  const stringsAt = header + u32(16)
  const strings = Buffer.concat([base?.strings ?? Buffer.alloc(0), blob.subarray(stringsAt, stringsAt + u32(20))])
  const types: PlainType[] = []
  let id = base?.nextId ?? 1
  for (let at = typesAt; at < typesEnd; ) {
    const nameOffset = u32(at)
    const info = u32(at + 4)
    const kind = Math.floor(info / 0x1000000) % 0x80
    const vlen = info % 0x1000000
    const extra: Record<number, number> = { 1: 4, 3: 12, 14: 4, 17: 4, 4: 12 * vlen, 5: 12 * vlen, 6: 8 * vlen }
    Object.assign(extra, { 13: 8 * vlen, 15: 12 * vlen, 19: 12 * vlen })
    const length = extra[kind] ?? 0
    const rest: number[] = []
    for (let i = 0; i < length; i += 4) rest.push(u32(at + 12 + i))
    const name = strings.subarray(nameOffset, strings.indexOf(0, nameOffset)).toString('latin1')
    types.push({ id, kind, name, sizeOrType: u32(at + 8), flag: info >= 0x80000000, rest })
    id++
    at += 12 + length
  }
  return { types, nextId: id, strings }
}
