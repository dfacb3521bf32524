import type { Command } from 'commander';

/** Makes a command, and those below it, refuse a second value for an option that takes one: the last one would count,
 *  and nobody would be told that the first one does not. */
export function rejectRepeatedOptions(command: Command): void {
  for (const option of command.options) {
    // Those that take several read them themselves.
    if (option.isBoolean() || option.variadic || option.parseArg !== undefined) continue;
    let given = 0;
    command.on(`option:${option.name()}`, () => {
      given += 1;
      if (given > 1) command.error(`error: option '${option.flags}' is given twice, and takes one value`);
    });
  }
  for (const below of command.commands) rejectRepeatedOptions(below);
}
