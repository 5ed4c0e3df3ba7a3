// Makes a fixture of a host that hid every address: `node dist/test/vm/hidden-boot.js OUT KNOWN-CAPTURE HOST-CAPTURE RECORDED`, captures as
// directories with plain files, and a folder with perf.data and perf script's text of it, script.txt and ip.txt. Of the other boot's
// capture the symbols of the core that stacks are named by; of the host's own the same ones, which tell what is right.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { countUpTo, type Line, readLines } from './kallsyms.ts'

/** Samples kept, at even distances. */
const SAMPLES = 160
/** Symbols of the core that tables are made by, and in which stacks end. */
const NEEDED =
  /^(_text|_stext|_etext|_end|__bss_(start|stop)|_s?inittext|_einittext|.*_text_(start|end)|entry_SYS.*|ret_from_fork.*|asm_[a-z_0-9]+|(secondary|common)_startup_64.*|el[01]t?_?.*_(sync|irq)|__(primary|secondary)_switched)$/

const [to, known, host, recorded] = process.argv.slice(2) as [string, string, string, string]

const [before, own] = [coreOf(known), coreOf(host)]
if (before.some(({ name }, i) => name !== own[i]?.name)) throw new Error('the captures are of two kernels')
const order = own.map((_, i) => i).sort((a, b) => (own[a]!.address < own[b]!.address ? -1 : 1))
const starts = order.map((i) => own[i]!.address)

const texts = ['script.txt', 'ip.txt'].map((name) => {
  const samples = readFileSync(join(recorded, name), 'latin1').trimEnd().split(/\n\n+/)
  const step = samples.length / SAMPLES
  const text = Array.from({ length: SAMPLES }, (_, i) => `${samples[Math.floor(i * step)]}\n\n`).join('')
  return { name, text }
})
const kept = new Set<number>()
/** A symbol, its aliases, and where the next one begins. */
const keep = (address: bigint): void => {
  const place = countUpTo(starts, address)
  for (const limit of [starts[place - 1], starts[place]]) {
    for (const at of order.slice(Math.max(0, place - 9), place + 9)) if (own[at]!.address === limit) kept.add(at)
  }
}
for (const { text } of texts) {
  for (const [, digits] of text.matchAll(/^\s+(ffff[0-9a-f]{12})\b/gm)) {
    const address = BigInt(`0x${digits}`)
    for (const each of [address, address - 1n]) if (each >= starts[0]! && each <= starts.at(-1)!) keep(each)
  }
}
for (const { name, address } of own) if (NEEDED.test(name)) keep(address)

for (const { name, text } of texts) write(name, text)
write('perf.data', beginning(readFileSync(join(recorded, 'perf.data'))))
write('truth', textOf(own))
for (const name of ['notes', 'version', 'boot_id', 'taken']) write(`known/${name}`, readFileSync(join(known, name)))
write('known/kallsyms', textOf(before))

/** The symbols of the core kernel that lie in its image. */
function coreOf(capture: string): Line[] {
  return readLines(readFileSync(join(capture, 'kallsyms'), 'latin1')).filter(
    ({ module, address }) => module === '' && address >= 1n << 63n,
  )
}

function textOf(lines: readonly Line[]): string {
  return lines
    .filter((_, i) => kept.has(i))
    .map(({ address, type, name }) => `${address.toString(16)} ${type} ${name}\n`)
    .join('')
}

/** A recording with the events that perf wrote of the kernel, and what stands behind the data: their places are behind its end. */
function beginning(whole: Buffer): Buffer {
  const [at, length] = [Number(whole.readBigUInt64LE(40)), Number(whole.readBigUInt64LE(48))]
  const events: Buffer[] = []
  for (let event = at; event < at + length; event += whole.readUInt16LE(event + 6)) {
    const isMapping = [1, 10].includes(whole.readUInt32LE(event)) && (whole.readUInt16LE(event + 4) & 7) === 1
    if (isMapping) events.push(whole.subarray(event, event + whole.readUInt16LE(event + 6)))
  }
  const data = Buffer.concat(events)
  const cut = length - data.length
  const [head, rest] = [Buffer.from(whole.subarray(0, at)), Buffer.from(whole.subarray(at + length))]
  head.writeBigUInt64LE(BigInt(data.length), 48)
  let features = 0
  for (let bit = 0; bit < 256; bit++) features += (head[72 + (bit >> 3)]! >> (bit & 7)) & 1
  for (let i = 0; i < features; i++) rest.writeBigUInt64LE(rest.readBigUInt64LE(16 * i) - BigInt(cut), 16 * i)
  return Buffer.concat([head, data, rest])
}

function write(name: string, content: string | Uint8Array): void {
  const path = join(to, `${name}.br`)
  mkdirSync(join(path, '..'), { recursive: true })
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content
  writeFileSync(path, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }))
}
