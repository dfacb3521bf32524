import { type FieldNode, Kind, type SelectionSetNode } from 'graphql';
import { type ResponseObject, setKey } from '../../execution/responseTree.ts';
import type { TypeConditions } from '../../execution/typeConditions.ts';
import { copyJson } from '../../json/copyJson.ts';
import { isObject } from '../../json/isObject.ts';
import { responseNameOf } from '../../planning/fieldTree.ts';
import type { TopicSchema } from './topicSchema.ts';

/** A selected field that an object of the event does not have. */
export interface MissingField {
  readonly node: FieldNode;
  /** Response names and list indices, relative to the event. */
  readonly path: readonly (string | number)[];
}

/** The part of a selection that an event has. */
interface EventData {
  /** By response names. */
  readonly data: ResponseObject;
  readonly missing: readonly MissingField[];
}

/** Reads the selected fields of events. Events have the field names of the schema. A field with arguments counts as
 *  missing, because an event does not say to which arguments its value belongs. */
export class EventReader {
  readonly #schema: TopicSchema;
  readonly #conditions: TypeConditions;

  constructor(schema: TopicSchema, conditions: TypeConditions) {
    this.#schema = schema;
    this.#conditions = conditions;
  }

  read(set: SelectionSetNode, value: Readonly<Record<string, unknown>>, typename: string): EventData {
    const missing: MissingField[] = [];
    const data: ResponseObject = {};
    this.#readSelections(data, set, value, typename, [], missing);
    return { data, missing };
  }

  #readSelections(
    target: ResponseObject,
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
          this.#readSelections(target, inner, value, typename, path, missing);
        }
      } else if (selection.kind === Kind.FIELD) {
        const key = responseNameOf(selection);
        const below = [...path, key];
        const existing = Object.hasOwn(target, key) ? target[key] : undefined;
        const read = this.#readField(existing, selection, value, typename, below, missing);
        if (read === undefined) missing.push({ node: selection, path: below });
        else setKey(target, key, read);
      }
    }
  }

  /** Returns `undefined` if the whole field is missing. */
  #readField(
    existing: unknown,
    { name: { value: name }, arguments: args = [], selectionSet }: FieldNode,
    value: Readonly<Record<string, unknown>>,
    typename: string | undefined,
    path: MissingField['path'],
    missing: MissingField[],
  ): unknown {
    if (name === '__typename') return typename;
    if (args.length > 0 || !Object.hasOwn(value, name)) return undefined;
    const own = value[name];
    if (selectionSet === undefined) return copyJson(own);
    const fieldType = typename === undefined ? undefined : this.#schema.fieldTypeOf(typename, name);
    return this.#readComposite(existing, selectionSet, own, fieldType, path, missing);
  }

  #readComposite(
    existing: unknown,
    set: SelectionSetNode,
    value: unknown,
    fieldType: string | undefined,
    path: MissingField['path'],
    missing: MissingField[],
  ): unknown {
    if (value === null) return null;
    if (Array.isArray(value)) {
      const elements = value.map((element, index) => {
        const existingElement = Array.isArray(existing) ? existing[index] : undefined;
        return this.#readComposite(existingElement, set, element, fieldType, [...path, index], missing);
      });
      return elements.includes(undefined) ? undefined : elements;
    }
    if (!isObject(value)) return undefined;
    const target: ResponseObject = isObject(existing) ? existing : {};
    this.#readSelections(target, set, value, this.#typenameOf(value, fieldType), path, missing);
    return target;
  }

  #typenameOf({ __typename: typename }: ResponseObject, fieldType: string | undefined): string | undefined {
    if (typeof typename === 'string') return typename;
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
