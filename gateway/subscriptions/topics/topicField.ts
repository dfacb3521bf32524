import { type DocumentNode, type FieldDefinitionNode, Kind, OperationTypeNode } from 'graphql';
import { formatConfigPath } from '../../config/configError.ts';
import { suggestName } from '../../config/findNearestName.ts';
import { compositesOf, namedTypeOf, rootTypesOf } from '../../planning/supergraphDocument.ts';

/** The topic that feeds a field, and which events are for which clients. */
export interface TopicField {
  /** The full key of a Redis stream. */
  readonly stream?: string | undefined;
  /** The name of a topic of this process, if `stream` is absent. */
  readonly topic?: string | undefined;
  /** Paths in the event, separated by dots, by argument name. */
  readonly filter: Readonly<Record<string, string>>;
}

/** `subscriptions.topics` of the configuration, by coordinate such as `Subscription.stockChanged`. */
export type TopicFields = Readonly<Record<string, TopicField>>;

/** The problems of configured fields and arguments: the supergraph lacks them, or a topic cannot feed the field. */
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
    const path = formatConfigPath(['subscriptions', 'topics', coordinate]);
    const [typeName, fieldName] = coordinate.split('.');
    const field =
      typeName === rootName ? root?.fields?.find(({ name }) => name.value === fieldName) : undefined;
    if (field === undefined) {
      const coordinates = (root?.fields ?? []).map(({ name }) => `${rootName}.${name.value}`);
      return [`${path}: there is no subscription field ${coordinate}${suggestName(coordinate, coordinates)}`];
    }
    const named = namedTypeOf(field);
    if (isList(field) || !(types.has(named) || unions.has(named))) {
      return [`${path}: a topic feeds only fields whose type is an object, interface or union`];
    }
    const names = (field.arguments ?? []).map(({ name }) => name.value);
    return Object.keys(filter)
      .filter((name) => !names.includes(name))
      .map((name) => `${path}: there is no argument ${name}${suggestName(name, names)}`);
  });
}

function isList({ type }: FieldDefinitionNode): boolean {
  return (type.kind === Kind.NON_NULL_TYPE ? type.type : type).kind === Kind.LIST_TYPE;
}
