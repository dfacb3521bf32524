import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  buildSchema,
  type ConstDirectiveNode,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  type InterfaceTypeDefinitionNode,
  isAbstractType,
  isObjectType,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  printSchema,
  type SelectionSetNode,
  visit,
} from 'graphql';
import type { ReadIdentity } from '../../gateway/admission/identity.ts';
import { createRandom, type Random } from '../../subgraphs/shared/random.ts';
import { runTrials } from '../harness/runTrials.ts';
import { choosePart, chooseSeeds } from '../harness/seeds.ts';
import { deferFormats } from './executeTrial.ts';
import { namedTypeOf } from './graphs/framework/definitions.ts';
import { generateTrial } from './graphs/framework/generateTrial.ts';
import { GraphModel } from './graphs/framework/graphModel.ts';
import { GraphMonolith } from './graphs/framework/graphMonolith.ts';
import { hash } from './graphs/framework/hash.ts';
import { type RunningGraph, startGraph, turnsByText } from './graphs/framework/startGraph.ts';
import { graphs } from './graphs/graphs.ts';
import { chooseDefers } from './insertDefers.ts';
import { compareCompleteAnswer, compareDeferredAnswer } from './trials.ts';

// Graphs with some types and fields protected at random, against monoliths whose resolvers refuse them. A failure shows the
// graph, the seed of the operation and what is protected, which depends on the first seed; DIFFERENTIAL_GRAPH,
// DIFFERENTIAL_SEED and DIFFERENTIAL_COUNT run it again.
const only = process.env.DIFFERENTIAL_GRAPH;
const { first, all: seeds } = chooseSeeds('DIFFERENTIAL', { perRun: 4, pool: 10, long: 40 });
const parts = 8;
const part = choosePart(parts);
const chosen = graphs.filter(({ name }, index) =>
  only === undefined ? part === undefined || index % parts === part : name === only,
);

describe.each(chosen)('generated operations over the graph $name with protected fields', (graph) => {
  const model = new GraphModel(graph);
  let running: RunningGraph;
  let anonymous: GraphMonolith;
  let coordinates: ReadonlySet<string>;
  beforeAll(async () => {
    running = await startGraph(graph, {}, model, {
      dependencies: { readIdentity },
      turnsOf: turnsByText,
      transformSupergraph: (sdl) => {
        const random = createRandom(hash(`${graph.name} ${first}`));
        const document = parse(sdl, { noLocation: true });
        coordinates = chooseCoordinates(document, random);
        return protect(document, coordinates, random.chance(0.5));
      },
    });
    const apiSchema = printSchema(running.monolith.schema);
    const schemas: GraphQLSchema[] = [];
    anonymous = new GraphMonolith(model, () => {
      const schema = buildSchema(apiSchema);
      schemas.push(schema);
      return schema;
    });
    const denied = withDependents(model, coordinates);
    for (const schema of schemas) denyCoordinates(schema, model, denied);
  });
  afterAll(async () => await running[Symbol.asyncDispose]());

  const findProblems = (compare: (seed: number) => Promise<string | undefined>): Promise<string[]> =>
    runTrials(seeds, async (seed) => {
      const problem = await compare(seed);
      return (
        problem &&
        `graph ${graph.name}, seed ${seed}, protected since ${first}: ${[...coordinates]}\n${problem}`
      );
    });

  test('get everything with a token', async () => {
    const problems = await findProblems((seed) => {
      const trial = generateTrial(running, seed);
      const headers = { ...trial.headers, 'x-client': 'reader' };
      return compareCompleteAnswer(running.gateway.url, running.monolith, { ...trial, headers });
    });
    expect(problems).toEqual([]);
  });

  test('get null and an error for what is protected without a token', async () => {
    const problems = await findProblems((seed) =>
      compareCompleteAnswer(running.gateway.url, anonymous, generateTrial(running, seed)),
    );
    expect(problems).toEqual([]);
  });

  test('get the same in payloads with @defer', async () => {
    const problems = await findProblems(async (seed) => {
      for (const format of deferFormats) {
        const whole = generateTrial(running, seed);
        const { source, variables } = chooseDefers(parse(whole.source), createRandom(seed), 6);
        const trial = {
          ...whole,
          source,
          variables: { ...whole.variables, ...variables },
          withoutDefer: whole,
        };
        const problem = await compareDeferredAnswer(running.gateway.url, anonymous, trial, format);
        if (problem !== undefined) return problem;
      }
      return undefined;
    });
    expect(problems).toEqual([]);
  });
});

const readIdentity: ReadIdentity = (headers) => {
  const name = headers.get('x-client');
  const client = { identity: name, tokenOwner: name, clientKey: name ?? '' };
  return name === undefined ? client : { ...client, claims: { sub: name } };
};

/** Chooses types and fields of a supergraph. */
function chooseCoordinates(document: DocumentNode, random: Random): ReadonlySet<string> {
  const coordinates = new Set<string>();
  const choose = (coordinate: string, chance: number): void => {
    if (random.chance(chance)) coordinates.add(coordinate);
  };
  for (const definition of document.definitions) {
    if (!('name' in definition) || definition.name === undefined) continue;
    const type = definition.name.value;
    if (type.includes('__')) continue;
    if (definition.kind === Kind.OBJECT_TYPE_DEFINITION) {
      if (!['Query', 'Mutation'].includes(type)) choose(type, 0.12);
      for (const { name } of definition.fields ?? []) choose(`${type}.${name.value}`, 0.2);
    } else if (
      definition.kind === Kind.ENUM_TYPE_DEFINITION ||
      definition.kind === Kind.SCALAR_TYPE_DEFINITION
    ) {
      choose(type, 0.2);
    }
  }
  return coordinates;
}

