// Commands of the host: run to their end, with an error that shows what they said.
import { execFileSync, spawnSync } from 'node:child_process'

/** Something that this machine lacks for booting kernels: it is said, and the run ends with 2. */
export class Missing extends Error {}

/** The standard output of a command. @throws Error with what it wrote to standard error */
export function run(command: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  return runBytes(command, args, options).toString('utf8')
}

/** The same as bytes. */
export function runBytes(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string | Uint8Array } = {},
): Buffer {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { maxBuffer: 1 << 30, ...options })
  if (error !== undefined) throw new Error(`${command}: ${error.message}`)
  if (status !== 0) {
    throw new Error(`${[command, ...args].join(' ')} ended with ${status ?? signal}: ${stderr.toString().slice(-2000)}`)
  }
  return stdout
}

/** Whether a command can be found. */
export function has(command: string): boolean {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${command}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
