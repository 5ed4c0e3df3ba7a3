// How the tests run: `npm test` in a few minutes, `npm run test:long` with KERNDEX_LONG=1 for the campaigns.
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Rooms whose tests change nothing that outlives them: their files share processes, which read the sources once. */
const SHARED = ['test/{btf,probes,query,stacks,symbols}/**/*.test.ts']

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
      { test: { ...patience, name: 'shared', include: SHARED, isolate: false } },
      { test: { ...patience, name: 'apart', include: ['test/**/*.test.ts'], exclude: SHARED } },
    ],
  },
})
