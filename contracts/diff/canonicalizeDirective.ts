import {
  type ConstDirectiveNode,
  type ConstValueNode,
  DEFAULT_DEPRECATION_REASON,
  Kind,
  print,
} from 'graphql';
import { contextSelectionOf, fieldPathsOf } from './fieldSet.ts';
import { argumentValueOf, textValueOf } from './links.ts';

/** The application of a directive as text. Federation directives are printed by their meaning, others by their
 *  arguments. */
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

/** Whether the subgraph resolves entities by this `@key`. */
export function isResolvable(key: ConstDirectiveNode): boolean {
  const value = argumentValueOf(key, 'resolvable');
  return !(value?.kind === Kind.BOOLEAN && !value.value);
}

/** A value as text, independent of the order of object fields and of the kind of quotes. `isSet`: lists are sets. */
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
