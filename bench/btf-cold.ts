// One cold sample, run as a process of its own by btf-speed.ts: reads and indexes types, looks one name up, prints the
// milliseconds from before the first read to after the lookup. Arguments: vmlinux FILE, or all DIRECTORY THREADS.
import { fstatSync, openSync, readSync } from 'node:fs'
import { indexTypes } from '../src/btf/index-types.ts'
import { Types } from '../src/btf/types.ts'
import { openTypes } from '../src/load/open-types.ts'

const [what, path = '', threads = '0'] = process.argv.slice(2)
const start = performance.now()
let found: number
if (what === 'vmlinux') {
  const fd = openSync(path, 'r')
  const bytes = new Uint8Array(new SharedArrayBuffer(fstatSync(fd).size))
  for (let at = 0, got = 1; got > 0; at += got) got = readSync(fd, bytes, at, bytes.length - at, null)
  found = new Types(indexTypes([{ name: 'vmlinux', bytes }]).records).find('task_struct').length
} else {
  const { types } = await openTypes({ from: path, threads: Number(threads) })
  found = types.find('task_struct').length
}
const elapsed = performance.now() - start
if (found === 0) throw new Error('task_struct was not found')
process.stdout.write(`${elapsed}\n`)
