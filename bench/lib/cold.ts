// Runs a measurement in a Node process of its own, where no code is compiled and no memory is touched yet.

import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { benchUrl } from '../../src/core/place.ts'
import { stopSignal } from './stop.ts'

const run = promisify(execFile)

/**
 * Runs `bench/cold/NAME` with a task and returns what it printed. `Result` has to be what that file hands to `answer`.
 * @throws Error with what the process wrote to stderr if it failed
 */
export async function runCold<Task, Result>(
  name: string,
  task: Task,
  nodeFlags: readonly string[] = [],
): Promise<Result> {
  stopSignal().throwIfAborted()
  const entry = fileURLToPath(benchUrl(`cold/${name}`))
  // In a file, because the names of a few thousand files are more than an argument may hold.
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-cold-'))
  const path = join(folder, 'task.json')
  writeFileSync(path, JSON.stringify(task))
  try {
    const running = run(process.execPath, [...nodeFlags, entry, path])
    const stop = () => running.child.kill('SIGINT')
    stopSignal().addEventListener('abort', stop)
    const { stdout } = await running.finally(() => stopSignal().removeEventListener('abort', stop))
    return JSON.parse(stdout) as Result // Both ends are files of this folder, and each names the same types.
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** In the cold process: the task that it was started with. */
export function coldTask<Task>(): Task {
  return JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Task // See runCold.
}

/** In the cold process: hands over the result. */
export function answer<Result>(result: Result): void {
  process.stdout.write(JSON.stringify(result))
}
