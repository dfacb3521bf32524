import { writeFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { demoDefinitions } from '../demo.ts';

export const demoSupergraphFile = new URL('../../test/fixtures/demo.supergraph.graphql', import.meta.url);

/** The demo's supergraph, with each subgraph at its default port. @throws {Error} with the composer's messages. */
export function composeDemo(): string {
  const { supergraphSdl, errors } = composeServices(
    Object.values(demoDefinitions).map(({ name, defaultPort, typeDefs }) => ({
      name,
      url: `http://localhost:${defaultPort}/graphql`,
      typeDefs,
    })),
  );
  if (errors !== undefined) throw new AggregateError(errors, errors.map(({ message }) => message).join('\n'));
  return `${supergraphSdl.trimEnd()}\n`;
}

if (import.meta.main) writeFileSync(demoSupergraphFile, composeDemo());
