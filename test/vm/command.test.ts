// What `npm run test:vm` makes of what a kernel said: on a small recording, without a boot.
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeLayout } from '../../src/load/layout-file.ts'
import { fixturePath } from '../fixtures.ts'
import { runCommand } from './command.ts'
import { AGAIN, BOOT, NOTED } from './job.ts'

const RELEASE = '6.12.117'
const recorded = fixturePath(`kernels/${RELEASE}`)

/** The command's exit code, and what it printed and said. */
async function run(...args: string[]) {
  const texts: string[] = []
  const code = await runCommand(args, { say: (text) => texts.push(text), print: (text) => texts.push(text) })
  return { code, text: texts.join('\n') }
}

describe('what a kernel said, judged', () => {
  let kept: string
  beforeEach(async () => {
    kept = await mkdtemp(join(tmpdir(), 'kerndex-judged-'))
    for (const folder of ['capture', 'symbols', 'tables']) await mkdir(join(kept, folder))
    const facts = { release: RELEASE, version: 'Linux version 6.12', bootId: 'none', modules: 40 }
    await writeFile(join(kept, BOOT), JSON.stringify(facts))
    await writeFile(join(kept, 'symbols', NOTED), '[]')
    for (const file of await readdir(recorded)) {
      const name = file.replace(/\.br$/, '').replace('sites.txt', 'available_filter_functions_addrs')
      const folder = name === 'printed.tsv' ? 'symbols' : 'capture'
      await writeFile(join(kept, folder, name), brotliDecompressSync(await readFile(join(recorded, file))))
    }
    // What a load of the running kernel knew, without sections and with them.
    await symlink('../capture/kallsyms', join(kept, 'tables/live-0-threads.snapshot'))
    await symlink('../capture', join(kept, 'tables/live-sections.snapshot'))
  })
  afterEach(() => rm(kept, { recursive: true, force: true }))

  /** Rewrites a file of the recording. */
  async function change(file: string, how: (text: string) => string): Promise<void> {
    const text = await readFile(join(kept, file), 'latin1')
    expect(how(text)).not.toBe(text)
    await writeFile(join(kept, file), how(text), 'latin1')
  }

  it('ends with 0 where all agrees', async () => {
    const { code, text } = await run('--judge', kept, '--suites', 'symbols')
    expect(text).toContain(`${RELEASE}: all agree`)
    expect(text).toMatch(/%pS, from a capture: \d{4} compared/)
    expect(code).toBe(0)
  })

  it('ends with 1 where one address is another module’s for the kernel, and says which', async () => {
    await change('symbols/printed.tsv', (text) => text.replace(/^(module text: start.*) \[\w+\]$/m, '$1 [another]'))
    const { code, text } = await run('--judge', kept, '--suites', 'symbols')
    expect(text).toMatch(/DIFFERS: module text: start: the kernel answers, kerndex other owner \(1\)\n +address 0x/)
    expect(text).toContain('DIFFER\n')
    expect(code).toBe(1)
  })

  it('ends with 1 where kerndex gives modules’ memory to another', async () => {
    await change('capture/kallsyms', (text) => text.replace(/\t\[\w+\]$/gm, '\t[another]'))
    const { code, text } = await run('--judge', kept, '--suites', 'symbols')
    expect(text).toMatch(/sites, from a capture: \d+ compared, 0 agree/)
    expect(code).toBe(1)
  })

  it('ends with 1 where a suite could not be judged, or the guest did not come to its end', async () => {
    await rm(join(kept, 'symbols/printed.tsv'))
    const lacking = await run('--judge', kept, '--suites', 'symbols')
    expect(lacking.text).toContain('symbols failed:')
    expect(lacking.code).toBe(1)
    await rm(join(kept, BOOT))
    const early = await run('--judge', kept, '--suites', 'symbols')
    expect(early.text).toContain('the guest did not come to its end')
    expect(early.code).toBe(1)
  })
})

