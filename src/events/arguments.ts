// Checks of the arguments of readers of streams and writers of profiles, beside the checks that all of kerndex shares.

import { bigint, choice, count, flag, like, listOf, nested, type Options, text } from '../core/arguments.ts'
import { BOOT_FACTS } from '../stacks/boot.ts'
import type { LookupMode } from '../stacks/frame.ts'
import { WEIGHING } from '../stacks/profile.ts'
import { HOST_STATES } from '../stacks/states.ts'
import type { EventFilter } from './filter.ts'
import type { Folding } from './fold.ts'
import type { CodeMapping, ProfileFacts } from './output/output.ts'
import type { ReadOptions } from './plan.ts'
import type { StretchPlan } from './stretch-plan.ts'

const PRODUCTS = ['text', 'ndjson', 'compact', 'profile', 'parts', 'compact-parts'] as const

/** The product of a stream. */
export const product = choice<StretchPlan['product']>(...PRODUCTS)
export const productOrUsual = choice<StretchPlan['product'] | 'usual'>('usual', ...PRODUCTS)

/** How the events of a stream are read. */
export const READ_OPTIONS: Options<ReadOptions> = {
  mode: choice<LookupMode>('return', 'raw'),
  boot: BOOT_FACTS,
  states: HOST_STATES,
  folding: nested<Partial<Folding>>({
    kernelMark: flag,
    userAddresses: flag,
    prefix: choice<Folding['prefix']>('none', 'comm', 'comm-pid', 'thread'),
    addresses: flag,
    samples: flag,
  }),
  filter: nested<EventFilter>({
    comms: listOf(text, 'names of processes'),
    pids: listOf(count, 'numbers of processes'),
    events: listOf(text, 'names of events'),
    from: bigint,
    to: bigint,
  }),
  strict: flag,
  passthrough: flag,
}

/** The facts beside a profile's stacks. */
export const profileFacts = like<ProfileFacts>(
  {
    title: text,
    to: (value, name) => (value === undefined ? '' : text(value, name)),
    weighing: WEIGHING,
    release: (value, name) => (value === undefined ? '' : text(value, name)),
    mappings: (value, name) => (value === undefined ? [] : MAPPINGS(value, name)),
  },
  "{ title, weighing: 'measured' or 'events' }",
)

const MAPPINGS = listOf(
  like<CodeMapping>({ owner: text, start: bigint, end: bigint }, '{ owner, start, end, buildId }'),
  'pieces of code',
)
