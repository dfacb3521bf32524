import { Kind } from 'graphql';
import type { ElementNode } from '../elements.ts';
import { createChange, type SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

/** Compares `@interfaceObject`, also when the type changes between interface and object: GraphQL Inspector then
 *  compares nothing but the name. */
export function interfaceObjectChanges(pair: ElementPair): readonly SubgraphChange[] {
  const { coordinate, old: before, next: after } = pair;
  const [old, next] = singleApplicationsOf(pair, 'federation__interfaceObject');
  if (before === undefined || (old === undefined) === (next === undefined)) return [];
  const isChangeOfKind = before.kind !== after.kind;
  if (next !== undefined) {
    const message = `${coordinate} stands for an interface now`;
    const change = createChange('interface-object-added', { message, coordinate, node: next });
    return [change, ...(isChangeOfKind ? lostFields(coordinate, before, after) : [])];
  }
  // A subgraph that defines the interface itself still resolves it.
  const severity = isChangeOfKind ? 'dangerous' : 'breaking';
  const message = `${coordinate} no longer stands for an interface`;
  return [
    { rule: 'interface-object-removed', severity, message, coordinate },
    ...(isChangeOfKind ? lostFields(coordinate, before, after) : []),
  ];
}

function lostFields(type: string, before: ElementNode, after: ElementNode): readonly SubgraphChange[] {
  return [...fieldsOf(before).difference(fieldsOf(after))].map((field) => ({
    rule: 'field-removed',
    severity: 'breaking',
    message: `Field '${field}' was removed from '${type}'`,
    coordinate: `${type}.${field}`,
  }));
}

function fieldsOf(element: ElementNode): ReadonlySet<string> {
  const hasFields =
    element.kind === Kind.OBJECT_TYPE_DEFINITION || element.kind === Kind.INTERFACE_TYPE_DEFINITION;
  return new Set(hasFields ? element.fields?.map(({ name }) => name.value) : []);
}
