// Runs the compiled command as people do: a process of its own, with pipes.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url))

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly stdin?: string | Uint8Array
  /** Gets the process once it is started. */
  readonly during?: (child: ChildProcess) => void
}

/** Runs `kerndex` with arguments; stdin is empty unless given, and stays open with `during`. */
export function kerndex(args: readonly string[], { stdin, during }: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, NO_COLOR: '1' } })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (piece: Buffer) => out.push(piece))
    child.stderr.on('data', (piece: Buffer) => err.push(piece))
    child.on('error', reject)
    child.stdin.on('error', () => {})
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString('latin1'), stderr: Buffer.concat(err).toString() }),
    )
    if (stdin !== undefined || during === undefined) child.stdin.end(stdin ?? '')
    during?.(child)
  })
}

/** The objects of NDJSON output. Addresses are strings in it, so nothing is lost. */
export function objects(stdout: string): unknown[] {
  return Buffer.from(stdout, 'latin1')
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line))
}
