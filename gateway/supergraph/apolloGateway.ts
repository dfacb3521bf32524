// The only file that imports `@apollo/gateway`, which is licensed under Elastic-2.0 (docs/decisions). It runs in a worker
// thread, because the import takes half a second and composition blocks its thread.

import { IntrospectAndCompose } from '@apollo/gateway';
import { parse } from 'graphql';
import { messageOf } from '../errors.ts';
import { checkNesting } from '../planning/checkNesting.ts';
import { defineOneOf, findInvalidOneOfFields } from '../planning/oneOfDirective.ts';
import { composeOneOf } from './composeOneOf.ts';

export interface RunningSubgraph {
  readonly name: string;
  readonly url: string;
  /** SDL of the subgraph as returned by `_service { sdl }`. */
  readonly sdl: string;
}

/** Composes the SDLs of running subgraphs. Each call creates a new `IntrospectAndCompose`: an instance that was interrupted
 *  by a failing subgraph treats changes as known that it has never composed.
 *  @throws {Error} with the composer's message. */
export async function introspectAndCompose(subgraphs: readonly RunningSubgraph[]): Promise<string> {
  for (const { name, sdl } of subgraphs) {
    try {
      checkNesting(sdl);
    } catch (error) {
      throw new Error(`[${name}] ${messageOf(error)}`, { cause: error });
    }
  }
  const sdls = new Map(subgraphs.map(({ name, sdl }) => [name, defineOneOf(sdl)]));
  const manager = new IntrospectAndCompose({ subgraphs: subgraphs.map(({ name, url }) => ({ name, url })) });
  const { supergraphSdl, cleanup } = await manager.initialize({
    update: () => {},
    healthCheck: async () => {},
    getDataSource: ({ name }) => ({
      process: async () => ({ data: { _service: { sdl: sdls.get(name) } } }),
    }),
  });
  await cleanup?.();
  if (!subgraphs.some(({ sdl }) => sdl.includes('@oneOf'))) return supergraphSdl;
  const parsed = subgraphs.map(({ name, sdl }) => ({ name, typeDefs: parse(sdl) }));
  const errors = parsed.flatMap(({ name, typeDefs }) =>
    findInvalidOneOfFields(typeDefs).map(({ message }) => `[${name}] ${message}`),
  );
  if (errors.length > 0) throw new Error(errors.join('\n'));
  return composeOneOf(supergraphSdl, parsed).sdl;
}
