import {
  type ConstDirectiveNode,
  GraphQLError,
  Kind,
  print,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { parseFieldSet } from '../../gateway/planning/supergraphDocument.ts';
import { argumentValueOf, textValueOf } from './links.ts';

/** The paths of the leaves that the `fields` of a `@key`, `@requires` or `@provides` select, sorted and without
 *  duplicates. Field sets with equal paths have the same meaning. A field set that does not parse is its own only
 *  path. */
export function fieldPathsOf(directive: ConstDirectiveNode): readonly string[] {
  const value = argumentValueOf(directive, 'fields');
  // Federation 1 also accepts a list of names.
  const parts = value?.kind === Kind.LIST ? value.values : [value];
  const text = parts.map((part) => textValueOf(part) ?? '').join(' ');
  try {
    return [...new Set(leafPathsOf(parseFieldSet(text), ''))].sort();
  } catch (error) {
    if (error instanceof GraphQLError) return [text];
    throw error;
  }
}

/** The selection of a `@fromContext`, with normalised white space. */
export function contextSelectionOf(directive: ConstDirectiveNode): string {
  const text = textValueOf(argumentValueOf(directive, 'field')) ?? '';
  return text
    .replace(/[\s,]+/g, ' ')
    .replace(/ ?([{}():]) ?/g, '$1')
    .trim();
}

function leafPathsOf(set: SelectionSetNode | undefined, prefix: string): string[] {
  return (set?.selections ?? []).flatMap((selection) => {
    const path = `${prefix}${segmentOf(selection)}`;
    const below = selection.kind === Kind.FRAGMENT_SPREAD ? undefined : selection.selectionSet;
    return below === undefined ? [path] : leafPathsOf(below, `${path}.`);
  });
}

function segmentOf(selection: SelectionNode): string {
  if (selection.kind === Kind.INLINE_FRAGMENT) return `[${selection.typeCondition?.name.value ?? ''}]`;
  if (selection.kind === Kind.FRAGMENT_SPREAD) return `...${selection.name.value}`;
  const given = (selection.arguments ?? []).map(print).sort();
  return given.length === 0 ? selection.name.value : `${selection.name.value}(${given.join(', ')})`;
}
