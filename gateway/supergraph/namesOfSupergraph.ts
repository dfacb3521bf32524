import { parse } from 'graphql';
import { readSupergraphNames, type SupergraphNames } from '../planning/supergraphNames.ts';
import type { Supergraph } from './supergraph.ts';

/** The names of a supergraph. Parses the SDL, which takes long, if its planner has not read them. */
export function namesOfSupergraph({ names, sdl }: Supergraph): SupergraphNames {
  return names ?? readSupergraphNames(parse(sdl, { noLocation: true }));
}
