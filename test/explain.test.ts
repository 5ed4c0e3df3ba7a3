// What objects of the library say of themselves: as a text, as JSON, and in what console.log shows.
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Change, type Kernel, openKernel } from '../src/index.ts'
import { CAPTURE } from './fixtures.ts'

let kernel: Kernel
beforeAll(async () => {
  kernel = await openKernel({ from: CAPTURE, threads: 0, probes: true })
}, 60_000)
afterAll(() => kernel.close())

const symbol = () => kernel.symbols.named('vp_notify', { owner: 'virtio_pci' })[0]!

test('a symbol and a match', () => {
  const { address, size, type } = symbol()
  const hex = `0x${address.toString(16)}`
  expect(String(symbol())).toBe('vp_notify [virtio_pci]')
  expect(String(kernel.symbols.named('vfs_read')[0])).toBe('vfs_read')
  expect(inspect(symbol())).toMatch(/^KernelSymbol \{\n? *address: '0x/)
  const match = kernel.symbols.at(address + 4n)!
  expect(`${match}`).toBe(`vp_notify+0x4/0x${size.toString(16)} [virtio_pci]`)
  expect(JSON.parse(JSON.stringify(match))).toEqual({
    address: `0x${(address + 4n).toString(16)}`,
    symbol: 'vp_notify',
    offset: 4,
    size,
    owner: 'virtio_pci',
    type,
    aliases: match.aliases.map(({ name }) => name),
    candidates: [{ symbol: 'vp_notify', offset: 4, owner: 'virtio_pci' }],
  })
  expect(inspect(match)).toContain("symbol: 'vp_notify'")
  expect(inspect({ a: { b: { match } } })).toContain('[SymbolMatch]')
  expect(hex).toBe(symbol().toJSON().address)
})

test('types, members and functions', () => {
  const { types } = kernel
  const [func] = types.functions('vp_notify')
  expect(String(func)).toBe('bool vp_notify(struct virtqueue *vq) [virtio_pci]')
  expect(inspect(func)).toMatch(/^KernelFunction \{\n {2}name: 'vp_notify'/)
  const found = types.require('task_struct', { kind: 'struct' })
  expect(String(found)).toBe('struct task_struct')
  expect(String(types.find('virtio_pci_device', { module: 'virtio_pci' })[0])).toBe(
    'struct virtio_pci_device [virtio_pci]',
  )
  expect(String(types.get(found.id))).toBe('struct task_struct')
  expect(String(types.get(0))).toBe('void')
  const users = types.users('struct virtqueue')
  expect(users.holds.map(String)).toEqual(['struct vring_virtqueue.vq: struct virtqueue, offset 0 [virtio_ring]'])
  expect(types.users('spinlock_t').aliases.map(String)).toContain('typedef spinlock_t')
  expect(types.withMember('pgd', { type: 'pgd_t *' }).map(String)).toContain('struct mm_struct.pgd: pgd_t *, offset 72')
  expect(Object.keys(types.get(found.id)!)).not.toContain('toString')
  expect(String(types.member('list_head.prev'))).toBe('offset 8, size 8, struct list_head *')
  const { id } = types.require('pid_type', { kind: 'enum' })
  const type = JSON.parse(JSON.stringify(types.get(id)))
  expect(type.values[0]).toEqual({ name: 'PIDTYPE_PID', value: '0' })
  expect(structuredClone(types.get(id))).toEqual({ ...types.get(id) })
  expect(String(types)).toBe(`types of ${types.sets.length} sets`)
  expect(JSON.parse(JSON.stringify(types))).toMatchObject({ unread: 0 })
  expect(String(types.requireSet('vmlinux'))).toMatch(/^[\d,]+ types of vmlinux$/)
  expect(inspect(types.requireSet('virtio_pci'))).toContain("base: 'vmlinux'")
})

test('plans and their targets', () => {
  const plan = kernel.probes.plan('kprobe:virtio_pci:vp_*')
  expect(String(plan)).toMatch(/^plan of kprobe:virtio_pci:vp_\*: (ok|unknown), \d+ targets$/)
  expect(String(plan.targets[0])).toMatch(/^kprobe:virtio_pci:vp_\w+ (ok|unknown)/)
  const json = JSON.parse(JSON.stringify(plan))
  expect(json.specs[0].targets).toHaveLength(plan.targets.length)
  expect(json.specs[0].targets[0].address).toMatch(/^0x/)
  expect(inspect(plan)).toMatch(/^ProbePlan \{/)
  expect(inspect(plan).length).toBeLessThan(2000)
  expect(String(kernel.probes)).toContain('plan')
  expect(String(kernel.stacks)).toContain('resolve')
})

test('kernels, snapshots, readers and changes, without what is large', () => {
  const snapshot = kernel.snapshot()
  const size = kernel.symbols.size.toLocaleString('en-US')
  expect(String(snapshot)).toBe(`${CAPTURE} ${kernel.host.release}, generation 1, ${size} symbols`)
  expect(String(kernel)).toBe(`kernel of ${snapshot}`)
  expect(String(kernel.symbols)).toMatch(/^table of [\d,]+ symbols of \d+ owners$/)
  expect(JSON.parse(JSON.stringify(kernel))).toMatchObject({ generation: 1, source: CAPTURE, closed: false })
  for (const each of [kernel, snapshot, kernel.symbols, kernel.types, new Change(snapshot, snapshot)]) {
    const shown = inspect(each, { depth: 6 })
    expect(shown).toMatch(/^(Kernel|Reader|SymbolTable|Types|Change) \{/)
    expect(shown).not.toContain('SharedArrayBuffer')
    expect(shown.length).toBeLessThan(1000)
  }
  expect(String(new Change(snapshot, snapshot))).toBe('generation 1: 0 symbols came, 0 went')
})
