// Where address space is limited (`ulimit -v`), the command runs again as V8 needs less of it.

import { spawn } from 'node:child_process'
import { addressSpace } from '../core/address-space.ts'

/**
 * V8 reserves 10 GB for any WebAssembly memory, however small it may become, so that it need not check each access. A load has
 * three of them at once, and each thread space of its own.
 */
const ENOUGH = 64 * 2 ** 30
/** Accesses are checked then, which takes a few per cent of a load longer, and a memory reserves what it may become. */
const FLAG = '--disable-wasm-trap-handler'

/** Whether this process should be another one, which has the space that a kernel needs. */
export function isShortOfSpace(): boolean {
  const given = `${process.execArgv.join(' ')} ${process.env.NODE_OPTIONS ?? ''}`
  return addressSpace() < ENOUGH && !given.includes(FLAG)
}

/** Runs the same command line as that process, and ends as it does. */
export async function runWithLess(): Promise<void> {
  const child = spawn(process.execPath, [FLAG, ...process.execArgv, ...process.argv.slice(1)], { stdio: 'inherit' })
  // Ctrl-C comes to both, and the command ends by itself; who ends this process alone means the command.
  const pass = (signal: NodeJS.Signals) => child.kill(signal)
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, pass)
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      for (const each of ['SIGTERM', 'SIGHUP'] as const) process.off(each, pass)
      if (signal !== null) process.kill(process.pid, signal)
      else process.exitCode = code ?? 0
      resolve()
    })
  })
}
