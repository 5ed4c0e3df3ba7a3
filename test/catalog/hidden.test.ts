// A host that hid every address (kptr_restrict=2): stacks that perf recorded there, named by the builds of another boot. What is right tells
// the list of symbols that this host showed before.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCatalog } from '../../src/open-catalog.ts'
import { asked, objects } from '../cli/run.ts'
import { fixtureBytes, fixturePath } from '../fixtures.ts'

const RECORDED = 'hidden/6.12'
const folder = mkdtempSync(join(tmpdir(), 'kerndex-hidden-'))
const DIR = join(folder, 'catalog')
afterAll(() => rmSync(folder, { recursive: true }))

let buildId = ''
beforeAll(async () => {
  for (const file of readdirSync(fixturePath(RECORDED), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.br')) continue
    const path = join(folder, file.replace('.br', ''))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, fixtureBytes(`${RECORDED}/${file}`))
  }
  const catalog = await openCatalog({ directory: DIR })
  await catalog.add(join(folder, 'known'))
  buildId = (await catalog.list()).find(({ kind }) => kind === 'vmlinux')!.buildId!
})

/** The symbols of that boot by address, each with all its names. */
function truth() {
  const names = new Map<bigint, string[]>()
  for (const line of fixtureBytes(`${RECORDED}/truth.br`).toString('latin1').trim().split('\n')) {
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

const resolve = (...files: string[]) =>
  asked([
    'resolve',
    ...files,
    '--catalog',
    DIR,
    '--build-id',
    buildId,
    '--slide-from-stacks',
    '--mode',
    'raw',
    '--json',
  ])

describe('stacks of a host that hid every address', () => {
  const { text, isCore, at } = truth()

  it.each(['script.txt', 'ip.txt'])(
    '%s has core frames named as that host named them, at their own addresses, and modules unnamed',
    async (name) => {
      const { stdout, stderr } = await resolve(join(folder, name))
      expect(stderr).toMatch(
        new RegExp(
          `the kernel lay at 0x${text.toString(16)} \\(_text\\): \\d+ % of \\d+ stacks .*, 0 % at the next best`,
        ),
      )
      const frames = (objects(stdout) as { kernel_stack: Frame[] }[]).flatMap(({ kernel_stack: stack }) => stack)
      const printed = fixtureBytes(`${RECORDED}/${name}.br`).toString('latin1')
      const addresses = Array.from(printed.matchAll(/^\s+(ffff[0-9a-f]{12})\b/gm), ([, digits]) => `0x${digits}`)
      const kernel = frames.filter(({ address }) => address.startsWith('0xffff'))
      expect(kernel.map(({ address }) => address)).toEqual(addresses)
      let modules = 0
      for (const { address, symbol, offset, reason } of kernel) {
        const own = at(BigInt(address))
        if (isCore(BigInt(address))) expect([own.names.includes(`${symbol}`), offset]).toEqual([true, own.offset])
        else expect([symbol, reason, ++modules > 0]).toEqual([null, 'other_boot', true])
      }
      expect([kernel.length > 1_000, modules > 100]).toEqual([true, true])
    },
  )

  it('are told apart from perf.data beside them, which tells the release and no place', async () => {
    const recording = join(folder, 'perf.data')
    const [alone, beside, layout] = [
      await resolve(join(folder, 'script.txt')),
      await resolve(join(folder, 'script.txt'), recording),
      await asked(['layout', join(folder, 'recorded.layout'), '--from', recording]),
    ]
    expect(beside.stdout).toBe(alone.stdout)
    expect(beside.stderr).toContain('the recording is of kernel 6.12.117+deb13-amd64, build id unknown')
    expect([layout.code, layout.stderr]).toEqual([3, expect.stringContaining('--slide-from-stacks')])
  })

  it('are refused where they have no addresses', async () => {
    const named = join(folder, 'names.txt')
    writeFileSync(named, '[<0>] vfs_read+0x10/0x20\n[<0>] do_syscall_64+0x87/0x1b0\n')
    expect(await resolve(named)).toMatchObject({ code: 1, stderr: expect.stringContaining('no stack has an address') })
  })
})
