import { type DocumentNode, parse } from 'graphql';
import {
  type CacheRulesResult,
  type ConfiguredRules,
  readCacheRules,
} from '../../gateway/cache/rules/cacheRules.ts';
import { FetchShape } from '../../gateway/execution/fetchShape.ts';
import { composeOnce } from './shared/compositions.ts';

const federation = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.9"
  import: ["@key", "@shareable", "@external", "@composeDirective", "@interfaceObject"]
)`;

const spec = 'https://tributary.dev/spec/v1.0';

/** The ways to import the directive. `name`: its name in the subgraph. */
export const directiveImports = {
  plain: { name: 'cached', link: `@link(url: "${spec}", import: ["@cached"])` },
  renamed: { name: 'keep', link: `@link(url: "${spec}", import: [{ name: "@cached", as: "@keep" }])` },
  namespaced: { name: 'tributary__cached', link: `@link(url: "${spec}", as: "tributary")` },
  unnamed: { name: 'spec__cached', link: `@link(url: "${spec}")` },
} as const;

/** Adds the definitions that `@cached` needs to a subgraph's SDL. */
export function withCached(
  sdl: string,
  { name, link }: { name: string; link: string } = directiveImports.plain,
): string {
  return `${federation} ${link} @composeDirective(name: "@${name}")
    enum CacheScope { PUBLIC PRIVATE }
    directive @${name}(maxAge: String!, staleWhileRevalidate: String, staleIfError: String, scope: CacheScope = PUBLIC, tags: [String!]) on FIELD_DEFINITION | OBJECT
    ${sdl}`;
}

/** Composes the SDL of a supergraph from subgraphs by name. */
export async function composeCachedSdl(subgraphs: Readonly<Record<string, string>>): Promise<string> {
  const inputs = Object.entries(subgraphs).map(([name, sdl]) => ({ name, url: 'http://127.0.0.1/', sdl }));
  const result = await composeOnce(inputs);
  if ('errors' in result) throw new Error(JSON.stringify(result.errors, null, 2));
  return result.sdl;
}

/** Like `composeCachedSdl`, parsed. */
export async function composeCachedDocument(
  subgraphs: Readonly<Record<string, string>>,
): Promise<DocumentNode> {
  return parse(await composeCachedSdl(subgraphs), { noLocation: true });
}

/** Reads the cache rules of a supergraph whose subgraphs use `@cached`. */
export async function readRulesOf(
  subgraphs: Readonly<Record<string, string>>,
  configured: ConfiguredRules = {},
): Promise<CacheRulesResult> {
  const sdls = Object.entries(subgraphs).map(([name, sdl]) => [name, withCached(sdl)]);
  return readCacheRules(await composeCachedDocument(Object.fromEntries(sdls)), configured);
}

/** The shape of a root fetch. */
export function rootShape(
  subgraph: string,
  operation: string,
  operationKind: 'query' | 'mutation' | 'subscription' = 'query',
): FetchShape {
  return new FetchShape(0, {
    kind: 'Fetch',
    serviceName: subgraph,
    operation,
    operationKind,
    variableUsages: [],
  });
}

/** The shape of an entity fetch. */
export function entityShape(subgraph: string, selections: string): FetchShape {
  return new FetchShape(0, {
    kind: 'Fetch',
    serviceName: subgraph,
    operation: `query ($representations: [_Any!]!) { _entities(representations: $representations) { ${selections} } }`,
    operationKind: 'query',
    variableUsages: [],
    requires: [{ kind: 'Field', name: '__typename' }],
  });
}

/** Creates a rule of `cache.rules`. */
export function configuredRule(
  maxAge: number,
  more: Partial<ConfiguredRules[string]> = {},
): ConfiguredRules[string] {
  return { maxAge, staleWhileRevalidate: 0, staleIfError: 0, ...more };
}
