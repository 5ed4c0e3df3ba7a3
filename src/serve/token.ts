// The token that callers show. It is made once and kept where only its owner can read it, so that links outlive a restart.

import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { distrust } from '../core/cache-folder.ts'
import { NotReadableError } from '../core/errors.ts'
import { errorCode, readFailure } from '../sources/reader.ts'
import { writeFileSafely } from '../sources/write-file.ts'

/** What may stand in a path as it is, long enough that nobody guesses it. */
const TOKEN = /^[A-Za-z0-9_-]{20,200}$/
const TOKEN_BYTES = 24

/** Where a user's token is kept. @throws NotReadableError where there is no such place */
export function tokenPath(env: Readonly<Record<string, string | undefined>>): string {
  const { XDG_STATE_HOME: base, HOME: home } = env
  // The specification has relative paths ignored.
  if (base !== undefined && isAbsolute(base)) return join(base, 'kerndex', 'serve-token')
  if (home !== undefined && isAbsolute(home)) return join(home, '.local', 'state', 'kerndex', 'serve-token')
  throw new NotReadableError('no place to keep the token: neither XDG_STATE_HOME nor HOME is set; give --token-file')
}

/**
 * The token that a file holds, or a new one that is written there.
 * @throws NotReadableError if others may read or have written the file, or it holds something else
 */
export async function tokenFrom(path: string): Promise<string> {
  const kept = await read(path)
  if (kept !== undefined) return kept
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFileSafely(path, `${token}\n`, { secret: true, special: 'refuse' })
  return token
}

async function read(path: string): Promise<string | undefined> {
  let text: string
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stat = await file.stat()
      const problem = stat.isFile() ? distrust(stat, process.geteuid?.() ?? stat.uid, 'file') : 'it is no file'
      if (problem !== undefined) throw new NotReadableError(`${path} cannot be trusted with the token: ${problem}`)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
      text = buffer.toString('latin1', 0, bytesRead).trim()
    } finally {
      await file.close()
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error instanceof NotReadableError ? error : readFailure(path, error)
  }
  if (TOKEN.test(text)) return text
  throw new NotReadableError(
    `${path} holds no token: one is 20 to 200 letters, digits, - and _; remove it to have one made`,
  )
}
