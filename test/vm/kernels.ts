// Kernels to boot: Debian's packages, unpacked beside each other in one folder, each with an initrd. Nothing of this machine's
// own apt configuration is changed, and no package of a kernel is installed.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { writeInitrd } from './initrd.ts'
import { has, Missing, run } from './shell.ts'

/** A kernel that can be booted. */
export interface BootableKernel {
  /** What was asked for, such as `6.12` or `newest`. */
  readonly name: string
  /** As `uname -r` prints it. */
  readonly release: string
  /** The compressed kernel. */
  readonly image: string
  readonly initrd: string
  /** The folder that is /lib/modules in the guest. */
  readonly modules: string
}

/** Where kernels lie: the environment's KERNDEX_VM, or a folder among the temporary ones. */
export const HOME = process.env.KERNDEX_VM ?? join(tmpdir(), 'kerndex-vm')

/** Debian's suites, whose kernels go from 6.1 to the newest. */
const SUITES = ['bookworm', 'bookworm-backports', 'trixie', 'trixie-backports', 'sid']
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const PLAIN_MIRROR = 'http://deb.debian.org/debian'

/** What a run needs of this machine, by Debian's names of packages. */
const TOOLS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
  cpio: 'cpio',
  modprobe: 'kmod',
  depmod: 'kmod',
  xz: 'xz-utils',
  zstd: 'zstd',
  gcc: 'gcc',
  setpriv: 'util-linux',
}

/** A day: package lists older than this are fetched anew. */
const LISTS_MS = 86_400_000

/**
 * Sees that this machine can get and boot kernels, and installs tools that it lacks.
 * @throws Missing
 */
export function prepareHost(say: (text: string) => void): void {
  const lacks: string[] = []
  if (process.platform !== 'linux' || process.arch !== 'x64') lacks.push('an x86-64 Linux: the guest runs on its files')
  if (process.getuid?.() !== 0)
    lacks.push('root: the guest reads the files of this machine with the rights of its user')
  for (const tool of ['apt-get', 'apt-cache', 'dpkg-deb'])
    if (!has(tool)) lacks.push(`${tool}: kernels come from Debian`)
  if (!existsSync(KEYRING))
    lacks.push(`${KEYRING}: without the package debian-archive-keyring no kernel can be verified`)
  if (lacks.length > 0) throw new Missing(`this machine lacks\n${lacks.map((each) => `  ${each}\n`).join('')}`)
  const lacking = Object.entries(TOOLS).filter(([tool]) => !has(tool))
  const packages = [...new Set(lacking.map(([, name]) => name))]
  // The libraries that a static program is made of come with the headers.
  if (!existsSync('/usr/include/linux/bpf.h') || !existsSync('/usr/lib/x86_64-linux-gnu/libc.a'))
    packages.push('libc6-dev')
  if (packages.length === 0) return
  say(`installing ${packages.join(', ')}`)
  try {
    run('apt-get', ['update', '-q'])
    run('apt-get', ['install', '-qy', '--no-install-recommends', ...packages])
  } catch (error) {
    throw new Missing(`this machine lacks ${packages.join(', ')}, and apt-get could not install it: ${error}`)
  }
}

/**
 * The newest kernel of a series (`6.12`, `7`), or of all (`newest`), from this machine's mirror; what was fetched before is
 * used again.
 * @throws Missing where the mirror has none, or cannot be reached
 */
export function getKernel(name: string, say: (text: string) => void): BootableKernel {
  if (name !== 'newest' && !/^\d+(\.\d+){0,2}$/.test(name)) {
    throw new Missing(`${name} is no kernel: name a series such as 6.12, or newest`)
  }
  const apt = new Apt()
  const { image, packages } = apt.newest(name)
  const release = image.slice('linux-image-'.length)
  const home = join(HOME, release)
  const root = join(home, 'root')
  const modules = join(root, 'usr/lib/modules')
  const initrd = join(home, 'initrd.gz')
  if (!existsSync(initrd)) {
    say(`fetching ${packages.join(', ')}`)
    rmSync(home, { recursive: true, force: true })
    mkdirSync(root, { recursive: true })
    for (const file of apt.download(packages, home)) {
      run('dpkg-deb', ['-x', file, root])
      rmSync(file)
    }
    // Packages from before the merge of / and /usr have modules in /lib.
    if (!existsSync(modules)) {
      mkdirSync(join(root, 'usr/lib'), { recursive: true })
      symlinkSync('../../lib/modules', modules)
    } else if (!existsSync(join(root, 'lib'))) symlinkSync('usr/lib', join(root, 'lib'))
    run('depmod', ['-b', root, release])
    writeInitrd(root, release, initrd)
  }
  // Newer packages have it beside the modules.
  const images = [join(root, 'boot', `vmlinuz-${release}`), join(modules, release, 'vmlinuz')]
  const found = images.find((each) => existsSync(each))
  if (found === undefined) throw new Error(`${packages.join(', ')}: none of them has ${images.join(' or ')}`)
  return { name, release, image: found, initrd, modules }
}

