import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { COMPILED } from './app.ts'

it('what the guest runs comes with all that it imports', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const seen = new Set([join(root, 'test/vm/guest/main.ts')])
  for (const file of seen) {
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type\b)[^']*?from '(\.[^']*)'/gm))
      seen.add(join(dirname(file), path!))
  }
  expect(seen.size).toBeGreaterThan(10)
  for (const file of seen) {
    const compiled = file.replace(root, 'dist/')
    expect(
      COMPILED.some((folder) => compiled.startsWith(`${folder}/`)),
      compiled,
    ).toBe(true)
  }
})
