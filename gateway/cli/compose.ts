import { loadConfig } from '../config/loadConfig.ts';
import { schemaSections } from '../subgraphs/schemaAccess.ts';
import { composeSubgraphs, describeDiagnostic } from './composeSubgraphs.ts';
import { CommandError, exitCode } from './exitCode.ts';
import { writeText } from './textFiles.ts';

interface ComposeOptions {
  readonly config?: string | undefined;
  /** Output file of the supergraph SDL. Standard output if omitted. */
  readonly out?: string | undefined;
}

/** Fetches the schemas of the configured subgraphs and composes them. Prints hints to standard error.
 *  @throws {CommandError} `failed` with all composition errors, `undecided` when a schema cannot be fetched. */
export async function compose({ config: file, out }: ComposeOptions): Promise<void> {
  const config = loadConfig({ file, sections: schemaSections, env: process.env });
  const { supergraph } = config;
  if (!('subgraphs' in supergraph)) {
    throw new CommandError(
      exitCode.usageError,
      `There is nothing to compose: the configuration has supergraph.${Object.keys(supergraph)[0]}; expected: supergraph.subgraphs.`,
    );
  }
  const result = await composeSubgraphs(supergraph, config);
  if (result.hints.length > 0) console.error(`Hints:\n${result.hints.map(describeDiagnostic).join('\n')}`);
  const sdl = result.sdl.endsWith('\n') ? result.sdl : `${result.sdl}\n`;
  if (out === undefined) process.stdout.write(sdl);
  else writeText(out, sdl, 'w');
}
