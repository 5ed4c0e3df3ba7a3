// Runs several command lines of `kerndex` in one process, one after the other, and prints what came of each as JSON: starting a
// process for each would take most of a test's time. The command is a module that runs when it is imported; under another query
// it is another module, over the same library.
const [main, lines] = process.argv.slice(2)
const stdout = process.stdout.write.bind(process.stdout)
const outcomes = []
for (const [number, args] of JSON.parse(lines).entries()) {
  const pieces = { stdout: [], stderr: [] }
  for (const stream of ['stdout', 'stderr']) {
    process[stream].write = (data) => {
      pieces[stream].push(Buffer.from(data))
      return true
    }
  }
  process.exitCode = undefined
  process.argv = [process.argv[0], main, ...args]
  const { done } = await import(`${main}?${number}`)
  await done
  const [out, err] = [Buffer.concat(pieces.stdout).toString('latin1'), Buffer.concat(pieces.stderr).toString()]
  outcomes.push({ code: process.exitCode ?? 0, stdout: out, stderr: err })
}
process.exitCode = 0
stdout(JSON.stringify(outcomes))
