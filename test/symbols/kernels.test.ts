// Addresses as running kernels answered them (%pS, ftrace's sites), recorded by `npm run test:vm`: the rules about whose memory an
// address is in, held without a boot.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openKernel } from '../../src/open-kernel.ts'
import { fixturePath } from '../fixtures.ts'
import { KNOWN_DIFFERENCES } from '../vm/known-differences.ts'
import { type Outcome, Tally } from '../vm/outcome.ts'
import { report } from '../vm/report.ts'
import { compareAddress, compareSites, parseTruth } from '../vm/symbol-truth.ts'

const folder = fixturePath('kernels')
const releases = await readdir(folder)

describe.each(releases)('%s', async (release) => {
  const files = await readdir(join(folder, release))
  /** A capture directory of the unpacked files. */
  let capture: string
  beforeAll(async () => {
    capture = await mkdtemp(join(tmpdir(), 'kerndex-kernels-'))
    for (const file of files) {
      const bytes = brotliDecompressSync(await readFile(join(folder, release, file)))
      await writeFile(join(capture, file.replace(/\.br$/, '')), bytes)
    }
  })
  afterAll(() => rm(capture, { recursive: true, force: true }))

  const printed = async () => parseTruth(await readFile(join(capture, 'printed.tsv'), 'latin1'))

  it.each([
    ['from a capture', ''],
    ['from kallsyms alone', 'kallsyms'],
  ])('says what the kernel says, %s', async (how, file) => {
    await using kernel = await openKernel({ from: join(capture, file), types: false, threads: 0 })
    const rows = await printed()
    expect(rows.length).toBeGreaterThan(1_500)
    expect(
      unlisted(
        release,
        rows.map((row) => compareAddress(`%pS, ${how}`, kernel.symbols, row)),
      ),
    ).toBe('')
  })

  // Kernels before 6.5 list no addresses.
  it.skipIf(!files.includes('sites.txt.br'))('gives each site of ftrace to its function', async () => {
    const text = await readFile(join(capture, 'sites.txt'), 'latin1')
    await using kernel = await openKernel({ from: capture, types: false, threads: 0 })
    const outcomes = [...compareSites('sites, from a capture', kernel.symbols, text)]
    expect(outcomes.length).toBeGreaterThan(1_000)
    expect(unlisted(release, outcomes)).toBe('')
  })
})

/** The report of what differs without a known reason; empty if nothing does. */
function unlisted(release: string, outcomes: readonly Outcome[]): string {
  const tally = new Tally()
  for (const outcome of outcomes) tally.add(outcome)
  const { text, unlisted: count } = report(release, [{ suite: 'symbols', cells: tally.cells }], KNOWN_DIFFERENCES)
  return count === 0 ? '' : text
}
