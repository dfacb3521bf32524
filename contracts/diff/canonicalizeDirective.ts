import {
  type ConstDirectiveNode,
  type ConstValueNode,
  DEFAULT_DEPRECATION_REASON,
  Kind,
  print,
} from 'graphql';
import { contextSelectionOf, fieldPathsOf } from './fieldSet.ts';
import { argumentValueOf, textValueOf } from './links.ts';

/** A directive's application as text: by its meaning where federation gives it one, else by its values. */
export function canonicalizeDirective(directive: ConstDirectiveNode): string {
  const name = directive.name.value;
  const fields = (): string => `fields: ${JSON.stringify(fieldPathsOf(directive).join(' '))}`;
  switch (name) {
    case 'federation__key':
      return `@${name}(${fields()}${isResolvable(directive) ? '' : ', resolvable: false'})`;
    case 'federation__requires':
    case 'federation__provides':
      return `@${name}(${fields()})`;
    case 'federation__fromContext':
      return `@${name}(field: ${JSON.stringify(contextSelectionOf(directive))})`;
    case 'federation__shareable':
    case 'federation__external':
      return `@${name}`;
    case 'deprecated': {
      const reason = textValueOf(argumentValueOf(directive, 'reason')) ?? DEFAULT_DEPRECATION_REASON;
      return `@${name}(reason: ${JSON.stringify(reason)})`;
    }
  }
  const isSet = name === 'federation__requiresScopes' || name === 'federation__policy';
  const given = (directive.arguments ?? [])
    .map((argument) => `${argument.name.value}: ${printValue(argument.value, isSet)}`)
    .sort();
  return given.length === 0 ? `@${name}` : `@${name}(${given.join(', ')})`;
}

/** Whether a `@key` can be used to get entities from the subgraph. */
export function isResolvable(key: ConstDirectiveNode): boolean {
  const value = argumentValueOf(key, 'resolvable');
  return !(value?.kind === Kind.BOOLEAN && !value.value);
}

/** A value as text, whatever the order of its objects' fields and the kind of its quotes. `isSet`: the order of its
 *  lists does not count either. */
export function printValue(value: ConstValueNode, isSet = false): string {
  if (value.kind === Kind.LIST) {
    const elements = value.values.map((element) => printValue(element, isSet));
    return `[${(isSet ? [...new Set(elements)].sort() : elements).join(', ')}]`;
  }
  if (value.kind === Kind.OBJECT) {
    const fields = value.fields.map((field) => `${field.name.value}: ${printValue(field.value, isSet)}`);
    return `{${fields.sort().join(', ')}}`;
  }
  return value.kind === Kind.STRING ? JSON.stringify(value.value) : print(value);
}
