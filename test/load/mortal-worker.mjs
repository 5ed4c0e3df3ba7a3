// A worker that answers with its thread's number, unless its task is to die.
import { threadId } from 'node:worker_threads'

export default function mortal(task) {
  if (task === 'die') process.exit(3)
  return task === 'hello' ? undefined : { value: threadId }
}
