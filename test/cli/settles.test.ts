// A command whose work can never be done does not end as if it were.
import { execFile } from 'node:child_process'
import { expect, it } from 'vitest'
import { CAPTURE } from '../fixtures.ts'
import { MAIN } from './run.ts'

/** Turns of the event loop that never come: a load that lets others run waits for ever, and nothing keeps the process alive. */
const NO_TURNS = 'data:text/javascript,globalThis.setImmediate=()=>({})'

it('ends with 3 where nothing is left that it waits for, and says so', async () => {
  const args = ['--import', NO_TURNS, MAIN, 'status', '--from', CAPTURE, '--threads', '0']
  const outcome = await new Promise((resolve) => {
    execFile(process.execPath, args, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }))
  })
  expect(outcome).toEqual({
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(/^kerndex: the command stopped before it was done: .*; please report this\n$/),
  })
})
