import type { DocumentNode } from 'graphql';
import {
  type ConfiguredMutations,
  compileMutationInvalidations,
  type MutationInvalidations,
} from '../invalidation/mutationInvalidations.ts';
import { type CacheRules, type ConfiguredRules, readCacheRules } from './cacheRules.ts';

interface SupergraphRulesOptions {
  /** The supergraph's SDL. */
  readonly document: DocumentNode;
  /** `cache.rules` of the configuration. */
  readonly configured: ConfiguredRules;
  /** `cache.mutations` of the configuration. */
  readonly mutations: ConfiguredMutations;
}

/** The cache rules that apply to a supergraph. */
export interface SupergraphRules {
  readonly rules: CacheRules;
  readonly mutations: MutationInvalidations;
}

interface ReadSupergraphRules {
  readonly rules: SupergraphRules;
  readonly problems: readonly string[];
  /** Names in the configuration that the supergraph lacks. */
  readonly unknownNames: readonly string[];
}

/** Reads the cache rules of a supergraph from its directives and the configuration. */
export function readSupergraphRules({
  document,
  configured,
  mutations: configuredMutations,
}: SupergraphRulesOptions): ReadSupergraphRules {
  const { rules, problems, unknown } = readCacheRules(document, configured);
  const mutations = compileMutationInvalidations(configuredMutations, rules.graph);
  return {
    rules: { rules, mutations: mutations.invalidations },
    problems,
    unknownNames: [
      ...unknown.map((name) => `cache.rules: ${name}`),
      ...mutations.unknown.map((name) => `cache.mutations: ${name}`),
    ],
  };
}

/** Whether a supergraph may have cache rules. Does not parse it. */
export function mayHaveRules(sdl: string, configured: ConfiguredRules): boolean {
  return Object.keys(configured).length > 0 || sdl.includes('://tributary.dev/spec/');
}
