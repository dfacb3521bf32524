import type { FieldNode } from 'graphql';
import type { FetchStep } from '../../execution/program.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import { responseNameOf } from '../../planning/fieldTree.ts';

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
  // Operations are planned without fragments at the root, and validation ensures that a subscription has one field.
  const node = step.shape.document.selectionSet.selections[0] as FieldNode;
  return {
    step,
    coordinate: `${rootType.name}.${node.name.value}`,
    node,
    responseName: responseNameOf(node),
  };
}
