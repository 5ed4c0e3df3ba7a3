// The kernel's tracing files as a probe's user sees them: definitions written, what came of it.
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'

const TRACING = '/sys/kernel/tracing'

/** The text of a file in tracefs. */
export function readTracing(name: string): string {
  return readFileSync(`${TRACING}/${name}`, 'latin1')
}

export function writeTracing(name: string, text: string): void {
  writeFileSync(`${TRACING}/${name}`, text)
}

export function hasTracing(name: string): boolean {
  return existsSync(`${TRACING}/${name}`)
}

/** The name of the error that a write ended with; empty if it went well. */
export function refusalOf(write: () => void): string {
  try {
    write()
    return ''
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException
    // Node has no names for some of Linux's numbers.
    return code === undefined || code.startsWith('Unknown') ? (NAMES[errno ?? 0] ?? `errno ${errno}`) : code
  }
}

const NAMES: Readonly<Record<number, string>> = { [-84]: 'EILSEQ', [-524]: 'ENOTSUPP', [-61]: 'ENODATA' }

/** A file that takes one definition a write, such as kprobe_events. */
export class Definitions {
  readonly #fd: number

  constructor(name: string) {
    this.#fd = openSync(`${TRACING}/${name}`, constants.O_WRONLY | constants.O_APPEND)
  }

  /** Writes a line; gives back the error's name, empty if the kernel took it. */
  write(line: string): string {
    return refusalOf(() => writeSync(this.#fd, `${line}\n`))
  }

  close(): void {
    closeSync(this.#fd)
  }
}

/** What the kernel says of the last refused definition, and forgets it. */
export function takeErrorLog(): string {
  if (!hasTracing('error_log')) return ''
  const said = [...readTracing('error_log').matchAll(/error: (.*)/g)].at(-1)?.[1] ?? ''
  writeTracing('error_log', '\n')
  return said
}