/** `isPropagated`: interfaces get what their implementations need, as composition does it. */
function protect(document: DocumentNode, coordinates: ReadonlySet<string>, isPropagated: boolean): string {
  const all = new Set(coordinates);
  for (const { kind, name, interfaces = [] } of isPropagated ? document.definitions.filter(isObject) : []) {
    if (kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
    for (const coordinate of coordinates) {
      const [type, field] = coordinate.split('.');
      if (type !== name.value) continue;
      for (const { name: owner } of interfaces)
        all.add(field === undefined ? owner.value : `${owner.value}.${field}`);
    }
  }
  const authenticated: ConstDirectiveNode = {
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: 'authenticated' },
  };
  const mark = <T extends { readonly directives?: readonly ConstDirectiveNode[] | undefined }>(
    node: T,
    coordinate: string,
  ): T => (all.has(coordinate) ? { ...node, directives: [...(node.directives ?? []), authenticated] } : node);
  const markType = (node: ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode) => ({
    ...mark(node, node.name.value),
    fields: (node.fields ?? []).map((field) => mark(field, `${node.name.value}.${field.name.value}`)),
  });
  const marked = visit(document, {
    [Kind.OBJECT_TYPE_DEFINITION]: markType,
    [Kind.INTERFACE_TYPE_DEFINITION]: markType,
    [Kind.ENUM_TYPE_DEFINITION]: (node) => mark(node, node.name.value),
    [Kind.SCALAR_TYPE_DEFINITION]: (node) => mark(node, node.name.value),
  });
  return `${print(marked)}
    directive @authenticated on FIELD_DEFINITION | OBJECT | INTERFACE | SCALAR | ENUM
    extend schema @link(url: "https://specs.apollo.dev/authenticated/v0.1", for: SECURITY)`;
}

function isObject(node: DocumentNode['definitions'][number]): node is ObjectTypeDefinitionNode {
  return node.kind === Kind.OBJECT_TYPE_DEFINITION;
}

/** The coordinates with those of all fields that need a protected input. */
function withDependents({ definitions }: GraphModel, coordinates: ReadonlySet<string>): ReadonlySet<string> {
  const denied = new Set(coordinates);
  const family = (type: string): readonly string[] => [type, ...definitions.subtypes(type)];
  const returnedType = (type: string, field: string): string => {
    const owners = [...family(type), ...definitions.supertypes(type)];
    const found = definitions.fields.find(
      ({ typeName, node }) => node.name.value === field && owners.includes(typeName),
    );
    return found === undefined ? '' : namedTypeOf(found.node.type);
  };
  const needsDenied = (type: string, set: SelectionSetNode | undefined): boolean =>
    (set?.selections ?? []).some((node) => {
      if (node.kind === Kind.FRAGMENT_SPREAD) return false;
      if (node.kind === Kind.INLINE_FRAGMENT) {
        const condition = node.typeCondition?.name.value ?? type;
        return denied.has(condition) || needsDenied(condition, node.selectionSet);
      }
      const returned = returnedType(type, node.name.value);
      return (
        family(type).some((name) => denied.has(name) || denied.has(`${name}.${node.name.value}`)) ||
        family(returned).some((name) => denied.has(name)) ||
        needsDenied(returned, node.selectionSet)
      );
    });
  for (let size = -1; size !== denied.size; ) {
    size = denied.size;
    for (const { typeName, node, requires, fromContext } of definitions.fields) {
      const isContextDenied = fromContext.some(({ selections }) =>
        [...selections].some(([type, set]) => denied.has(type) || needsDenied(type, set)),
      );
      for (const type of family(typeName))
        if (isContextDenied || needsDenied(type, requires)) denied.add(`${type}.${node.name.value}`);
    }
  }
  return denied;
}

/** Makes the resolvers of the schema throw at fields, and return errors in place of objects. */
function denyCoordinates(
  schema: GraphQLSchema,
  { definitions }: GraphModel,
  denied: ReadonlySet<string>,
): void {
  // With types that are hidden from clients.
  const possibleTypesOf = (name: string): readonly string[] =>
    definitions.subtypes(name).filter((each) => !isAbstractType(schema.getType(each)));
  const isTypeDenied = (name: string): boolean => {
    const possible = possibleTypesOf(name);
    return denied.has(name) || (possible.length > 0 && possible.every((each) => denied.has(each)));
  };
  const denyObjects = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(denyObjects);
    const type = typeof value === 'object' && value !== null && 'typeName' in value ? value.typeName : '';
    return isTypeDenied(String(type)) ? createDenial() : value;
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const { resolve } = field;
      const isFieldDenied =
        denied.has(`${type.name}.${field.name}`) || isTypeDenied(getNamedType(field.type).name);
      field.resolve = (...parameters) => {
        if (isFieldDenied) throw createDenial();
        return denyObjects(resolve?.(...parameters));
      };
    }
  }
}

function createDenial(): GraphQLError {
  return new GraphQLError('This needs a logged-in client, and the request has no valid token.', {
    extensions: { code: 'UNAUTHENTICATED' },
  });
}
