// Who may see addresses: kptr_restrict, perf_event_paranoid, root, uid 65534, with CAP_SYSLOG and without. What a reader of
// /proc/kallsyms is shown, and what the command says to the same reader.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Suite } from '../suite.ts'

const SYSCTL = '/proc/sys/kernel'
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

const READERS: Readonly<Record<string, readonly string[]>> = {
  root: [],
  'root without CAP_SYSLOG': ['setpriv', '--bounding-set=-syslog', '--inh-caps=-syslog'],
  'uid 65534': NOBODY,
  'uid 65534 with CAP_SYSLOG': [...NOBODY, '--inh-caps=+syslog', '--ambient-caps=+syslog'],
}

/** kptr_restrict and perf_event_paranoid; the second counts only where the first is 0. */
const SETTINGS = [
  [0, 1],
  [0, 2],
  [1, 1],
  [2, 1],
] as const

/** What the command ends with where the kernel hides what it is asked for. */
const REFUSED = 3

export const rights: Suite = {
  name: 'rights',
  title: 'who is shown addresses: kptr_restrict, uid 65534, CAP_SYSLOG',
  before: 'modules',

  async record(guest) {
    const before = ['kptr_restrict', 'perf_event_paranoid'].map((name) => readFileSync(`${SYSCTL}/${name}`, 'latin1'))
    for (const [restrict, paranoid] of SETTINGS) {
      writeFileSync(`${SYSCTL}/kptr_restrict`, `${restrict}`)
      writeFileSync(`${SYSCTL}/perf_event_paranoid`, `${paranoid}`)
      for (const [reader, prefix] of Object.entries(READERS)) {
        const shown = runAs(prefix, ['grep', '-m1', '-w', '_stext', '/proc/kallsyms']).stdout.split(' ')[0] ?? ''
        const { stdout, stderr, status } = runAs(prefix, ['kerndex', 'symbol', '_stext', '--json'])
        const hidden = /^0+$/.test(shown)
        const same = status === 0 && stdout.includes(`"0x${shown}"`)
        const kerndex = same ? 'the same' : status === REFUSED ? 'says that they are hidden' : `ends with ${status}`
        guest.note({
          check: 'addresses',
          class: reader,
          kernel: hidden ? 'hides them' : 'shows them',
          kerndex,
          wrong: hidden ? status !== REFUSED : !same,
          subject: `kptr_restrict ${restrict}, perf_event_paranoid ${paranoid}, ${reader}: the kernel ${shown}, kerndex ${stdout.trim()}${stderr.trim()}`,
        })
        if (!hidden) continue
        // The rule is printed, so that a reader can tell what to change.
        const told = /kptr_restrict/.test(stderr) && /CAP_SYSLOG/.test(stderr)
        guest.note({
          check: 'advice',
          class: reader,
          kernel: 'has a rule',
          kerndex: told ? 'tells it' : 'does not tell it',
          wrong: !told,
          subject: stderr.trim(),
        })
      }
      guest.say(`kptr_restrict ${restrict}, perf_event_paranoid ${paranoid}`)
    }
    writeFileSync(`${SYSCTL}/kptr_restrict`, before[0]!)
    writeFileSync(`${SYSCTL}/perf_event_paranoid`, before[1]!)
  },
}

function runAs(prefix: readonly string[], command: readonly string[]) {
  const [program, ...args] = [...prefix, ...command] as [string, ...string[]]
  const { stdout, stderr, status, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (error !== undefined) throw error
  return { stdout, stderr, status }
}
