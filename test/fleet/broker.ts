// A real nats-server on loopback for tests: started, killed as a crash would, started again over the same files. And what
// there is to do where none is installed.

import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { freePort } from '../../src/cli/free-port.ts'

const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin']

/** Where nats-server is; undefined where it is not installed. */
export const SERVER = folders
  .map((folder) => join(folder, 'nats-server'))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })

if (SERVER === undefined)
  process.stderr.write(
    'no nats-server here: tests of the fleet with a real broker are skipped (apt-get install nats-server)\n',
  )

/** A broker with files of its own. */
export class Broker {
  readonly port: number
  readonly #folder: string
  #child: ChildProcess | undefined

  private constructor(port: number, folder: string) {
    this.port = port
    this.#folder = folder
  }

  /** `more` is put into its configuration, in which `FOLDER` stands for its folder. */
  static async start(more = '', files: Readonly<Record<string, string>> = {}): Promise<Broker> {
    const folder = mkdtempSync(join(tmpdir(), 'kerndex-broker-'))
    const broker = new Broker(await freePort(), folder)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    writeFileSync(
      join(folder, 'nats.conf'),
      `listen: "127.0.0.1:${broker.port}"\njetstream { store_dir: "${folder}/js" }\n${more.replaceAll('FOLDER', folder)}`,
    )
    await broker.again()
    return broker
  }

  get folder(): string {
    return this.#folder
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    await ended(this.#child, 'SIGKILL')
    this.#child = undefined
  }

  /** Starts it, over the files that it had. */
  async again(): Promise<void> {
    const child = spawn(SERVER!, ['-c', join(this.#folder, 'nats.conf')], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    await new Promise<void>((resolve, reject) => {
      let said = ''
      child.stderr.on('data', (piece: Buffer) => {
        said = (said + piece.toString()).slice(-20_000)
        if (said.includes('Server is ready')) resolve()
      })
      child.on('error', reject)
      child.on('exit', () => reject(new Error(`nats-server ended: ${said}`)))
    })
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Ends a process and waits until it is gone. */
export async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<number | null> {
  if (child === undefined) return null
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.kill(signal)
  return gone
}
