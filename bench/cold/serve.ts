// A process of its own that asks a server of its own: at a steady rate, whether or not it answers, as callers do.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { commandUrl } from '../../src/core/place.ts'
import { openKernel } from '../../src/index.ts'
import { answer, coldTask } from '../lib/cold.ts'
import { randomAddresses } from '../lib/questions.ts'
import { seededRandom } from '../lib/random.ts'

export interface ServeTask {
  readonly from: string | undefined
  readonly seed: number
}

/** Milliseconds. */
export interface ServeResult {
  readonly steady: { readonly p50: number; readonly p99: number; readonly cpu: number }
  readonly packed: number
}

const RATE = 1000
const SECONDS = 5
const WARM_SECONDS = 2
const FRAMES = 100
const PACKED = 1_000_000
/** Different requests, so that nothing is answered from what the last one left. */
const BODIES = 500

const { from, seed } = coldTask<ServeTask>()
const agent = new Agent({ keepAlive: true, maxSockets: 64 })

function post(url: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const begun = performance.now()
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume()
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(performance.now() - begun)
        else reject(new Error(`the server answered ${response.statusCode}`))
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Requests in even steps of time; how long each took from when it was due, so that a queue counts. */
async function steadily(url: string, bodies: readonly string[], seconds: number): Promise<number[]> {
  const times: Promise<number>[] = []
  const begun = performance.now()
  for (let i = 0; i < RATE * seconds; i++) {
    const due = begun + (1000 * i) / RATE
    const wait = due - performance.now()
    if (wait > 1) await sleep(wait)
    const late = Math.max(0, performance.now() - due)
    times.push(post(url, bodies[i % bodies.length] ?? '').then((ms) => ms + late))
  }
  return Promise.all(times)
}

/** Milliseconds of processor time that a process has used. */
function cpuOf({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

const { symbols } = await openKernel({ from, threads: 0, types: false })
const addresses = randomAddresses(symbols, seededRandom(seed), PACKED)
const hex = (address: bigint) => `0x${address.toString(16)}`
const bodies = Array.from({ length: BODIES }, (_, i) => {
  const stack = Array.from(addresses.subarray(i * FRAMES, (i + 1) * FRAMES), hex)
  return JSON.stringify({ stacks: [stack] })
})
const token = join(tmpdir(), `kerndex-bench-token-${process.pid}`)
const args = [fileURLToPath(commandUrl()), 'serve', '--watch', '0', '--token-file', token]
const server = spawn(process.execPath, [...args, ...(from === undefined ? [] : ['--from', from])], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const [line] = (await once(server.stdout, 'data')) as [Buffer]
  const url = `${line.toString().trim()}v1/resolve`
  await steadily(url, bodies, WARM_SECONDS)
  const before = cpuOf(server)
  const times = (await steadily(url, bodies, SECONDS)).sort((a, b) => a - b)
  const cpu = (cpuOf(server) - before) / times.length
  const at = (q: number) => times[Math.floor((times.length - 1) * q)] ?? 0
  const binary = { 'Content-Type': 'application/octet-stream' }
  const packed: number[] = []
  for (let i = 0; i < 5; i++) packed.push(await post(url, new Uint8Array(addresses.buffer), binary))
  answer<ServeResult>({ steady: { p50: at(0.5), p99: at(0.99), cpu }, packed: Math.min(...packed) })
} finally {
  agent.destroy()
  server.kill('SIGTERM')
}
