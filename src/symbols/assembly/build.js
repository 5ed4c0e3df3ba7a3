// Compiles loops.ts and writes it as ../loops-wasm.ts, which the package is built from: `npm run assembly`. Given a path, it
// writes there instead, for the test that holds the two together.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const target = process.argv[2] ?? join(here, '..', 'loops-wasm.ts')
const folder = mkdtempSync(join(tmpdir(), 'kerndex-assembly-'))
try {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('assemblyscript/package.json')), 'bin', 'asc.js')
  const out = join(folder, 'loops.wasm')
  const config = join(here, 'asconfig.json')
  execFileSync(process.execPath, [compiler, join(here, 'loops.ts'), '--config', config, '-o', out], {
    stdio: 'inherit',
  })
  const lines = readFileSync(out)
    .toString('base64')
    .match(/.{1,100}/g)
  writeFileSync(
    target,
    `// assembly/loops.ts, compiled by \`npm run assembly\`; a test holds it to its source.
// biome-ignore-all format: made by a program

export const LOOPS_WASM = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('')
`,
  )
} finally {
  rmSync(folder, { recursive: true })
}
