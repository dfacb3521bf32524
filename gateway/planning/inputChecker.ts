import { Kind, parse, type SelectionSetNode } from 'graphql';
import type { EntityInputs } from './entityInputs.ts';
import {
  emptyFieldTree,
  type FieldTree,
  fieldTreeOf,
  fieldTreeOfRequires,
  isFieldSubset,
} from './fieldTree.ts';
import { mapFetches } from './mapFetches.ts';
import type { FetchNode, QueryPlan } from './queryPlan.ts';
import { namedTypeOf } from './supergraphDocument.ts';

/** Finds fields that a plan fetches without the inputs of their `@requires` and, in a plan with deferred parts, fields
 *  that it fetches from a subgraph that does not resolve them. */
export class InputChecker {
  readonly #inputs: EntityInputs;
  /** Names by operation type. */
  readonly #rootTypes: ReadonlyMap<string, string>;

  constructor(inputs: EntityInputs, rootTypes: ReadonlyMap<string, string>) {
    this.#inputs = inputs;
    this.#rootTypes = rootTypes;
  }

  /** The first such field as `Type.field`; `undefined` when the plan is correct. */
  findMissingInput(plan: QueryPlan): string | undefined {
    // The planner adds an input of a deferred fetch to the preceding fetch, whether or not its subgraph resolves it.
    const isSplit = plan.node?.kind === 'Defer';
    if (this.#inputs.isEmpty && !isSplit) return undefined;
    let missingField: string | undefined;
    mapFetches(plan, (fetch) => {
      missingField ??= this.#checkFetch(fetch, isSplit);
      return fetch;
    });
    return missingField;
  }

  #checkFetch(fetch: FetchNode, isSplit: boolean): string | undefined {
    const where = { subgraph: fetch.serviceName, isSplit };
    const [operation] = parse(fetch.operation, { noLocation: true }).definitions;
    if (operation?.kind !== Kind.OPERATION_DEFINITION) return undefined;
    const [first] = operation.selectionSet.selections;
    const isEntityFetch = fetch.requires !== undefined && first?.kind === Kind.FIELD;
    return isEntityFetch && first.selectionSet !== undefined
      ? this.#checkSelectionSet(
          where,
          first.selectionSet,
          undefined,
          fieldTreeOfRequires(fetch.requires ?? []),
        )
      : this.#checkSelectionSet(
          where,
          operation.selectionSet,
          this.#rootTypes.get(operation.operation),
          emptyFieldTree,
        );
  }

  /** `known`: fields of these objects that the subgraph receives or provides besides its own fields. */
  #checkSelectionSet(
    where: { readonly subgraph: string; readonly isSplit: boolean },
    set: SelectionSetNode,
    typeName: string | undefined,
    known: FieldTree,
  ): string | undefined {
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const inner = selection.typeCondition?.name.value ?? typeName;
        const missingField = this.#checkSelectionSet(where, selection.selectionSet, inner, known);
        if (missingField !== undefined) return missingField;
      }
      if (selection.kind !== Kind.FIELD || typeName === undefined) continue;
      const fieldName = selection.name.value;
      const coordinate = `${where.subgraph} ${typeName}.${fieldName}`;
      const required = this.#inputs.requiredBy(coordinate);
      if (required !== undefined && !isFieldSubset(fieldTreeOf([required]), known))
        return `${typeName}.${fieldName}`;
      if (
        where.isSplit &&
        !known.has(fieldName) &&
        this.#inputs.isExternal(where.subgraph, typeName, fieldName)
      )
        return `${typeName}.${fieldName}`;
      const field = this.#inputs.types.get(typeName)?.fields?.find(({ name }) => name.value === fieldName);
      if (field === undefined || selection.selectionSet === undefined) continue;
      const provided = this.#inputs.providedBy(coordinate);
      const knownBelow = known.get(fieldName)?.() ?? emptyFieldTree;
      const below =
        provided === undefined ? knownBelow : new Map([...knownBelow, ...fieldTreeOf([provided])]);
      const missingField = this.#checkSelectionSet(where, selection.selectionSet, namedTypeOf(field), below);
      if (missingField !== undefined) return missingField;
    }
    return undefined;
  }
}
