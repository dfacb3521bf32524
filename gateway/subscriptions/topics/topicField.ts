import { type DocumentNode, type FieldDefinitionNode, Kind, OperationTypeNode } from 'graphql';
import { findNearestName } from '../../config/findNearestName.ts';
import { compositesOf, namedTypeOf, rootTypesOf } from '../../planning/supergraphDocument.ts';

/** Where the events of a field come from, and for whom they are. */
export interface TopicField {
  /** Whole key of a Redis stream. */
  readonly stream?: string | undefined;
  /** Name of a topic of this process, where there is no `stream`. */
  readonly topic?: string | undefined;
  /** By the name of an argument: path in the event, with dots. */
  readonly filter: Readonly<Record<string, string>>;
}

/** `subscriptions.topics` of the configuration: by `Subscription.stockChanged`. */
export type TopicFields = Readonly<Record<string, TopicField>>;

/** What the configuration names and a supergraph does not have, or cannot be fed by a topic. */
export function findUnknownTopicFields(configured: TopicFields, document: DocumentNode): readonly string[] {
  const entries = Object.entries(configured);
  if (entries.length === 0) return [];
  const types = compositesOf(document);
  const rootName = rootTypesOf(document).get(OperationTypeNode.SUBSCRIPTION);
  const root = rootName === undefined ? undefined : types.get(rootName);
  const unions = new Set(
    document.definitions.flatMap((definition) =>
      definition.kind === Kind.UNION_TYPE_DEFINITION ? [definition.name.value] : [],
    ),
  );
  return entries.flatMap(([coordinate, { filter }]) => {
    const [typeName, fieldName] = coordinate.split('.');
    const field =
      typeName === rootName ? root?.fields?.find(({ name }) => name.value === fieldName) : undefined;
    if (field === undefined) {
      const coordinates = (root?.fields ?? []).map(({ name }) => `${rootName}.${name.value}`);
      return [`there is no subscription ${coordinate}${suggest(coordinate, coordinates)}`];
    }
    const named = namedTypeOf(field);
    if (isList(field) || !(types.has(named) || unions.has(named))) {
      return [`${coordinate}: an event is one object, and the field is no object`];
    }
    const names = (field.arguments ?? []).map(({ name }) => name.value);
    return Object.keys(filter)
      .filter((name) => !names.includes(name))
      .map((name) => `${coordinate}: there is no argument ${name}${suggest(name, names)}`);
  });
}

function isList({ type }: FieldDefinitionNode): boolean {
  return (type.kind === Kind.NON_NULL_TYPE ? type.type : type).kind === Kind.LIST_TYPE;
}

function suggest(name: string, candidates: readonly string[]): string {
  const nearest = findNearestName(name, candidates);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}
