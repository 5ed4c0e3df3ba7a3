// How the tests run: `npm test` in a few minutes, `npm run test:long` with KERNDEX_LONG=1 for the campaigns.
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Tests that change or judge what is one for a whole process: threads that wait for it, memory, mocked files. */
const APART = [
  'test/core/wasm-memory.test.ts',
  'test/load/{found-threads,lent-threads,memory,shared-steps,soak,stress}.test.ts',
  'test/processes/memory.test.ts',
  'test/waits.test.ts',
  'test/{campaign,package/*}.test.ts',
]

const patience = {
  testTimeout: process.env.KERNDEX_LONG ? 3_600_000 : 60_000,
  hookTimeout: 120_000,
  // What is waited for comes when it comes, however busy the machine is.
  expect: { poll: { timeout: 30_000 } },
}

export default defineConfig({
  test: {
    // Nothing here judges time, so every core may work.
    maxWorkers: availableParallelism(),
    // Of the whole run: a project that inherited it would build again.
    globalSetup: ['test/build.ts'],
    projects: [
      // All others share a process a core, which reads the sources once.
      { test: { ...patience, name: 'shared', include: ['test/**/*.test.ts'], exclude: APART, isolate: false } },
      { test: { ...patience, name: 'apart', include: APART } },
    ],
  },
})
