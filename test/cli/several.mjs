// Runs command lines of `kerndex` as they are asked for, one after the other in one process, and says what came of each: starting a
// process for each would take most of a test's time. The command is a file that runs when it is read; forgotten, it is read again,
// over the same library.
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'

const main = process.argv[2]
const require = createRequire(main)

process.on('disconnect', () => process.exit())
process.on('message', async ({ args, stdin, env }) => {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name]
  Object.assign(process.env, env)
  const pieces = { stdout: [], stderr: [] }
  for (const stream of ['stdout', 'stderr']) {
    process[stream].write = (data) => {
      pieces[stream].push(Buffer.from(data))
      return true
    }
  }
  const input = Readable.from(stdin === '' ? [] : [Buffer.from(stdin, 'latin1')])
  Object.defineProperty(process, 'stdin', { value: input, configurable: true })
  process.exitCode = undefined
  process.argv = [process.argv[0], main, ...args]
  delete require.cache[main]
  await require(main).done
  process.removeAllListeners('beforeExit')
  const [out, err] = [Buffer.concat(pieces.stdout).toString('latin1'), Buffer.concat(pieces.stderr).toString()]
  process.send({ code: process.exitCode ?? 0, stdout: out, stderr: err })
})
