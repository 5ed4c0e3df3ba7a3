// Every public function, given wrong arguments of every kind: it says which argument is wrong and what it may be, by an error with
// a code. The list of functions is taken from the package itself, so that a new one has to be added here.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as btf from '../src/btf.ts'
import * as catalogs from '../src/catalog.ts'
import * as events from '../src/events.ts'
import * as fleet from '../src/fleet.ts'
import * as main from '../src/index.ts'
import { CAPTURE, fixtureBytes, fixturePath } from './fixtures.ts'

const EDGE = fixturePath('edge/edge.kallsyms')
const folder = mkdtempSync(join(tmpdir(), 'kerndex-arguments-'))

/** Values of every kind that a program without types may pass. */
const ZOO: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  5,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  5n,
  -1n,
  2n ** 64n,
  '',
  'x',
  'a\0b',
  Symbol('x'),
  () => {},
  [],
  [1],
  [null],
  ['x'],
  {},
  { zzz: 1 },
  Object.create(null),
  new Date(0),
  new Map(),
  new Uint8Array(4),
  new Float64Array(4),
  new BigUint64Array(2),
  new Uint32Array(1),
  new ArrayBuffer(8),
  /x/,
  new URL('https://example.org/'),
]

/** What an argument may be: a value that is right, and which of the zoo are right as well. */
interface Kind {
  readonly good: () => unknown
  readonly takes: (value: unknown) => boolean
  /** The options, where it is an object of those. */
  readonly options?: Readonly<Record<string, Kind>>
  /** Where right values do something, they are not tried. */
  readonly quiet?: boolean
}

