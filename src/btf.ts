// The public names of `kerndex/btf`: printing, checking and comparing types, and relocating BPF objects.

export { type DetailChange, type DiffOptions, diffTypes, type TypeChange } from './btf/ask/diff.ts'
export { type CDumpOptions, dumpC } from './btf/print/c-dump.ts'
export { dumpModulesC } from './btf/print/c-dump-modules.ts'
export { printLayout } from './btf/print/layout.ts'
export { dumpRaw } from './btf/print/raw.ts'
export { type CheckedRelocation, checkObject } from './btf/relocate/check-object.ts'
export {
  type Relocation,
  type RelocationResult,
  type RelocationStatus,
  Relocator,
} from './btf/relocate/core-relocate.ts'
export type { RelocationKind } from './btf/relocate/core-spec.ts'
export { type CheckBase, type CheckError, type CheckResult, checkBtf } from './btf/verify/check.ts'
