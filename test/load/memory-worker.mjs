// A process of its own that loads a text over and over without ever collecting garbage by force, and prints its resident memory
// in kilobytes after so many loads.
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'

const [, , library, what, path, loads] = process.argv
const { openKernel } = await import(library)
const length = statSync(path).size
const resident = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))[1])

/** One more line, whose name says which load it is for. The text itself is not made anew, which would be garbage of this program's own. */
function change(load) {
  const file = openSync(path, 'r+')
  ftruncateSync(file, length)
  writeSync(file, `ffffffffc0001000 t changed_${load}\t[changed]\n`, length)
  closeSync(file)
}

const after = []
let kernel = await openKernel({ from: path, threads: 0 })
for (let load = 1; load <= Number(loads); load++) {
  if (what === 'refresh') {
    change(load)
    const { changed } = await kernel.refresh()
    if (!changed) throw new Error('nothing changed')
  } else {
    await kernel.close()
    kernel = await openKernel({ from: path, threads: 0 })
  }
  after.push(resident())
}
console.log(JSON.stringify(after))
await kernel.close()
