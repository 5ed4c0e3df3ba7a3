// One instruction of a BPF program: what it holds, and whether the value of a relocation can be put into it.
import type { RelocationResult } from './core-relocate.ts'

/** Bytes of an instruction; a load of a 64-bit immediate takes two. */
const INSTRUCTION_BYTES = 8

/** Classes: the lowest three bits of the opcode. */
const LD = 0
const LDX = 1
const ST = 2
const STX = 3
const ALU = 4
const ALU64 = 7
/** The opcode of a load of a 64-bit immediate (BPF_LD | BPF_IMM | BPF_DW). */
const LDIMM64 = 0x18
/** The bit of an ALU opcode that says that the operand is a register, not the immediate. */
const SOURCE_REGISTER = 8
/** Bytes that a load or store accesses, by the two bits of the opcode that say so. */
const ACCESS_BYTES = [4, 2, 1, 8] as const
/** The largest offset that a load or store has room for. */
const MOST_OFFSET = 0x7fff

type Outcome = Pick<RelocationResult, 'status' | 'reason'>

const OK: Outcome = { status: 'ok' }
const failed = (reason: string): Outcome => ({ status: 'failed', reason })

/**
 * The outcome of a relocation that has a value, at its instruction: the rules by which libbpf patches it. The
 * instruction has to hold what the compiler must have put there (`localValue`), or it is not the one that was meant.
 * @param at byte offset of the instruction in the program's section; it must begin inside of it
 */
export function patchOutcome(program: Uint8Array, at: number, little: boolean, result: RelocationResult): Outcome {
  if (at % INSTRUCTION_BYTES !== 0) return failed(`byte ${at} of the section is not the beginning of an instruction`)
  if (at + INSTRUCTION_BYTES > program.length) return failed('the instruction is cut short by the end of the section')
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength)
  const opcode = view.getUint8(at)
  const { value = 0n } = result
  switch (opcode & 7) {
    case ALU:
    case ALU64:
      if ((opcode & SOURCE_REGISTER) !== 0)
        return failed('the instruction takes a register: it has no room for a value')
      return compare(BigInt(view.getInt32(at + 4, little)), result)
    case LDX:
    case ST:
    case STX: {
      const compared = compare(BigInt(view.getInt16(at + 2, little)), result)
      if (compared.status !== 'ok') return compared
      if (value > MOST_OFFSET) return failed(`the offset ${value} is beyond the ${MOST_OFFSET} that an access reaches`)
      return accessOutcome(ACCESS_BYTES[(opcode >> 3) & 3]!, result)
    }
    case LD: {
      if (!isPlainLoad(view, at, little)) return failed('not the load of a 64-bit immediate that is expected here')
      const low = view.getUint32(at + 4, little)
      return compare((BigInt(view.getUint32(at + 12, little)) << 32n) | BigInt(low), result)
    }
    default:
      return failed(`an instruction that holds no value (opcode 0x${opcode.toString(16)})`)
  }
}

function compare(held: bigint, { compared, localValue }: RelocationResult): Outcome {
  if (!compared || localValue === undefined || BigInt.asUintN(64, held) === localValue) return OK
  return failed(
    `the instruction holds ${held} where the program's own types say ${localValue}: it is another one, or was changed`,
  )
}

/** Whether an access can be given the width of the kernel's field. */
function accessOutcome(bytes: number, { width, localWidth, widthDiffers }: RelocationResult): Outcome {
  if (widthDiffers) {
    const reason = 'the field has another width than the program reads, and is signed: the access cannot be adjusted'
    return { status: 'poisoned', reason }
  }
  if (width === localWidth || width === undefined || localWidth === undefined) return OK
  if (bytes !== localWidth) {
    return failed(
      `the instruction accesses ${bytes} bytes of a field of ${localWidth}, which has ${width} in the kernel`,
    )
  }
  return (ACCESS_BYTES as readonly number[]).includes(width) ? OK : failed(`no instruction accesses ${width} bytes`)
}

/** A load of a number: with a source register it would be one of a map or a variable. */
function isPlainLoad(view: DataView, at: number, little: boolean): boolean {
  if (view.getUint8(at) !== LDIMM64 || at + 2 * INSTRUCTION_BYTES > view.byteLength) return false
  // The registers' halves of their byte change places with the byte order.
  const registers = view.getUint8(at + 1)
  const source = little ? registers >> 4 : registers & 0xf
  const next = at + INSTRUCTION_BYTES
  const empty = view.getUint8(next) === 0 && view.getUint8(next + 1) === 0 && view.getInt16(next + 2, little) === 0
  return source === 0 && view.getInt16(at + 2, little) === 0 && empty
}
