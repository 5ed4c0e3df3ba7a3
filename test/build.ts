// Compiles and bundles the project before the first test (and on every re-run in watch mode): threads always run compiled files.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'

const root = fileURLToPath(new URL('..', import.meta.url))

function compile(): void {
  // `npm run types` checks them.
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '--noCheck'], { cwd: root, stdio: 'inherit' })
  const bundle = ['node_modules/rolldown/bin/cli.mjs', '-c', '--log-level', 'warn']
  execFileSync(process.execPath, bundle, { cwd: root, stdio: 'inherit' })
}

export default function setup(project: TestProject): void {
  compile()
  project.onTestsRerun(async () => compile())
}
