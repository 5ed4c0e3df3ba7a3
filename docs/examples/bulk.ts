// A bulk job: millions of addresses, one a line on stdin, to one line of text each, in the order asked.
//
//   node bulk.js [CAPTURE] < addresses.txt > names.txt
//
// The query pool answers from shared memory: a batch is one array, and nothing is copied on the way.
import { createInterface } from 'node:readline'
import { openKernel, parseAddress } from 'kerndex'

/** Addresses that are looked up at once. */
const BATCH = 1 << 16
/** What stands for an address without a symbol. */
const NONE = 0xffffffff

const [capture] = process.argv.slice(2)
await using kernel = await openKernel({ from: capture, types: false })
const addresses = new BigUint64Array(BATCH)
let count = 0

async function answer(): Promise<void> {
  const { ids, offsets } = await kernel.findMany(addresses.subarray(0, count))
  const lines: string[] = []
  for (let i = 0; i < count; i++) {
    const id = ids[i]!
    lines.push(id === NONE ? '-' : `${kernel.symbols.nameOf(id)}+0x${offsets[i]!.toString(16)}`)
  }
  process.stdout.write(`${lines.join('\n')}\n`)
  count = 0
}

for await (const line of createInterface({ input: process.stdin })) {
  const address = parseAddress(line.trim())
  if (address === undefined) continue
  addresses[count++] = address
  if (count === BATCH) await answer()
}
if (count > 0) await answer()
