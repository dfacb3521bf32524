import type { InlineContext, InlineSubgraph } from '../../../harness/inlineGateway.ts';
import type { FieldPlace } from './definitions.ts';
import type { Thing } from './graph.ts';
import { faultsHeader, trialHeader } from './headers.ts';
import type { TrialScope, World } from './world.ts';

/** An entity that the gateway asked for, with what it sent. */
class Referenced {
  readonly thing: Thing;
  readonly reference: Thing;

  constructor(thing: Thing, reference: Thing) {
    this.thing = thing;
    this.reference = reference;
  }
}

/** A real subgraph of the graph. A field with `@requires` is answered out of the representation alone; being
 *  asked for what another subgraph owns is an error. */
export function createSubgraph(world: World, name: string): InlineSubgraph {
  const { sdl, link } = world.graph.subgraphs.find((subgraph) => subgraph.name === name) ?? { sdl: '' };
  const resolvers: Record<string, Record<string, (...parameters: never[]) => unknown>> = {};
  const add = (typeName: string, field: string, resolve: (...parameters: never[]) => unknown): void => {
    resolvers[typeName] = { ...resolvers[typeName], [field]: resolve };
  };
  const abstractTypes = world.definitions.abstractTypes.get(name) ?? [];
  for (const typeName of abstractTypes) {
    add(typeName, '__resolveType', (value: Thing | Referenced) => thingOf(value).__typename);
  }
  for (const place of world.definitions.places.filter(({ subgraph }) => subgraph === name)) {
    const { typeName } = place;
    if (world.definitions.keys(name, typeName).length > 0) {
      add(typeName, '__resolveReference', (reference: Thing) => {
        const thing = world.find(name, typeName, reference);
        return thing === undefined ? null : new Referenced(thing, reference);
      });
    }
    if (abstractTypes.includes(typeName)) continue;
    add(
      typeName,
      place.node.name.value,
      (parent: Thing | Referenced | undefined, args: Record<string, unknown>, { headers }: InlineContext) =>
        answer(world, place, parent, args, scopeOf(headers)),
    );
  }
  return { name, sdl, resolvers: resolvers as never, ...(link === undefined ? {} : { link }) };

  function scopeOf(headers: InlineContext['headers']): TrialScope {
    return world.scopeOf(String(headers[trialHeader] ?? ''), headers[faultsHeader] as string | undefined);
  }
}

function answer(
  world: World,
  place: FieldPlace,
  parent: Thing | Referenced | undefined,
  args: Readonly<Record<string, unknown>>,
  scope: TrialScope,
): unknown {
  const { subgraph, typeName, node, requires } = place;
  const isOthers = place.isExternal && !world.definitions.isReachable(place);
  if (isOthers || place.isOverridden) {
    throw new Error(`${subgraph} was asked for ${typeName}.${node.name.value}, which is another's`);
  }
  const thing = parent === undefined ? {} : thingOf(parent);
  if (requires !== undefined && !(parent instanceof Referenced)) {
    throw new Error(`${subgraph} was asked for ${typeName}.${node.name.value} without a representation`);
  }
  const required =
    requires && parent instanceof Referenced ? world.pick(parent.reference, typeName, requires) : undefined;
  return world.resolve(typeName, thing, node.name.value, args, scope, required);
}

function thingOf(value: Thing | Referenced): Thing {
  return value instanceof Referenced ? value.thing : value;
}
