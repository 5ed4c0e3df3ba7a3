// Reads a file ahead for the thread that started this one, which has begun and hands it over: see src/sources/read-ahead.ts.

import { parentPort, workerData } from 'node:worker_threads'
import { type AheadStart, runAhead } from '../src/sources/ahead.ts'

runAhead(workerData as AheadStart, (news) => parentPort?.postMessage(news))
