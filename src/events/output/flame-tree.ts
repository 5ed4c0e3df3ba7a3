// The tree that flame graphs draw: frames with the sums of all stacks that go through them, and the same of an earlier
// profile beside it where two are compared.

import type { CodeKind, Profile, ProfileFrame, Weighing } from '../../stacks/profile.ts'

/** A frame of a flame graph. */
export interface FlameNode {
  readonly name: string
  readonly kind: CodeKind
  readonly owner: string | undefined
  /** Frames outside of it. */
  readonly depth: number
  /** What all stacks through it weigh; those of the earlier profile. */
  total: bigint
  before: bigint
}

/** A flame graph's frames, each before those inside of it, sisters in the order of their names. */
export interface FlameTree {
  readonly nodes: readonly FlameNode[]
  readonly total: bigint
  readonly before: bigint
  /** What stacks of the earlier profile weigh that have no frame in the later one: they have no width. */
  readonly gone: bigint
  readonly depth: number
}

class Branch implements FlameNode {
  readonly children = new Map<string, Branch>()
  readonly name: string
  readonly kind: CodeKind
  readonly owner: string | undefined
  readonly depth: number
  total = 0n
  before = 0n

  constructor({ name, kind, owner }: Omit<ProfileFrame, 'address'>, depth: number) {
    this.name = name
    this.kind = kind
    this.owner = owner
    this.depth = depth
  }

  child(frame: ProfileFrame): Branch {
    const key = `${frame.kind}\n${frame.owner ?? ''}\n${frame.name}`
    let child = this.children.get(key)
    if (child === undefined) {
      child = new Branch(frame, this.depth + 1)
      this.children.set(key, child)
    }
    return child
  }
}

/** The tree of a profile, and of an earlier one that it is compared with. Weights below zero take no width. */
export function flameTree(profile: Profile, weighing: Weighing, earlier?: Profile): FlameTree {
  const root = new Branch({ name: 'all', kind: 'process', owner: undefined }, 0)
  const add = (from: Profile, column: 'total' | 'before') => {
    for (const { frames, weight, count } of from.stacks()) {
      const weighs = weighing === 'events' ? BigInt(count) : weight
      if (weighs <= 0n) continue
      let at = root
      at[column] += weighs
      for (const frame of frames) {
        at = at.child(frame)
        at[column] += weighs
      }
    }
  }
  add(profile, 'total')
  if (earlier !== undefined) add(earlier, 'before')
  const nodes: FlameNode[] = []
  let gone = 0n
  let depth = 0
  const open = [root]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.total === 0n && node !== root) {
      gone += node.before
      continue
    }
    nodes.push(node)
    depth = Math.max(depth, node.depth)
    const children = [...node.children.values()].sort((a, b) => (a.name < b.name ? 1 : a.name > b.name ? -1 : 0))
    for (const child of children) open.push(child)
  }
  return { nodes, total: root.total, before: root.before, gone, depth }
}

/** The colours of frames by what they are, for a light page and a dark one, and the legend's words. */
export const KINDS: readonly (readonly [kind: CodeKind, words: string, fill: string])[] = [
  ['kernel', 'kernel', '#f2a65a'],
  ['module', 'module, bpf', '#8fc96b'],
  ['user', 'user space', '#7fb2e5'],
  ['unknown', 'unknown', '#b9b9b9'],
  ['process', 'process', '#d8cfe8'],
]

/**
 * How much a frame grew, from -1 to 1 of what it weighs, when both profiles are scaled to one total: recordings are seldom of
 * one length.
 */
export function growth({ total, before }: FlameNode, tree: FlameTree): number {
  if (tree.before === 0n || tree.total === 0n) return 0
  const [now, then] = [Number(total) / Number(tree.total), Number(before) / Number(tree.before)]
  return (now - then) / Math.max(now, then)
}

/** The colour of a frame of a comparison: red where it grew, blue where it shrank. */
export function growthColour(grown: number): string {
  const weak = Math.round(235 * (1 - Math.min(1, Math.abs(grown))))
  if (Math.abs(grown) < 0.005) return 'rgb(235,235,235)'
  return grown > 0 ? `rgb(250,${weak},${weak})` : `rgb(${weak},${weak},250)`
}

/** A share of the whole as people read it. */
export function percent(part: bigint, whole: bigint): string {
  return whole === 0n ? '0 %' : `${((100 * Number(part)) / Number(whole)).toFixed(2)} %`
}

/** A weight with its unit, as people read it: times in the largest unit that keeps them above 1. */
export function inUnits(weight: bigint, unit: string): string {
  if (unit === 'nanoseconds') return scaled(Number(weight), TIMES)
  if (unit === 'bytes') return scaled(Number(weight), SIZES)
  return `${weight.toLocaleString('en')} ${unit}`
}

const TIMES: readonly (readonly [number, string])[] = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
]
const SIZES: readonly (readonly [number, string])[] = [
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
  [1, 'bytes'],
]

function scaled(value: number, units: typeof TIMES): string {
  const [size, name] = units.find(([least]) => Math.abs(value) >= least) ?? [1, units.at(-1)![1]]
  const shown = value / size
  return `${Number.isInteger(shown) ? shown : shown.toFixed(shown < 10 ? 2 : 1)} ${name}`
}

/** The line above a picture: the event, the total, how many events, and what is not drawn. */
export function summary(profile: Profile, weighing: Weighing, tree: FlameTree): string {
  const unit = profile.unit(weighing)
  const parts = [profile.event ?? 'stacks', inUnits(tree.total, unit)]
  if (unit !== 'samples') parts.push(`${profile.events.toLocaleString('en')} samples`)
  const { time } = profile
  if (time !== undefined) parts.push(`${seconds(time[0])} s to ${seconds(time[1])} s`)
  if (tree.before > 0n) {
    parts.push(`before: ${inUnits(tree.before, unit)}; colours compare shares of the total`)
    if (tree.gone > 0n) parts.push(`not drawn: ${inUnits(tree.gone, unit)} of stacks that only the first has`)
  }
  return parts.join(' · ')
}

function seconds(ns: bigint): string {
  return `${ns / 1_000_000_000n}.${String((ns % 1_000_000_000n) / 1000n).padStart(6, '0')}`
}

/** The words for one frame. */
export function nodeWords({ name, owner, kind, total, before }: FlameNode, tree: FlameTree, unit: string): string {
  const where = owner === undefined || owner === 'vmlinux' || kind === 'process' ? '' : ` [${owner}]`
  const then = tree.before > 0n ? `; before ${inUnits(before, unit)}, ${percent(before, tree.before)}` : ''
  return `${name}${where} (${inUnits(total, unit)}, ${percent(total, tree.total)}${then})`
}
