// Prints what a compiler finds wrong with a project, and with what kerndex says of its types there. The compiler's own libraries and
// Node's types are read, but not checked: that would take a third of the time.
import { createRequire } from 'node:module'

const [, , compiler, config] = process.argv
const ts = createRequire(import.meta.url)(compiler)
const names = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => process.cwd(), getNewLine: () => '\n' }
const say = (found) => process.stdout.write(ts.formatDiagnostics(found, names))

const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (found) => say([found]) }
const { fileNames, options, errors } = ts.getParsedCommandLineOfConfigFile(config, { noEmit: true }, host)
const program = ts.createProgram(fileNames, options)
say([...errors, ...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()])
for (const file of program.getSourceFiles()) {
  if (program.isSourceFileDefaultLibrary(file) || /\/node_modules\/(@types\/node|undici-types)\//.test(file.fileName))
    continue
  say([...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)])
}
