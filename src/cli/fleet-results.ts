// `kerndex fleet results JOB`: what came of a job, in the order of its input, or as one profile.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, Option } from 'commander'
import { formatAddress } from '../core/address.ts'
import { NotFoundError, UsageError } from '../core/errors.ts'
import { until } from '../core/until.ts'
import { foldedLines } from '../events/output/folded.ts'
import type { Output } from '../events/output/output.ts'
import { OUTPUTS, outputOf } from '../events/output/outputs.ts'
import { addressRows, answersOf, type JobProgress, lineOf, profileOf, progressOf } from '../fleet/results.ts'
import { Tables } from '../fleet/tables.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { Profile, Profiles, type Weighing } from '../stacks/profile.ts'
import { EXIT } from './exit.ts'
import { type Fleet, type FleetOptions, withFleet, withFleetOptions } from './fleet-open.ts'
import { interrupted } from './interrupt.ts'
import { note } from './output.ts'
import { writeProfile } from './profile.ts'
import { type Product, withProduct } from './stream.ts'
import { isTerminal } from './terminal.ts'

interface ResultOptions extends FleetOptions {
  readonly output?: string
  readonly to?: string
  readonly wait?: boolean
  readonly partial?: boolean
  readonly weight: Weighing
  readonly event?: readonly string[]
  readonly invert?: boolean
}

/** Outputs that are made of stacks and their weights alone. */
const profiles = () =>
  OUTPUTS.filter(
    ({ writer }) => writer !== undefined && writer.inputs === undefined && writer.folding?.samples !== true,
  )
const FIRST_LOOK_MS = 50
const LONGEST_LOOK_MS = 1_000

export function addResultsCommand(fleet: Command): void {
  withFleetOptions(
    fleet
      .command('results')
      .argument('<job>', 'name of the job')
      .description('what came of a job: in the order of its input, or as one profile')
      .addOption(
        new Option('--output <format>', 'of a profile; default folded').choices(profiles().map(({ name }) => name)),
      )
      .option('--to <file>', 'write to a file, which appears when it is whole, instead of stdout')
      .option('--wait', 'wait until every piece has an answer')
      .option('--partial', 'write what there is of a job that is not done')
      .option('--event <name...>', 'a profile is of one event, and the first if none is named')
      .option('--invert', 'profiles: innermost frame first, its callers behind it')
      .addOption(
        new Option('--weight <what>', 'profiles: what the tool measured, or the number of events')
          .choices(['measured', 'events'])
          .default('measured'),
      ),
  )
    .addHelpText(
      'after',
      `
Exit codes: 0 all of it, 1 there is no such job, it is not done, a piece was given up, or some kernel address has no symbol, 2 wrong
usage, 3 the broker cannot be reached or a file not written.

Examples:
  $ kerndex fleet results monday-42 --wait > stacks.folded
  $ kerndex fleet results monday-42 --output pprof --to profile.pb.gz
  $ kerndex fleet results addresses-7`,
    )
    .action(async (name: string, options: ResultOptions) => {
      process.exitCode = await withFleet(options, (fleet) => results(fleet, name, options))
    })
}

async function results(fleet: Fleet, name: string, options: ResultOptions): Promise<number> {
  const { queue } = fleet
  let progress = await progressOf(queue, name)
  for (
    let pause = FIRST_LOOK_MS;
    options.wait === true && !progress.done;
    pause = Math.min(pause * 2, LONGEST_LOOK_MS)
  ) {
    await until(sleep(pause), interrupted, 'the job')
    progress = await progressOf(queue, name)
  }
  const { job, pieces, answered, buried, done } = progress
  if (!done && options.partial !== true) {
    const of = pieces ?? 'an unknown number'
    note(
      `${answered.size} of ${of} pieces of ${name} have an answer: --wait waits for the rest, --partial does without`,
    )
    return EXIT.notFound
  }
  const output = job.product === 'profile' ? outputOf(options.output ?? 'folded') : undefined
  if (output === undefined && options.output !== undefined)
    throw new UsageError(`the job makes ${job.product}: --output is for profiles`)
  if (output?.file === true && options.to === undefined && isTerminal('stdout'))
    throw new UsageError(`--output ${output.name} is not for a terminal: name a file with --to, or send it on with >`)
  const totals = new Map<string, number>()
  await withProduct(options.to, true, async (product) => {
    if (output === undefined) await writeInOrder(fleet, progress, product, options, totals)
    else await writeMerged(fleet, progress, output, product, options)
  })
  const why: string[] = []
  if (buried.size > 0) why.push(`${buried.size} pieces were given up: kerndex fleet dead-letters ${name} says why`)
  const [unresolved = 0, bad = 0] = [totals.get('unresolved'), totals.get('bad')]
  if (unresolved > 0) why.push(`${unresolved} kernel frames have no symbol`)
  if (bad > 0) why.push(`${bad} lines were not understood`)
  if (!done) why.push('the job is not done')
  if (why.length === 0) return EXIT.ok
  note(why.join('; '))
  return EXIT.notFound
}

