import type { SubgraphContract } from '../../../../contracts/contractStore.ts';

const imports = [
  '@authenticated',
  '@composeDirective',
  '@context',
  '@cost',
  '@external',
  '@fromContext',
  '@inaccessible',
  '@interfaceObject',
  '@key',
  '@listSize',
  '@override',
  '@policy',
  '@provides',
  '@requires',
  '@requiresScopes',
  '@shareable',
  '@tag',
];

export function federation2(types: string): string {
  const names = imports.map((name) => `"${name}"`).join(', ');
  return `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [${names}])\n${types}`;
}

const ownDefinitions = [
  'directive @cached(maxAge: String!, staleWhileRevalidate: String, staleIfError: String,',
  'scope: CacheScope, tags: [String!]) on FIELD_DEFINITION | OBJECT',
  'directive @enrichment(budget: String, priority: EnrichmentPriority = NORMAL) on FIELD_DEFINITION',
  'enum CacheScope { PUBLIC PRIVATE } enum EnrichmentPriority { CRITICAL NORMAL BACKGROUND }',
  'extend schema @link(url: "https://tributary.dev/spec/v1.0", import: ["@cached", "@enrichment"])',
  '@composeDirective(name: "@cached") @composeDirective(name: "@enrichment")',
].join(' ');

export function withOwnDirectives(types: string): string {
  return `${federation2(types)}\n${ownDefinitions}`;
}

export function contractOf(sdl: string, name = 'products'): SubgraphContract {
  return { name, url: `http://${name}.invalid/`, file: `contracts/schemas/${name}.graphql`, sdl };
}
