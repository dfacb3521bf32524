import type { Command } from 'commander';

/** Makes a command and its subcommands refuse an empty value of an argument or option, which comes from an unset variable of
 *  a script, and a repeated option that takes one value. Commander would silently use the last value. The message of each
 *  mistake names the help of its own command. `call`: the words that call the command. */
export function rejectInvalidOptions(command: Command, call = command.name()): void {
  command.showHelpAfterError(`See \`${call} --help\`.`);
  if (command.commands.length > 0) {
    // Such as `tributary --workers 2`.
    const outputError = (message: string, write: (text: string) => void): void =>
      write(
        message.startsWith('error: unknown option')
          ? `${message}Options follow a command: \`${call} COMMAND [options]\`.\n`
          : message,
      );
    command.configureOutput({ outputError });
  }
  for (const argument of command.registeredArguments) {
    argument.argParser((value: string) => {
      if (value === '') command.error(`error: argument '${argument.name()}' is empty`);
      return value;
    });
  }
  for (const option of command.options) {
    if (option.isBoolean()) continue;
    // Options that take several values have a parser.
    const isSingle = !option.variadic && option.parseArg === undefined;
    let given = 0;
    command.on(`option:${option.name()}`, (value: unknown) => {
      given += 1;
      if (value === '') command.error(`error: option '${option.flags}' is empty`);
      if (given > 1 && isSingle)
        command.error(`error: option '${option.flags}' is given twice, but takes one value`);
    });
  }
  for (const subcommand of command.commands) rejectInvalidOptions(subcommand, `${call} ${subcommand.name()}`);
}
