import { ConfigError } from '../../config/configError.ts';
import { findConfigFile, loadConfig } from '../../config/loadConfig.ts';
import { CommandError, exitCode } from '../exitCode.ts';

/** The default store directory: `contracts.directory` of the configuration, or `contracts` without one.
 *  @throws {CommandError} for a configuration with mistakes. */
export function storeDirectory(configFile: string | undefined): string {
  const file = findConfigFile(configFile);
  if (file === undefined) return 'contracts';
  try {
    const { contracts } = loadConfig({
      file,
      // The supergraph may come from the command line of the gateway, too.
      overrides: { supergraph: file },
      sections: ['supergraph', 'contracts'],
      env: process.env,
    });
    return contracts.directory;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CommandError(
      exitCode.usageError,
      `${error.message}\nThe contracts directory is therefore not known: correct ${file}, or give --directory.`,
      { cause: error },
    );
  }
}
