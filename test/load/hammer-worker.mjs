// A thread that is not kerndex's own: attaches every handle it is sent and looks symbols up as fast as it can until the
// next one comes. Every symbol's name says its generation, so a mixture of two would show.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { attachKernel } from '../../dist/lib/index.js'

const { symbols: expected, port } = workerData
const failures = []
let lookups = 0
let attached = 0
let last = 0

for (;;) {
  const message = receiveMessageOnPort(port)?.message
  if (message === undefined) {
    if (attached === 0) continue
  } else if (message === 'stop') break
  else {
    const { generation, symbols } = attachKernel(message)
    attached++
    if (generation <= last) failures.push(`generation ${generation} after ${last}`)
    last = generation
    globalThis.current = symbols
  }
  const table = globalThis.current
  // A reader pins one snapshot for a batch.
  if (table.size !== expected) failures.push(`${table.size} symbols`)
  const always = table.named('always_there')
  if (always.length !== 1) failures.push(`always_there found ${always.length} times`)
  const version = table.nameOf(1).split('_')[1]
  const addresses = BigUint64Array.from({ length: 64 }, (_, i) => table.addressOf(i + 1) + 3n)
  const { ids, offsets } = table.findMany(addresses)
  for (let i = 0; i < 64; i++) {
    if (table.nameOf(ids[i]) !== `v_${version}_${i}` || offsets[i] !== 3) failures.push(`torn: ${table.nameOf(ids[i])}`)
  }
  lookups += 65
}
parentPort.postMessage({ failures: failures.slice(0, 10), lookups, attached })
