// Compiles the loops that are written in AssemblyScript and writes each as a file of TypeScript, from which the package is
// built: `npm run assembly`. Given a folder, it writes there instead, for the test that holds both together. One process compiles
// all, because most of a compilation is the compiler's own start.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const here = dirname(fileURLToPath(import.meta.url))
const src = join(here, '..', '..')
const folder = mkdtempSync(join(tmpdir(), 'kerndex-assembly-'))

try {
  for (const [source, target, name] of [
    ['symbols/assembly/loops.ts', 'symbols/loops-wasm.ts', 'LOOPS_WASM'],
    ['btf/read/assembly/walk.ts', 'btf/read/walk-wasm.ts', 'WALK_WASM'],
    ['btf/ask/assembly/users.ts', 'btf/ask/users-wasm.ts', 'USERS_WASM'],
    ['btf/print/assembly/c-header.ts', 'btf/print/c-header-wasm.ts', 'C_HEADER_WASM'],
    ['core/assembly/blocks.ts', 'core/blocks-wasm.ts', 'BLOCKS_WASM'],
  ]) {
    const out = join(folder, 'out.wasm')
    const [from, config, to] = [join(src, source), join(here, 'asconfig.json'), out].map((path) => relative('.', path))
    const { error, stderr } = await asc.main([from, '--config', config, '-o', to])
    if (error) throw new Error(`${source} does not compile\n${stderr.toString()}`, { cause: error })
    const lines = readFileSync(out)
      .toString('base64')
      .match(/.{1,100}/g)
    const text = `// ${source}, compiled by \`npm run assembly\`; a test holds it to its source.
// biome-ignore-all format: made by a program

export const ${name} = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('')
`
    writeFileSync(process.argv[2] === undefined ? join(src, target) : join(process.argv[2], basename(target)), text)
  }
} finally {
  rmSync(folder, { recursive: true })
}
