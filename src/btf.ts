// The public names of `kerndex/btf`: printing, checking and comparing types, and relocating BPF objects.

export { type CDumpOptions, dumpC } from './btf/c-dump.ts'
export { dumpModulesC } from './btf/c-dump-modules.ts'
export { type CheckBase, type CheckError, type CheckResult, checkBtf } from './btf/check.ts'
export { type CheckedRelocation, checkObject } from './btf/check-object.ts'
export { type Relocation, type RelocationResult, type RelocationStatus, Relocator } from './btf/core-relocate.ts'
export type { RelocationKind } from './btf/core-spec.ts'
export { type DetailChange, type DiffOptions, diffTypes, type TypeChange } from './btf/diff.ts'
export { printLayout } from './btf/print-layout.ts'
export { dumpRaw } from './btf/raw.ts'
