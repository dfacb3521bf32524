import { type FieldNode, Kind, type SelectionSetNode } from 'graphql';
import type { FetchStep } from '../../execution/program.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';

/** The root field of a subscription, as the first step of the plan selects it. */
export interface RootField {
  readonly step: FetchStep;
  /** Such as `Subscription.stockChanged`. */
  readonly coordinate: string;
  readonly node: FieldNode;
  readonly responseName: string;
}

/** `operation`: a subscription, whose program begins with the fetch that subscribes. */
export function rootFieldOf({ program, rootType }: PreparedOperation): RootField {
  const step = program.steps[0] as FetchStep;
  const node = firstField(step.shape.document.selectionSet) as FieldNode;
  return {
    step,
    coordinate: `${rootType.name}.${node.name.value}`,
    node,
    responseName: responseNameOf(node),
  };
}

export function responseNameOf({ alias, name }: FieldNode): string {
  return (alias ?? name).value;
}

/** Validation ensures that a subscription has one field besides `__typename`. */
function firstField({ selections }: SelectionSetNode): FieldNode | undefined {
  for (const selection of selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      const found = firstField(selection.selectionSet);
      if (found !== undefined) return found;
    } else if (selection.kind === Kind.FIELD && selection.name.value !== '__typename') return selection;
  }
  return undefined;
}
