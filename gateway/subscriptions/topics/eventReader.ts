import { type FieldNode, Kind, type SelectionSetNode } from 'graphql';
import { isPlainObject, type ResponseObject, setKey } from '../../execution/responseTree.ts';
import type { TypeConditions } from '../../execution/typeConditions.ts';
import { responseNameOf } from './rootField.ts';
import type { TopicSchema } from './topicSchema.ts';

/** A selected field that an event does not have, at one place. */
export interface MissingField {
  readonly node: FieldNode;
  /** Response names and indices below the event. */
  readonly path: readonly (string | number)[];
}

/** What an event has of a selection. */
interface EventData {
  /** By response names. */
  readonly data: ResponseObject;
  readonly missing: readonly MissingField[];
}

/** Reads from events, which have the field names of the schema, what is selected. A field with arguments counts as
 *  missing: an event does not say for which ones its value is. */
export class EventReader {
  readonly #graph: TopicSchema;
  readonly #conditions: TypeConditions;

  constructor(graph: TopicSchema, conditions: TypeConditions) {
    this.#graph = graph;
    this.#conditions = conditions;
  }

  read(set: SelectionSetNode, value: Readonly<Record<string, unknown>>, typename: string): EventData {
    const missing: MissingField[] = [];
    const data: ResponseObject = {};
    this.#readSelections(data, set, value, typename, [], missing);
    return { data, missing };
  }

  #readSelections(
    into: ResponseObject,
    set: SelectionSetNode,
    value: Readonly<Record<string, unknown>>,
    typename: string | undefined,
    path: MissingField['path'],
    missing: MissingField[],
  ): void {
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        const { selectionSet: inner } = selection;
        if (condition !== undefined && typename === undefined)
          missing.push(...collectMissingFields(inner, path));
        else if (condition === undefined || this.#conditions.matches(condition, typename as string)) {
          this.#readSelections(into, inner, value, typename, path, missing);
        }
      } else if (selection.kind === Kind.FIELD) {
        const key = responseNameOf(selection);
        const below = [...path, key];
        const known = Object.hasOwn(into, key) ? into[key] : undefined;
        const read = this.#readField(known, selection, value, typename, below, missing);
        if (read === undefined) missing.push({ node: selection, path: below });
        else setKey(into, key, read);
      }
    }
  }

  /** `undefined` for a field that is missing as a whole. */
  #readField(
    known: unknown,
    { name: { value: name }, arguments: given = [], selectionSet }: FieldNode,
    value: Readonly<Record<string, unknown>>,
    typename: string | undefined,
    path: MissingField['path'],
    missing: MissingField[],
  ): unknown {
    if (name === '__typename') return typename;
    if (given.length > 0 || !Object.hasOwn(value, name)) return undefined;
    const own = value[name];
    if (selectionSet === undefined || own === null) return structuredClone(own);
    const fieldType = typename === undefined ? undefined : this.#graph.fieldTypeOf(typename, name);
    return this.#readComposite(known, selectionSet, own, fieldType, path, missing);
  }

  #readComposite(
    known: unknown,
    set: SelectionSetNode,
    value: unknown,
    fieldType: string | undefined,
    path: MissingField['path'],
    missing: MissingField[],
  ): unknown {
    if (value === null) return null;
    if (Array.isArray(value)) {
      const elements = value.map((element, index) => {
        const knownElement = Array.isArray(known) ? known[index] : undefined;
        return this.#readComposite(knownElement, set, element, fieldType, [...path, index], missing);
      });
      return elements.includes(undefined) ? undefined : elements;
    }
    if (!isPlainObject(value)) return undefined;
    const into: ResponseObject = isPlainObject(known) ? known : {};
    this.#readSelections(into, set, value, this.#typenameOf(value, fieldType), path, missing);
    return into;
  }

  #typenameOf({ __typename: own }: ResponseObject, fieldType: string | undefined): string | undefined {
    if (typeof own === 'string') return own;
    return fieldType !== undefined && this.#conditions.isObjectType(fieldType) ? fieldType : undefined;
  }
}

function collectMissingFields(set: SelectionSetNode, path: MissingField['path']): MissingField[] {
  return set.selections.flatMap((selection) => {
    if (selection.kind === Kind.INLINE_FRAGMENT) return collectMissingFields(selection.selectionSet, path);
    return selection.kind === Kind.FIELD
      ? [{ node: selection, path: [...path, responseNameOf(selection)] }]
      : [];
  });
}
