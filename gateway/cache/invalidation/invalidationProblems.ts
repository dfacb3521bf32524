import { Kind, print, specifiedScalarTypes, type TypeNode } from 'graphql';
import { suggestName } from '../../config/findNearestName.ts';
import { isRawNumber } from '../../json/exactJson.ts';
import { isObject } from '../../json/isObject.ts';
import { truncate } from '../../json/truncate.ts';
import type { CacheGraph, GraphType, KeyFields } from '../rules/cacheGraph.ts';

/** The problem with the name of a type; `undefined` if the type exists. */
export function findTypeProblem(name: string, graph: CacheGraph): string | undefined {
  if (graph.types.has(name)) return undefined;
  return `there is no object type, interface or union ${quoteUnlessName(name)}${suggestName(truncate(name, maxQuotedLength), [...graph.types.keys()])}`;
}

export function findSubgraphProblem(name: string, graph: CacheGraph): string | undefined {
  if (graph.subgraphs.has(name)) return undefined;
  return `there is no subgraph ${JSON.stringify(truncate(name, maxQuotedLength))}${suggestName(truncate(name, maxQuotedLength), [...graph.subgraphs])}`;
}

/** The problems of an entity that is given by these fields. `isKnown`: they contain one of its keys. */
export function findEntityProblems(
  typeName: string,
  fields: Readonly<Record<string, unknown>>,
  isKnown: boolean,
  graph: CacheGraph,
): string[] {
  const type = graph.types.get(typeName);
  if (type === undefined) return [findTypeProblem(typeName, graph) as string];
  if (type.keys.length === 0) return [`${typeName} has no keys; invalidate its type instead`];
  const names = Object.keys(fields).filter((name) => name !== '__typename');
  const types = withPossibleTypes(type, graph);
  const fieldNames = [...new Set(types.flatMap(({ fields: own }) => [...own.keys()]))];
  const unknown = names.filter((name) => !fieldNames.includes(name));
  const problems = unknown.map(
    (name) =>
      `${typeName} has no field ${quoteUnlessName(name)}${suggestName(truncate(name, maxQuotedLength), fieldNames)}`,
  );
  const keyFields = types.flatMap(({ keys }) => keys.map((key) => key.fields));
  problems.push(...findKeyProblems(types, keyFields, fields, graph));
  if (!isKnown && problems.length === 0) {
    const given = names.length === 0 ? '' : ` ${names.join(' ')}`;
    const keys = type.keys.map(({ text }) => text).join(', ');
    problems.push(`${typeName} has no key {${given} }. Its keys: ${keys}`);
  }
  return problems;
}

/** An object type, or an abstract type and the object types of its values. */
function withPossibleTypes(type: GraphType, graph: CacheGraph): readonly GraphType[] {
  return [...new Set([type, ...type.possibleTypes.flatMap((name) => graph.types.get(name) ?? [])])];
}

/** The problems of the values of key fields in an object with one of these types. Other fields are ignored. */
function findKeyProblems(
  types: readonly GraphType[],
  keys: readonly KeyFields[],
  object: Readonly<Record<string, unknown>>,
  graph: CacheGraph,
  path = '',
): string[] {
  return Object.entries(object).flatMap(([name, value]) => {
    const nestedKeys = keys.flatMap((key) => key.get(name) ?? []);
    const type = types.find(({ fields }) => fields.has(name))?.fields.get(name)?.type;
    if (nestedKeys.length === 0 || type === undefined) return [];
    return findValueProblems(type, nestedKeys, value, graph, `${path}${name}`);
  });
}

/** The problems of a value of a key field, or of an element of its list. */
function findValueProblems(
  type: TypeNode,
  nestedKeys: readonly KeyFields[],
  value: unknown,
  graph: CacheGraph,
  path: string,
): string[] {
  const problem = (actual: string): string[] => [
    `the key field ${path} is ${actual}; expected a value of type ${print(type)}`,
  ];
  if (value === null) return type.kind === Kind.NON_NULL_TYPE ? problem('null') : [];
  const nullable = type.kind === Kind.NON_NULL_TYPE ? type.type : type;
  if (nullable.kind === Kind.LIST_TYPE) {
    if (!Array.isArray(value)) return problem('not a list');
    return value.flatMap((element, index) =>
      findValueProblems(nullable.type, nestedKeys, element, graph, `${path}[${index}]`),
    );
  }
  const typeName = nullable.name.value;
  const nestedType = graph.types.get(typeName);
  if (nestedType !== undefined) {
    if (!isObject(value)) return problem('not an object');
    return findKeyProblems(withPossibleTypes(nestedType, graph), nestedKeys, value, graph, `${path}.`);
  }
  // Values of custom scalars may be anything.
  const isScalar = graph.enumValues.has(typeName) || specifiedScalarNames.has(typeName);
  if (!isScalar || typeof value !== 'object' || isRawNumber(value)) return [];
  return problem(Array.isArray(value) ? 'a list' : 'an object');
}

const specifiedScalarNames: ReadonlySet<string> = new Set(specifiedScalarTypes.map(({ name }) => name));

const maxQuotedLength = 60;

function quoteUnlessName(name: string): string {
  return /^\w{1,100}$/.test(name) ? name : JSON.stringify(truncate(name, maxQuotedLength));
}
