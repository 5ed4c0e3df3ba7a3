// Writes the manual pages into dist/man, from the commands as `tsc` has compiled them.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { manualPages } from '../dist/src/cli/manual.js'
import { makeProgram } from '../dist/src/cli/program.js'

const root = new URL('../', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
// The date of the newest entry of the change log: the same sources give the same pages.
const date = /\b(\d{4}-\d{2}-\d{2})\b/.exec(readFileSync(new URL('CHANGELOG.md', root), 'utf8'))?.[1] ?? ''
const folder = new URL('dist/man/', root)
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
for (const [name, text] of manualPages(makeProgram(), version, date)) writeFileSync(new URL(name, folder), text)
