// Where the kernel takes fentry, fexit and fmod_ret: a program that does nothing is loaded for FUNCs of every verdict, and
// attached for a part of them.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Kernel, openKernel } from 'kerndex'
import { attachPrograms, type ProgramAttempt } from '../guest/programs.ts'
import { spread } from '../kallsyms.ts'
import { type AttemptTruth, compareAttempt } from '../probe-truth.ts'
import type { Suite } from '../suite.ts'
import { readRows, writeRows } from './probes.ts'
import { CAPTURE } from './tables.ts'

const INJECTION_LIST = '/sys/kernel/debug/error_injection/list'
const ATTEMPTS = 'attempts.ndjson'
const KINDS = ['fentry', 'fexit', 'fmod_ret'] as const
/** Of those that are said to work, one in so many is attached too: that changes the kernel's code, and waits. */
const ATTACHED = 8

/** Where FUNCs are looked for: a plan over all of them takes the guest a minute, so that is done once. */
const PLANNED: Readonly<Record<(typeof KINDS)[number], () => readonly string[]>> = {
  fentry: () => ['*'],
  fexit: () => ['*exit*', '*_map*', 'tcp_*', 'vmlinux:__x64_sys_*'],
  fmod_ret: () => ['security_*', 'vfs_*', '__x64_sys_*', '__ia32_sys_*', '*_init', ...injectable()],
}

/** Functions whose errors may be injected; the kernel is more liberal with them. */
function injectable(): string[] {
  // Kernels without CONFIG_FUNCTION_ERROR_INJECTION have no list.
  const text = existsSync(INJECTION_LIST) ? readFileSync(INJECTION_LIST, 'latin1') : ''
  return spread([...text.matchAll(/^(\S+)(?: \[([^\]]+)\])?\t/gm)], 60).map(
    ([, name, module]) => `${module ?? 'vmlinux'}:${name}`,
  )
}

type Attempt = ProgramAttempt & Pick<AttemptTruth, 'class' | 'target'>

export const trampolines: Suite = {
  name: 'trampolines',
  title: 'fentry, fexit and fmod_ret, loaded and attached, against the plans',

  async record(guest) {
    const kernel = await openKernel({ types: 'lazy', probes: true })
    const attempts = KINDS.flatMap((kind) => chooseAttempts(kernel, kind, guest.scale))
    await kernel.close()
    guest.say(`${attempts.length} attempts`)
    const answers = attachPrograms(attempts)
    const rows = attempts.map(({ class: name, kind, target }, i) => ({ class: name, kind, target, ...answers[i]! }))
    writeRows(join(guest.folder, ATTEMPTS), rows)
  },

  async judge(judging) {
    const kernel = await openKernel({ from: join(judging.share, CAPTURE), types: 'lazy', probes: true })
    for (const row of readRows<AttemptTruth>(join(judging.folder, ATTEMPTS))) {
      judging.note(compareAttempt('verdicts', kernel.probes, row))
    }
    await kernel.close()
  },
}

/** FUNCs of every verdict and reason, in the core and in modules; more of those that are said to work. */
function chooseAttempts(kernel: Kernel, kind: (typeof KINDS)[number], scale: number): Attempt[] {
  const groups = new Map<string, Attempt[]>()
  const plan = kernel.probes.plan(PLANNED[kind]().map((name) => `${kind}:${name}`))
  for (const target of plan.specs.flatMap(({ targets, rejected }) => [...targets, ...rejected])) {
    const { btf, module, verdict, reasons } = target
    if (btf === undefined || module === undefined) continue
    const place = module === 'vmlinux' ? 'core' : 'module'
    const key = [place, verdict, ...new Set(reasons.map(({ code }) => code).sort())].join(' ')
    const attempt = { class: place, kind, target: `${module}:${target.function}`, module: btf.module, id: btf.id }
    const group = groups.get(key)
    const attach = verdict !== 'ok' || (group?.length ?? 0) % ATTACHED === 0
    if (group === undefined) groups.set(key, [{ ...attempt, attach }])
    else group.push({ ...attempt, attach })
  }
  return [...groups].flatMap(([key, all]) => spread(all, (/^\w+ ok/.test(key) ? 150 : 30) * scale))
}
