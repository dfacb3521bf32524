import type { GatewayConfig } from '../config/schema.ts';
import type { ComposedSource } from '../config/sections/supergraph.ts';
import { readSchemaAccess } from '../subgraphs/schemaAccess.ts';
import { composeInThread } from '../supergraph/composeInThread.ts';
import type { CompositionResult } from '../supergraph/composeSupergraph.ts';
import type { CompositionDiagnostic } from '../supergraph/compositionDiagnostic.ts';
import { CommandError, exitCode } from './exitCode.ts';

/** Fetches the schemas of the configured subgraphs and composes them.
 *  @throws {CommandError} `failed` with all composition errors, `undecided` when a schema cannot be fetched. */
export async function composeSubgraphs(
  { subgraphs }: ComposedSource,
  config: GatewayConfig,
): Promise<Extract<CompositionResult, { readonly sdl: string }>> {
  const result = await composeInThread(subgraphs, await readSchemaAccess(config));
  if ('sdl' in result) return result;
  const [code, problem] = result.errors.some(({ code }) => code === 'SUBGRAPH_UNREACHABLE')
    ? [
        exitCode.undecided,
        'Nothing was composed, because the schema of a subgraph is missing. Start the subgraph, or correct its url (supergraph.subgraphs):',
      ]
    : [exitCode.failed, 'The subgraphs do not compose:'];
  throw new CommandError(code, `${problem}\n${result.errors.map(describeDiagnostic).join('\n')}`);
}

export function describeDiagnostic({ code, message, locations }: CompositionDiagnostic): string {
  const where = locations.map(({ subgraph, line, column }) => `${subgraph}:${line}:${column}`).join(', ');
  return `  ${code}: ${message.replaceAll('\n', '\n    ')}${where === '' ? '' : `\n    at ${where}`}`;
}
