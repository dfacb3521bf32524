import {
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  Kind,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { type Fields, fieldsOfRequires } from '../../planning/fieldSets.ts';
import type { ContractGraph } from './composeGraph.ts';
import type { PlannedFetch } from './flattenPlan.ts';
import type { PlannedConsumer } from './planConsumers.ts';
import { factsOf } from './subgraphFacts.ts';
import { subgraphSchemaOf } from './subgraphSchema.ts';

/** How a plan touches a part of a subgraph's schema. `variable`: what values of its variables may hold. `sent`: a
 *  field of a representation, of a key or of a `@requires`. `type`: what a selected field may give, enum and abstract
 *  types, and conditions. */
export type Touch = 'field' | 'argument' | 'input field' | 'enum value' | 'variable' | 'sent' | 'type';

/** By subgraph, then by schema coordinate. */
export type TouchedCoordinates = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<Touch>>>;

/** What of each subgraph's schema the plans of an operation rest on; empty for one that has none. */
export function coordinatesOf(planned: PlannedConsumer, graph: ContractGraph): TouchedCoordinates {
  const touched = new Map<string, Map<string, Set<Touch>>>();
  if (planned.kind === 'failed') return touched;
  for (const fetch of planned.variants.flatMap(({ fetches }) => fetches)) {
    const contract = graph.contracts.get(fetch.subgraph);
    if (contract === undefined) continue;
    const own = touched.get(fetch.subgraph) ?? new Map<string, Set<Touch>>();
    touched.set(fetch.subgraph, own);
    const touch = (coordinate: string, how: Touch): void => {
      own.set(coordinate, (own.get(coordinate) ?? new Set()).add(how));
    };
    touchDocument(fetch, subgraphSchemaOf(contract), touch);
    const { schema } = factsOf(graph);
    for (const { typeName, selections } of fetch.representations ?? []) {
      touchSent(fieldsOfRequires(selections), typeName, schema, touch);
    }
  }
  return touched;
}

type TouchCoordinate = (coordinate: string, how: Touch) => void;

function touchDocument({ document }: PlannedFetch, schema: GraphQLSchema, touch: TouchCoordinate): void {
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.FIELD]: ({ name }) => {
        // Federation's own fields are nobody's to change.
        if (name.value.startsWith('_')) return;
        touch(`${types.getParentType()?.name}.${name.value}`, 'field');
        const type = getNamedType(types.getType());
        if (isEnumType(type) || isAbstractType(type)) touch(type.name, 'type');
      },
      [Kind.ARGUMENT]: ({ name }) => {
        const field = types.getFieldDef()?.name;
        if (types.getDirective() != null || field === undefined || field.startsWith('_')) return;
        touch(`${types.getParentType()?.name}.${field}(${name.value}:)`, 'argument');
      },
      [Kind.OBJECT_FIELD]: ({ name }) => {
        const type = getNamedType(types.getParentInputType());
        if (isInputObjectType(type)) touch(`${type.name}.${name.value}`, 'input field');
      },
      [Kind.ENUM]: ({ value }) => {
        const type = getNamedType(types.getInputType());
        if (isEnumType(type)) touch(`${type.name}.${value}`, 'enum value');
      },
      [Kind.INLINE_FRAGMENT]: ({ typeCondition }) => {
        if (typeCondition !== undefined) touch(typeCondition.name.value, 'type');
      },
      [Kind.VARIABLE_DEFINITION]: ({ type }) => {
        let named = type;
        while (named.kind !== Kind.NAMED_TYPE) named = named.type;
        touchVariable(named.name.value, schema, touch, new Set());
      },
    }),
  );
}

/** Input types may hold each other. */
function touchVariable(name: string, schema: GraphQLSchema, touch: TouchCoordinate, seen: Set<string>): void {
  if (seen.has(name)) return;
  seen.add(name);
  const type = schema.getType(name);
  if (isEnumType(type)) for (const value of type.getValues()) touch(`${name}.${value.name}`, 'variable');
  if (!isInputObjectType(type)) return;
  for (const field of Object.values(type.getFields())) {
    touch(`${name}.${field.name}`, 'variable');
    touchVariable(getNamedType(field.type).name, schema, touch, seen);
  }
}

function touchSent(fields: Fields, typeName: string, schema: GraphQLSchema, touch: TouchCoordinate): void {
  const type = schema.getType(typeName);
  if (!isObjectType(type) && !isInterfaceType(type)) return;
  for (const [name, below] of fields) {
    const field = type.getFields()[name];
    if (field === undefined) continue;
    touch(`${typeName}.${name}`, 'sent');
    touchSent(below(), getNamedType(field.type).name, schema, touch);
  }
}