describe('what two boots of a kernel said, judged', () => {
  let kept: string
  beforeEach(async () => {
    kept = await mkdtemp(join(tmpdir(), 'kerndex-judged-'))
    const facts = { release: RELEASE, version: 'Linux version 6.12', bootId: 'none', modules: 40 }
    for (const boot of [kept, join(kept, AGAIN)]) {
      for (const suite of ['catalog', 'hidden']) {
        await mkdir(join(boot, suite), { recursive: true })
        await writeFile(join(boot, suite, NOTED), '[]')
      }
      await writeFile(join(boot, BOOT), JSON.stringify(facts))
    }
  })
  afterEach(() => rm(kept, { recursive: true, force: true }))

  /** Unpacks a folder of fixtures. */
  async function unpack(from: string, to: string): Promise<void> {
    await mkdir(to, { recursive: true })
    for (const file of await readdir(fixturePath(from))) {
      if (!file.endsWith('.br')) continue
      await writeFile(
        join(to, file.slice(0, -'.br'.length)),
        brotliDecompressSync(await readFile(join(fixturePath(from), file))),
      )
    }
  }

  it('agrees where each predicts the other, and tells of one symbol that another name is at', async () => {
    for (const [boot, folder] of [
      ['a', join(kept, 'catalog')],
      ['b', join(kept, AGAIN, 'catalog')],
    ] as const) {
      await unpack(`two-boots/6.12-arm64/${boot}`, join(folder, 'capture'))
      await writeLayout(join(folder, 'live.layout'), { from: join(folder, 'capture') })
    }
    const symbols = join(kept, AGAIN, 'catalog/capture/kallsyms')
    const [line = ''] = /^.* T vfs_read$/m.exec(await readFile(symbols, 'latin1')) ?? []
    await writeFile(symbols, (await readFile(symbols, 'latin1')).replace(line, line.replace('vfs_read', 'vfs_other')))
    const { code, text } = await run('--judge', kept, '--suites', 'catalog')
    for (const how of ['second by first', 'first by second', 'second by first, live layout']) {
      const [, compared, agree] = new RegExp(`catalog: ${how}: (\\d+) compared, (\\d+) agree`).exec(text) ?? []
      expect([Number(compared) > 4_000, Number(compared) - Number(agree)]).toEqual([true, 2])
    }
    expect(text).toMatch(/lists it without a place\n +lists .* 11\n/)
    expect(text).toContain('DIFFERS: vmlinux: the kernel lists, kerndex not at its place (1)')
    expect(text).toContain('DIFFERS: vmlinux: the kernel nothing, kerndex predicts it (1)')
    expect(text).toMatch(/addresses, first by second: \d{4} compared, \d{4} agree/)
    expect(code).toBe(1)
  }, 30_000)

  it('agrees where stacks of a boot that hid its addresses are named as its list names them', async () => {
    await unpack('hidden/6.12/known', join(kept, 'catalog/capture'))
    await unpack('hidden/6.12', join(kept, AGAIN, 'hidden'))
    await mkdir(join(kept, AGAIN, 'catalog/capture'))
    await rename(join(kept, AGAIN, 'hidden/truth'), join(kept, AGAIN, 'catalog/capture/kallsyms'))
    const { code, text } = await run('--judge', kept, '--suites', 'hidden')
    expect(text).toMatch(/hidden: frames, script\.txt: (\d{4}) compared, \1 agree/)
    expect(text).toMatch(/hidden: place: 2 compared, 2 agree/)
    expect(code).toBe(0)
  }, 30_000)

  it('is refused where the second boot did not come to its end', async () => {
    await rm(join(kept, AGAIN, BOOT))
    expect(await run('--judge', kept, '--suites', 'catalog')).toMatchObject({
      code: 1,
      text: expect.stringContaining('the guest did not come to its end'),
    })
  })
})

describe('what is missing', () => {
  const { PATH } = process.env
  afterEach(() => {
    process.env.PATH = PATH
  })

  it('is named, and the command ends with 2', async () => {
    process.env.PATH = '/nowhere'
    const { code, text } = await run('6.12')
    expect(text).toContain('this machine lacks\n')
    expect(text).toContain('  apt-get: kernels come from Debian\n')
    expect(code).toBe(2)
  })

  it('may be a kernel, a suite or an option', async () => {
    expect(await run('--suites', 'nothing')).toEqual({ code: 2, text: 'there is no suite nothing; see --help' })
    expect(await run('--nothing')).toMatchObject({ code: 2 })
    expect(await run('--help')).toMatchObject({ code: 0 })
  })
})
