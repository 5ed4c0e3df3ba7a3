// The command under limits of address space: V8 reserves ten gigabytes for a WebAssembly memory unless it is told not to.
import { execFile } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { CAPTURE, fixturePath } from '../fixtures.ts'
import { MAIN, type Outcome } from './run.ts'

/** Runs the command with so many gigabytes, given to it as text that a shell sees. */
function limited(gigabytes: number, args: readonly string[]): Promise<Outcome> {
  const script = `ulimit -v ${gigabytes * 2 ** 20} && exec "$@"`
  return new Promise((resolve) => {
    const child = execFile(
      '/bin/sh',
      ['-c', script, 'sh', process.execPath, MAIN, ...args],
      (error, stdout, stderr) => {
        // A signal leaves no code.
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : null, stdout, stderr })
      },
    )
    child.stdin?.end('always_there\n')
  })
}

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('address space', () => {
  it.each([
    [2, '0'],
    [6, '2'],
    // Fewer threads than are asked for where they would not fit.
    [3, '8'],
  ])('of %d GB holds symbols and types, with --threads %s', async (gigabytes, threads) => {
    const status = ['status', '--json', '--from', CAPTURE, '--threads', threads]
    const { code, stdout, stderr } = await limited(gigabytes, status)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ symbols: expect.any(Object) })
  })

  it('that is limited changes neither exit codes nor stdin', async () => {
    const from = ['--from', fixturePath('edge/edge.kallsyms'), '--threads', '0']
    expect(await limited(6, ['symbol', ...from])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^always_there/),
    })
    expect(await limited(6, ['symbol', '--nonsense'])).toMatchObject({ code: 2 })
  })
})
