// Runs the compiled command as people do, a process of its own with pipes; or, where that shows nothing more, in one for many.
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'

/** The command as it is installed. */
export const MAIN = fileURLToPath(new URL('../../dist/lib/cli.cjs', import.meta.url))

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

const SEVERAL = fileURLToPath(new URL('several.mjs', import.meta.url))

let server: ChildProcess | undefined
/** The test file that the process is of. */
let asker: string | undefined
let last: Promise<unknown> = Promise.resolve()

/** Runs a command line in the process that a test file has for all that it asks so, after those that were asked before. */
export function asked(args: readonly string[], stdin: string | Uint8Array = ''): Promise<Outcome> {
  const outcome = last.then(() => {
    const { testPath } = expect.getState()
    if (asker !== testPath) {
      server?.disconnect()
      server = undefined
      asker = testPath
    }
    // Its output is caught where streams are written to, which files and pipes of the system's are not (src/cli/plain-output.ts).
    server ??= fork(SEVERAL, [MAIN], { execArgv: [], stdio: ['ignore', 'pipe', 'ignore', 'ipc'] })
    const child = server
    return new Promise<Outcome>((resolve, reject) => {
      const died = () => {
        server = undefined
        reject(new Error(`kerndex ${args.join(' ')} ended the process`))
      }
      child.once('exit', died)
      child.once('message', (answer) => {
        child.off('exit', died)
        resolve(answer as Outcome) // What several.mjs sends.
      })
      child.send({ args, stdin: Buffer.from(stdin).toString('latin1'), env: { ...process.env, NO_COLOR: '1' } })
    })
  })
  last = outcome.catch(() => undefined)
  return outcome
}

/** Runs several command lines without input, one after the other; what came of each. */
export function kerndexes(lines: readonly (readonly string[])[]): Promise<Outcome[]> {
  return Promise.all(lines.map((line) => asked(line)))
}

/** The objects of NDJSON output. Addresses are strings in it, so nothing is lost. */
export function objects(stdout: string): unknown[] {
  return Buffer.from(stdout, 'latin1')
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line))
}
