import { parse } from 'graphql';
import { SupergraphRefusedError } from '../../supergraph/supergraphRefusedError.ts';
import {
  type ConfiguredMutations,
  compileMutationInvalidations,
  type MutationInvalidations,
} from '../invalidation/mutationInvalidation.ts';
import { type CacheRules, type ConfiguredRules, readCacheRules } from './cacheRules.ts';

export interface SupergraphRulesOptions {
  readonly sdl: string;
  /** `cache.rules` of the configuration. */
  readonly configured: ConfiguredRules;
  /** `cache.mutations` of the configuration. */
  readonly mutations: ConfiguredMutations;
  /** No supergraph is in use yet: what the configuration names and this one does not have is a mistake of who starts
   *  the gateway. Later it may be the supergraph that has changed, which must not be held back by it. */
  readonly isFirst: boolean;
  /** Takes what a later supergraph does not have. */
  readonly onUnknown: (unknown: readonly string[]) => void;
}

/** What holds with a supergraph. */
export interface SupergraphRules {
  readonly rules: CacheRules;
  readonly mutations: MutationInvalidations;
}

/** The cache rules that hold with a supergraph. Errors: `SupergraphRefusedError` with the whole list. */
export function readSupergraphRules(options: SupergraphRulesOptions): SupergraphRules {
  const { sdl, configured, isFirst, onUnknown } = options;
  const { rules, problems, unknown } = readCacheRules(parse(sdl, { noLocation: true }), configured);
  const mutations = compileMutationInvalidations(options.mutations, rules.graph);
  const absent = [
    ...unknown.map((one) => `cache.rules: ${one}`),
    ...mutations.unknown.map((one) => `cache.mutations: ${one}`),
  ];
  const reasons = [...problems, ...(isFirst ? absent : [])];
  if (reasons.length > 0) throw new SupergraphRefusedError(reasons.join('\n'));
  if (absent.length > 0) onUnknown(absent);
  return { rules, mutations: mutations.invalidations };
}

/** Whether there can be any rule, without reading the supergraph. */
export function mayHaveRules(sdl: string, configured: ConfiguredRules): boolean {
  return Object.keys(configured).length > 0 || sdl.includes('://tributary.dev/spec/');
}
