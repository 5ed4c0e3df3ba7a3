// The guest's program: loads the modules of the list, runs the suites that the job names, and leaves what they noted.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { AGAIN, BOOT, type BootFacts, FAILURE, JOB, type Job, NOTED } from '../job.ts'
import { Tally } from '../outcome.ts'
import type { Guest } from '../suite.ts'
import { SUITES } from '../suites.ts'

const SHARE = '/share'
const job = JSON.parse(readFileSync(join(SHARE, JOB), 'utf8')) as Job
/** Where this boot's folders are. */
const share = job.again ? join(SHARE, AGAIN) : SHARE
const modules = readFileSync(join(SHARE, 'modules.txt'), 'latin1').trim().split(/\s+/)
const begun = performance.now()

function say(text: string): void {
  const line = `${((performance.now() - begun) / 1000).toFixed(0).padStart(4)} s  ${text}`
  console.log(line)
  writeFileSync('/dev/console', `vm: ${line}\n`)
}

/**
 * Loads the list's modules, in a second boot from its end; a kernel has not all of them, and some refuse the emulator's hardware.
 */
function loadModules(): number {
  const load = (...names: string[]) => execFileSync('modprobe', ['-q', ...names], { stdio: 'ignore' })
  for (const name of job.again ? modules.toReversed() : modules) {
    try {
      load(name)
    } catch {
      console.log(`modprobe ${name} failed`)
    }
  }
  return readFileSync('/proc/modules', 'latin1').trimEnd().split('\n').length
}

function bootFacts(): BootFacts {
  return {
    release: release(),
    version: readFileSync('/proc/version', 'latin1').trim(),
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    modules: loaded,
  }
}

say('the kernel is up')
let loaded = 0
for (const suite of SUITES.filter(({ name }) => job.suites.includes(name))) {
  if (loaded === 0 && suite.before !== 'modules') {
    loaded = loadModules()
    say(`${loaded} modules`)
  }
  const folder = join(share, suite.name)
  mkdirSync(folder, { recursive: true })
  const tally = new Tally()
  const guest: Guest = {
    release: release(),
    folder,
    share,
    modules,
    scale: job.scale,
    note: (outcome) => tally.add(outcome),
    say: (text) => say(`${suite.name}: ${text}`),
    run: (command, ...args) => execFileSync(command, args, { encoding: 'latin1', maxBuffer: 1 << 28 }),
  }
  try {
    await (job.again ? suite.again?.(guest, join(SHARE, suite.name)) : suite.record(guest))
  } catch (error) {
    say(`${suite.name} failed: ${error}`)
    writeFileSync(join(folder, FAILURE), error instanceof Error ? `${error.stack}\n` : `${error}\n`)
  }
  writeFileSync(join(folder, NOTED), JSON.stringify(tally.cells))
}
writeFileSync(join(share, BOOT), JSON.stringify(bootFacts()))
say('done')
