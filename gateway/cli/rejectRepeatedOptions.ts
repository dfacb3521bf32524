import type { Command } from 'commander';

/** Makes a command and its subcommands refuse a repeated option that takes one value. Commander would silently use the
 *  last value. */
export function rejectRepeatedOptions(command: Command): void {
  for (const option of command.options) {
    // Options that take several values have a parser.
    if (option.isBoolean() || option.variadic || option.parseArg !== undefined) continue;
    let given = 0;
    command.on(`option:${option.name()}`, () => {
      given += 1;
      if (given > 1) command.error(`error: option '${option.flags}' is given twice, but takes one value`);
    });
  }
  for (const subcommand of command.commands) rejectRepeatedOptions(subcommand);
}
