// The compiled loops in the package are those of the source beside it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const room = fileURLToPath(new URL('../../src/symbols', import.meta.url))

test('loops-wasm.ts is what assembly/loops.ts compiles to', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-assembly-'))
  try {
    const fresh = join(folder, 'fresh.ts')
    execFileSync(process.execPath, [join(room, 'assembly/build.js'), fresh])
    expect(readFileSync(join(room, 'loops-wasm.ts'), 'utf8')).toBe(readFileSync(fresh, 'utf8'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
