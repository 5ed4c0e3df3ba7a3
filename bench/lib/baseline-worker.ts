// The thread of the baseline "one worker with messages": loads the file it is started with and answers what it is sent.

import { parentPort, workerData } from 'node:worker_threads'
import { BASELINES, plainFindMany, SPLIT, type WorkerAnswer } from './baselines.ts'

const port = parentPort
if (port === null) throw new Error('this file is the entry of a worker')
const { byName, starts } = await BASELINES[SPLIT]!(String(workerData))

function answerTo(question: BigUint64Array | readonly string[]): WorkerAnswer {
  if (!(question instanceof BigUint64Array)) {
    return { counts: Uint32Array.from(question, (name) => byName.get(name)?.length ?? 0) }
  }
  const ids = new Uint32Array(question.length)
  const offsets = new Uint32Array(question.length)
  plainFindMany(starts, question, ids, offsets)
  return { ids, offsets }
}

port.on('message', (question: BigUint64Array | readonly string[]) => port.postMessage(answerTo(question)))
port.postMessage({ counts: Uint32Array.of(starts.length) } satisfies WorkerAnswer)
