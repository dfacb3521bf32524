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
  const text = writtenFieldSetOf(directive);
  const set = readFieldSet(text);
  return set === 'invalid' ? [text] : [...new Set(leafPathsOf(set, ''))].sort();
}

/** The `fields` of a `@key`, `@requires` or `@provides` as written, on one line. */
export function writtenFieldSetOf(directive: ConstDirectiveNode): string {
  const value = argumentValueOf(directive, 'fields');
  // Federation 1 also accepts a list of names.
  const parts = value?.kind === Kind.LIST ? value.values : [value];
  return toOneLine(parts.map((part) => textValueOf(part) ?? '').join(' '));
}

/** The part of a field set that selects these paths, in its own order. */
export function printFieldPaths(directive: ConstDirectiveNode, paths: ReadonlySet<string>): string {
  const text = writtenFieldSetOf(directive);
  const set = readFieldSet(text);
  return set === undefined || set === 'invalid' ? text : printFieldSet(pickPaths(set, '', paths));
}

/** A field set in the layout of a directive's argument. */
export function printFieldSet(set: SelectionSetNode): string {
  return toOneLine(print(set).slice(1, -1));
}

/** The `field` of a `@fromContext` with normalised white space. Equal texts have the same meaning. */
export function contextSelectionOf(directive: ConstDirectiveNode): string {
  return writtenContextSelectionOf(directive)
    .replace(/[\s,]+/g, ' ')
    .replace(/ ?([{}():]) ?/g, '$1')
    .trim();
}

/** The `field` of a `@fromContext` as written, on one line. */
export function writtenContextSelectionOf(directive: ConstDirectiveNode): string {
  return toOneLine(textValueOf(argumentValueOf(directive, 'field')) ?? '');
}

function readFieldSet(text: string): SelectionSetNode | undefined | 'invalid' {
  try {
    return parseFieldSet(text);
  } catch (error) {
    if (error instanceof GraphQLError) return 'invalid';
    throw error;
  }
}

function toOneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function leafPathsOf(set: SelectionSetNode | undefined, prefix: string): string[] {
  return (set?.selections ?? []).flatMap((selection) => {
    const path = `${prefix}${segmentOf(selection)}`;
    const below = selection.kind === Kind.FRAGMENT_SPREAD ? undefined : selection.selectionSet;
    return below === undefined ? [path] : leafPathsOf(below, `${path}.`);
  });
}

function pickPaths(set: SelectionSetNode, prefix: string, paths: ReadonlySet<string>): SelectionSetNode {
  const selections = set.selections.flatMap((selection): SelectionNode[] => {
    const path = `${prefix}${segmentOf(selection)}`;
    if (selection.kind === Kind.FRAGMENT_SPREAD || selection.selectionSet === undefined) {
      return paths.has(path) ? [selection] : [];
    }
    const selectionSet = pickPaths(selection.selectionSet, `${path}.`, paths);
    return selectionSet.selections.length === 0 ? [] : [{ ...selection, selectionSet }];
  });
  return { ...set, selections };
}

function segmentOf(selection: SelectionNode): string {
  if (selection.kind === Kind.INLINE_FRAGMENT) return `[${selection.typeCondition?.name.value ?? ''}]`;
  if (selection.kind === Kind.FRAGMENT_SPREAD) return `...${selection.name.value}`;
  const given = (selection.arguments ?? []).map(print).sort();
  return given.length === 0 ? selection.name.value : `${selection.name.value}(${given.join(', ')})`;
}
