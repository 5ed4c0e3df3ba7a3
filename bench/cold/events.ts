// A process of its own that puts one file into words, once: by kerndex with so many threads, or as a reader would write it
// with split2 and a Map. Both make the same: text in place, folded stacks, or JSON with address, symbol, offset and module.

import { createReadStream } from 'node:fs'
import split2 from 'split2'
import { Enricher, ProcessCache, Profiles, runStream } from '../../src/events.ts'
import { type Kernel, openKernel } from '../../src/index.ts'
import { type PlainSymbol, type PlainTable, plainFind, tableOf } from '../lib/baselines.ts'
import { answer, coldTask } from '../lib/cold.ts'

export interface EventsTask {
  readonly from: string | undefined
  readonly file: string
  readonly input: 'addresses' | 'perf-script' | 'ftrace'
  readonly product: 'text' | 'profile' | 'ndjson' | 'parts'
  /** undefined: what a reader would write. */
  readonly threads?: number
}

export interface EventsResult {
  /** From the first byte read to the last one made; the symbols are there before. */
  readonly ms: number
  /** What that took of processors' time, threads and collections of garbage included. */
  readonly processorMs: number
}

const task = coldTask<EventsTask>()
/** Bytes of text gathered before they are made into bytes. */
const GATHERED = 1 << 16

/** The file through kerndex; what comes out is dropped, as by a pipe into nowhere. */
async function stream(kernel: Kernel, threads: number): Promise<number> {
  let length = 0
  const { file, input, product } = task
  const profiles = new Profiles()
  const enricher = new Enricher(new ProcessCache(), { generation: kernel.generation, output: 'ndjson' })
  const bytes = createReadStream(file, { highWaterMark: 1 << 18 })
  for await (const made of runStream(bytes, kernel.snapshot(), product, { threads, input })) {
    length += made.bytes?.length ?? 0
    if (made.profile !== undefined) profiles.merge(made.profile)
    if (made.parts !== undefined) length += enricher.push(made.parts).length
  }
  return length + enricher.end().length + (profiles.all[0]?.folded().length ?? 0)
}

/** What is known of an address. */
interface Found {
  readonly words: string
  readonly frame: { address: string; symbol: string | null; offset: number; module: string }
}

/** What a reader would write: a binary search, kept in a Map. */
function lookUps({ starts, byAddress }: PlainTable): (digits: string) => Found {
  const known = new Map<string, Found>()
  return (digits) => {
    let found = known.get(digits)
    if (found === undefined) {
      const address = BigInt(`0x${digits}`)
      const symbol = byAddress[plainFind(starts, address)]
      const offset = symbol === undefined ? 0 : Number(address - symbol.address)
      found = {
        words: symbol === undefined ? digits : `${symbol.name}+0x${offset.toString(16)}`,
        frame: { address: `0x${digits}`, symbol: symbol?.name ?? null, offset, module: symbol?.owner ?? '' },
      }
      known.set(digits, found)
    }
    return found
  }
}

const FRAME = /^\t\s*([0-9a-f]+) (.*)$/
const HEADER = /^(.*?)\s+(\d+)\/(\d+) \[\d+\]\s+([\d.]+):\s+(\d+)/

async function plain(table: PlainTable): Promise<number> {
  const { file, input, product } = task
  const lookUp = lookUps(table)
  const weights = new Map<string, number>()
  const processes = new Map<string, { pid: number; comm: string }>()
  let head: RegExpExecArray | null = null
  let stack: Found[] = []
  let out = ''
  let length = 0
  const end = () => {
    const [, comm = '', pid = '', tid, time, period] = head ?? []
    if (product === 'profile') {
      const key = stack
        .reverse()
        .map(({ frame }) => frame.symbol)
        .join(';')
      weights.set(key, (weights.get(key) ?? 0) + Number(period))
    } else {
      let process = processes.get(pid)
      if (process === undefined) {
        process = { pid: Number(pid), comm }
        processes.set(pid, process)
      }
      const kernel_stack = stack.map(({ frame }) => frame)
      out += `${JSON.stringify({ type: 'sample', tid: Number(tid), time, process, kernel_stack })}\n`
    }
    stack = []
  }
  for await (const line of createReadStream(file).pipe(split2()) as AsyncIterable<string>) {
    if (input === 'addresses') out += `${lookUp(line).words}\n`
    else {
      const frame = FRAME.exec(line)
      if (product === 'text') {
        out += frame === null ? `${line}\n` : `\t${lookUp(frame[1] ?? '').words} ${frame[2] ?? ''}\n`
      } else if (frame !== null) stack.push(lookUp(frame[1] ?? ''))
      else if (line === '') end()
      else head = HEADER.exec(line)
    }
    if (out.length > GATHERED) {
      length += Buffer.from(out).length
      out = ''
    }
  }
  return length + Buffer.from(out).length + weights.size
}

function plainTable({ symbols }: Kernel): PlainTable {
  return tableOf(
    Array.from(
      { length: symbols.size },
      (_, id): PlainSymbol => ({
        name: symbols.nameOf(id),
        address: symbols.addressOf(id),
        type: '',
        owner: symbols.ownerOf(id),
      }),
    ),
  )
}

async function main(): Promise<EventsResult> {
  const kernel = await openKernel({ ...(task.from !== undefined && { from: task.from }), types: false, threads: 0 })
  try {
    const table = task.threads === undefined ? plainTable(kernel) : undefined
    const before = process.cpuUsage()
    const begun = performance.now()
    const made = await (table === undefined ? stream(kernel, task.threads ?? 0) : plain(table))
    if (made === 0) throw new Error('nothing was made of the file')
    const ms = performance.now() - begun
    const { user, system } = process.cpuUsage(before)
    return { ms, processorMs: (user + system) / 1000 }
  } finally {
    await kernel.close()
  }
}

answer(await main())
