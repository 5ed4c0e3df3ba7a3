// `npm run test:vm [-- [options] KERNEL…]`: boots real kernels in an emulator and compares kerndex with what they say of themselves.
// Exit codes: 0 all agree, 1 something differs that is not a known difference, 2 something is missing to boot kernels.
import { runCommand } from './command.ts'

process.exitCode = await runCommand(process.argv.slice(2), {
  say: (text) => process.stderr.write(`${text}\n`),
  print: (text) => process.stdout.write(text),
})
