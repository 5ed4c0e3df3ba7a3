// A process of its own that measures text put into words: addresses and perf script, with and without threads, against what
// a reader would write with split2 and a Map.

import { Readable } from 'node:stream'
import split2 from 'split2'
import { Enricher, type Kernel, openKernel, ProcessCache, Profile, runStream } from '../../src/index.ts'
import { type PlainSymbol, type PlainTable, plainFind, tableOf } from '../lib/baselines.ts'
import { answer, coldTask } from '../lib/cold.ts'
import { type Contender, contest, type Turns } from '../lib/contest.ts'
import { randomAddresses } from '../lib/questions.ts'
import { seededRandom } from '../lib/random.ts'
import { addressLines, inPieces, perfText } from '../lib/traces.ts'

export interface EventsTask {
  readonly from: string | undefined
  readonly seed: number
  readonly rounds: number
}

const ADDRESSES = 1_000_000
const PERF_BYTES = 32_000_000
const THREADS = [0, 1, 2] as const
const BASELINE = 'split2 + Map'

type Product = Parameters<typeof runStream>[2]

const task = coldTask<EventsTask>()
const random = seededRandom(task.seed)

/** One stream through kerndex; what comes out is dropped, as by a pipe into nowhere. Threads are started anew, as a command does. */
async function stream(kernel: Kernel, text: Buffer, product: Product, threads: number): Promise<number> {
  let length = 0
  const profile = new Profile()
  const enricher = new Enricher(new ProcessCache(), { generation: kernel.generation, output: 'ndjson' })
  for await (const { bytes, profile: part, parts } of runStream(inPieces(text), kernel.snapshot(), product, {
    threads,
  })) {
    length += bytes?.length ?? 0
    if (part !== undefined) profile.merge(part)
    let written = ''
    for (const event of parts ?? []) written += enricher.push(event)
    if (written !== '') length += Buffer.from(written).length
  }
  return length + Buffer.from(enricher.end()).length + profile.weights.size
}

function contenders(kernel: Kernel, what: string, text: Buffer, count: number, product: Product): Contender[] {
  return THREADS.map((threads) => ({
    what,
    by: `kerndex, ${threads} threads`,
    count,
    run: () => stream(kernel, text, product, threads),
    yardstick: BASELINE,
  }))
}

/** What a reader would write: words of an address by binary search, kept in a Map. */
function plainWords({ starts, byAddress }: PlainTable): (digits: string) => string {
  const known = new Map<string, string>()
  return (digits) => {
    let words = known.get(digits)
    if (words === undefined) {
      const address = BigInt(`0x${digits}`)
      const symbol = byAddress[plainFind(starts, address)]
      words = symbol === undefined ? digits : `${symbol.name}+0x${(address - symbol.address).toString(16)}`
      known.set(digits, words)
    }
    return words
  }
}

const lines = (text: Buffer): AsyncIterable<string> =>
  Readable.from(inPieces(text), { objectMode: false }).pipe(split2())

async function plainAddresses(table: PlainTable, text: Buffer): Promise<number> {
  const words = plainWords(table)
  let out = ''
  let length = 0
  for await (const line of lines(text)) {
    out += `${words(line)}\n`
    if (out.length > 1 << 16) {
      length += Buffer.from(out).length
      out = ''
    }
  }
  return length + out.length
}

const FRAME = /^\t\s*([0-9a-f]+) (.*)$/
const HEADER = /^(.*?)\s+(\d+)\/(\d+) \[\d+\]\s+([\d.]+):\s+(\d+)/

async function plainPerf(table: PlainTable, text: Buffer, product: Product): Promise<number> {
  const words = plainWords(table)
  const weights = new Map<string, number>()
  const processes = new Map<string, { pid: number; comm: string }>()
  let head: RegExpExecArray | null = null
  let stack: string[] = []
  let out = ''
  let length = 0
  for await (const line of lines(text)) {
    const frame = FRAME.exec(line)
    if (frame !== null) {
      if (product === 'text') out += `\t${words(frame[1] ?? '')} ${frame[2] ?? ''}\n`
      else stack.push(words(frame[1] ?? ''))
    } else if (line !== '') {
      head = HEADER.exec(line)
      if (product === 'text') out += `${line}\n`
    } else if (product === 'text') out += '\n'
    else {
      const [, comm = '', pid = '', tid, time, period] = head ?? []
      if (product === 'profile') {
        const key = stack.reverse().join(';')
        weights.set(key, (weights.get(key) ?? 0) + Number(period))
      } else {
        let process = processes.get(pid)
        if (process === undefined) {
          process = { pid: Number(pid), comm }
          processes.set(pid, process)
        }
        out += `${JSON.stringify({ type: 'sample', tid: Number(tid), time, process, kernel_stack: stack })}\n`
      }
      stack = []
    }
    if (out.length > 1 << 16) {
      length += Buffer.from(out).length
      out = ''
    }
  }
  return length + out.length + weights.size
}

async function main(): Promise<Turns[]> {
  const kernel = await openKernel({ ...(task.from !== undefined && { from: task.from }), types: false })
  try {
    const plain = tableOf(
      Array.from(
        { length: kernel.symbols.size },
        (_, id): PlainSymbol => ({
          name: kernel.symbols.nameOf(id),
          address: kernel.symbols.addressOf(id),
          type: '',
          owner: '',
        }),
      ),
    )
    const questions = randomAddresses(kernel.symbols, random, ADDRESSES)
    const addresses = addressLines(questions)
    const perf = perfText(kernel.symbols, questions, PERF_BYTES, random)
    const ofPerf = (what: string, product: Product): Contender[] => [
      { what, by: BASELINE, count: perf.length, run: () => plainPerf(plain, perf, product) },
      ...contenders(kernel, what, perf, perf.length, product),
    ]
    const what = 'lines of addresses to text'
    return await contest(
      [
        { what, by: BASELINE, count: ADDRESSES, run: () => plainAddresses(plain, addresses) },
        ...contenders(kernel, what, addresses, ADDRESSES, 'text'),
        ...ofPerf('bytes of perf script to text', 'text'),
        ...ofPerf('bytes of perf script to folded stacks', 'profile'),
        ...ofPerf('bytes of perf script to NDJSON', 'ndjson'),
        ...ofPerf('bytes of perf script to events', 'parts'),
      ],
      task.rounds,
    )
  } finally {
    await kernel.close()
  }
}

answer(await main())
