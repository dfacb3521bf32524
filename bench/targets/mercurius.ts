import type { SubgraphName } from '../subgraphs/schemas.ts';
import { subgraphNames, subgraphSdl } from '../subgraphs/schemas.ts';
import type { Target } from './target.ts';
import { pathFromTargets } from './target.ts';

export const mercurius: Target = {
  name: 'mercurius',
  role: 'peer',
  program: ({ port, subgraphUrls }) => {
    const services = subgraphNames.map((name) => ({
      name,
      url: subgraphUrls[name],
      schema: federation1Sdl(name),
    }));
    return {
      args: [pathFromTargets('mercurius/server.mjs')],
      env: { PORT: String(port), SERVICES: JSON.stringify(services), NODE_ENV: 'production' },
      path: '/graphql',
    };
  },
};

const owners: Readonly<Record<string, SubgraphName>> = {
  User: 'accounts',
  Product: 'products',
  Review: 'reviews',
  Item: 'products',
};

/** Mercurius knows Federation 1 only: a type belongs to one subgraph, and others extend it. */
function federation1Sdl(name: SubgraphName): string {
  return subgraphSdl(name)
    .replace(/extend schema[^\n]*\n(\s+@link[^\n]*\n)?/, '')
    .replaceAll(' @shareable', '')
    .replace('type Query', 'extend type Query')
    .replaceAll(
      /^type (\w+) (@key\(fields: "(\w+)"\)) \{([^}]*)\}/gm,
      (whole: string, type: string, keyDirective: string, key: string, fields: string) =>
        owners[type] === name
          ? whole
          : `extend type ${type} ${keyDirective} {${fields.replace(`${key}: ID!`, `${key}: ID! @external`)}}`,
    );
}
