// How the tests run: `npm test` in a few minutes, `npm run test:long` with KERNDEX_LONG=1 for the campaigns.
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Nothing here judges time, so every core may work.
    maxWorkers: availableParallelism(),
    globalSetup: ['test/build.ts'],
    testTimeout: process.env.KERNDEX_LONG ? 3_600_000 : 60_000,
    hookTimeout: 120_000,
    // What is waited for comes when it comes, however busy the machine is.
    expect: { poll: { timeout: 30_000 } },
  },
})
