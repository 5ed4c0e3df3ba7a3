// Runs a measurement in a Node process of its own, where no code is compiled and no memory is touched yet.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

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
  const entry = fileURLToPath(new URL(`../cold/${name}.js`, import.meta.url))
  const { stdout } = await run(process.execPath, [...nodeFlags, entry, JSON.stringify(task)], { maxBuffer: 2 ** 26 })
  return JSON.parse(stdout) as Result // Both ends are files of this folder, and each names the same types.
}

/** In the cold process: the task that it was started with. */
export function coldTask<Task>(): Task {
  return JSON.parse(process.argv[2] ?? 'null') as Task // See runCold.
}

/** In the cold process: hands over the result. */
export function answer<Result>(result: Result): void {
  process.stdout.write(JSON.stringify(result))
}
