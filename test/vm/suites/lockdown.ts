// What lockdown leaves: at each level a kprobe and trampolines are tried, against plans that are made anew. It comes last, because
// the kernel takes a level back only with the next boot.
import { existsSync, writeFileSync } from 'node:fs'
import { type Kernel, openKernel } from 'kerndex'
import { attachPrograms } from '../guest/programs.ts'
import { Definitions, refusalOf, takeErrorLog, writeTracing } from '../guest/tracefs.ts'
import { type AttemptTruth, compareAttempt } from '../probe-truth.ts'
import type { Suite } from '../suite.ts'

const LOCKDOWN = '/sys/kernel/security/lockdown'
const LEVELS = ['none', 'integrity', 'confidentiality']
const FUNCTION = 'vfs_read'

export const lockdown: Suite = {
  name: 'lockdown',
  title: 'kprobes and trampolines at each level of lockdown',

  async record(guest) {
    if (!existsSync(LOCKDOWN)) throw new Error(`${LOCKDOWN} is not there: this kernel has no lockdown`)
    for (const level of LEVELS) {
      if (level !== 'none') writeFileSync(LOCKDOWN, level)
      const kernel = await openKernel({ types: 'lazy', probes: true })
      for (const attempt of [tryKprobe(level), ...tryTrampolines(kernel, level)]) {
        guest.note(compareAttempt('verdicts', kernel.probes, attempt))
      }
      if (level === 'confidentiality') {
        // Its files are refused to everybody: to mount them is no help.
        const reasons = kernel.probes
          .plan(`kprobe:${FUNCTION}`)
          .specs.flatMap(({ targets }) => targets[0]?.reasons ?? [])
        const advice = reasons.map(({ message }) => message).join('; ')
        const wrong = /\bmount/.test(advice)
        const kerndex = wrong ? 'advises to mount tracefs' : 'does not advise it'
        guest.note({ check: 'advice', class: level, kernel: 'refuses tracefs', kerndex, wrong, subject: advice })
      }
      await kernel.close()
      guest.say(level)
    }
  },
}

function tryKprobe(level: string): AttemptTruth {
  let said = ''
  const refused = refusalOf(() => {
    const events = new Definitions('kprobe_events')
    try {
      const error = events.write(`p:kerndex/locked ${FUNCTION}`)
      if (error !== '') {
        said = takeErrorLog()
        throw Object.assign(new Error(error), { code: error })
      }
      writeTracing('events/kerndex/locked/enable', '1')
      writeTracing('events/kerndex/locked/enable', '0')
      events.write('-:kerndex/locked')
    } finally {
      events.close()
    }
  })
  return { class: level, kind: 'kprobe', target: FUNCTION, refused, said }
}

function tryTrampolines(kernel: Kernel, level: string): AttemptTruth[] {
  const kinds = ['fentry', 'fexit'] as const
  const attempts = kinds.flatMap((kind) => {
    const { btf } = kernel.probes.plan(`${kind}:${FUNCTION}`).specs[0]?.targets[0] ?? {}
    return btf === undefined ? [] : [{ kind, module: btf.module, id: btf.id, attach: true }]
  })
  return attachPrograms(attempts).map((answer, i) => ({
    class: level,
    kind: attempts[i]!.kind,
    target: FUNCTION,
    ...answer,
  }))
}
