// The shell loop of docs/fleet.md, as it stands there: parts are done once, what failed is done again, and no half of a file stays.

import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { foldedLines } from '../../src/events/output/folded.ts'
import { saveSnapshot } from '../../src/load/save.ts'
import { Profiles } from '../../src/stacks/profile.ts'
import { MAIN } from '../cli/run.ts'
import { DEBIAN, run, sample, snapshotOf } from '../events/samples.ts'

const folder = mkdtempSync(join(tmpdir(), 'kerndex-batch-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const DOCUMENT = readFileSync(new URL('../../docs/fleet.md', import.meta.url), 'utf8')
const loop = /```sh\n([\s\S]*?)```/.exec(DOCUMENT)?.[1] ?? ''

const shell = () =>
  new Promise<number>((resolve) => {
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, DIGEST: 'abc' }
    execFile('sh', ['-c', loop], { cwd: folder, env }, (error) => resolve(Number(error?.code ?? 0)))
  })

it('does each part once, and goes on after a failure', async () => {
  for (const name of ['parts', 'out', 'tables']) mkdirSync(join(folder, name))
  const kerndex = join(folder, 'kerndex')
  writeFileSync(kerndex, `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`)
  chmodSync(kerndex, 0o755)
  const recording = sample(DEBIAN, 'perf-script.txt').toString('latin1').split('\n\n')
  const parts = [recording.slice(0, 300), recording.slice(300, 600)].map((records) => `${records.join('\n\n')}\n\n`)
  for (const [i, part] of parts.entries()) writeFileSync(join(folder, 'parts', `${i}.txt`), part, 'latin1')
  // Without the table nothing is done, nothing is left, and the code says so.
  expect(await shell()).toBe(3)
  expect(readdirSync(join(folder, 'out'))).toEqual([])
  const snapshot = await snapshotOf(DEBIAN)
  await saveSnapshot(snapshot, join(folder, 'tables', 'abc'))
  expect(await shell()).toBe(0)
  for (const [i, part] of parts.entries()) {
    const profiles = new Profiles()
    const folding = { prefix: 'comm' } as const
    for (const { profile } of await run(Buffer.from(part, 'latin1'), snapshot, 'profile', { folding }))
      profiles.merge(profile ?? [])
    expect(readFileSync(join(folder, 'out', `${i}.txt.folded`), 'latin1')).toBe(
      [...foldedLines(profiles.all[0]!)].join(''),
    )
  }
})
