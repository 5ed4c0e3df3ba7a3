// How the tests run: `npm test` in a few minutes, `npm run test:long` with KERNDEX_LONG=1 for the campaigns.
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Tests that change or judge what is one for a whole process: threads that wait for it, memory. */
const APART = [
  'test/core/wasm-memory.test.ts',
  'test/load/{found-threads,memory,shared-steps,soak,stress}.test.ts',
  'test/processes/memory.test.ts',
  'test/waits.test.ts',
  'test/{campaign,package/*}.test.ts',
]

/** Tests that put another file in the place of one of the sources. */
const MOCKING = ['test/load/lent-threads.test.ts']

/**
 * Tests import the sources as `tsc` has compiled them, which test/build.ts does first. Node reads these by itself, while sources that vitest
 * compiles reach each other through getters: a fifth of the processor time of all tests.
 */
const compiled = {
  alias: [
    { find: /^(?:\.\.?\/)+src\/(.*)\.ts$/, replacement: fileURLToPath(new URL('dist/src/$1.js', import.meta.url)) },
  ],
  server: { deps: { external: [/\/dist\/src\//] } },
}

/** Much garbage that is soon none: in a small nursery most of it is moved about before. */
const nursery = { execArgv: ['--max-semi-space-size=64'] }

const patience = {
  testTimeout: process.env.KERNDEX_LONG ? 3_600_000 : 60_000,
  hookTimeout: 120_000,
  // What is waited for comes when it comes, however busy the machine is.
  expect: { poll: { timeout: 30_000 } },
}

export default defineConfig({
  test: {
    // Nothing here judges time, so every core may work, and one file more while others wait for processes and connections.
    maxWorkers: availableParallelism() + 1,
    // Of the whole run: a project that inherited it would build again.
    globalSetup: ['test/build.ts'],
    projects: [
      // All others share a few processes, which read the sources once.
      {
        test: {
          ...patience,
          ...compiled,
          ...nursery,
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: [...APART, ...MOCKING],
          isolate: false,
        },
      },
      { test: { ...patience, ...compiled, name: 'apart', include: APART } },
      { test: { ...patience, name: 'mocking', include: MOCKING } },
    ],
  },
})
