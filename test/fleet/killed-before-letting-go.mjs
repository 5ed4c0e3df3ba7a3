// A worker that is killed at the worst moment: its result is kept, and it has not let go of the piece yet.
import { NatsObjectStore, NatsQueue, Tables, Worker } from '../../dist/src/fleet.js'

const [url, prefix] = process.argv.slice(2)
const queue = await NatsQueue.open({ servers: [url], prefix })
const answer = queue.answer.bind(queue)
let kept
queue.answer = async (given) => {
  kept = await answer(given)
  return kept
}
const take = queue.take.bind(queue)
queue.take = async (partition) => {
  const taken = await take(partition)
  return taken && { ...taken, done: async () => (kept === 'new' ? process.kill(process.pid, 'SIGKILL') : taken.done()) }
}
const worker = new Worker(queue, new Tables(await NatsObjectStore.open(queue)))
await worker.run()
