// A host that hid every address (kptr_restrict=2): stacks that perf recorded there, named by the builds of another boot. What is right tells
// the list of symbols that this host showed before.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCatalog } from '../../src/open-catalog.ts'
import { asked, objects } from '../cli/run.ts'
import { fixtureBytes, fixturePath } from '../fixtures.ts'

const RECORDED = ['6.12', '6.12-arm64']
const folder = mkdtempSync(join(tmpdir(), 'kerndex-hidden-'))
const DIR = join(folder, 'catalog')
afterAll(() => rmSync(folder, { recursive: true }))

const buildIds = new Map<string, string>()
beforeAll(async () => {
  const catalog = await openCatalog({ directory: DIR })
  for (const kernel of RECORDED) {
    for (const file of readdirSync(fixturePath(`hidden/${kernel}`), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.br')) continue
      const path = join(folder, kernel, file.replace('.br', ''))
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, fixtureBytes(`hidden/${kernel}/${file}`))
    }
    await catalog.add(join(folder, kernel, 'known'))
    const { buildId = '' } = (await catalog.list()).find((entry) => ![...buildIds.values()].includes(entry.buildId!))!
    buildIds.set(kernel, buildId)
  }
})

/** The symbols of that boot by address, each with all its names. */
function truthOf(kernel: string) {
  const names = new Map<bigint, string[]>()
  for (const line of fixtureBytes(`hidden/${kernel}/truth.br`).toString('latin1').trim().split('\n')) {
    const [digits, , name = ''] = line.split(' ')
    const address = BigInt(`0x${digits}`)
    names.set(address, [...(names.get(address) ?? []), name])
  }
  const starts = [...names.keys()].sort((a, b) => (a < b ? -1 : 1))
  const named = (name: string) => starts.find((start) => names.get(start)!.includes(name))!
  return {
    text: named('_text'),
    isCore: (address: bigint) => address >= named('_stext') && address < named('_end'),
    at(address: bigint) {
      const start = starts.findLast((each) => each <= address)!
      return { names: names.get(start)!, offset: Number(address - start) }
    },
  }
}

interface Frame {
  readonly address: string
  readonly symbol: string | null
  readonly offset: number | null
  readonly reason?: string
}

const resolve = (kernel: string, ...files: string[]) => {
  const placing = ['--catalog', DIR, '--build-id', buildIds.get(kernel)!, '--slide-from-stacks']
  return asked(['resolve', ...files, ...placing, '--mode', 'raw', '--json'])
}

describe.each(RECORDED)('stacks of a %s that hid every address', (kernel) => {
  const { text, isCore, at } = truthOf(kernel)

  it.each(['script.txt', 'ip.txt'])(
    '%s has core frames named as that host named them, at their own addresses, and modules unnamed',
    async (name) => {
      const { stdout, stderr } = await resolve(kernel, join(folder, kernel, name))
      expect(stderr).toMatch(
        new RegExp(
          `the kernel lay at 0x${text.toString(16)} \\(_text\\): (?:9\\d|100) % of \\d+ stacks .*, \\d % at the next best`,
        ),
      )
      const frames = (objects(stdout) as { kernel_stack: Frame[] }[]).flatMap(({ kernel_stack: stack }) => stack)
      const printed = fixtureBytes(`hidden/${kernel}/${name}.br`).toString('latin1')
      const addresses = Array.from(printed.matchAll(/^\s+(ffff[0-9a-f]{12})\b/gm), ([, digits]) => `0x${digits}`)
      const inKernel = frames.filter(({ address }) => address.startsWith('0xffff'))
      expect(inKernel.map(({ address }) => address)).toEqual(addresses)
      let modules = 0
      for (const { address, symbol, offset, reason } of inKernel) {
        if (!isCore(BigInt(address))) {
          expect([symbol, reason, ++modules > 0]).toEqual([null, 'other_boot', true])
          continue
        }
        const own = at(BigInt(address))
        expect([own.names.includes(`${symbol}`), offset]).toEqual([true, own.offset])
      }
      expect([inKernel.length > 500, modules > 50]).toEqual([true, true])
    },
  )

  it('are told apart from perf.data beside them, which tells the release and no place', async () => {
    const [script, recording] = ['script.txt', 'perf.data'].map((name) => join(folder, kernel, name)) as [
      string,
      string,
    ]
    const alone = await resolve(kernel, script)
    const beside = await resolve(kernel, script, recording)
    expect(beside.stdout).toBe(alone.stdout)
    expect(beside.stderr).toMatch(/the recording is of kernel 6\.12\.117\S+, build id unknown/)
    const layout = await asked(['layout', join(folder, 'recorded.layout'), '--from', recording])
    expect([layout.code, layout.stderr]).toEqual([3, expect.stringContaining('--slide-from-stacks')])
  })

  it('are refused where they have no addresses', async () => {
    const named = join(folder, 'names.txt')
    writeFileSync(named, '[<0>] vfs_read+0x10/0x20\n[<0>] do_syscall_64+0x87/0x1b0\n')
    const refused = await resolve(kernel, named)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('no stack has an address')])
  })
})
