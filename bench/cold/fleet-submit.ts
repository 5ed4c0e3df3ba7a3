// A process of its own that sends the jobs of the fleet's benchmark, tables included, and says what that took.

import { createReadStream, readFileSync } from 'node:fs'
import { keyOf, NatsObjectStore, NatsQueue, submitJob } from '../../src/fleet.ts'
import { answer, coldTask } from '../lib/cold.ts'

const { works, url } = coldTask<{ works: { table: string; file: string; input: string }[]; url: string }>()
const queue = await NatsQueue.open({ servers: [url] })
const store = await NatsObjectStore.open(queue)
const jobs: string[] = []
for (const { table, file, input } of works) {
  const bytes = readFileSync(table)
  const key = keyOf(bytes)
  if (!(await store.has(key))) await store.put(key, bytes)
  const stream = createReadStream(file, { highWaterMark: 1 << 19 })
  const { job } = await submitJob(queue, stream, { table: key, input })
  jobs.push(job.name)
}
await queue.close()
const { user, system } = process.cpuUsage()
answer({ cpuMs: (user + system) / 1000, jobs, peakMb: process.resourceUsage().maxRSS / 1024 })
