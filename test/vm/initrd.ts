// The small initrd of a guest: it mounts this machine's files (read-only, with an overlay in memory) and the folders that host
// and guest share, and goes on with the guest's first script there.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { run, runBytes } from './shell.ts'

/** What the mounts need of a kernel whose drivers are modules. */
const DRIVERS = ['virtio_pci', 'virtio_rng', '9pnet_virtio', '9p', 'overlay']

/** How packed modules are unpacked; busybox loads plain ones only. */
const UNPACK: Readonly<Record<string, string>> = { '.xz': 'xz', '.zst': 'zstd', '.gz': 'gzip' }

/** The names by which host and guest mean the shared folders. */
export const SHARES = { root: 'root', modules: 'modules', share: 'share' } as const

const INIT = `#!/bin/busybox sh
B=/bin/busybox
fail() { echo "vm: $1"; echo o > /proc/sysrq-trigger; $B sleep 60; }
share() { $B mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,$3 "$1" "$2" || fail "cannot mount $1"; }
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev
for m in /drivers/*; do $B insmod "$m" || echo "vm: insmod $m failed"; done
share ${SHARES.root} /host cache=loose,ro
$B mount -t tmpfs -o size=2g tmpfs /rw; $B mkdir -p /rw/up /rw/work
$B mount -t overlay -o lowerdir=/host,upperdir=/rw/up,workdir=/rw/work overlay /new || fail 'no overlay'
for d in proc sys dev; do $B mount --move /$d /new/$d; done
$B mount -t tmpfs tmpfs /new/tmp; $B mount -t tmpfs tmpfs /new/run; $B mkdir -p /new/share /new/lib/modules
share ${SHARES.modules} /new/lib/modules cache=loose,ro
share ${SHARES.share} /new/share cache=none
exec $B switch_root /new /bin/bash /share/init.sh
`

/** Writes the initrd of the kernel that is unpacked in `root`. */
export function writeInitrd(root: string, release: string, file: string): void {
  const tree = mkdtempSync(join(tmpdir(), 'kerndex-initrd-'))
  try {
    for (const folder of ['bin', 'proc', 'sys', 'dev', 'host', 'rw', 'new', 'drivers']) mkdirSync(join(tree, folder))
    copyFileSync(run('which', ['busybox']).trim(), join(tree, 'bin/busybox'))
    driversOf(root, release).forEach((module, i) => {
      const packed = Object.keys(UNPACK).find((ending) => module.endsWith(ending))
      const target = join(tree, 'drivers', `${String(i).padStart(3, '0')}-${basename(module, packed)}`)
      if (packed === undefined) copyFileSync(module, target)
      else writeFileSync(target, runBytes(UNPACK[packed]!, ['-dc', module]))
    })
    writeFileSync(join(tree, 'init'), INIT)
    chmodSync(join(tree, 'init'), 0o755)
    const list = readdirSync(tree, { recursive: true, encoding: 'utf8' }).join('\n')
    const archive = runBytes('cpio', ['-o', '-H', 'newc', '--quiet'], { cwd: tree, input: list })
    writeFileSync(file, runBytes('gzip', ['-1'], { input: archive }))
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

/** The files of the drivers and of what they need, in the order of loading. */
function driversOf(root: string, release: string): string[] {
  const files = DRIVERS.flatMap((driver) => {
    try {
      return run('modprobe', ['-d', root, '-S', release, '--show-depends', driver]).split('\n')
    } catch {
      // Built in, or not known to this kernel: mounting tells.
      return []
    }
  })
  return [...new Set(files.flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? []))]
}
