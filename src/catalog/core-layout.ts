// The layout of a host that tells nothing but which kernel it runs: its core lies where a trace says, and of its modules nothing is known.

import type { BuildSymbols } from './build-symbols.ts'
import type { HostLayout } from './layout.ts'

/** The boot id of such a layout, which is no boot's: of every trace, what is not of the core is another boot's. */
const NO_BOOT = 'none'

/** A layout of a kernel build whose origin, `_text` or `_stext`, lies at an address. */
export function coreLayout(build: BuildSymbols, text: bigint): HostLayout {
  return {
    buildId: build.kernel,
    bootId: NO_BOOT,
    release: build.release,
    architecture: undefined,
    anchor: { name: build.origin === '_text' ? '_text' : '_stext', address: text },
    modules: [],
    dynamic: [],
    taken: new Date(0),
    generation: 1,
  }
}