/** apt with lists and sources of its own. */
class Apt {
  readonly #env: NodeJS.ProcessEnv
  readonly #home = join(HOME, 'apt')

  constructor() {
    const lists = join(this.#home, 'lists')
    const cache = join(this.#home, 'cache')
    mkdirSync(join(lists, 'partial'), { recursive: true })
    mkdirSync(join(cache, 'archives/partial'), { recursive: true })
    const sources = join(this.#home, 'sources.list')
    const mirror = mirrorOfThisMachine()
    writeChanged(sources, SUITES.map((suite) => `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`).join(''))
    const configuration = join(this.#home, 'apt.conf')
    const settings = {
      'Dir::Etc::sourcelist': sources,
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State::lists': lists,
      'Dir::Cache': cache,
      'Dir::State::status': '/var/lib/dpkg/status',
      'APT::Sandbox::User': 'root',
    }
    writeChanged(
      configuration,
      Object.entries(settings)
        .map(([key, value]) => `${key} "${value}";\n`)
        .join(''),
    )
    this.#env = { ...process.env, APT_CONFIG: configuration }
    if (age(join(lists, 'updated')) < LISTS_MS) return
    try {
      run('apt-get', ['update', '-q'], { env: this.#env })
    } catch (error) {
      throw new Missing(`the lists of ${mirror} cannot be fetched: ${error}`)
    }
    // apt takes what it cannot fetch for a warning.
    if (!readdirSync(lists).some((file) => file.includes('_Packages')))
      throw new Missing(`the lists of ${mirror} cannot be fetched: see what apt-get update says`)
    writeFileSync(join(lists, 'updated'), '')
  }

  /** The newest image of a series that the mirror has whole, and the packages of the same version that it needs. */
  newest(name: string): { readonly image: string; readonly packages: readonly string[] } {
    const plain = /^linux-image-(\d+(?:\.\d+)+)(?:\+[a-z]+\d*)?(?:-\d+)?-amd64$/
    const candidates = run('apt-cache', ['pkgnames', 'linux-image-'], { env: this.#env })
      .split('\n')
      .filter((each) => {
        const version = plain.exec(each)?.[1]
        return version !== undefined && (name === 'newest' || `${version}.`.startsWith(`${name}.`))
      })
      .sort(new Intl.Collator('en', { numeric: true }).compare)
      .reverse()
    for (const image of candidates) {
      const release = image.slice('linux-image-'.length)
      const depends = /^Depends: (.*)$/m.exec(this.#show(image))?.[1] ?? ''
      const own = depends
        .split(', ')
        .map((each) => each.split(' ')[0]!)
        .filter((each) => each.startsWith('linux-') && each.endsWith(`-${release}`))
      if (own.every((each) => this.#show(each) !== '')) return { image, packages: [image, ...own] }
    }
    throw new Missing(`${mirrorOfThisMachine()} has no kernel ${name}`)
  }

  #show(name: string): string {
    try {
      return run('apt-cache', ['show', '--no-all-versions', name], { env: this.#env })
    } catch {
      return ''
    }
  }

  /** Fetches packages into a folder. */
  download(packages: readonly string[], folder: string): string[] {
    try {
      run('apt-get', ['download', '-q', ...packages], { cwd: folder, env: this.#env })
    } catch (error) {
      throw new Missing(`${packages.join(', ')} cannot be fetched: ${error}`)
    }
    return readdirSync(folder)
      .filter((file) => file.endsWith('.deb'))
      .map((file) => join(folder, file))
  }
}

/** Writes a file where it has another text: apt makes its own cache anew for a newer one. */
function writeChanged(file: string, text: string): void {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text)
}

/** The mirror that this machine already uses for Debian: it may be the only one that it reaches. */
function mirrorOfThisMachine(): string {
  const folder = '/etc/apt/sources.list.d'
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((file) => join(folder, file)) : []),
  ]
  for (const file of files.filter(
    (each) => existsSync(each) && /^sources\.list$|\.(list|sources)$/.test(basename(each)),
  )) {
    const mirror = /https?:\/\/\S+\/debian\/?(?=\s|$)/.exec(readFileSync(file, 'utf8').replace(/^#.*$/gm, ''))?.[0]
    if (mirror !== undefined) return mirror
  }
  return PLAIN_MIRROR
}

/** Milliseconds since a file was written; endless where there is none. */
function age(file: string): number {
  return Date.now() - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY)
}