const kind = (good: unknown, takes: (value: unknown) => boolean = () => false): Kind => ({ good: () => good, takes })
/** A value that only the library makes. */
const made = (good: () => unknown): Kind => ({ good, takes: () => false })
const text = kind('f_global', (value) => typeof value === 'string')
const name = kind('vmlinux', (value) => typeof value === 'string' && value !== '')
const number = kind(1, (value) => typeof value === 'number' && !Number.isNaN(value))
/** Looked at more closely only where it decides what is read. */
const anyNumber = kind(1, (value) => typeof value === 'number')
const count = kind(1, (value) => typeof value === 'number' && Number.isInteger(value) && value >= 0)
const bigint = kind(1n, (value) => typeof value === 'bigint')
const address = kind(0xffffffff81000018n, (value) => typeof value === 'bigint' && value >= 0n && value < 2n ** 64n)
const flag = kind(true, (value) => typeof value === 'boolean')
const fn = kind(
  () => {},
  (value) => typeof value === 'function',
)
const bytes = (good: () => unknown): Kind => ({ good, takes: (value) => value instanceof Uint8Array, quiet: true })
const path = (good: unknown): Kind => ({
  good: () => good,
  takes: (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
  quiet: true,
})
const signal = kind(new AbortController().signal)
const choice = (word: string) => kind(word)
const names = kind(['x'], (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'))
const pattern = kind('f_*', (value) => typeof value === 'string' || value instanceof RegExp)
const optional = (inner: Kind): Kind => ({ ...inner, takes: (value) => value === undefined || inner.takes(value) })
/** An object of options, which need not be given unless one of them has to be. */
const bag = (
  options: Readonly<Record<string, Kind>>,
  given: Readonly<Record<string, unknown>> = {},
  needed = false,
): Kind => ({
  good: () => ({ ...given }),
  takes: (value) =>
    (value === undefined && !needed) ||
    (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0),
  options,
  quiet: true,
})

let kernel: main.Kernel
let types: main.Types
let local: main.OpenedFile
let catalog: catalogs.Catalog
let build: catalogs.BuildSymbols | undefined
let history: catalogs.HostHistory
let layoutBytes: Buffer

const table = made(() => kernel.symbols)
const set = made(() => types.requireSet('vmlinux'))
const snapshot = made(() => kernel.snapshot())
const list = (good: () => unknown): Kind => ({ good, takes: (value) => Array.isArray(value) && value.length === 0 })
const frame = events.rawFrame({ address: 0xffffffff81000018n })
const profile = new events.Profile()
const facts = kind({ title: 'x', weighing: 'measured' })
const cache = new events.ProcessCache()
const birth = { pid: 7, startTs: 1n, flags: 'x' }
const entry = cache.add(birth, undefined)
const addresses = kind(new BigUint64Array(2), (value) => value instanceof BigUint64Array)
const bulk = bag({ signal })
const structId: Kind = {
  good: () => types.require('task_struct', { kind: 'struct' }).id,
  takes: (value) => typeof value === 'number',
}
const inModule = bag({ module: name })
const id: Kind = kind(1, (value) => count.takes(value) && (value as number) < kernel.symbols.size)
const bootFacts = bag({ bootId: text, release: text, stext: bigint })
const stream = made(async function* () {
  yield Buffer.from('ffffffff81000018\n')
})
/** Iterables are looked into only as they are walked through. */
const many = (good: () => unknown): Kind => ({
  good,
  takes: (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
  quiet: true,
})

/** A function's arguments, and what it is called on where that is not the value itself. */
interface Call {
  readonly args: readonly Kind[]
  readonly on?: () => unknown
}

const call = (...args: readonly Kind[]): Call => ({ args })
const methods = (on: () => unknown, calls: Readonly<Record<string, readonly Kind[]>>): Record<string, Call> =>
  Object.fromEntries(Object.entries(calls).map(([method, args]) => [method, { args, on }]))

const find = bag({ kind: choice('struct'), module: name })
const byName = bag({ owner: name, suffixes: flag })
const atOptions = bag({ kinds: choice('TEXT'), maxOffset: number })
const into = made(() => undefined)

/** A type in C: of the zoo only `x` and names that end early. */
const typeText: Kind = kind('int', (value) => typeof value === 'string' && value !== '')
const parameter: Kind = kind(1, (value) => count.takes(value) && (value as number) > 0)
const byType = bag({ takes: typeText, as: parameter, returns: typeText, name: text, module: name }, { takes: 'int' })

const contentKey = kind('ab'.repeat(32))
/** Which `x` is as well. */
const jobName = kind('job', (value) => value === 'x')
const someBytes = bytes(() => Buffer.from('x'))
const job: fleet.Job = {
  name: 'job',
  table: 'ab'.repeat(32),
  pieces: 'addresses',
  product: 'ids',
  input: 'addresses',
  mode: 'return',
  boot: {},
  prefix: 'comm',
  kernelMark: false,
  userAddresses: false,
  sample: '',
  opened: new Date(0).toISOString(),
}
const sent = kind({ pieces: 1, events: 1, bad: 0, digest: 'x' })
const piece = kind({ job: 'job', number: 0, bytes: new Uint8Array(4) })
const answer = kind({ job: 'job', number: 0, bytes: new Uint8Array(4), counts: {} })
const letter = kind({ job: 'job', number: 0, bytes: new Uint8Array(4), reason: 'x', attempts: 1 })
const queue = kind(new fleet.MemoryQueue())
const store = kind(new fleet.MemoryStore())
const progress = kind({ job, answered: new Set() })
const partition: Kind = kind(1, (value) => count.takes(value) && (value as number) < fleet.PARTITIONS)
const positive: Kind = kind(1, (value) => count.takes(value) && (value as number) > 0)
/** What a queue takes and what a store does, whichever it is. */
const queueMethods = (name: string) => ({
  [`${name}#openJob`]: [kind(job)],
  [`${name}#closeJob`]: [kind(job), sent],
  [`${name}#job`]: [jobName],
  [`${name}#jobs`]: [],
  [`${name}#submit`]: [piece, contentKey],
  [`${name}#waiting`]: [],
  [`${name}#take`]: [partition],
  [`${name}#answer`]: [answer],
  [`${name}#bury`]: [letter],
  [`${name}#answered`]: [jobName],
  [`${name}#buried`]: [jobName],
  [`${name}#answerOf`]: [jobName, count],
  [`${name}#letterOf`]: [jobName, count],
  [`${name}#forget`]: [jobName],
  [`${name}#close`]: [],
})
const storeMethods = (name: string) => ({
  [`${name}#has`]: [contentKey],
  [`${name}#get`]: [contentKey],
  [`${name}#put`]: [contentKey, someBytes],
  [`${name}#list`]: [],
  [`${name}#remove`]: [contentKey],
  [`${name}#sweep`]: [count],
  [`${name}#close`]: [],
})
/** One that was never connected: arguments are checked before anything is asked of the broker. */
const unconnected = (made: { readonly prototype: object }) => () => Object.create(made.prototype)
const quietly = (calls: Readonly<Record<string, readonly Kind[]>>) =>
  Object.fromEntries(Object.entries(calls).map(([name, args]) => [name, args.map((arg) => ({ ...arg, quiet: true }))]))

const FUNCTIONS: Readonly<Record<string, Call>> = {
  alignOf: call(set, number),
  attachAll: call(
    many(() => []),
    fn,
  ),
  attachKernel: call(made(() => kernel.handle())),
  checkBtf: call(
    made(() => local.bytes),
    bag({ base: made(() => local.base), strict: flag, object: flag }),
  ),
  checkObject: call(
    bytes(() => fixtureBytes('btf/core/fields.clang14.bpfel.o.br')),
    made(() => types),
  ),
  compareSnapshots: call(snapshot, snapshot),
  decodeName: call(kind(Buffer.from('abc')), anyNumber, anyNumber),
  decodeType: call(set, anyNumber),
  detectFormat: call(text, flag),
  diffLines: call(kind(profile), kind(profile), optional(choice('events'))),
  diffTypes: call(
    made(() => types),
    made(() => types),
    bag({ name, kind: choice('struct'), module: name }, { name: 'task_struct' }),
  ),
  differenceOf: call(table, table),
  dumpC: call(
    set,
    bag(
      {
        order: choice('ids'),
        roots: kind([1], (value) => Array.isArray(value) && value.every((each) => count.takes(each))),
      },
      { roots: [1] },
    ),
  ),
  dumpModulesC: call(
    list(() => [types.requireSet('vmlinux')]),
    bag({ order: choice('ids') }),
  ),
  dumpRaw: call(set),
  encodeName: call(text),
  errorFromRecord: call({ ...made(() => ({})), takes: (value) => typeof value === 'object' && value !== null }),
  errorToRecord: call(kind(new Error('x'), () => true)),
  findSlide: call(
    made(() => build),
    many(() => []),
  ),
  firefoxJson: call(kind(profile), facts),
  flameGraphHtml: call(kind(profile), facts, optional(kind(profile))),
  flameSvg: call(kind(profile), facts, optional(kind(profile))),
  foldedLines: call(kind(profile), optional(choice('events'))),
  formatAddress: call(bigint),
  frameInWords: call(made(() => new events.StackResolver(kernel.symbols).resolve([frame], 'pc-first')[0])),
  inputFormat: call(choice('addresses')),
  isEnumType: call(made(() => ({ kind: 'ENUM64' }))),
  isModifier: call(anyNumber),
  judgeBoot: call(bootFacts, bootFacts, table),
  judgeByWitnesses: call(
    many(() => [frame]),
    table,
  ),
  layoutOf: call(set, structId),
  memberAt: call(set, structId, number),
  openCache: call(bag({ directory: path(folder), maxBytes: number }, { directory: folder })),
  openCatalog: call(bag({ directory: path(folder), maxBytes: number }, { directory: folder })),
  openElf: call(
    { ...path(fixturePath('elf/none')), takes: (value) => typeof value === 'string' || value instanceof Uint8Array },
    bag({ table: choice('all'), signal }),
  ),
  openKernel: call({
    ...bag({
      from: path(EDGE),
      layout: made(() => catalogs.parseLayout(layoutBytes)),
      catalog: path(folder),
      cache: kind(false, (value) => typeof value === 'boolean' || emptyObject(value)),
      threads: kind(0, (value) => count.takes(value) && (value as number) <= 256),
      symbols: choice('all'),
      modules: names,
      types: kind(false, (value) => typeof value === 'boolean'),
      ready: choice('symbols'),
      probes: flag,
      signal,
      onProgress: fn,
    }),
    takes: (value) => value === undefined || emptyObject(value) || typeof value === 'string',
  }),
  openTypeFile: call(path(fixturePath('none')), optional(path(fixturePath('none'))), bag({ signal })),
  openTypes: call({
    ...bag({ from: path(EDGE), modules: names, threads: count, signal }, { from: CAPTURE, modules: [] }),
    takes: (value) => value === undefined || emptyObject(value) || typeof value === 'string',
  }),
  packNames: call(names),
  parseAddress: call(text),
  parseLayout: call(bytes(() => layoutBytes)),
  parseSpec: call(text),
  pointerSize: call(set),
  printLayout: call(set, structId),
  processJson: call(made(() => entry.snapshot)),
  rawFrame: call({ ...made(() => ({})), takes: (value) => typeof value === 'object' && value !== null }),
  readEvents: call(
    stream,
    made(() => events.inputFormat('addresses')),
    optional(fn),
  ),
  readLayout: call(path(fixturePath('none'))),
  runStream: call(
    stream,
    snapshot,
    choice('text'),
    bag(
      {
        input: text,
        mode: choice('RAW'),
        threads: kind(0, (value) => count.takes(value) && (value as number) <= 256),
        boot: bootFacts,
        folding: bag({ kernelMark: flag, userAddresses: flag, prefix: choice('comm'), addresses: flag, samples: flag }),
        filter: bag({ comms: names, pids: list(() => []), from: bigint }),
        strict: flag,
        passthrough: flag,
        signal,
      },
      { threads: 0 },
    ),
  ),
  saveSnapshot: call(snapshot, path(join(folder, 'snapshot')), bag({ replace: flag, signal }, { replace: true })),
  scanProc: call(optional(path('/nowhere'))),
  placeEvent: call(
    kind({ type: 'kprobe', strange: false, frames: [] }),
    made(() => new events.ProcessCache()),
  ),
  seedCache: call(
    made(() => new events.ProcessCache()),
    list(() => []),
    bag({ offsetNs: bigint, slackNs: bigint }),
  ),
  addRunning: call(
    made(() => new events.ProcessCache()),
    kind({ stat: { pid: 7, ppid: 1 }, birth }),
    bag({ offsetNs: bigint, slackNs: bigint }),
  ),
  clockOffset: call(choice('boot'), optional(path('/proc'))),
  parseTraceClock: call(text),
  readRunning: call(anyNumber, optional(path('/nowhere'))),
  sizeOf: call(set, number),
  skipModifiers: call(set, number),
  snapshotInfo: call(path(fixturePath('none'))),
  pprofBytes: call(kind(profile), facts),
  outputOf: call(choice('folded')),
  speedscopeJson: call(kind(profile), facts),
  treeLines: call(list(() => cache.entries())),
  dumpLines: call(
    list(() => cache.entries()),
    bag({ heldOnly: flag }),
  ),
  writeCapture: call(
    path(join(folder, 'capture')),
    bag({ from: path(CAPTURE), replace: flag, signal, onFile: fn }, { from: '/nowhere' }),
  ),
  writeLayout: call(
    path(join(folder, 'layout')),
    bag({ from: path(CAPTURE), generation: count, replace: flag, signal }, { from: '/nowhere' }),
  ),

  'new Enricher': call(
    kind(cache),
    bag(
      {
        wait: bag({ waitNs: bigint, most: count }),
        generation: number,
        output: choice('NDJSON'),
        ancestors: flag,
      },
      { generation: 1, output: 'ndjson' },
      true,
    ),
  ),
  'new ProcessCache': call(bag({ capacity: count, node: text, intervalNs: bigint })),
  'new ProcessCounters': call(),
  'new PieceResolver': call(
    snapshot,
    bag(
      { input: choice('addresses'), product: choice('TEXT'), memory: count, strict: flag },
      { input: 'addresses', product: 'text' },
      true,
    ),
  ),
  'new StackMerger': call(
    bag(
      { input: choice('PERF-SCRIPT'), prefix: choice('COMM'), memory: count, strict: flag },
      { input: 'perf-script' },
      true,
    ),
  ),
  'new Profile': call(optional(text), optional(text)),
  'new Profiles': call(),
  'new Relocator': call(
    set,
    made(() => types),
  ),
  'new StackResolver': call(table, bag({ mode: choice('RAW'), rebase: made(() => undefined), trust: choice('table') })),
  'new SymbolTable': call(
    made(() => kernel.symbols.buffer),
    optional(list(() => [])),
  ),

  addressLine: call(kind({ address: 1n, words: undefined, offset: 0 })),
  addressRows: call(someBytes, optional(table)),
  answersOf: call(queue, progress),
  cleanFleet: call(queue, store, bag({ olderThanMs: count, unfinished: flag }, { olderThanMs: 1 }, true)),
  decodeAddresses: call(someBytes),
  decodeJob: call(someBytes),
  decodeProfile: call(someBytes),
  encodeJob: call(kind(job)),
  encodePlaced: call(kind({ builds: 'ab'.repeat(32), layout: new Uint8Array(1) })),
  encodeProfile: call(list(() => [])),
  keyOf: call(bytes(() => new Uint8Array(1))),
  partitionOf: call(contentKey),
  profileOf: call(queue, progress),
  progressOf: call(queue, jobName),
  submitJob: call(
    queue,
    stream,
    bag(
      {
        table: contentKey,
        job: jobName,
        product: choice('ids'),
        input: text,
        mode: choice('RAW'),
        boot: bag({ bootId: text, release: text, stext: text }),
        prefix: choice('comm'),
        kernelMark: flag,
        userAddresses: flag,
        pieceBytes: kind(1024),
        atOnce: positive,
        signal,
        onJob: fn,
        onWait: fn,
      },
      { table: 'ab'.repeat(32) },
      true,
    ),
  ),
  'new DirectoryStore': call(path(folder)),
  'new HttpStore': call(kind('http://127.0.0.1:1/'), optional(text)),
  'new MemoryQueue': call(
    bag({
      mostBytes: count,
      room: kind(1, (value) => value === Number.POSITIVE_INFINITY || count.takes(value)),
      takenMs: count,
      now: fn,
    }),
  ),
  'new MemoryStore': call(),
  'new Resolving': call(),
  'new Tables': call(
    store,
    bag({ directory: path(folder), open: positive, bytes: count, stallMs: positive }, { directory: folder }),
  ),
  'new Worker': call(
    queue,
    made(() => new fleet.Tables(new fleet.MemoryStore())),
    bag({ signal, idleMs: count, tableAttempts: count, attempts: count, delayMs: count, onFailure: fn }),
  ),
  'NatsQueue.open': call(
    bag({
      servers: names,
      user: text,
      passwordFile: path(folder),
      tokenFile: path(folder),
      nkeyFile: path(folder),
      credsFile: path(folder),
      tlsCa: path(folder),
      tlsCert: path(folder),
      tlsKey: path(folder),
      signal,
      prefix: jobName,
      replicas: kind(1, (value) => value === 5),
      queueBytes: kind(1 << 16),
      resultBytes: kind(1 << 16),
      keepMs: kind(60_000),
      takenMs: kind(60_000),
    }),
  ),
  'NatsObjectStore.open': call(made(unconnected(fleet.NatsQueue)), {
    ...optional(kind(1, (value) => value === 5)),
    quiet: true,
  }),
  ...methods(() => queue.good(), queueMethods('MemoryQueue')),
  ...methods(unconnected(fleet.NatsQueue), quietly({ ...queueMethods('NatsQueue'), 'NatsQueue#durability': [] })),
  ...methods(() => store.good(), { ...storeMethods('MemoryStore'), 'MemoryStore#sweep': [] }),
  ...methods(() => new fleet.DirectoryStore(folder), storeMethods('DirectoryStore')),
  ...methods(() => new fleet.HttpStore('http://127.0.0.1:1/'), {
    ...storeMethods('HttpStore'),
    'HttpStore#sweep': [],
  }),
  ...methods(unconnected(fleet.NatsObjectStore), quietly(storeMethods('NatsObjectStore'))),
  ...methods(() => new fleet.Tables(new fleet.MemoryStore()), {
    'Tables#onClose': [fn],
    'Tables#isOpen': [contentKey],
    'Tables#table': [contentKey],
    'Tables#close': [],
  }),
  ...methods(() => new fleet.Worker(new fleet.MemoryQueue(), new fleet.Tables(new fleet.MemoryStore())), {
    'Worker#run': [],
  }),
  ...methods(() => new fleet.Resolving(), {
    'Resolving#resolve': [kind(job), piece, snapshot],
    'Resolving#forget': [snapshot],
  }),

  ...methods(() => kernel, {
    'Kernel#ready': [optional(choice('SYMBOLS')), bulk],
    'Kernel#verified': [],
    'Kernel#toJSON': [],
    'Kernel#toString': [],
    'Kernel#snapshot': [],
    'Kernel#handle': [],
    'Kernel#findMany': [addresses, bulk],
    'Kernel#startingAtMany': [addresses, bulk],
    'Kernel#namedMany': [names, bulk],
    'Kernel#matching': [pattern, bag({ signal, owner: pattern })],
    'Kernel#refresh': [],
    'Kernel#subscribe': [fn],
    'Kernel#watch': [
      bag(
        {
          intervalMs: kind(10, (value) => typeof value === 'number' && value >= 10 && value < 2 ** 31),
          refreshes: kind(0, (value) => value === Number.POSITIVE_INFINITY || count.takes(value)),
          signal,
        },
        { intervalMs: 10, refreshes: 0 },
        true,
      ),
    ],
    'Kernel#close': [],
  }),
  ...methods(() => kernel.snapshot(), {
    'Snapshot#fact': [text],
    'Snapshot#memory': [address, count],
    'Snapshot#handle': [],
    'Snapshot#toJSON': [],
    'Snapshot#toString': [],
  }),
  ...methods(() => kernel.symbols.at(kernel.symbols.get(3).address), {
    'SymbolMatch#toJSON': [],
    'SymbolMatch#toString': [],
  }),
  ...methods(() => new main.Change(kernel.snapshot(), kernel.snapshot()), {
    'Change#toJSON': [],
    'Change#toString': [],
  }),
  ...methods(() => catalog, {
    'Catalog#add': [optional(path(CAPTURE)), bag({ signal })],
    'Catalog#list': [],
    'Catalog#export': [
      path(join(folder, 'all.tar.gz')),
      bag({ buildIds: names, replace: flag, signal }, { replace: true }),
    ],
    'Catalog#import': [path(fixturePath('none')), bag({ signal })],
    'Catalog#remove': [text],
    'Catalog#prune': [{ ...kind(2 ** 40, (value) => typeof value === 'number' && value >= 0), quiet: true }],
    'Catalog#build': [text, bag({ signal })],
    'Catalog#placeAll': [list(() => [catalogs.parseLayout(layoutBytes)]), bag({ signal })],
    'Catalog#place': [made(() => catalogs.parseLayout(layoutBytes)), bag({ signal })],
  }),
  ...methods(() => history, {
    'HostHistory#at': [kind(new Date(0), (value) => value instanceof Date)],
    'HostHistory#find': [address, kind(new Date(0), (value) => value instanceof Date)],
  }),
  ...methods(() => build, {
    'BuildSymbols#at': [
      kind(1, (value) => typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))),
    ],
    'BuildSymbols#elf': [],
    'BuildSymbols#named': [text],
  }),
  ...methods(() => kernel.probes, {
    'Probes#plan': [
      { ...text, takes: (value) => typeof value === 'string' || names.takes(value) },
      bag(
        {
          looseSuffix: flag,
          ambiguous: choice('ALL'),
          args: names,
          multi: flag,
          allow: list(() => []),
          takes: typeText,
          as: parameter,
          returns: typeText,
        },
        { takes: 'int' },
      ),
    ],
    'Probes#prepare': [],
    'Probes#preparation': [],
    'Probes#toJSON': [],
    'Probes#toString': [],
    'Probes#suffixes': [],
  }),
  ...methods(() => kernel.symbols.get(0), { 'KernelSymbol#toJSON': [], 'KernelSymbol#toString': [] }),
  ...methods(() => [...types.functions('vfs_read')][0], { 'KernelFunction#toJSON': [], 'KernelFunction#toString': [] }),
  ...methods(() => kernel.symbols, {
    'SymbolTable#census': [],
    'SymbolTable#toJSON': [],
    'SymbolTable#toString': [],
    'SymbolTable#get': [id],
    'SymbolTable#range': [address, address],
    'SymbolTable#lowerBound': [address],
    'SymbolTable#at': [address, atOptions],
    'SymbolTable#reasonFor': [address],
    'SymbolTable#startingAt': [address],
    'SymbolTable#ownerAt': [address],
    'SymbolTable#named': [text, byName],
    'SymbolTable#require': [text, byName],
    'SymbolTable#requireStartingAt': [address],
    'SymbolTable#requireAt': [address, atOptions],
    'SymbolTable#matching': [pattern, bag({ owner: pattern })],
    'SymbolTable#idsMatching': [pattern, optional(pattern), count, count],
    'SymbolTable#scan': [text, bag({ owner: name, kinds: choice('data') })],
    'SymbolTable#idsNamed': [kind(Buffer.from('f_global'), (value) => value instanceof Uint8Array)],
    'SymbolTable#namedMany': [
      names,
      optional(kind(0, (value) => value === 0)),
      optional(kind(1, (value) => value === 0)),
    ],
    'SymbolTable#startingAtMany': [addresses, optional(into)],
    'SymbolTable#findMany': [addresses, optional(into)],
    'SymbolTable#nameOf': [id],
    'SymbolTable#addressOf': [id],
    'SymbolTable#typeOf': [id],
    'SymbolTable#ownerOf': [id],
    'SymbolTable#isAlone': [id, count],
    'SymbolTable#sizeOf': [id],
    'SymbolTable#isText': [id],
  }),
  ...methods(() => types.requireSet('vmlinux'), {
    'TypeSet#owner': [anyNumber],
    'TypeSet#position': [anyNumber],
    'TypeSet#word': [anyNumber, anyNumber],
    'TypeSet#kindNumberOf': [anyNumber],
    'TypeSet#vlenOf': [anyNumber],
    'TypeSet#flagOf': [anyNumber],
    'TypeSet#refOf': [anyNumber],
    'TypeSet#kindOf': [anyNumber],
    'TypeSet#locateName': [anyNumber],
    'TypeSet#nameAt': [anyNumber],
    'TypeSet#nameOf': [anyNumber],
    'TypeSet#nameEquals': [anyNumber, text],
    'TypeSet#nameAtEquals': [anyNumber, text],
    'TypeSet#nameStartsWith': [anyNumber, text],
    'TypeSet#countByKind': [],
    'TypeSet#toJSON': [],
    'TypeSet#toString': [],
    'TypeSet#idsNamed': [text, optional(choice('struct'))],
    'TypeSet#idsInOrder': [text],
  }),
  ...methods(() => types, {
    'Types#set': [text],
    'Types#requireSet': [kind('vmlinux', (value) => typeof value === 'string')],
    'Types#find': [text, find],
    'Types#findEssential': [text, find],
    'Types#require': [text, find],
    'Types#get': [number, inModule],
    'Types#member': [text, inModule],
    'Types#members': [text, inModule],
    'Types#requireMember': [text, inModule],
    'Types#functions': [{ ...byType, takes: (value) => typeof value === 'string' || emptyObject(value) }, inModule],
    'Types#users': [{ ...name, good: () => 'task_struct' }, inModule],
    'Types#withMember': [name, bag({ type: typeText, module: name })],
    'Types#knows': [typeText],
    'Types#toJSON': [],
    'Types#toString': [],
    'Types#adoptUsers': [made(() => new SharedArrayBuffer(8))],
  }),
  ...methods(() => new events.Enricher(cache, { generation: 1, output: 'ndjson' }), {
    'Enricher#push': [made(() => ({ type: [] }))],
    'Enricher#begin': [],
    'Enricher#end': [],
  }),
  ...methods(() => cache, {
    'ProcessCache#find': [anyNumber, optional(bigint)],
    'ProcessCache#knows': [anyNumber],
    'ProcessCache#knowsImage': [text],
    'ProcessCache#at': [anyNumber, bigint],
    'ProcessCache#thread': [anyNumber, optional(bigint)],
    'ProcessCache#describe': [kind({ ...birth, execId: 'eA==' }), list(() => [])],
    'ProcessCache#renameThread': [anyNumber, text],
    'ProcessCache#groupOf': [anyNumber],
    'ProcessCache#knownGroup': [anyNumber],
    'ProcessCache#isSettled': [anyNumber],
    'ProcessCache#retract': [kind(entry)],
    'ProcessCache#lose': [optional(bigint), anyNumber],
    'ProcessCache#mayBeStale': [kind(entry)],
    'ProcessCache#isOfOldClock': [kind(entry)],
    'ProcessCache#setBack': [],
    'ProcessCache#learnThread': [anyNumber, anyNumber, optional(bigint), optional(text), optional(flag)],
    'ProcessCache#isGuessedThread': [anyNumber, optional(bigint)],
    'ProcessCache#becameBy': [kind(entry), optional(bigint)],
    'ProcessCache#dropThread': [anyNumber, anyNumber, optional(bigint)],
    'ProcessCache#add': [kind(birth), optional(kind(entry))],
    'ProcessCache#fork': [kind(birth), optional(kind(entry)), flag],
    'ProcessCache#exec': [kind(birth), optional(kind(entry))],
    'ProcessCache#exit': [kind(entry), optional(bigint)],
    'ProcessCache#rename': [kind(entry), text, optional(bigint)],
    'ProcessCache#snapshotFor': [kind(entry), anyNumber, optional(bigint)],
    'ProcessCache#advance': [bigint],
    'ProcessCache#tick': [],
    'ProcessCache#restart': [bigint],
    'ProcessCache#entries': [],
  }),
  ...methods(() => cache.counters, { 'ProcessCounters#families': [] }),
  ...methods(() => profile, {
    'Profile#add': [many(() => ['x']), bigint, optional(kind(1, (value) => Number.isSafeInteger(value)))],
    'Profile#merge': [made(() => ({ frames: [], parents: [], nodes: [], weights: [], counts: [] }))],
    'Profile#total': [optional(choice('events'))],
    'Profile#unit': [optional(choice('events'))],
    'Profile#folded': [optional(choice('events'))],
    'Profile#samples': [],
    'Profile#stacks': [],
    'Profile#inverted': [],
  }),
  ...methods(() => new events.Profiles(), { 'Profiles#merge': [list(() => [])] }),
  ...methods(() => new events.PieceResolver(kernel.snapshot(), { input: 'addresses', product: 'text' }), {
    'PieceResolver#run': [bytes(() => Buffer.from('ffffffff81000018\n'))],
    'PieceResolver#forget': [],
  }),
  ...methods(() => new events.StackMerger({ input: 'perf-script' }), {
    'StackMerger#add': [bytes(() => Buffer.from('ffffffff81000018\n'))],
    'StackMerger#take': [count],
  }),
  ...methods(() => new btf.Relocator(types.requireSet('vmlinux'), types), {
    'Relocator#relocate': [kind({ kind: 'type_size', typeId: 1, access: '0' })],
  }),
  ...methods(() => new events.StackResolver(kernel.symbols), {
    'StackResolver#resolve': [list(() => [frame]), choice('PC-FIRST')],
    'StackResolver#each': [list(() => [frame]), choice('RETURNS'), fn],
  }),
}

/** Classes whose objects only the library makes: programs get them from lookups, and need the class for `instanceof`. */
const MADE = new Set([
  'BuildSymbols',
  'Catalog',
  'HostHistory',
  'Change',
  'Kernel',
  'KernelFunction',
  'KernelSymbol',
  'NatsObjectStore',
  'NatsQueue',
  'Reader',
  'Snapshot',
  'SymbolMatch',
  'TypeSet',
  'Types',
])

function emptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
}

/** All public functions and methods: by name, what to call with arguments. */
function publicFunctions(): Map<string, (...args: readonly unknown[]) => unknown> {
  const found = new Map<string, (...args: readonly unknown[]) => unknown>()
  const methodsOf = (name: string, prototype: object) => {
    for (const method of Object.getOwnPropertyNames(prototype)) {
      const value: unknown = Object.getOwnPropertyDescriptor(prototype, method)?.value
      if (method === 'constructor' || typeof value !== 'function') continue
      const key = `${name}#${method}`
      found.set(key, (...args) => Reflect.apply(value, FUNCTIONS[key]?.on?.(), args))
    }
  }
  for (const [name, value] of [main, btf, events, catalogs, fleet].flatMap((entry): [string, unknown][] =>
    Object.entries(entry),
  )) {
    if (typeof value !== 'function') continue
    if (!/^class\b/.test(Function.prototype.toString.call(value))) {
      found.set(name, (...args) => Reflect.apply(value, undefined, args))
      continue
    }
    if (value.prototype instanceof Error) continue
    if (!MADE.has(name)) found.set(`new ${name}`, (...args) => Reflect.construct(value, args))
    for (const fixed of Object.getOwnPropertyNames(value)) {
      const method: unknown = Reflect.get(value, fixed)
      if (typeof method !== 'function') continue
      found.set(`${name}.${fixed}`, (...args) => Reflect.apply(method, value, args))
    }
    methodsOf(name, value.prototype)
  }
  methodsOf('Probes', Object.getPrototypeOf(kernel.probes))
  return found
}

/** What comes of a call: what was thrown, also later or only when it is walked through. */
async function thrownBy(run: () => unknown): Promise<unknown> {
  try {
    const result = await run()
    if (typeof result === 'object' && result !== null && 'next' in result) {
      const steps = result as AsyncGenerator // Or one that answers at once, which `await` takes as well.
      await steps.next()
      await steps.return?.(undefined)
    }
    return undefined
  } catch (error) {
    return error
  }
}

const shown = (value: unknown) =>
  typeof value === 'object' && value !== null ? Object.prototype.toString.call(value) : String(value)

beforeAll(async () => {
  kernel = await main.openKernel({ from: EDGE, threads: 0, types: false })
  types = (await main.openTypes({ from: CAPTURE })).types
  catalog = await catalogs.openCatalog({ directory: join(folder, 'catalog') })
  build = await catalog.build((await catalog.add(CAPTURE)).buildId)
  await catalogs.writeLayout(join(folder, 'given.layout'), { from: CAPTURE })
  layoutBytes = readFileSync(join(folder, 'given.layout'))
  history = await catalog.placeAll([catalogs.parseLayout(layoutBytes)])
  local = await main.openTypeFile(fixturePath('debian-6.1-amd64/btf/vmlinux.gz'))
}, 120_000)
afterAll(async () => {
  await kernel.close()
  rmSync(folder, { recursive: true })
})

describe('wrong arguments', () => {
  it('are known of every public function', () => {
    expect([...publicFunctions().keys()].filter((name) => !(name in FUNCTIONS))).toEqual([])
    expect(Object.keys(FUNCTIONS).filter((name) => !publicFunctions().has(name))).toEqual([])
  })

  it('are refused, each by an error with a code', async () => {
    const failures: string[] = []
    const check = async (where: string, run: () => unknown, refused: boolean, word?: string) => {
      const error = await thrownBy(run)
      const code = error instanceof main.KerndexError ? error.code : undefined
      if (error !== undefined && code === undefined) failures.push(`${where}: throws ${String(error)} without a code`)
      else if (refused && code !== 'USAGE') failures.push(`${where}: ${code ?? 'is taken'}, not USAGE`)
      else if (refused && word !== undefined && !(error as Error).message.includes(word)) {
        failures.push(`${where}: does not name ${word}: ${(error as Error).message}`)
      }
    }
    for (const [name, run] of publicFunctions()) {
      const { args } = FUNCTIONS[name] ?? call()
      if (name === 'Kernel#close') continue
      for (const [at, { takes, quiet, options }] of args.entries()) {
        const with_ = (value: unknown) => () => run(...args.map(({ good }, i) => (i === at ? value : good())))
        for (const value of ZOO) {
          if (takes(value) && quiet) continue
          await check(`${name} [${at}] ${shown(value)}`, with_(value), !takes(value))
        }
        if (options === undefined) continue
        const good = args[at]!.good() as object
        const [first = 'x'] = Object.keys(options)
        await check(`${name} { ${first}z }`, with_({ ...good, [`${first}z`]: 1 }), true, `did you mean "${first}"`)
        for (const [option, inner] of Object.entries(options)) {
          for (const value of ZOO) {
            if (value === undefined || inner.takes(value)) continue
            await check(`${name} { ${option}: ${shown(value)} }`, with_({ ...good, [option]: value }), true, option)
          }
        }
      }
    }
    expect(failures).toEqual([])
  }, 120_000)

  it('that are missing are refused as well', async () => {
    const failures: string[] = []
    for (const [name, run] of publicFunctions()) {
      if (name === 'Kernel#close') continue
      const { args } = FUNCTIONS[name] ?? call()
      if (args.every(({ takes }) => takes(undefined))) continue
      const error = await thrownBy(() => run())
      if (!(error instanceof main.KerndexError)) failures.push(`${name}(): ${String(error)}`)
    }
    expect(failures).toEqual([])
  })
})

describe('what is unmistakable', () => {
  it('is taken: paths and URLs, kinds in any case', async () => {
    for (const from of [EDGE, pathToFileURL(EDGE), { from: pathToFileURL(EDGE), threads: 0 }] as const) {
      const opened = await main.openKernel(from)
      expect(opened.host.source).toBe(EDGE)
      await opened.close()
    }
    expect((await main.openTypes(pathToFileURL(CAPTURE))).types.size).toBe(types.size)
    expect(types.find('task_struct', { kind: 'struct' })).toEqual(types.find('task_struct', { kind: 'STRUCT' }))
    expect(types.find('task_struct', { kind: 'struct' })).toHaveLength(1)
    expect(kernel.symbols.at(0xffffffff82000004n, { kinds: 'data' })?.symbol.name).toBe('data_sym')
    expect(main.parseSpec('KPROBE:foo').kind).toBe('kprobe')
  })

  it('is not guessed at where it is no more than likely', async () => {
    const open = (options: object) => main.openKernel(options)
    await expect(open({ form: EDGE })).rejects.toThrow('openKernel has no option "form"; did you mean "from"?')
    await expect(open({ from: EDGE, modules: 'nf_tables' })).rejects.toThrow('modules must be a list of names')
    await expect(open({ from: EDGE, cache: { dir: 'x' } })).rejects.toThrow('cache has no option "dir"')
    expect(() => kernel.symbols.findMany([1n] as never)).toThrow('BigUint64Array.from')
    const short = { ids: new Uint32Array(1), offsets: new Uint32Array(2) }
    expect(() => kernel.symbols.findMany(new BigUint64Array(2), short)).toThrow(
      'ids must be a Uint32Array of at least 2',
    )
  })
})
