import { type FieldNode, Kind, type SelectionSetNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { GatewayError } from '../../errors.ts';
import { FetchShapeRegistry } from '../../execution/fetchShape.ts';
import { TypeConditions } from '../../execution/typeConditions.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import { getOrInsertComputed } from '../../sharing/getOrInsertComputed.ts';
import type { Supergraph } from '../../supergraph/supergraph.ts';
import type { EventCompletion } from '../sources/subscriptionSource.ts';
import { createCompletionProgram } from './completionProgram.ts';
import { copyKey, hasKey } from './entityKey.ts';
import { EventReader, type MissingField } from './eventReader.ts';
import { type RootField, rootFieldOf } from './rootField.ts';
import type { TopicEvent } from './topicEvent.ts';
import { TopicSchema } from './topicSchema.ts';

/** Maximum cached variants of one operation: one for each combination of type, key and missing fields. */
const maxVariants = 32;

/** An operation whose root field a topic feeds. */
export class TopicOperation {
  readonly field: RootField;
  readonly #operation: PreparedOperation;
  readonly #schema: TopicSchema;
  readonly #conditions: TypeConditions;
  readonly #reader: EventReader;
  /** The type of the field. */
  readonly #type: string | undefined;
  readonly #numberByNode = new Map<FieldNode, number>();
  /** By type. */
  readonly #fieldsFetchedLater = new Map<string, ReadonlySet<string>>();
  readonly #variants = new LRUCache<string, PreparedOperation>({ max: maxVariants });

  private constructor(operation: PreparedOperation) {
    this.field = rootFieldOf(operation);
    this.#operation = operation;
    this.#schema = TopicSchema.of(operation.supergraph);
    this.#conditions = TypeConditions.forSupergraph(operation.supergraph);
    this.#reader = new EventReader(this.#schema, this.#conditions);
    this.#type = this.#schema.fieldTypeOf(operation.rootType.name, this.field.node.name.value);
  }

  /** Created once for each operation, which is a subscription. */
  static of(operation: PreparedOperation): TopicOperation {
    return getOrInsertComputed(byOperation, operation, () => new TopicOperation(operation));
  }

  /** Whether the type of the event is a possible type of the field. */
  acceptsType({ typename }: TopicEvent): boolean {
    return this.#type !== undefined && this.#conditions.matches(this.#type, typename);
  }

  /** The fields of events of this type that the operation fetches in later steps: from other subgraphs, or with inputs of
   *  other subgraphs (`@requires`). Their values in events are ignored. */
  fieldsFetchedLater(typename: string): ReadonlySet<string> {
    return getOrInsertComputed(this.#fieldsFetchedLater, typename, () =>
      this.#findFieldsFetchedLater(typename),
    );
  }

  #findFieldsFetchedLater(typename: string): ReadonlySet<string> {
    const names = new Set<string>();
    const add = ({ selections }: SelectionSetNode): void => {
      for (const selection of selections) {
        if (selection.kind === Kind.FIELD) names.add(selection.name.value);
        else if (selection.kind === Kind.INLINE_FRAGMENT) {
          const condition = selection.typeCondition?.name.value;
          if (condition === undefined || this.#conditions.matches(condition, typename))
            add(selection.selectionSet);
        }
      }
    };
    const { step: ownStep } = this.field;
    for (const step of this.#operation.program.steps)
      if (step !== ownStep && step.path.length === 1) add(step.shape.selection);
    names.delete('__typename');
    return names;
  }

  /** The event with the operation's response names, and an operation that fetches the fields that the event lacks. */
  complete({ value, typename }: TopicEvent): EventCompletion {
    const { responseName, node, step } = this.field;
    const set = node.selectionSet as SelectionSetNode;
    const { data, missing } = this.#reader.read(set, value, typename);
    const event = { data: { [responseName]: data }, errors: undefined };
    data.__typename ??= typename;
    if (missing.length === 0) return { operation: this.#operation, event };
    const keys = this.#schema.keysOf(step.shape.subgraph, typename);
    const key = keys.find((candidate) => hasKey(candidate, value));
    if (key === undefined) {
      const errors = missing.map((field) => this.#incompleteEventError(field, typename));
      return { operation: this.#operation, event: { ...event, errors } };
    }
    copyKey(key, value, data);
    return { operation: this.#variantFor(typename, key, keys.indexOf(key), missing), event };
  }

  #variantFor(
    typename: string,
    key: SelectionSetNode,
    keyNumber: number,
    missing: readonly MissingField[],
  ): PreparedOperation {
    const nodes = new Set(missing.map(({ node }) => node));
    const numbers = [...nodes].map((node) => this.#numberOf(node)).sort((a, b) => a - b);
    const name = `${typename} ${keyNumber} ${numbers.join()}`;
    let variant = this.#variants.get(name);
    if (variant === undefined) {
      const program = createCompletionProgram({
        program: this.#operation.program,
        field: this.field,
        typename,
        key,
        missingNodes: nodes,
        shapes: shapesOf(this.#operation.supergraph),
        conditions: this.#conditions,
      });
      variant = { ...this.#operation, program };
      this.#variants.set(name, variant);
    }
    return variant;
  }

  #numberOf(node: FieldNode): number {
    const number = this.#numberByNode.get(node) ?? this.#numberByNode.size;
    this.#numberByNode.set(node, number);
    return number;
  }

  #incompleteEventError({ node, path }: MissingField, typename: string): GatewayError {
    return new GatewayError(
      'EVENT_INCOMPLETE',
      `The event has no value for the field "${node.name.value}", and no complete key with which the gateway could fetch the ${typename}.`,
      { path: [this.field.responseName, ...path] },
    );
  }
}

const byOperation = new WeakMap<PreparedOperation, TopicOperation>();

function shapesOf(supergraph: Supergraph): FetchShapeRegistry {
  return getOrInsertComputed(
    shapesBySupergraph,
    supergraph,
    () => new FetchShapeRegistry(supergraph.apiSchema),
  );
}

const shapesBySupergraph = new WeakMap<Supergraph, FetchShapeRegistry>();