async function writeInOrder(
  fleet: Fleet,
  progress: JobProgress,
  product: Product,
  options: ResultOptions,
  totals: Map<string, number>,
): Promise<void> {
  const { job } = progress
  const write = async (snapshot: Snapshot | undefined) => {
    for await (const { bytes, counts } of answersOf(fleet.queue, progress)) {
      for (const [name, value] of Object.entries(counts)) totals.set(name, (totals.get(name) ?? 0) + value)
      if (job.pieces === 'records') {
        await product.write(bytes)
        continue
      }
      let text = ''
      for (const row of addressRows(bytes, snapshot?.symbols)) text += options.json ? rowJson(row) : lineOf(row)
      await product.write(text)
    }
  }
  if (job.product === 'ids') await withTable(fleet, job.table, write)
  else await write(undefined)
}

function rowJson({
  address,
  words,
  offset,
}: ReturnType<typeof addressRows> extends Generator<infer Row> ? Row : never) {
  const found =
    words === undefined ? { symbol: null } : { symbol: words.symbol, offset, size: words.size, owner: words.owner }
  return `${JSON.stringify({ address: formatAddress(address), ...found })}\n`
}

async function writeMerged(
  fleet: Fleet,
  progress: JobProgress,
  output: Output,
  product: Product,
  options: ResultOptions,
): Promise<void> {
  const profiles = await profileOf(fleet.queue, progress)
  if (output.name === 'folded' && options.event === undefined && options.invert !== true && profiles.all.length <= 1) {
    // The table is not needed for that.
    for (const line of foldedLines(profiles.all[0] ?? new Profile(), options.weight)) await product.write(line)
    return
  }
  const { to, weight, event, invert } = options
  const wanted = event === undefined ? profiles : only(profiles, event)
  const shown = output.writer?.folding?.addresses === true ? wanted : withoutAddresses(wanted)
  await withTable(fleet, progress.job.table, async (snapshot) => {
    for (const piece of writeProfile(output, [shown], [progress.job.name], [snapshot], { to, weight, event, invert }))
      await product.write(piece)
  })
}

/** The profiles of the events that are wanted. @throws NotFoundError if there are none */
function only(profiles: Profiles, events: readonly string[]): Profiles {
  const chosen = copied(
    profiles,
    (frame) => frame,
    (event) => event !== undefined && events.includes(event),
  )
  if (chosen.all.length > 0) return chosen
  const names = profiles.all.map(({ event }) => event ?? 'unnamed').join(', ')
  throw new NotFoundError(`the job has no event ${events.join(', ')}; it has ${names}`)
}

/** The same stacks with frames by their names: most outputs keep one frame for all addresses of a function. */
function withoutAddresses(profiles: Profiles): Profiles {
  return copied(profiles, (frame) => ({ ...frame, address: undefined }))
}

type ProfileFrame = Parameters<Profile['add']>[0] extends Iterable<infer Frame> ? Exclude<Frame, string> : never

function copied(
  profiles: Profiles,
  change: (frame: ProfileFrame) => ProfileFrame,
  wanted: (event: string | undefined) => boolean = () => true,
): Profiles {
  const copies = new Profiles()
  for (const profile of profiles.all.filter(({ event }) => wanted(event))) {
    const { event, time } = profile
    const unit = profile.unit()
    copies.merge([
      { event, unit, frames: [], parents: [], nodes: [], weights: [], counts: [], time, samples: undefined },
    ])
    const copy = copies.all.at(-1)
    for (const { frames, weight, count } of profile.stacks()) copy?.add(frames.map(change), weight, count)
  }
  return copies
}

/** Runs `use` with a job's table, fetched for that. */
async function withTable(fleet: Fleet, key: string, use: (snapshot: Snapshot) => Promise<void>): Promise<void> {
  const tables = new Tables(await fleet.store())
  try {
    await use(await tables.table(key))
  } finally {
    await tables.close()
  }
}
