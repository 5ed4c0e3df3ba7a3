// The compiled loops in the package are those of the sources beside them.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const src = fileURLToPath(new URL('../../src', import.meta.url))

test('compiled loops are what their sources compile to', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kerndex-assembly-'))
  try {
    execFileSync(process.execPath, [join(src, 'core/assembly/build.js'), folder])
    const fresh = (name: string) => readFileSync(join(folder, name), 'utf8')
    expect(readFileSync(join(src, 'symbols/loops-wasm.ts'), 'utf8')).toBe(fresh('loops-wasm.ts'))
    expect(readFileSync(join(src, 'btf/read/walk-wasm.ts'), 'utf8')).toBe(fresh('walk-wasm.ts'))
    expect(readFileSync(join(src, 'btf/ask/users-wasm.ts'), 'utf8')).toBe(fresh('users-wasm.ts'))
    expect(readFileSync(join(src, 'btf/print/c-header-wasm.ts'), 'utf8')).toBe(fresh('c-header-wasm.ts'))
    expect(readFileSync(join(src, 'core/blocks-wasm.ts'), 'utf8')).toBe(fresh('blocks-wasm.ts'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
