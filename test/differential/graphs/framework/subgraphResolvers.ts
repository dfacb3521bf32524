import type { InlineContext, InlineSubgraph } from '../../../harness/inlineGateway.ts';
import type { SubgraphField } from './definitions.ts';
import type { GraphObject } from './graph.ts';
import { type GraphModel, missing, type TrialContext } from './graphModel.ts';
import { faultsHeader, trialHeader } from './headers.ts';

/** An entity that the gateway fetches, with its representation. */
class ReferencedEntity {
  readonly object: GraphObject;
  readonly reference: GraphObject;

  constructor(thing: GraphObject, reference: GraphObject) {
    this.object = thing;
    this.reference = reference;
  }
}

/** A real subgraph of the graph. It resolves a field with `@requires` from the representation alone, and fails if the
 *  gateway fetches a field of another subgraph. */
export function createSubgraph(model: GraphModel, name: string): InlineSubgraph {
  const { sdl, link } = model.graph.subgraphs.find((subgraph) => subgraph.name === name) ?? { sdl: '' };
  const resolvers: Record<string, Record<string, (...parameters: never[]) => unknown>> = {};
  const add = (typeName: string, field: string, resolve: (...parameters: never[]) => unknown): void => {
    resolvers[typeName] = { ...resolvers[typeName], [field]: resolve };
  };
  const abstractTypes = model.definitions.abstractTypes.get(name) ?? [];
  for (const typeName of abstractTypes) {
    add(typeName, '__resolveType', (value: GraphObject | ReferencedEntity) => objectOf(value).__typename);
  }
  for (const field of model.definitions.fields.filter(({ subgraph }) => subgraph === name)) {
    const { typeName } = field;
    if (model.definitions.keys(name, typeName).length > 0) {
      add(typeName, '__resolveReference', (reference: GraphObject) => {
        const thing = model.find(name, typeName, reference);
        return thing === undefined ? null : new ReferencedEntity(thing, reference);
      });
    }
    if (abstractTypes.includes(typeName)) continue;
    add(
      typeName,
      field.node.name.value,
      (
        parent: GraphObject | ReferencedEntity | undefined,
        args: Record<string, unknown>,
        { headers }: InlineContext,
      ) => answer(model, field, parent, args, contextOf(headers)),
    );
  }
  return { name, sdl, resolvers: resolvers as never, ...(link === undefined ? {} : { link }) };

  function contextOf(headers: InlineContext['headers']): TrialContext {
    return model.contextOf(String(headers[trialHeader] ?? ''), headers[faultsHeader] as string | undefined);
  }
}

function answer(
  model: GraphModel,
  field: SubgraphField,
  parent: GraphObject | ReferencedEntity | undefined,
  args: Readonly<Record<string, unknown>>,
  context: TrialContext,
): unknown {
  const { subgraph, typeName, node, requires } = field;
  const isOthers = field.isExternal && !model.definitions.isReachable(field);
  if (isOthers || field.isOverridden) {
    throw new Error(
      `${subgraph} received a fetch of ${typeName}.${node.name.value}, a field of another subgraph.`,
    );
  }
  const thing = parent === undefined ? {} : objectOf(parent);
  if (requires !== undefined && !(parent instanceof ReferencedEntity)) {
    throw new Error(
      `${subgraph} received a fetch of ${typeName}.${node.name.value} without a representation.`,
    );
  }
  const required =
    requires && parent instanceof ReferencedEntity
      ? model.pick(parent.reference, typeName, requires)
      : undefined;
  if (JSON.stringify(required)?.includes(missing) === true) {
    throw new Error(`${subgraph} received a fetch of ${typeName}.${node.name.value} without its inputs.`);
  }
  return model.resolve(typeName, thing, node.name.value, args, context, required);
}

function objectOf(value: GraphObject | ReferencedEntity): GraphObject {
  return value instanceof ReferencedEntity ? value.object : value;
}
