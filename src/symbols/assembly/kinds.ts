// The bits of a kind: see ../kinds.ts.

export const LABEL: u32 = 0x40
export const SPECIAL: u32 = 0x80
export const UNSURE: u32 = 0xc0
