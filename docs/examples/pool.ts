// A worker pool of your own: every thread attaches the same kernel by its handle, in microseconds and without a copy, and asks it
// without waiting for anybody.
//
//   node pool.js [CAPTURE]
//
// Each thread counts the functions that take one type; the index for that is made once, before the handle is posted.
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { attachKernel, type Handle, openKernel } from 'kerndex'

/** What a thread is asked, and what it answers. */
interface Question {
  readonly handle: Handle
  readonly types: readonly string[]
}
type Answer = readonly (readonly [type: string, functions: number])[]

const TYPES = ['struct file *', 'struct inode *', 'struct page *', 'struct sk_buff *', 'struct task_struct *', 'gfp_t']
const THREADS = 3

if (isMainThread) {
  const [capture] = process.argv.slice(2)
  await using kernel = await openKernel({ from: capture })
  // Makes the index; the handle brings it along.
  kernel.types.knows('int')
  const handle = kernel.handle()
  const answers = await Promise.all(
    Array.from({ length: THREADS }, (_, thread) => {
      const question: Question = { handle, types: TYPES.filter((_, i) => i % THREADS === thread) }
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: question })
      return new Promise<Answer>((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
    }),
  )
  for (const [type, functions] of answers.flat().sort(([a], [b]) => (a < b ? -1 : 1))) {
    process.stdout.write(`${String(functions).padStart(6)}  ${type}\n`)
  }
} else {
  const { handle, types } = workerData as Question
  const reader = attachKernel(handle)
  const answer: Answer = types.map((takes) => [takes, [...reader.types.functions({ takes })].length])
  parentPort?.postMessage(answer)
}
