// What the guest runs, as one archive: the project as it is packed for users, the packages that it depends on, the compiled
// suites, and the small programs in C.
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import type { BootableKernel } from './kernels.ts'
import { run } from './shell.ts'

/** Programs in C that the guest calls by name: the source, beside this file's, and the name. */
const PROGRAMS: Readonly<Record<string, string>> = { 'attach.c': 'attach', 'workload.c': 'workload' }

/** Folders of the project with compiled modules that suites, and what runs them, import. */
export const COMPILED = ['dist/test', 'dist/bench/lib']

/** Writes the archive that is unpacked to /opt/app. `root` is the project's folder, which has been built. */
export function writeApp(root: string, archive: string): void {
  const stage = mkdtempSync(join(tmpdir(), 'kerndex-app-'))
  try {
    writeFileSync(join(stage, 'package.json'), JSON.stringify({ type: 'module', private: true }))
    const packed = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', stage], { cwd: root })
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
    const installed = join(stage, 'node_modules/kerndex')
    const commands = join(stage, 'node_modules/.bin')
    for (const folder of [installed, commands]) mkdirSync(folder, { recursive: true })
    run('tar', ['-xf', join(stage, filename), '-C', installed, '--strip-components=1'])
    rmSync(join(stage, filename))
    const command = join(installed, 'dist/lib/cli.cjs')
    chmodSync(command, 0o755)
    run('ln', ['-s', relative(commands, command), join(commands, 'kerndex')])
    for (const [source, name] of Object.entries(PROGRAMS)) {
      run('gcc', [
        '-O2',
        '-Wall',
        '-Werror',
        '-static',
        '-o',
        join(commands, name),
        join(root, 'test/vm/guest', source),
      ])
    }
    // As an installer would place them, but without a network.
    const listed = run('npm', ['ls', '--omit=dev', '--omit=peer', '--all', '--parseable'], { cwd: root })
    const packages = listed.trim().split('\n').slice(1)
    run('tar', ['-cf', archive, '-C', stage, '.'])
    run('tar', ['-rf', archive, '-C', root, ...COMPILED, ...packages.map((path) => relative(root, path))])
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

/** Puts what the guest needs into the folder that it shares. */
export function fillShare(root: string, share: string, archive: string, kernel: BootableKernel): void {
  for (const file of ['init.sh', 'modules.txt']) copyFileSync(join(root, 'test/vm/guest', file), join(share, file))
  copyFileSync(archive, join(share, 'app.tar'))
  // A host that runs this kernel has it in /boot.
  const config = `config-${kernel.release}`
  if (existsSync(join(dirname(kernel.image), config)))
    copyFileSync(join(dirname(kernel.image), config), join(share, config))
}
